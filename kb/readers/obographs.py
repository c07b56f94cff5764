"""OBO Graphs JSON (https://github.com/geneontology/obographs).

Read with the standard library's JSON parser. pronto was tried first; it refuses one of the three
files measured and needs five to eight times as long for the others (``benchmarks/RESULTS.md``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from biolink.errors import InputError
from biolink.kb.concept import Concept
from biolink.kb.files import display_name, open_text

LABEL = "OBO Graphs JSON"

_OBO_IRI = re.compile(r"^http://purl\.obolibrary\.org/obo/([A-Za-z]+)_(\w+)$")
_NAMESPACE = "http://www.geneontology.org/formats/oboInOwl#hasOBONamespace"
_ALTERNATIVE = "http://www.geneontology.org/formats/oboInOwl#hasAlternativeId"


def sniff(path: str | Path, head: str) -> bool:
    return head.lstrip().startswith("{") and re.search(r'"graphs"\s*:\s*\[', head) is not None


def read(
    path: str | Path, scopes: str = "exact,related,broad,narrow", deprecated: bool = False
) -> Iterator[Concept]:
    """Stream the classes.

    Parameters
    ----------
    path
        The file.
    scopes
        Scopes of synonyms that are kept, separated by commas.
    deprecated
        Keep deprecated classes.
    """
    kept = {f"has{scope.strip().capitalize()}Synonym" for scope in scopes.split(",")}
    try:
        with open_text(path) as stream:
            graphs = json.load(stream)["graphs"]
    except json.JSONDecodeError as error:
        raise InputError(display_name(path), error.lineno, error.msg, "OBO Graphs JSON") from None
    except (KeyError, TypeError):
        raise InputError(
            display_name(path), None, 'no "graphs"', 'OBO Graphs JSON: {"graphs": [...]}'
        ) from None
    for graph in graphs:
        nodes = graph.get("nodes", [])
        nodes.reverse()
        while nodes:  # popped, so that the parsed file shrinks as the concepts grow
            concept = _class(nodes.pop(), kept, deprecated)
            if concept is not None:
                yield concept


def _class(node: dict[str, Any], kept: set[str], deprecated: bool) -> Concept | None:
    match = _OBO_IRI.match(node.get("id", ""))
    meta = node.get("meta") or {}
    if not match or node.get("type") not in ("CLASS", None) or not node.get("lbl"):
        return None
    if meta.get("deprecated") and not deprecated:
        return None
    properties = meta.get("basicPropertyValues", [])
    definition = (meta.get("definition") or {}).get("val", "")
    names = [s["val"] for s in meta.get("synonyms", []) if s.get("pred") in kept]
    return Concept(
        id=f"{match[1]}:{match[2]}",
        name=node["lbl"],
        synonyms=tuple(dict.fromkeys(name for name in names if name != node["lbl"])),
        definitions=(definition,) if definition else (),
        types=tuple(p["val"] for p in properties if p.get("pred") == _NAMESPACE),
        xrefs=tuple(x["val"] for x in meta.get("xrefs", [])),
        alternative_ids=tuple(p["val"] for p in properties if p.get("pred") == _ALTERNATIVE),
        source=match[1],
    )
