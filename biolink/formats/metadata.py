"""The metadata of documents that a format does not hold when they are written, for a warning."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from numbers import Integral, Real
from typing import Any

from biolink.documents import Document
from biolink.kb.wording import json_kind

__all__ = [
    "BIOC",
    "RELATION",
    "metadata_left_out",
    "not_finite",
    "of_bioc_left_out",
    "relations_left_out",
    "relations_of",
    "says_nothing",
]

#: The keys of metadata that BioC holds.
BIOC = ("infons", "relations", "passage_infons")
#: The keys of the cells of PubTator's relations in the infons of BioC.
RELATION = ("type", "entity1", "entity2", "novel")
#: The keys of a relation and of its nodes that BioC holds.
_OF_RELATION = ("id", "infons", "nodes")
_OF_NODE = ("refid", "role")


def metadata_left_out(document: Document, kept: Collection[str] = ()) -> Iterator[str]:
    """Yield a phrase for each entry of a document's metadata whose key is not among those kept.

    A key that is not a string is named by its ``str``.
    """
    keys: Iterable[object] = document.metadata
    return (f"the entry {str(key)[:40]!r} of metadata" for key in keys if key not in kept)


def not_finite(document: Document, kept: Collection[str] | None = None) -> Iterator[str]:
    """Yield a phrase for each number of the metadata that JSON cannot hold: infinite, or NaN.

    Parameters
    ----------
    document
        The document.
    kept
        The keys of the entries that are looked at. Default: all.
    """
    keys: Iterable[object] = document.metadata
    for key in keys:
        if kept is None or key in kept:
            for _ in _odd_numbers(document.metadata[key]):  # type: ignore[index]
                yield f"a number that is not finite in the entry {str(key)[:40]!r} of metadata"


def _odd_numbers(value: Any) -> Iterator[Any]:
    """The numbers in a value that are infinite or NaN; a value may contain itself."""
    pending, seen = [value], set()
    while pending:
        value = pending.pop()
        if isinstance(value, dict | list | tuple):
            if id(value) not in seen:
                seen.add(id(value))
                pending += value.values() if isinstance(value, dict) else value
        elif _is_fraction(value) and not math.isfinite(value):
            yield value


def _is_fraction(value: Any) -> bool:
    """Whether a value is a number of Python or numpy that need not be whole."""
    return isinstance(value, Real) and not isinstance(value, Integral)


def relations_of(document: Document) -> Iterator[dict[str, Any]]:
    """Yield the relations in a document's metadata in the form of BioC, whatever their format."""
    relations = document.metadata.get("relations")
    for relation in relations if isinstance(relations, list | tuple) else ():
        if isinstance(relation, dict):
            yield relation
        elif isinstance(relation, list | tuple) and len(relation) in (3, 4):
            yield {"infons": dict(zip(RELATION, relation, strict=False))}


def relations_left_out(document: Document) -> Iterator[str]:
    """Yield a phrase for what :func:`relations_of` does not find in a document's metadata."""
    relations = document.metadata.get("relations")
    if not isinstance(relations, list | tuple):
        if not says_nothing(relations):
            yield f"relations that are {json_kind(relations)}"
        return
    for relation in relations:
        if isinstance(relation, list | tuple):
            if len(relation) not in (3, 4):
                yield "a relation that is a list of other than three or four values"
        elif not isinstance(relation, dict):
            yield f"a relation that is {json_kind(relation)}"


def of_bioc_left_out(document: Document) -> Iterator[str]:
    """Yield a phrase for each value of a document's metadata that BioC does not hold."""
    yield from metadata_left_out(document, BIOC)
    yield from not_finite(document, BIOC)
    yield from _odd_infons(document.metadata.get("infons"), "infons of a document")
    yield from relations_left_out(document)
    for relation in relations_of(document):
        yield from _of_relation_left_out(relation)
    yield from _of_passages_left_out(document)


def _of_relation_left_out(relation: dict[str, Any]) -> Iterator[str]:
    yield from _other_keys(relation, _OF_RELATION, "relations")
    yield from _odd_infons(relation.get("infons"), "infons of a relation")
    nodes = relation.get("nodes")
    if not isinstance(nodes, list | tuple):
        if not says_nothing(nodes):
            yield f"nodes of a relation that are {json_kind(nodes)}"
        return
    for node in nodes:
        if isinstance(node, dict):
            yield from _other_keys(node, _OF_NODE, "nodes of relations")
        else:
            yield f"a node of a relation that is {json_kind(node)}"


def _of_passages_left_out(document: Document) -> Iterator[str]:
    infons = document.metadata.get("passage_infons")
    # The text of a document without passages is written as one passage.
    passages = max(len(document.passages), 1)
    if not isinstance(infons, list | tuple):
        if not says_nothing(infons):
            yield f"infons of passages that are {json_kind(infons)}"
    elif infons and len(infons) != passages:
        yield "infons of passages of another number than the passages"
    else:
        for of_passage in infons:
            yield from _odd_infons(of_passage, "infons of a passage")


def _odd_infons(infons: Any, what: str) -> Iterator[str]:
    if not isinstance(infons, dict) and not says_nothing(infons):
        yield f"{what} that are {json_kind(infons)}"


def _other_keys(record: dict[str, Any], known: Collection[str], what: str) -> Iterator[str]:
    keys: Iterable[object] = record
    return (f"the key {str(key)[:40]!r} of {what}" for key in keys if key not in known)


def says_nothing(value: Any) -> bool:
    """Return whether a value is null or empty, so that nothing is lost without it."""
    return value is None or (isinstance(value, str | list | tuple | dict) and not value)
