"""Plain texts for pre-training, from any readable documents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from biolink.documents import check_text
from biolink.errors import BiolinkError, InputError
from biolink.formats import read, sniff_format
from biolink.formats.problems import OF_A_RECORD, OnProblem, check_utf8, raise_or_report
from biolink.kb.files import numbered_lines

__all__ = ["TextReader", "read_texts"]

_EXPECTED = 'an object with "text", or "title" and "abstract" and perhaps "body"'


def read_texts(files: Sequence[str], on_problem: OnProblem = None) -> Iterator[str]:
    """The texts of files, in order: plain text, JSONL, MEDLINE or PubMed XML and all others.

    Records of JSON Lines with ``title``, ``abstract`` and ``body`` (a text or a list of
    paragraphs) give all of them as one text.

    Parameters
    ----------
    files
        Their names.
    on_problem
        Called with each problem instead of raising it; the texts that can be read follow.

    Raises
    ------
    InputError
        When a file is not what its format says, with file and line.
    """
    for file in files:
        try:
            if sniff_format(file) == "jsonl":
                yield from _records(file, on_problem)
            else:
                for document in read(file, on_problem=on_problem):
                    yield " ".join(document.text.split())
        except InputError as error:
            raise_or_report(error, on_problem)


@dataclass(slots=True)
class TextReader:
    """:func:`read_texts` that keeps the problems; each once, however often the files are read.

    Attributes
    ----------
    problems
        By what they say.
    """

    problems: dict[str, BiolinkError] = field(default_factory=dict)

    def __call__(self, files: Sequence[str]) -> Iterator[str]:
        return read_texts(files, self._keep)

    def _keep(self, problem: BiolinkError) -> None:
        self.problems.setdefault(str(problem), problem)


def _records(file: str, on_problem: OnProblem) -> Iterator[str]:
    for number, line in numbered_lines(file, "surrogateescape"):
        if not line.strip():
            continue
        try:
            check_utf8(line, file, number)
            record = json.loads(line)
            body = record.get("body") or []
            parts = [record.get("text"), record.get("title"), record.get("abstract")]
            parts += [body] if isinstance(body, str) else body
            text = " ".join(" ".join(part.split()) for part in parts if part)
            check_text(text, "a text")
        except InputError as error:
            raise_or_report(error, on_problem)
        except OF_A_RECORD:
            wrong = InputError(file, number, line.strip()[:60], _EXPECTED)
            raise_or_report(wrong, on_problem)
        else:
            if text:
                yield text
