"""JSON Lines, a document per line, with everything that a document holds.

Lines of other tools can be read if they have ``text``, or ``title`` and ``abstract``. Their id is
``id``, ``pmid``, ``doc_id``, ``pmcid`` or the number of the line. The values of other keys become
metadata of the document. Mentions without ``concept_ids`` may have their ids under the keys of
other tools (:mod:`biolink.formats.ids`); a warning counts their other keys.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import IO, Any

from biolink.documents import Document, Link, Mention, Passage, check_text
from biolink.errors import InputError
from biolink.formats.ids import ids_under, key_of_id, not_ids
from biolink.formats.metadata import not_finite
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
from biolink.kb.wording import json_kind

LABEL = "JSON Lines, a document per line (everything is kept)"
SUFFIXES = (".jsonl", ".ndjson")

_EXPECTED = 'an object with "text" (or "title" and "abstract") and a list "mentions"'
IDS_EXPECTED = 'ids under a key such as "concept_ids" or "identifier"'
_ID_KEYS = ("id", "pmid", "doc_id", "pmcid")
#: Keys that are read; the values of other keys become metadata.
_KNOWN = (*_ID_KEYS, "text", "title", "abstract", "passages", "mentions")
#: The passages of a document in this format, and those of BioC JSON.
OWN_PASSAGES = re.compile(r'"passages"\s*:\s*\[\s*\{\s*"(?:start|end|kind)"')
_OTHER_PASSAGES = re.compile(r'"passages"\s*:\s*\[\s*\{\s*"(?!start"|end"|kind")')
#: The depth to which lists and objects may be nested in metadata.
_DEPTH = 50
#: The fields of mentions and links, and values that are not written.
_MENTION = {field.name: field.default for field in fields(Mention)}
_LINK = {field.name for field in fields(Link)}
_LINK_NEEDED = {
    field.name
    for field in fields(Link)
    if field.default is MISSING and field.default_factory is MISSING
}
_LINK_DEFAULTS = {
    field.name: field.default
    for field in fields(Link)
    if field.name in ("preferred_name", "curie", "reason") and field.default is not MISSING
}


def sniff(path: str | Path, head: str) -> bool:
    # PubAnnotation's JSON has a text as well, but its annotations would be lost.
    return (
        re.match(r'\s*\{[^\n]*"(text|abstract|title)"\s*:', head) is not None
        and re.search(r'"denotations"\s*:', head) is None
        and _OTHER_PASSAGES.search(head) is None
    )


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """Read documents as a stream; each line that is not a document is a problem."""
    source = display_name(path)
    seen = IdsSeen(source, IDS_EXPECTED, "their keys are {}")
    for number, line in numbered_lines(path, "surrogateescape"):
        if not line.strip():
            continue
        try:
            check_utf8(line, source, number)
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError(f"the line is {json_kind(record)}")
            document = document_from_dict(record, str(number), seen)
        except InputError as error:
            raise_or_report(error, on_problem)
        except RECORD_ERRORS as error:
            raise_or_report(InputError(source, number, described(error), _EXPECTED), on_problem)
        else:
            yield document
    seen.warn()


def document_from_dict(record: dict[str, Any], number: str, seen: IdsSeen) -> Document:
    """Make a document from the object of one line.

    Parameters
    ----------
    record
        The object.
    number
        The document's id if the object has none.
    seen
        Counts the keys of mentions.

    Raises
    ------
    ValueError, TypeError, KeyError
        When a value is missing or has a wrong type, however deeply it is nested.
    """
    if "text" in record:
        text = record["text"]
        check_text(text, '"text"')
        passages = tuple(_passage(passage) for passage in _list(record, "passages"))
    else:
        title, abstract = record.get("title") or "", record.get("abstract") or ""
        check_text(title, '"title"')
        check_text(abstract, '"abstract"')
        if not (title or abstract):
            raise KeyError("text")
        text = f"{title}\n{abstract}" if title and abstract else title or abstract
        passages = (Passage(0, len(title), "title"),) if title else ()
        if abstract:
            passages += (Passage(len(text) - len(abstract), len(text), "abstract"),)
    metadata = metadata_of(record, _KNOWN)
    mentions = tuple(_mention(mention, text, seen) for mention in _list(record, "mentions"))
    doc_id, key_of_document = _id(record, number)
    also = {key: record[key] for key in _ID_KEYS if record.get(key) not in (None, "")}
    also.pop(key_of_document, None)
    if "text" in record:
        also |= {key: record[key] for key in ("title", "abstract") if record.get(key)}
    check_metadata(also)
    return Document(doc_id, text, passages, mentions, also | metadata)


def metadata_of(record: dict[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return the metadata of a document: those under ``metadata``, and the values of unknown keys.

    Raises
    ------
    ValueError
        When the metadata are not an object, are nested too deeply, or cannot be written as UTF-8.
    """
    named = record.get("metadata")
    named = {} if named is None else _object(named, '"metadata"')
    others = {key: record[key] for key in record if key not in known and key != "metadata"}
    metadata = others | named
    check_metadata(metadata)
    return metadata


def _id(record: dict[str, Any], number: str) -> tuple[str, str]:
    """The id of a document and its key; the key is "" if the document has no id."""
    empty = False
    for key in _ID_KEYS:
        value = record.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool):
            if value != "":
                return str(value), key
            empty = True
        elif value is not None:
            raise ValueError(f'"{key}" is {json_kind(value)}, not a string or a whole number')
    return "" if empty else number, ""


def _list(record: dict[str, Any], key: str) -> list[Any]:
    value = record.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f'"{key}" is {json_kind(value)}, not a list')
    return value


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is {json_kind(value)}, not an object")
    return value


def check_metadata(value: Any, depth: int = 0) -> None:
    """Check metadata, or a value in them.

    Raises
    ------
    ValueError
        When they are nested too deeply, or cannot be written as UTF-8.
    """
    if depth > _DEPTH:
        raise ValueError(f"metadata are nested more than {_DEPTH} levels deep")
    if isinstance(value, str):
        check_text(value, "a string in the metadata")
    elif isinstance(value, list):
        for item in value:
            check_metadata(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            check_text(key, "a key in the metadata")
            check_metadata(item, depth + 1)


def _passage(value: Any) -> Passage:
    passage = _object(value, "a passage")
    return Passage(passage["start"], passage["end"], passage.get("kind") or "")


def _mention(value: Any, text: str, seen: IdsSeen) -> Mention:
    record = _object(value, "a mention")
    values = {key: record[key] for key in _MENTION.keys() & record.keys()}
    values["links"] = tuple(_link(link) for link in _list(record, "links"))
    values["spans"] = tuple(
        tuple(span) if isinstance(span, list) else span for span in _list(record, "spans")
    )
    for key in ("concept_ids", "parts", "assertions"):
        values[key] = tuple(_list(record, key))
    start, end = record["start"], record["end"]
    for offset in (start, end):
        if not isinstance(offset, int) or isinstance(offset, bool):
            raise ValueError(f"the offset {str(offset)[:40]!r} of a mention is not a whole number")
    values.setdefault("text", text[start:end] if start >= 0 else "")
    others = {key: value for key, value in record.items() if key not in _MENTION}
    used = None if values["concept_ids"] else key_of_id(others)
    if used is not None:
        concept_ids, joiner = ids_under(others)
        if concept_ids:
            values["concept_ids"], values["id_joiner"] = concept_ids, joiner
        for item in not_ids(others):
            seen.left_out.add(f"an entry of a list of ids that is {json_kind(item)}")
    for key in others:
        if key != used:
            seen.left_out.add(f"the key {key[:40]!r} of mentions")
    known = record.keys() & {"concept_ids", "links", "nil_reason"}
    # A mention that has only offsets is one to link, so it does not lack an id.
    if others or known:
        seen.add(bool(known) or key_of_id(others) is not None, others)
    return Mention(**values)


def _link(value: Any) -> Link:
    record = _object(value, "a link")
    unknown = record.keys() - _LINK
    if unknown:
        raise ValueError(f'a link has the unknown key "{min(unknown)}"')
    # JSON has no other way to write that a link has no score.
    absent = {key: math.nan for key in ("score", "probability") if record.get(key, 0) is None}
    missing = _LINK_NEEDED - record.keys()
    if missing:
        raise ValueError(f'a link has no "{min(missing)}"')
    return Link(**{**record, **absent, "also": tuple(_list(record, "also"))})


def document_to_dict(document: Document) -> dict[str, Any]:
    """Return the document as a dict that JSON can hold, without fields at their defaults."""
    record: dict[str, Any] = {"id": document.id, "text": document.text}
    if document.passages:
        record["passages"] = [asdict(passage) for passage in document.passages]
    record["mentions"] = [_sparse(mention) for mention in document.mentions]
    if document.metadata:
        record["metadata"] = document.metadata
    return record


def _sparse(mention: Mention) -> dict[str, Any]:
    record = {k: v for k, v in asdict(mention).items() if v != _MENTION[k]}
    if mention.links:
        record["links"] = [
            {k: v for k, v in link.items() if k not in _LINK_DEFAULTS or v != _LINK_DEFAULTS[k]}
            for link in record["links"]
        ]
    return record


def left_out(document: Document) -> Iterator[str]:
    return not_finite(document)


def write(documents: Iterable[Document], stream: IO[str], on_problem: OnProblem = None) -> None:
    """Write a line per document; a document whose metadata JSON cannot hold is a problem."""
    for document in documents:
        line = ""
        with metadata_held(document.id, "JSON Lines", on_problem):
            encoded = strict_json(document_to_dict(document))
            encoded.encode()
            line = encoded + "\n"
        stream.write(line)
