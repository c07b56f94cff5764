"""Plain texts for pre-training, from any readable documents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from biolink.documents import check_text
from biolink.errors import InputError
from biolink.formats import read, sniff_format
from biolink.kb.files import numbered_lines

__all__ = ["read_texts"]


def read_texts(files: Sequence[str]) -> Iterator[str]:
    """The texts of files, in order: plain text, JSONL, MEDLINE or PubMed XML and all others.

    Records of JSON Lines with ``title``, ``abstract`` and ``body`` (a text or a list of
    paragraphs) give all of them as one text.

    Raises
    ------
    InputError
        When a file is not what its format says, with file and line.
    """
    for file in files:
        if sniff_format(file) == "jsonl":
            yield from _records(file)
        else:
            for document in read(file):
                yield " ".join(document.text.split())


def _records(file: str) -> Iterator[str]:
    for number, line in numbered_lines(file):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            body = record.get("body") or []
            parts = [record.get("text"), record.get("title"), record.get("abstract")]
            parts += [body] if isinstance(body, str) else body
            text = " ".join(" ".join(part.split()) for part in parts if part)
            check_text(text, "a text")
        except (ValueError, AttributeError, TypeError, RecursionError):
            expected = 'an object with "text", or "title" and "abstract" and perhaps "body"'
            raise InputError(file, number, line.strip()[:60], expected) from None
        if text:
            yield text
