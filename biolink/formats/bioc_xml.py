"""BioC XML (Comeau et al., Database 2013), read one document at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from bioc.biocxml.encoder import encode_document
from lxml import etree

from biolink.documents import Document
from biolink.errors import InputError
from biolink.formats.bioc_common import IDS_EXPECTED, from_entry, to_bioc
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
from biolink.formats.xml import records, root_of, text_of
from biolink.kb.files import display_name

LABEL = "BioC XML"
SUFFIXES = (".bioc", ".xml")

# Characters that XML 1.0 cannot hold, and the carriage return, which is read as a line feed.
_UNFIT = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """Replace each character that XML cannot hold with a space."""
    return _UNFIT.sub(" ", text)


def sniff(path: str | Path, head: str) -> bool:
    return root_of(head) == "collection"


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """Read documents as a stream; memory holds one at a time."""
    source = display_name(path)
    seen = IdsSeen(source, IDS_EXPECTED, "their infons are {}")
    for element in records(path, ("document",), LABEL, on_problem):
        try:
            document = from_entry(_document(element), source, on_problem, seen)
        except RECORD_ERRORS as error:
            found = f"a document that cannot be read: {described(error)}"
            problem = InputError(source, element.sourceline, found, "a BioC document")
            raise_or_report(problem, on_problem)
        else:
            yield document
    seen.warn()


def _document(element: etree._Element) -> dict[str, Any]:
    return {
        "id": text_of(element.find("id")),
        "infons": _infons(element),
        "relations": _relations(element),
        "passages": list(map(_passage, element.iterfind("passage"))),
        "annotations": list(map(_annotation, element.iterfind("annotation"))),
    }


def _passage(element: etree._Element) -> dict[str, Any]:
    return {
        **_piece(element),
        "infons": _infons(element),
        "sentences": list(map(_piece, element.iterfind("sentence"))),
    }


def _piece(element: etree._Element) -> dict[str, Any]:
    return {
        "offset": element.findtext("offset"),
        "text": text_of(element.find("text")),
        "annotations": list(map(_annotation, element.iterfind("annotation"))),
        "relations": _relations(element),
    }


def _relations(element: etree._Element) -> list[dict[str, Any]]:
    return [
        {
            "id": relation.get("id", ""),
            "infons": _infons(relation),
            "nodes": [dict(node.attrib) for node in relation.iterfind("node")],
        }
        for relation in element.iterfind("relation")
    ]


def _annotation(element: etree._Element) -> dict[str, Any]:
    return {
        "id": element.get("id"),
        "infons": _infons(element),
        "text": text_of(element.find("text")),
        "locations": [dict(location.attrib) for location in element.iterfind("location")],
    }


def _infons(element: etree._Element) -> dict[str, Any]:
    """The infons of an element; the values of a key that is repeated become a list."""
    infons: dict[str, Any] = {}
    for infon in element.iterfind("infon"):
        key, value = infon.get("key", ""), text_of(infon)
        if key not in infons:
            infons[key] = value
        elif isinstance(infons[key], list):
            infons[key].append(value)
        else:
            infons[key] = [infons[key], value]
    return infons


class _Infons(dict[str, Any]):
    """Infons in which a tuple stands for the values of a key that is repeated."""

    def items(self) -> Any:
        for key, value in super().items():
            for one in value if isinstance(value, tuple) else (value,):
                yield key, one


def _infon(value: Any) -> str | tuple[str, ...]:
    """A value of the metadata as the string of an infon, or several of a key that is repeated.

    Values that are neither a string nor several strings are written as JSON.
    """
    if value is None:
        return ""
    if isinstance(value, list) and len(value) > 1 and all(isinstance(one, str) for one in value):
        return tuple(map(clean, value))
    return clean(value if isinstance(value, str) else strict_json(value))


def _element(document: Document) -> etree._Element:
    record = to_bioc(document, clean, _infon)
    for holder in (record, *record.relations, *record.passages):
        holder.infons = _Infons(holder.infons)
    return encode_document(record)


def left_out(document: Document) -> Iterator[str]:
    return of_bioc_left_out(document)


def write(documents: Iterable[Document], stream: IO[str], on_problem: OnProblem = None) -> None:
    """Write a collection; each character that XML cannot hold becomes a space.

    A document whose metadata cannot be written is a problem.
    """
    stream.write('<?xml version="1.0" encoding="UTF-8"?>\n<collection>')
    stream.write("<source>biolink</source><date></date><key>biolink.key</key>\n")
    for document in documents:
        record = ""
        with metadata_held(document.id, LABEL, on_problem):
            record = etree.tostring(_element(document), encoding="unicode") + "\n"
        stream.write(record)
    stream.write("</collection>\n")
