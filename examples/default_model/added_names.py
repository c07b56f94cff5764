"""Names of further sources for the concepts of the embedded knowledge base.

The names come from a derived table, which maps the classes of each source to MeSH and OMIM ids
through MONDO's exact matches, CAS numbers and unique names. A name that would belong to two
concepts is left out, because a shared name costs more accuracy than it brings.
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from biolink.kb import KnowledgeBase, normalise_name

__all__ = ["FOLDED", "NAMES", "pairs_to_fold", "with_added_names"]

FOLDED = "kb/derived/omim_folded_into_mesh.tsv.gz"
NAMES = "kb/derived/mesh_omim_extra_names.tsv.gz"
#: The sources whose names are added. The Human Phenotype Ontology's are not: its licence asks that
#: the content is not altered.
ADDED = ("mondo", "doid", "ncit", "drugbank", "chebi")
#: Names of at most this many characters are added from DrugBank to descriptors only. Those of the
#: other sources are mostly acronyms and symbols of genes, and in annotated documents half of them
#: stood for another concept.
SHORT = 4


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with gzip.open(file, "rt", encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)


def pairs_to_fold(data: Path, base: KnowledgeBase) -> dict[str, str]:
    """Return the OMIM entries that are still beside the MeSH concept with which they are one.

    MONDO has exactly one exact MeSH match for the class of such an entry.
    """
    pairs = {}
    for row in _rows(data / FOLDED):
        old, new = base.resolve(row["omim"]), base.resolve(row["mesh"])
        if old is not None and new is not None and old != new:
            pairs[old] = new
    return pairs


def with_added_names(data: Path, base: KnowledgeBase) -> KnowledgeBase:
    """Add the names of the table to the concepts of MeSH, and print how many each source adds.

    Entries that only OMIM has get none: in training and development documents, as many of these
    names stood for another concept as for the right one.

    Raises
    ------
    SystemExit
        If a name became shared by the addition.
    """
    owners: dict[str, set[str]] = {}
    written: dict[tuple[str, str], tuple[str, str]] = {}
    counts: dict[str, Counter[str]] = {}
    for row in _rows(data / NAMES):
        count = counts.setdefault(row["source"], Counter())
        concept_id, name = base.resolve(row["id"]), normalise_name(row["name"])
        if row["source"] not in ADDED:
            count["of a source that is left out"] += 1
        elif concept_id is None:
            count["of no concept"] += 1
        elif not concept_id.startswith(("C", "D")):
            count["of an OMIM entry"] += 1
        elif len(row["name"]) <= SHORT and not (
            row["source"] == "drugbank" and concept_id.startswith("D")
        ):
            count["short"] += 1
        elif not name or concept_id in (held := {c.id for c in base.lookup(name)}):
            count["known"] += 1
        elif held:
            count["of another concept"] += 1
        else:
            owners.setdefault(name, set()).add(concept_id)
            written.setdefault((name, concept_id), (row["name"], row["source"]))
    added: dict[str, list[str]] = {}
    for (name, concept_id), (text, source) in written.items():
        alone = len(owners[name]) == 1
        counts[source]["added" if alone else "of several concepts"] += 1
        if alone:
            added.setdefault(concept_id, []).append(text)
    for source, count in sorted(counts.items()):
        print(f"{source}:", ", ".join(f"{n:,} {what}" for what, n in sorted(count.items())))
    before = _shared(base)
    merged = KnowledgeBase.from_concepts(
        replace(concept, synonyms=(*concept.synonyms, *added.get(concept.id, ())))
        for concept in base
    )
    if new := _shared(merged) - before:
        raise SystemExit(f"{len(new)} names became shared, such as {sorted(new)[:5]}")
    return merged


def _shared(base: KnowledgeBase) -> set[str]:
    indptr, _, _ = base.ownership
    return {base.name_at(i) for i in range(base.name_slots) if indptr[i + 1] - indptr[i] > 1}
