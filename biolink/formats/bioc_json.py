"""BioC JSON as PubTator 3 writes it.

A file holds one or several collections, ``{"PubTator3": [...]}``, or a document on each line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from bioc.biocjson.encoder import toJSON

from biolink.documents import Document
from biolink.errors import InputError
from biolink.formats.bioc_common import IDS_EXPECTED, from_entry, to_bioc
from biolink.formats.json_files import json_values
from biolink.formats.jsonl import OWN_PASSAGES
from biolink.formats.metadata import of_bioc_left_out
from biolink.formats.problems import (
    RECORD_ERRORS,
    IdsSeen,
    OnProblem,
    described,
    metadata_held,
    raise_or_report,
    strict_json,
)
from biolink.kb.files import display_name

LABEL = "BioC JSON (PubTator 3)"
SUFFIXES = (".json",)


def sniff(path: str | Path, head: str) -> bool:
    return (
        re.match(r"\s*[\[{]", head) is not None
        and re.search(r'"(PubTator3|documents|passages)"\s*:\s*\[', head) is not None
        and re.search(r'"bioctype"|"infons"|"PubTator3"|"documents"|"annotations"|"offset"', head)
        is not None
        and OWN_PASSAGES.search(head) is None
    )


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """Read documents as a stream; a file with one document on each line is read line by line."""
    source = display_name(path)
    seen = IdsSeen(source, IDS_EXPECTED, "their infons are {}")
    for line, value in json_values(path, "BioC JSON", on_problem, _is_document):
        yield from _records(value, source, line, on_problem, seen)
    seen.warn()


def _is_document(value: Any) -> bool:
    return isinstance(value, dict) and "passages" in value


def _records(
    record: Any, source: str, line: int | None, on_problem: OnProblem, seen: IdsSeen
) -> Iterator[Document]:
    for number, entry in enumerate(_entries(record), 1):
        try:
            document = from_entry(entry, source, on_problem, seen)
        except RECORD_ERRORS as error:
            what = f"document {number} cannot be read: {described(error)}"
            raise_or_report(InputError(source, line, what, "a BioC document"), on_problem)
        else:
            yield document


def _entries(record: Any) -> Iterator[Any]:
    """The documents in a record, which is a document, a collection, or a list of either."""
    for item in record if isinstance(record, list) else [record]:
        entries = item
        if isinstance(item, dict) and "passages" not in item:
            entries = item.get("documents", item.get("PubTator3", item))
        yield from entries if isinstance(entries, list) else [entries]


def left_out(document: Document) -> Iterator[str]:
    return of_bioc_left_out(document)


def write(documents: Iterable[Document], stream: IO[str], on_problem: OnProblem = None) -> None:
    """Write a collection, with each document on a line of its own.

    A document whose metadata JSON cannot hold is a problem.
    """
    stream.write('{"source": "biolink", "date": "", "key": "biolink.key", "infons": {},\n')
    stream.write('"documents": [')
    separator = "\n"
    for document in documents:
        record = None
        with metadata_held(document.id, LABEL, on_problem):
            encoded = strict_json(toJSON(to_bioc(document)))
            encoded.encode()
            record = encoded
        if record is not None:
            stream.write(separator + record)
            separator = ",\n"
    stream.write("\n]}\n")
