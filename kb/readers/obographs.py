"""OBO Graphs JSON (https://github.com/geneontology/obographs).

The files are read with the JSON parser of the standard library. The package pronto was tried first.
It cannot read one of the three files that were measured, and takes three to four times as long for
the others (``benchmarks/results/knowledge-bases.md``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from biolink.errors import InputError
from biolink.kb.concept import Concept, Dropped, Record
from biolink.kb.files import display_name
from biolink.kb.problems import OnProblem, raise_or_report
from biolink.kb.readers.iris import TOP_CLASSES, curie_of
from biolink.kb.readers.json_values import Unfit, as_list, as_object, as_text, parse_file, written

LABEL = "OBO Graphs JSON"

_NAMESPACE = "hasOBONamespace"
_ALTERNATIVE = "hasAlternativeId"
_REPLACED = "IAO_0100001"
_PREDICATES = {
    _NAMESPACE: _NAMESPACE,
    _ALTERNATIVE: _ALTERNATIVE,
    **dict.fromkeys((_REPLACED, "0100001", "replacedBy", "replaced_by"), _REPLACED),
}


def sniff(path: str | Path, head: str) -> bool:
    return head.lstrip().startswith("{") and re.search(r'"graphs"\s*:\s*\[', head) is not None


def read(
    path: str | Path,
    on_problem: OnProblem = None,
    scopes: str = "exact,related,broad,narrow",
    deprecated: bool = False,
) -> Iterator[Record]:
    """Stream the classes.

    Parameters
    ----------
    path
        The file.
    on_problem
        Called with the problem of each node that cannot be read, instead of raising it.
    scopes
        The scopes of the synonyms that are kept, separated by commas. Default: all four.
    deprecated
        Whether deprecated classes are kept. Default: False.

    Raises
    ------
    InputError
        If the file is not JSON, or a value in it does not have the type that the format requires.
    """
    kept = {f"has{scope.strip().capitalize()}Synonym" for scope in scopes.split(",")}
    expected = 'OBO Graphs JSON: {"graphs": [{"nodes": [...]}]}'
    parsed = parse_file(path, expected)
    where = ""

    def report(where: str, error: Unfit) -> None:
        problem = InputError(display_name(path), None, f"{where}: {error}", expected)
        raise_or_report(problem, on_problem)

    try:
        if not isinstance(parsed, dict) or "graphs" not in parsed:
            raise Unfit('no "graphs"')
        graphs = as_list(parsed["graphs"], '"graphs"')
        parents: dict[str, dict[str, None]] = {}
        for number, graph in enumerate(graphs, 1):
            where = f"graph {number}: "
            edges = as_list(as_object(graph, "it").get("edges"), '"edges"')
            for place, edge in enumerate(edges, 1):
                try:
                    child, parent = _is_a(edge)
                    if parent and parent not in TOP_CLASSES:
                        parents.setdefault(child, {})[parent] = None
                except Unfit as error:
                    report(f"graph {number}, edge {place}", error)
            edges.clear()
        for number, graph in enumerate(graphs, 1):
            where = f"graph {number}: "
            nodes = as_list(as_object(graph, "it").get("nodes"), '"nodes"')
            size = len(nodes)
            nodes.reverse()
            while nodes:  # Nodes are removed, so that memory is freed as concepts are made.
                node = nodes.pop()
                try:
                    yield from list(_class(node, kept, deprecated, parents))
                except Unfit as error:
                    report(f"graph {number}, node {size - len(nodes)}", error)
    except Unfit as error:
        raise InputError(display_name(path), None, f"{where}{error}", expected) from None


def _is_a(edge: Any) -> tuple[str, str]:
    """Return the IRIs of a class and its parent; ("", "") for an edge of another kind."""
    if not isinstance(edge, dict):
        raise Unfit(f"{written(edge)} is not an object")
    if as_text(edge.get("pred"), '"pred"') != "is_a":
        return "", ""
    return as_text(edge.get("sub"), '"sub"'), as_text(edge.get("obj"), '"obj"')


def _class(
    node: Any, kept: set[str], deprecated: bool, parents: Mapping[str, Iterable[str]]
) -> Iterator[Record]:
    if not isinstance(node, dict):
        raise Unfit(f"{written(node)} is not an object")
    iri = as_text(node.get("id"), '"id"')
    label = as_text(node.get("lbl"), '"lbl"').strip()
    kind = as_text(node.get("type"), '"type"')
    meta = as_object(node.get("meta"), '"meta"')
    properties: dict[str, list[str]] = {}
    for entry in _objects(meta, "basicPropertyValues"):
        predicate = _PREDICATES.get(_tail(entry))
        if predicate is not None:
            properties.setdefault(predicate, []).append(as_text(entry.get("val"), '"val"'))
    if kind not in ("CLASS", ""):
        yield Dropped("not a class (properties, individuals)", iri)
        return
    concept_id = curie_of(iri)
    if str(meta.get("deprecated")).lower() == "true" and not deprecated:
        new_ids = properties.get(_REPLACED, ())
        # If several classes replace it, no replacement is recorded.
        yield Dropped(
            "obsolete",
            concept_id or iri,
            replaced_by=curie_of(new_ids[0]) or "" if len(new_ids) == 1 and concept_id else "",
        )
        return
    if concept_id is None:
        yield Dropped("without a CURIE for its IRI", iri)
        return
    names: dict[str, None] = {}
    other_scopes = 0
    for entry in _objects(meta, "synonyms"):
        name = as_text(entry.get("val"), '"val"').strip()
        if _tail(entry) not in kept:
            other_scopes += 1
        elif name and name != label:
            names[name] = None
    if other_scopes:
        yield Dropped("synonyms of other scopes", concept_id, other_scopes)
    if not label and not names:
        yield Dropped("without a name", concept_id)
        return
    curies = [curie_of(parent) for parent in parents.get(iri, ())]
    if None in curies:
        yield Dropped("parents without a CURIE for their IRI", concept_id, curies.count(None))
    definition = as_text(as_object(meta.get("definition"), '"definition"').get("val"), '"val"')
    xrefs = (as_text(entry.get("val"), '"val"').strip() for entry in _objects(meta, "xrefs"))
    yield Concept(
        id=concept_id,
        name=label,
        synonyms=tuple(names),
        definitions=(definition,) if definition else (),
        types=tuple(properties.get(_NAMESPACE, ())),
        xrefs=tuple(dict.fromkeys(filter(None, xrefs))),
        alternative_ids=tuple(curie_of(i) or i for i in properties.get(_ALTERNATIVE, ())),
        source=concept_id.partition(":")[0],
        parents=tuple(dict.fromkeys(filter(None, curies))),
    )


def _tail(entry: dict[str, Any]) -> str:
    """Return the last part of the IRI or CURIE of an entry's predicate."""
    return re.split(r"[#/:]", as_text(entry.get("pred"), '"pred"'))[-1]


def _objects(meta: Any, key: str) -> Iterator[dict[str, Any]]:
    for entry in as_list(meta.get(key), f'"{key}"'):
        if not isinstance(entry, dict):
            raise Unfit(f'"{key}" holds {written(entry)}, which is not an object')
        yield entry
