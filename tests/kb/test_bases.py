"""Several knowledge bases: the kind or the prefix of an id chooses one."""

from __future__ import annotations

import pytest

from biolink import Concept, KnowledgeBase
from biolink.errors import ConfigError
from biolink.kb.bases import KnowledgeBases, base_of, takes
from biolink.kb.types import kind_of

DISEASES = KnowledgeBase.from_concepts(
    [Concept("D005334", "Fever", types=("Disease",)), Concept("127550", "Ill", types=("Disease",))],
    prefix="mesh",
    prefixes=[(r"\d{6}", "OMIM")],
)
GENES = KnowledgeBase.from_concepts(
    [Concept("127550", "A3GALT2", types=("Gene",)), Concept("9606", "X", types=("Gene",))],
    prefix="NCBIGene",
)
CELLS = KnowledgeBase.from_concepts([Concept("CVCL_0030", "HeLa", types=("CellLine",))])
BASES = KnowledgeBases([DISEASES, GENES, CELLS])


def test_a_kind_chooses_a_base_in_every_spelling_of_the_command_line() -> None:
    for spelling in ("gene", "Gene", "GeneOrGeneProduct"):
        assert BASES.of(spelling) is GENES
    for spelling in ("cell-line", "cell line", "CellLine"):
        assert BASES.of(spelling) is CELLS
    assert BASES.of("") is DISEASES


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("genes", r"kind 'genes'; expected one of cellline, disease, gene; did you mean 'gene'\?$"),
        ("cell lines", r"did you mean 'cell-line'\?$"),
        ("Foo", "kind 'Foo'; expected one of cellline, disease, gene$"),
        ("Variant", "kind 'Variant'; expected one of cellline, disease, gene$"),
    ],
)
def test_an_unknown_kind_is_an_error(kind: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BASES.of(kind)
    # Mentions of any type can be looked up, and one base alone is that of every kind.
    assert base_of(BASES, kind) is DISEASES
    assert KnowledgeBases([GENES]).of(kind) is GENES


def test_the_prefix_of_an_id_chooses_a_base() -> None:
    assert BASES.having("127550") == [DISEASES, GENES]
    assert BASES.having("OMIM:127550") == BASES.having("MIM:127550") == [DISEASES]
    assert BASES.having("NCBIGene:127550") == BASES.having("GeneID:127550") == [GENES]
    assert BASES.having("OMIM:9606") == BASES.having("mesh:CVCL_0030") == []
    assert BASES.having("CVCL_0030") == [CELLS]


def test_other_spellings_of_prefixes() -> None:
    species = KnowledgeBase.from_concepts([Concept("9606", "human")], prefix="NCBITaxon")
    assert species["taxonomy:9606"].name == "human"
    assert GENES["GeneID:9606"].name == "X"
    assert "GeneID:9606" not in species and "taxonomy:9606" not in GENES


def test_a_part_has_some_kinds() -> None:
    assert BASES.part(["gene", "Variant"]).bases == (GENES,)
    with pytest.raises(ConfigError, match="no knowledge base is of the kind Variant; expected som"):
        BASES.part(["Variant"])


def test_links_of_another_kind_are_not_to_a_base() -> None:
    assert takes(GENES, "GeneOrGeneProduct") and takes(GENES, "Phenotype") and takes(GENES, "")
    assert not takes(GENES, "Disease") and not takes(DISEASES, "Variant")
    # A base whose own types are no kinds may link any mention.
    phenotypes = KnowledgeBase.from_concepts([Concept("1", "Tall", types=("phenotype",))])
    assert takes(phenotypes, "Disease")


def test_a_type_that_is_no_string_is_an_error() -> None:
    for wrong in (None, 5):
        with pytest.raises(ConfigError, match=f"the type is {wrong}.*; expected a string"):
            kind_of(wrong)  # type: ignore[arg-type]
