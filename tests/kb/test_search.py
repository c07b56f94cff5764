"""Searching several knowledge bases: an id by its prefix, a name in all."""

from __future__ import annotations

from biolink import Concept, KnowledgeBase
from biolink.kb.bases import KnowledgeBases
from biolink.kb.inspect import find

DISEASES = KnowledgeBase.from_concepts(
    [
        Concept("D1", "breast cancer", types=("Disease",)),
        Concept("D2", "breast cancers of men", types=("Disease",)),
        Concept("672000", "cold", types=("Disease",)),
    ],
    prefix="mesh",
    prefixes=[(r"\d{6}", "OMIM")],
)
GENES = KnowledgeBase.from_concepts(
    [
        Concept("672", "BRCA1", synonyms=("breast cancer 1",), types=("Gene",)),
        Concept("672000", "CLD", synonyms=("colds",), types=("Gene",)),
    ],
    prefix="NCBIGene",
)
BASES = KnowledgeBases([DISEASES, GENES])


def found(query: str, limit: int = 10) -> list[tuple[str, str]]:
    return [(hit.how, hit.kb.curie(hit.concept.id)) for hit in find(BASES, query, limit)]


def test_the_prefix_of_an_id_chooses_the_base() -> None:
    assert found("NCBIGene:672") == found("GeneID:672") == [("id", "NCBIGene:672")]
    assert found("OMIM:672000") == [("id", "OMIM:672000")]
    assert found("672000") == [("id", "OMIM:672000"), ("id", "NCBIGene:672000")]


def test_an_unknown_id_has_no_similar_names() -> None:
    assert found("NCBIGene:1") == found("HGNC:1100") == found("OMIM:672") == []


def test_a_name_is_looked_for_in_all_bases() -> None:
    assert found("BRCA1")[0] == ("name", "NCBIGene:672")
    # Similar names come from the bases that have the name, or else from all.
    assert found("cold") == [("name", "OMIM:672000")]
    assert {("similar", "mesh:D1"), ("similar", "NCBIGene:672")} <= set(found("breast cancr", 2))
    assert found("breast cancr", 0) == []
