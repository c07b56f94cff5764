"""BioC JSON as PubTator 3 writes it.

A file holds one or several collections, ``{"PubTator3": [...]}``, or a document on each line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from bioc.biocjson.encoder import toJSON

from biolink.documents import Document
from biolink.errors import InputError
from biolink.formats.bioc_common import IDS_EXPECTED, from_entry, to_bioc
from biolink.formats.jsonl import OWN_PASSAGES
from biolink.formats.metadata import of_bioc_left_out
from biolink.formats.problems import (
    RECORD_ERRORS,
    IdsSeen,
    OnProblem,
    check_utf8,
    described,
    metadata_held,
    raise_or_report,
    strict_json,
)
from biolink.kb.files import display_name, numbered_lines

LABEL = "BioC JSON (PubTator 3)"
SUFFIXES = (".json",)

#: The number of places after a damaged one at which a document is looked for.
_TRIES = 2_000


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
    whole: list[str] = []
    for number, line in numbered_lines(path, "surrogateescape"):
        if not line.strip():
            continue
        if not whole:
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                whole.append(line)
                continue
            yield from _records(record, source, number, on_problem, seen)
        else:
            whole.append(line)
    if whole:
        text = "\n".join(whole)
        try:
            record = json.loads(text)
        except (ValueError, RecursionError) as error:
            line_number = error.lineno if isinstance(error, json.JSONDecodeError) else None
            problem = InputError(source, line_number, described(error), "BioC JSON")
            try:
                check_utf8(text, source, None)
            except InputError as not_utf8:
                problem = not_utf8
            raise_or_report(problem, on_problem)
            for entry in _whole_entries(text):
                yield from _records(entry, source, None, on_problem, seen)
        else:
            yield from _records(record, source, None, on_problem, seen)
    seen.warn()


def _whole_entries(text: str) -> Iterator[Any]:
    """The documents that can be read in a file that is not valid JSON as a whole."""
    decoder = json.JSONDecoder()
    begins = re.compile(r"(?:^|[\[,\n])\s*(?=\{)")
    position = 0
    for _ in range(_TRIES):
        begin = begins.search(text, position)
        if begin is None:
            return
        try:
            entry, position = decoder.raw_decode(text, begin.end())
        except (ValueError, RecursionError):
            position = begin.end() + 1
            continue
        if isinstance(entry, dict) and "passages" in entry:
            yield entry


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
