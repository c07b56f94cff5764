"""PubAnnotation's JSON: texts with denotations, attributes and relations.

A file holds a document, a list of documents, or a document on each line. A denotation whose object
is a CURIE or an address has a concept id and no type; others have a type. Ids stand also in
attributes such as ``identifier``. Blocks become passages. The annotations of several tracks are
read as those of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from biolink.documents import Document, Passage
from biolink.errors import InputError
from biolink.formats.bioc_common import from_entry, to_bioc
from biolink.formats.ids import is_id_key
from biolink.formats.json_files import json_values
from biolink.formats.metadata import metadata_left_out, relations_left_out, relations_of
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
from biolink.kb.wording import json_kind

LABEL = "PubAnnotation JSON"
SUFFIXES = ()

_EXPECTED = 'an object with "text" and a list "denotations"'
_LISTS = ("denotations", "attributes", "relations", "blocks")
#: What biolink does not read: flags of annotations, and the colours of PubAnnotation's editor.
_LEFT_OUT = ("modifications", "typesettings")
#: An object of a denotation that is a concept id.
_ID = re.compile(r"https?://\S+|[A-Za-z][\w.-]*:\S*[0-9]\S*")
#: Keys of metadata that are written as they were read.
_KEPT = ("sourcedb", "divid", "project", "target", "namespaces")
_ROLES = ("subject", "object")


def sniff(path: str | Path, head: str) -> bool:
    begins = re.match(r"\s*(?:\[\s*)?\{", head) is not None
    # The annotations of a long text stand behind what is seen here.
    known = r'"denotations"\s*:\s*\[|"sourceid"\s*:|"tracks"\s*:\s*\[\s*\{\s*"project"'
    return begins and re.search(known, head) is not None


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """Read documents as a stream; a file with a document on each line is read line by line."""
    source = display_name(path)
    expected = 'ids as "obj" of denotations, or in attributes such as "identifier"'
    seen = IdsSeen(source, expected, "they have {}")
    number = 0
    for line, value in json_values(path, LABEL, on_problem, _is_document):
        for record in value if isinstance(value, list) else [value]:
            number += 1
            try:
                document = _document(record, number, source, on_problem, seen)
            except RECORD_ERRORS as error:
                found = f"document {number} cannot be read: {described(error)}"
                raise_or_report(InputError(source, line, found, _EXPECTED), on_problem)
            else:
                yield document
    seen.warn()


def _is_document(value: Any) -> bool:
    return isinstance(value, dict) and "text" in value


def _document(
    record: Any, number: int, source: str, on_problem: OnProblem, seen: IdsSeen
) -> Document:
    if not isinstance(record, dict):
        raise TypeError(f"the document is {json_kind(record)}, not an object")
    text = record["text"]
    if not isinstance(text, str):
        raise TypeError(f'"text" is {json_kind(text)}, not a string')
    parts: dict[str, list[dict[str, Any]]] = {name: _objects(record, name) for name in _LISTS}
    for track in _objects(record, "tracks"):
        for name in _LISTS:
            parts[name] += _objects(track, name)
    for name in _LEFT_OUT:
        for _ in _objects(record, name):
            seen.left_out.add(f"{name} of annotations")
    given = next((record[k] for k in ("sourceid", "target") if record.get(k)), number)
    used = (*_LISTS, *_LEFT_OUT, "text", "tracks", "sourceid")
    others = {key: value for key, value in record.items() if key not in used}
    if "sourceid" not in record:
        others.pop("target", None)
    attributes: dict[str, list[dict[str, Any]]] = {}
    for attribute in parts["attributes"]:
        attributes.setdefault(str(attribute["subj"]), []).append(attribute)
    annotations = [
        _annotation(denotation, text, attributes.pop(str(denotation.get("id")), []))
        for denotation in parts["denotations"]
    ]
    for _ in (attribute for those in attributes.values() for attribute in those):
        seen.left_out.add("attributes of what is no denotation")
    entry = {
        **{key: value for key, value in others.items() if key not in ("passages", "annotations")},
        "id": str(given),
        "passages": [{"offset": 0, "text": text, "annotations": annotations}],
        "relations": list(map(_relation, parts["relations"])),
    }
    document = from_entry(entry, source, on_problem, seen)
    passages = (
        Passage(block["span"]["begin"], block["span"]["end"], str(block.get("obj") or ""))
        for block in parts["blocks"]
    )
    return replace(document, passages=tuple(sorted(passages, key=lambda p: (p.start, -p.end))))


def _objects(record: dict[str, Any], key: str) -> list[dict[str, Any]]:
    values = record.get(key)
    if values is None:
        return []
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise TypeError(f'"{key}" is not a list of objects')
    return list(values)


def _annotation(
    denotation: dict[str, Any], text: str, attributes: list[dict[str, Any]]
) -> dict[str, Any]:
    span = denotation["span"]
    spans = [(s["begin"], s["end"]) for s in (span if isinstance(span, list) else [span])]
    begin, end = spans[0]
    there = len(spans) == 1 and 0 <= begin < end <= len(text)
    infons: dict[str, Any] = {}
    obj = denotation.get("obj")
    if isinstance(obj, str) and _ID.fullmatch(obj):
        infons["identifier"] = [obj]
    else:
        infons["type"] = obj
    for attribute in attributes:
        key, value = str(attribute["pred"]), attribute.get("obj")
        if is_id_key(key) and value is not None:
            infons.setdefault(key, []).append(value)
        elif infons.get(key, value) == value:
            infons[key] = value
        else:  # A second value under one key, or a type beside the object.
            infons[f"{key} {len(infons)}"] = value
    return {
        "id": denotation.get("id"),
        "text": text[begin:end] if there else "",
        "locations": [{"offset": start, "length": stop - start} for start, stop in spans],
        "infons": infons,
    }


def _relation(relation: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": str(relation.get("id") or ""),
        "infons": {"type": relation.get("pred")},
        "nodes": [
            {"refid": str(relation[key]), "role": role}
            for key, role in zip(("subj", "obj"), _ROLES, strict=True)
        ],
    }


def left_out(document: Document) -> Iterator[str]:
    yield from metadata_left_out(document, ("relations", *_KEPT))
    yield from relations_left_out(document)
    known = {mention.id for mention in document.mentions}
    for relation in relations_of(document):
        nodes = relation.get("nodes")
        nodes = nodes if isinstance(nodes, list | tuple) else []
        refids = [node.get("refid") for node in nodes if isinstance(node, dict)]
        infons = relation.get("infons")
        if len(refids) != 2 or not set(refids) <= known:
            yield "relations that are not between two mentions"
        elif isinstance(infons, dict):
            yield from (f"the infon {str(k)[:40]!r} of relations" for k in infons if k != "type")
    for mention in document.mentions:
        if mention.parts:
            yield "the individual mentions of a composite one"


def write(documents: Iterable[Document], stream: IO[str], on_problem: OnProblem = None) -> None:
    """Write a list of documents, each on a line of its own.

    A document whose metadata JSON cannot hold is a problem.
    """
    separator = "[\n"
    for document in documents:
        written = None
        with metadata_held(document.id, LABEL, on_problem):
            encoded = strict_json(_record(document))
            encoded.encode()
            written = encoded
        if written is not None:
            stream.write(separator + written)
            separator = ",\n"
    stream.write("[]\n" if separator == "[\n" else "\n]\n")


def _record(document: Document) -> dict[str, Any]:
    """The object of a document; what is said of a mention is as in BioC."""
    bioc = to_bioc(document)
    denotations: list[dict[str, Any]] = []
    attributes: list[dict[str, Any]] = []
    for annotation in (a for passage in bioc.passages for a in passage.annotations):
        spans = [{"begin": p.offset, "end": p.offset + p.length} for p in annotation.locations]
        denotations.append(
            {
                "id": annotation.id,
                "span": spans if len(spans) > 1 else spans[0],
                "obj": annotation.infons["type"],
            }
        )
        for key, value in annotation.infons.items():
            if key != "type" and value != "-":
                number = f"A{len(attributes) + 1}"
                attributes.append({"id": number, "subj": annotation.id, "pred": key, "obj": value})
    known = {denotation["id"] for denotation in denotations}
    relations = [
        {
            "id": relation.id or f"R{number}",
            "pred": relation.infons.get("type"),
            "subj": relation.nodes[0].refid,
            "obj": relation.nodes[1].refid,
        }
        for number, relation in enumerate(bioc.relations, 1)
        if len(relation.nodes) == 2 and {node.refid for node in relation.nodes} <= known
    ]
    blocks = [
        {"id": f"B{number}", "span": {"begin": p.start, "end": p.end}, "obj": p.kind}
        for number, p in enumerate(document.passages, 1)
    ]
    record = {key: document.metadata[key] for key in _KEPT if key in document.metadata}
    record |= {"sourceid": document.id, "text": document.text, "denotations": denotations}
    lists = {"attributes": attributes, "relations": relations, "blocks": blocks}
    return record | {key: values for key, values in lists.items() if values}
