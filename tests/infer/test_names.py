"""Linking by names: other spellings, the species that a document names, features and links."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from biolink.documents import Document, Link, Mention, Passage
from biolink.errors import ConfigError, KnowledgeBaseError
from biolink.infer.linkers.name_linker import NameLinker, NameOptions
from biolink.infer.names.candidates import FEATURES, NIL_FEATURES
from biolink.infer.names.ranker import NameRanker
from biolink.infer.names.spellings import spellings
from biolink.infer.names.taxa import named_taxa
from biolink.infer.names.view import Memory
from biolink.kb import Concept, KnowledgeBase

WEIGHTS = {
    "exact": 3.0,
    "spacing": 2.0,
    "letters": 1.5,
    "written": 1.0,
    "preferred": 0.5,
    "taxon_beside": 2.0,
    "taxon_nearest": 3.0,
    "taxon_before": 1.0,
    "taxon_title": 1.0,
    "taxon_cells": 2.0,
    "taxon_order": 0.5,
    "taxon_unsaid": 1.0,
    "annotated": 1.0,
}


@pytest.fixture(scope="module")
def kb() -> KnowledgeBase:
    return KnowledgeBase.from_concepts(
        [
            Concept("7157", "TP53", ("tumor protein p53", "p53"), types=("Gene",), taxon="9606"),
            Concept("22059", "Trp53", ("p53", "Tp53"), types=("Gene",), taxon="10090"),
            Concept("3084", "NRG1", ("neuregulin 1",), types=("Gene",), taxon="9606"),
            Concept("211323", "Nrg1", ("neuregulin 1",), types=("Gene",), taxon="10090"),
            Concept("7040", "TGFB1", ("TGFbeta1",), types=("Gene",), taxon="9606"),
        ],
        prefix="NCBIGene",
    )


@pytest.fixture(scope="module")
def ranker() -> NameRanker:
    return NameRanker(
        np.array([WEIGHTS.get(name, 0.0) for name in FEATURES]),
        np.zeros(len(NIL_FEATURES)),
        Memory({"guardian": {"7157": 3}}),
        species={"human": "9606", "patients": "9606", "mice": "10090", "mus musculus": "10090"},
        cells={"hct116": "9606", "raw2647": "10090"},
        words={"": {"9606": 0.0, "10090": 0.0}, "knockout": {"10090": 1.0, "9606": -1.0}},
        taxa=("9606", "10090"),
    )


def document(text: str, *mentions: tuple[str, str]) -> Document:
    """A document with these (text, type) mentions at their first places."""
    return Document(
        "1",
        text,
        mentions=tuple(
            Mention(text.index(words), text.index(words) + len(words), words, kind)
            for words, kind in mentions
        ),
    )


@pytest.mark.parametrize(
    ("mention", "name", "kind"),
    [
        ("NRG-1", "nrg1", "spacing"),
        ("XY123", "xy 123", "spacing"),
        ("XY 123", "xy123", "spacing"),
        ("TGF-β1", "tgfb1", "letters"),
        ("TGFb1", "tgfbeta1", "letters"),
        ("collagen type II", "collagen type 2", "letters"),
        ("hTERT", "tert", "affix"),
        ("human p53", "p53", "affix"),
        ("p53 protein", "p53", "affix"),
        ("ERK1/2", "erk1", "part"),
        ("ERK1/2", "erk2", "part"),
        ("SOCS-1 and -3", "socs 3", "part"),
        ("B1 and B2 receptors", "b1 receptor", "part"),
        ("L- and T-type channels", "l type channels", "part"),
        ("BmprIA", "bmpr1a", "letters"),
        ("microRNA-193a", "mir 193a", "letters"),
        ("TNFR-associated factor 2", "tnf receptor associated factor 2", "letters"),
        ("STAT3KO", "stat3", "affix"),
    ],
)
def test_spellings(mention: str, name: str, kind: str) -> None:
    assert dict(spellings(mention))[name] == kind


def test_spellings_are_distinct_and_few() -> None:
    long = "alpha-1 beta-2 gamma-3 delta-4 receptor subunit of type II b1 (a/b/c) 1-2-3-4"
    for mention in ("", "-", long, "α" * 50, "a" * 2000, "1" * 100):
        names = [name for name, _ in spellings(mention)]
        assert len(names) == len(set(names)) <= 400


def test_the_species_that_a_text_names(ranker: NameRanker) -> None:
    text = "Genes in mice.\nWe saw patients. Nude mice had p53. RAW 264.7 cells."
    given = replace(document(text, ("p53", "Gene")), passages=(Passage(0, 14, "title"),))
    taxa = named_taxa(given, ranker.species, ranker.words, ranker.cells)
    # Nude mice bear human cells.
    assert [(name.taxon, text[name.start : name.end]) for name in taxa.named] == [
        ("10090", "mice"),
        ("9606", "patients"),
    ]
    assert [(name.taxon, text[name.start : name.end]) for name in taxa.cells] == [
        ("10090", "RAW 264.7")
    ]
    evidence = taxa.evidence(given.mentions[0].start, given.mentions[0].end)
    assert evidence["10090"]["title"] == 1.0 and "before" not in evidence["10090"]
    assert 0.9 < evidence["9606"]["before"] < 1.0 and "title" not in evidence["9606"]
    # Both species are named once, so none of them is the most frequent.
    assert not any("frequent" in places for places in evidence.values())
    assert "cells" in evidence["10090"] and "cell_sentence" not in evidence["10090"]


def test_the_species_beside_a_mention(ranker: NameRanker) -> None:
    text = "TP53 in human, p53 in mice and p53 from HCT116 cells. NRG-1 of patients and mice."
    taxa = named_taxa(Document("1", text), ranker.species, {}, ranker.cells)

    def beside(words: str) -> list[str]:
        start = text.index(words)
        found = taxa.evidence(start, start + len(words))
        return [taxon for taxon, places in found.items() if "beside" in places]

    # A comma separates "human" from the mention after it.
    assert beside("TP53") == ["9606"] and beside("p53") == ["10090"]
    assert beside("NRG-1") == ["9606"]
    start = text.index("p53 from")
    assert taxa.evidence(start, start + 3)["9606"]["cell_sentence"] == 1.0


def test_a_linked_species_counts(ranker: NameRanker) -> None:
    given = document("p53 of the house rodent", ("house rodent", "OrganismTaxon"))
    (mention,) = given.mentions
    linked = replace(mention, links=(Link("10090", "Mus musculus", 0.0, 1.0, 1),))
    taxa = named_taxa(given.with_mentions([linked]), {}, {}, {})
    assert taxa.counts == {"10090": 1}


def test_linked_viruses_and_hosts_do_not_count(ranker: NameRanker) -> None:
    text = "p53 of nude mice, human patients and HPV"
    mentions = []
    for words, taxon in (("nude mice", "10090"), ("human patients", "9606"), ("HPV", "10566")):
        start = text.index(words)
        link = Link(taxon, words, 0.0, 1.0, 1)
        mentions.append(Mention(start, start + len(words), words, "Species", links=(link,)))
    given = Document("1", text, mentions=tuple(mentions))
    taxa = named_taxa(given, ranker.species, {}, {}, {"9606", "10090"})
    # "human patients" is one name of a species, not two.
    assert taxa.counts == {"9606": 1}


def test_the_document_decides_whose_gene(kb: KnowledgeBase, ranker: NameRanker) -> None:
    linker = NameLinker(kb, ranker)
    given = document(
        "Loss of p53 in mice. It was NRG-1 in patients.", ("p53", "Gene"), ("NRG-1", "Gene")
    )
    one, two = linker(given).mentions
    assert one.best is not None and two.best is not None
    assert (one.best.concept_id, one.best.curie) == ("22059", "NCBIGene:22059")
    assert one.best.reason == "taxon 10090: its species is named beside it"
    assert two.best.concept_id == "3084"
    assert sum(link.probability for link in one.links) + (
        one.nil_probability or 0
    ) == pytest.approx(1)
    unsaid = linker(document("The p53 gene.", ("p53", "Gene"))).mentions[0].best
    assert unsaid is not None
    assert (unsaid.concept_id, unsaid.reason) == (
        "7157",
        "taxon 9606: the text does not say whose gene it is",
    )
    cells = linker(document("The p53 of RAW264.7 cells.", ("p53", "Gene"))).mentions[0].best
    assert cells is not None and cells.concept_id == "22059"


def test_a_species_without_genes_in_the_base(kb: KnowledgeBase, ranker: NameRanker) -> None:
    weights = np.array([3.0 * name.startswith("foreign") for name in NIL_FEATURES])
    yeast = {**ranker.species, "yeast": "4932"}
    linker = NameLinker(kb, replace(ranker, species=yeast, nil_weights=weights), nil="likelier")
    given = document("The yeast p53 protein.", ("p53", "Gene"))
    assert not linker(given).mentions[0].links
    assert linker(document("The human p53 protein.", ("p53", "Gene"))).mentions[0].links


def test_the_role_that_a_mention_names(kb: KnowledgeBase) -> None:
    weights = np.array([{"exact": 1.0, "role_missing": -3.0}.get(name, 0.0) for name in FEATURES])
    ranker = NameRanker(weights, np.zeros(len(NIL_FEATURES)))
    genes = KnowledgeBase.from_concepts(
        [
            Concept("3082", "HGF", ("hepatocyte growth factor",), types=("Gene",)),
            Concept("3083", "HGFAC", ("HGF activator protein",), types=("Gene",)),
        ]
    )
    linked = NameLinker(genes, ranker)(document("the HGF activator", ("HGF activator", "Gene")))
    assert [link.concept_id for link in linked.mentions[0].links] == ["3083", "3082"]


def test_other_kinds_are_left_alone(kb: KnowledgeBase, ranker: NameRanker) -> None:
    given = document("p53 in mice with p", ("p53", "GeneOrGeneProduct"), ("mice", "Species"))
    given = given.with_mentions([given.mentions[0], replace(given.mentions[1], nil_reason="x")])
    linked = NameLinker(kb, ranker)(given)
    assert linked.mentions[1] is given.mentions[1]
    assert linked.mentions[0].links
    alone = document("asthma", ("asthma", "Disease"))
    assert NameLinker(kb, ranker)(alone) is alone


def test_taxa_restrict_and_order(kb: KnowledgeBase, ranker: NameRanker) -> None:
    given = document("The p53 gene.", ("p53", "Gene"))
    linker = NameLinker(kb, ranker, NameOptions(taxa=("10090",)))
    assert [link.concept_id for link in linker(given).mentions[0].links] == ["22059"]
    mice_first = linker.with_settings(taxa=("10090", "9606"))
    best = mice_first(given).mentions[0].best
    assert best is not None and best.concept_id == "22059"
    assert linker(document("TGFB1", ("TGFB1", "Gene"))).mentions[0].nil_reason == "no candidate"
    with pytest.raises(ConfigError, match="expected a tuple of NCBI Taxonomy ids"):
        NameOptions(taxa=("mouse",))


def test_training_documents_teach_names(kb: KnowledgeBase, ranker: NameRanker) -> None:
    best = NameLinker(kb, ranker)(document("the guardian", ("guardian", "Gene"))).mentions[0].best
    assert best is not None and best.concept_id == "7157"
    memory = ranker.memory
    assert memory.popular == {"7157": 3}
    assert memory.without(Memory({"guardian": {"7157": 3}})).counts == {"guardian": {}}


def test_long_forms_lead_to_concepts(kb: KnowledgeBase, ranker: NameRanker) -> None:
    text = "The tumor protein p53 (TPP) and TPP in patients."
    at = text.rindex("TPP")
    given = Document("1", text, mentions=(Mention(at, at + 3, "TPP", "Gene"),))
    best = NameLinker(kb, ranker)(given).mentions[0].best
    assert best is not None
    assert (best.concept_id, best.long_form) == ("7157", "tumor protein p53")


def test_rankers_are_stored(tmp_path: Path, kb: KnowledgeBase, ranker: NameRanker) -> None:
    file = tmp_path / "genes.json"
    ranker.save(file)
    again = NameRanker.load(file)
    assert (again.weights == ranker.weights).all()
    assert (again.species, again.cells, again.words) == (ranker.species, ranker.cells, ranker.words)
    assert again.memory.counts == ranker.memory.counts and again.taxa == ranker.taxa
    file.write_text(file.read_text().replace('"exact"', '"other"'))
    with pytest.raises(KnowledgeBaseError, match=r"genes\.json cannot be used to rank names"):
        NameRanker.load(file)


def test_a_subset_and_a_policy(kb: KnowledgeBase, ranker: NameRanker) -> None:
    given = document("The p53 gene.", ("p53", "Gene"))
    linker = NameLinker(kb, ranker)
    part = linker.with_kb(kb.subset(ids=["22059"]))
    assert [link.concept_id for link in part(given).mentions[0].links] == ["22059"]
    nil = linker.with_settings(nil=0.999)(given).mentions[0]
    assert nil.best is None and nil.nil_reason
    with pytest.raises(ConfigError, match="it finds none itself"):
        linker.pipe([given], recognise=True)
