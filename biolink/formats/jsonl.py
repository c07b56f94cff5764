"""JSON Lines, a document per line: everything that biolink knows, nothing lost.

Read as well: lines with ``text``, or with ``title`` and ``abstract``; the id is ``id``, ``pmid``,
``doc_id`` or the line's number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import IO, Any

from biolink.documents import Document, Link, Mention, Passage
from biolink.errors import InputError
from biolink.formats.problems import OnProblem, raise_or_report
from biolink.kb.files import display_name, numbered_lines

LABEL = "JSON Lines, a document per line (everything kept)"
SUFFIXES = (".jsonl", ".ndjson")

_EXPECTED = 'an object with "text" (or "title" and "abstract") and a list "mentions"'


def sniff(path: str | Path, head: str) -> bool:
    return re.match(r'\s*\{[^\n]*"(text|abstract|title)"\s*:', head) is not None


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """Stream documents; a line that is none is a problem of its own."""
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError(f"a JSON {type(record).__name__}")
            yield document_from_dict(record, str(number))
        except (ValueError, TypeError, KeyError) as error:
            found = f"no {error}" if isinstance(error, KeyError) else str(error)
            problem = InputError(display_name(path), number, found, _EXPECTED)
            raise_or_report(problem, on_problem)


def document_from_dict(record: dict[str, Any], number: str) -> Document:
    """A document from one object."""
    keys = ("id", "pmid", "doc_id", "pmcid")
    doc_id = next((str(record[key]) for key in keys if record.get(key) not in (None, "")), number)
    if "text" in record:
        text = record["text"]
        passages = tuple(Passage(**passage) for passage in record.get("passages", ()))
    else:
        title, abstract = record.get("title") or "", record.get("abstract") or ""
        if not (title or abstract):
            raise KeyError("text")
        text = f"{title}\n{abstract}" if title and abstract else title or abstract
        passages = (Passage(0, len(title), "title"),) if title else ()
        if abstract:
            passages += (Passage(len(text) - len(abstract), len(text), "abstract"),)
    if not isinstance(text, str):
        raise ValueError(f'"text" is a {type(text).__name__}')
    mentions = tuple(_mention(mention, text) for mention in record.get("mentions", ()))
    return Document(doc_id, text, passages, mentions, record.get("metadata", {}))


def _mention(record: dict[str, Any], text: str) -> Mention:
    known = {field.name for field in fields(Mention)}
    values = {key: value for key, value in record.items() if key in known}
    values["links"] = tuple(
        Link(**{**link, "also": tuple(link.get("also", ()))}) for link in record.get("links", ())
    )
    values["spans"] = tuple(tuple(span) for span in record.get("spans", ()))
    for key in ("concept_ids", "parts"):
        values[key] = tuple(record.get(key, ()))
    values.setdefault("text", text[record["start"] : record["end"]])
    return Mention(**values)


def document_to_dict(document: Document) -> dict[str, Any]:
    """The document as JSON can hold it; fields at their defaults are left out."""
    record: dict[str, Any] = {"id": document.id, "text": document.text}
    if document.passages:
        record["passages"] = [asdict(passage) for passage in document.passages]
    record["mentions"] = [_sparse(mention) for mention in document.mentions]
    if document.metadata:
        record["metadata"] = document.metadata
    return record


_DEFAULTS = {
    field.name: field.default for field in fields(Mention) if field.name not in ("start", "end")
}


def _sparse(mention: Mention) -> dict[str, Any]:
    record = asdict(mention)
    return {k: v for k, v in record.items() if k not in _DEFAULTS or v != _DEFAULTS[k]}


def write(documents: Iterable[Document], stream: IO[str]) -> None:
    """A line per document."""
    for document in documents:
        stream.write(json.dumps(document_to_dict(document), ensure_ascii=False) + "\n")
