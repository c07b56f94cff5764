"""BigBIO's ``kb`` schema in JSON: a list of documents, or a document on each line.

Parquet files of this schema are read with the format ``parquet``. Ids have their databases as
prefixes (``MESH:D001249``). Texts are put together from the passages at their offsets.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from biolink.documents import Document
from biolink.errors import InputError
from biolink.formats.bioc_common import from_entry
from biolink.formats.json_files import json_values
from biolink.formats.problems import (
    RECORD_ERRORS,
    IdsSeen,
    OnProblem,
    described,
    raise_or_report,
)
from biolink.kb.files import display_name, peek
from biolink.kb.wording import json_kind

LABEL = "BigBIO's kb schema (JSON; Parquet with the format parquet)"
SUFFIXES = ()

EXPECTED = "a document of BigBIO's kb schema"
IDS_EXPECTED = 'ids under "normalized"'
_KNOWN = ("id", "document_id", "passages", "entities", "relations", "events", "coreferences")


def sniff(path: str | Path, head: str) -> bool:
    return (
        re.match(r"\s*[\[{]", head) is not None
        and re.search(r'"document_id"\s*:', head) is not None
        and re.search(r'"passages"\s*:\s*\[\s*(?:\]|\{[^}]*"text"\s*:\s*\[)', head) is not None
    )


def is_bigbio(columns: Collection[str]) -> bool:
    """Return whether a table has the columns of the schema."""
    return {"document_id", "passages", "entities"} <= set(columns)


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """Read documents as a stream; a file with a document on each line is read line by line."""
    source = display_name(path)
    if peek(path).startswith("PAR1"):
        raise InputError(source, None, "a Parquet file", "JSON; read it with the format parquet")
    seen = IdsSeen(source, IDS_EXPECTED, "they have {}")
    number = 0
    for line, value in json_values(path, "BigBIO's JSON", on_problem, _is_document):
        for record in value if isinstance(value, list) else [value]:
            number += 1
            try:
                document = document_of(record, source, on_problem, seen)
            except RECORD_ERRORS as error:
                found = f"document {number} cannot be read: {described(error)}"
                raise_or_report(InputError(source, line, found, EXPECTED), on_problem)
            else:
                yield document
    seen.warn()


def _is_document(value: Any) -> bool:
    return isinstance(value, dict) and "passages" in value


def document_of(record: Any, source: str, on_problem: OnProblem, seen: IdsSeen) -> Document:
    """Make a document from an object of the schema; the parameters are those of `from_entry`.

    Raises
    ------
    ValueError, TypeError, KeyError
        When a value is missing or has a wrong type.
    """
    if not isinstance(record, dict):
        raise TypeError(f"the document is {json_kind(record)}, not an object")
    for name in ("events", "coreferences"):
        for _ in record.get(name) or ():
            seen.left_out.add(name)
    for key in record.keys() - {*_KNOWN}:
        seen.left_out.add(f"the key {key[:40]!r} of documents")
    passages = [
        {"offset": start, "text": words, "infons": {"type": passage.get("type")}}
        for passage in record["passages"]
        for words, (start, _) in zip(passage["text"], passage["offsets"], strict=True)
    ]
    entry = {
        "id": record.get("document_id") or record.get("id"),
        "passages": sorted(passages, key=lambda piece: piece["offset"]),
        "annotations": [_annotation(entity) for entity in record.get("entities") or ()],
        "relations": [_relation(relation, seen) for relation in record.get("relations") or ()],
    }
    return from_entry(entry, source, on_problem, seen)


def _annotation(entity: dict[str, Any]) -> dict[str, Any]:
    ids = [_curie(given) for given in entity.get("normalized") or ()]
    return {
        "id": entity.get("id"),
        "text": " ".join(entity["text"]),
        "locations": [{"offset": a, "length": b - a} for a, b in entity["offsets"]],
        "infons": {"type": entity.get("type"), "identifier": ids},
    }


def _curie(given: dict[str, Any]) -> str:
    """The id with its database as the prefix, unless it has a prefix."""
    name, written = re.sub(r"\W", "", given.get("db_name") or ""), str(given["db_id"] or "")
    return f"{name}:{written}" if name and written and ":" not in written else written


def _relation(relation: dict[str, Any], seen: IdsSeen) -> dict[str, Any]:
    if relation.get("normalized"):
        seen.left_out.add("ids of relations")
    return {
        "id": str(relation.get("id") or ""),
        "infons": {"type": relation.get("type")},
        "nodes": [
            {"refid": str(relation[f"{role}_id"]), "role": role} for role in ("arg1", "arg2")
        ],
    }
