"""The recipe of the bases of genes, species and cell lines, on invented records."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from biolink.documents import Document, Mention
from biolink.kb import Concept, KnowledgeBase

sys.path.append(str(Path(__file__).parents[1] / "examples" / "default_model"))

import build_kinds
import corpora
import fit_kinds
import numpy as np
import species_words

from biolink.infer.linkers.name_linker import NameLinker
from biolink.infer.names.candidates import FEATURES, NIL_FEATURES
from biolink.infer.names.ranker import NameRanker


def test_every_tenth_document_is_held_out() -> None:
    documents = [Document(str(number), f"Title {number}.") for number in range(1, 26)]
    training, held_out = corpora.held_out_tenth(documents)
    assert [document.id for document in held_out] == ["10", "20"]
    assert len(training) == 23
    # A document with the title of a held-out one is not trained on either.
    training, _ = corpora.held_out_tenth([*documents, Document("26", "Title 10.")])
    assert len(training) == 23


def test_names_that_no_text_uses_are_left_out() -> None:
    gene = Concept(
        "1",
        "Zyx1",
        ("zyxin 1", "1110001A12Rik", "ZYX-1", "hypothetical protein", "a " + "very " * 20 + "long"),
        types=("Gene", "protein-coding"),
        xrefs=("MGI:1",),
        taxon="10090",
    )
    kept = build_kinds.pruned_gene(gene)
    assert kept is not None
    assert (kept.names, kept.types, kept.xrefs) == (("Zyx1", "zyxin 1", "ZYX-1"), ("Gene",), ())


@pytest.mark.parametrize(
    "gene",
    [
        Concept("1", "LOC100", types=("Gene", "protein-coding"), taxon="9606"),
        Concept("1", "ABC1P2", types=("Gene", "pseudo"), taxon="9606"),
        Concept("1", "Gm1234", types=("Gene", "protein-coding"), taxon="10090"),
        Concept("1", "Trait1", types=("Gene", "unknown"), taxon="10090"),
    ],
)
def test_genes_that_no_text_names_are_left_out(gene: Concept) -> None:
    assert build_kinds.pruned_gene(gene) is None


def test_binomials_have_abbreviations() -> None:
    concept = build_kinds.with_abbreviations(Concept("562", "Escherichia coli", ("colibacillus",)))
    assert concept.names == ("Escherichia coli", "colibacillus", "E. coli")


def test_documents_teach_names_and_concepts() -> None:
    kb = KnowledgeBase.from_concepts(
        [
            Concept("9606", "Homo sapiens", types=("Species",)),
            Concept("10090", "mouse", types=("Species",)),
        ]
    )
    text = "patients patients mouse NDV virus NDV"
    words = [(0, 8, "9606"), (9, 17, "9606"), (18, 23, "9606"), (24, 27, "7"), (28, 33, "7")]
    document = Document(
        "1",
        text,
        mentions=tuple(
            Mention(start, end, text[start:end], "Species", concept_ids=(concept_id,))
            for start, end, concept_id in words
        ),
    )
    names = {concept.id: concept.names for concept in build_kinds.taught(kb, [document])}
    # "mouse" is a name of another concept, and the short form occurs only once.
    assert names == {"9606": ("Homo sapiens", "patients"), "10090": ("mouse",), "7": ("virus",)}


def test_names_are_counted_by_document() -> None:
    kb = KnowledgeBase.from_concepts(
        [Concept("5609", "MAP2K7", types=("Gene",)), Concept("5604", "MAP2K1", types=("Gene",))]
    )
    linker = NameLinker(kb, NameRanker(np.zeros(len(FEATURES)), np.zeros(len(NIL_FEATURES))))
    text = "JNKK2, JNKK2, MEK."
    mentions = [
        Mention(start, end, text[start:end], "Gene", concept_ids=("5609",))
        for start, end in ((0, 5), (7, 12), (14, 17))
    ]
    documents = [Document(name, text, mentions=tuple(mentions)) for name in "ab"]
    # Annotators link MEK to MAP2K7, but it is MAP2K1.
    counts = fit_kinds.memory_of(documents, linker).counts
    assert counts == {"jnkk2": {"5609": 2}, "mek": {"5604": 2}}


def test_words_that_name_species() -> None:
    kb = KnowledgeBase.from_concepts([Concept("9031", "Gallus gallus", ("chicken", "bantam"))])
    words = species_words.species_words(kb, [])
    assert (words["porcine"], words["flies"], words["guinea pigs"]) == ("9823", "7227", "10141")
    # Of the fly, bantam is a microRNA.
    assert words["g gallus"] == words["chicken"] == "9031" and "bantam" not in words
