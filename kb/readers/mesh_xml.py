"""MeSH XML as NLM publishes it: descriptor (desc2024.xml) and supplementary (supp2024.xml) records.

The file is parsed as a stream of elements, and each record is removed from memory after it has been
read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from biolink.errors import InputError
from biolink.kb.concept import Concept, Dropped, Record
from biolink.kb.files import DAMAGED, display_name, open_binary
from biolink.kb.problems import OnProblem, raise_or_report
from biolink.kb.readers.mesh_tables import branch_type

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
    with open_binary(path) as stream:
        try:
            root = None
            for event, element in ElementTree.iterparse(stream, events=("start", "end")):
                if root is None:
                    root = element
                if event == "end" and element.tag in ("DescriptorRecord", "SupplementalRecord"):
                    kind = element.tag.removesuffix("Record")
                    try:
                        yield from _record(element, kind, permuted, display_name(path))
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


def _record(
    element: ElementTree.Element, kind: str, permuted: bool, source: str
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
        numbers = (e.text or "" for e in element.iterfind("TreeNumberList/TreeNumber"))
        types = [branch_type(number.strip()) for number in numbers]
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
    )
