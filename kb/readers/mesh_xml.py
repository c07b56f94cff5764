"""MeSH XML as NLM publishes it: descriptor (desc2024.xml) and supplementary (supp2024.xml) records.

The file is parsed as a stream of elements, and each record is removed from memory after it has been
read. Parents of a descriptor may follow it in the file, so descriptors with tree numbers are kept
as concepts and yielded at the end. Supplementary records have no tree numbers; the descriptors to
which they are mapped are their parents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from biolink.errors import InputError
from biolink.kb.concept import Concept, Dropped, Record
from biolink.kb.files import DAMAGED, display_name, open_binary
from biolink.kb.problems import OnProblem, raise_or_report
from biolink.kb.readers.mesh_tables import branch_type
from biolink.kb.readers.mesh_trees import tree_parents

LABEL = "MeSH XML, descriptors or supplementary records"

_SUPPLEMENTARY_TYPES = {"1": "Chemical", "2": "Chemical", "3": "Disease", "4": "Organism"}


def sniff(path: str | Path, head: str) -> bool:
    return re.search(r"<(DescriptorRecord|SupplementalRecord)(Set)?\b", head) is not None


def read(path: str | Path, on_problem: OnProblem = None, permuted: bool = True) -> Iterator[Record]:
    """Stream the records.

    Parameters
    ----------
    path
        The file, which may be compressed.
    on_problem
        Called with the problem of each record that cannot be read, instead of raising it.
    permuted
        Whether permuted terms (``Abdomens, Acute``) are kept. Default: True.

    Raises
    ------
    InputError
        If the file is not well-formed XML (the message names the line), or a record has no id.
    """
    below: list[tuple[Concept, list[str]]] = []
    descriptors: dict[str, str] = {}
    with open_binary(path) as stream:
        try:
            root = None
            for event, element in ElementTree.iterparse(stream, events=("start", "end")):
                if root is None:
                    root = element
                if event == "end" and element.tag in ("DescriptorRecord", "SupplementalRecord"):
                    kind = element.tag.removesuffix("Record")
                    try:
                        numbers = _tree_numbers(element)
                        for record in _record(element, kind, permuted, numbers, display_name(path)):
                            if numbers and isinstance(record, Concept):
                                below.append((record, numbers))
                                descriptors.update(dict.fromkeys(numbers, record.id))
                            else:
                                yield record
                    except InputError as error:
                        raise_or_report(error, on_problem)
                    root.clear()
        except ElementTree.ParseError as error:
            line = error.position[0] if error.position else None
            raise InputError(display_name(path), line, str(error), "well-formed MeSH XML") from None
        except (LookupError, ValueError) as error:  # The encoding is unknown or not supported.
            raise InputError(display_name(path), 1, str(error), "well-formed MeSH XML") from None
        except DAMAGED as error:
            raise InputError(
                display_name(path), None, f"damaged compression ({error})", "a whole file"
            ) from None
    yield from _with_parents(below, descriptors)


def _with_parents(
    below: Sequence[tuple[Concept, list[str]]], descriptors: Mapping[str, str]
) -> Iterator[Record]:
    """Yield the descriptors, which are given with their tree numbers, with their parents."""
    for concept, numbers in below:
        parents, lacking = tree_parents(numbers, descriptors)
        if lacking:
            yield Dropped("tree numbers below one that no descriptor has", concept.id, lacking)
        yield replace(concept, parents=parents)


def _tree_numbers(element: ElementTree.Element) -> list[str]:
    numbers = ((e.text or "").strip() for e in element.iterfind("TreeNumberList/TreeNumber"))
    return list(filter(None, numbers))


def _record(
    element: ElementTree.Element,
    kind: str,
    permuted: bool,
    numbers: Sequence[str],
    source: str,
) -> Iterator[Record]:
    ui = (element.findtext(f"{kind}UI") or element.findtext(f"{kind}RecordUI") or "").strip()
    name = (
        element.findtext(f"{kind}Name/String") or element.findtext(f"{kind}RecordName/String") or ""
    )
    if not ui:
        raise InputError(source, None, f"a {element.tag} without {kind}UI", "an id in each record")
    terms: dict[str, None] = {}
    left_out = 0
    notes: dict[str, None] = {}
    for concept in element.iterfind("ConceptList/Concept"):
        note = (concept.findtext("ScopeNote") or "").strip()
        if note:
            notes[note] = None
        for term in concept.iterfind("TermList/Term"):
            if permuted or term.get("IsPermutedTermYN") != "Y":
                terms[(term.findtext("String") or "").strip()] = None
            else:
                left_out += 1
    note = (element.findtext("Note") or "").strip()
    if note:
        notes[note] = None
    terms.pop("", None)
    if left_out:
        yield Dropped("permuted terms", ui, left_out)
    name = name.strip()
    if not name and not terms:
        yield Dropped("without a name", ui)
        return
    terms.pop(name, None)
    if kind == "Descriptor":
        types = list(map(branch_type, numbers))
    else:
        types = [_SUPPLEMENTARY_TYPES.get(element.get("SCRClass", ""), "")]
    mapped = [
        (e.text or "").strip().lstrip("*")
        for e in element.iterfind(
            "HeadingMappedToList/HeadingMappedTo/DescriptorReferredTo/DescriptorUI"
        )
    ]
    yield Concept(
        id=ui,
        name=name,
        synonyms=tuple(terms),
        definitions=tuple(notes),
        types=tuple(dict.fromkeys(filter(None, types))),
        xrefs=tuple(f"mesh-heading:{heading}" for heading in mapped),
        source="MeSH descriptor" if kind == "Descriptor" else "MeSH supplementary",
        parents=tuple(dict.fromkeys(filter(None, mapped))),
    )
