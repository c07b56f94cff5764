"""Which gene, and of which species: the embedded default on sentences that are easy to read."""

from __future__ import annotations

import re

import pytest

import biolink
from biolink import Document, Mention
from biolink.infer.linkers.kinds_linker import KindsLinker

BESIDE = "its species is named beside it"


@pytest.fixture(scope="module")
def linker() -> KindsLinker:
    linker = biolink.load()
    assert isinstance(linker, KindsLinker)
    return linker


def marked(text: str, kind: str) -> Document:
    """The document in which the texts between < and > are mentions."""
    plain, mentions = "", []
    for part in re.split(r"(<[^>]+>)", text):
        inside = part.strip("<>") if part.startswith("<") else ""
        if inside:
            mentions.append(Mention(len(plain), len(plain) + len(inside), inside, kind))
        plain += inside or part
    return Document("1", plain, mentions=tuple(mentions))


def linked(linker: KindsLinker, text: str, kind: str = "Gene") -> list[Mention]:
    """The mentions, linked as if a recogniser had found them."""
    (document,) = linker.link_documents([marked(text, kind)], recognised={0})
    return list(document.mentions)


def ids(linker: KindsLinker, text: str, kind: str = "Gene") -> list[str | None]:
    return [m.best.concept_id if m.best else None for m in linked(linker, text, kind)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We compared mouse <p53> with human <p53>.", ["22059", "7157"]),
        ("Human <p53>, mouse <p53> and rat <p53>.", ["7157", "22059", "24842"]),
        ("Human <BRCA1> and mouse <BRCA1> differ.", ["672", "12189"]),
        ("The <p53> from zebrafish and the human <p53>.", ["30590", "7157"]),
        ("The <p53> gene of the mouse, and <p53> in rats.", ["22059", "24842"]),
        ("Transgenic mice expressing human <APP> were studied.", ["351"]),
        ("Murine <Tnf> was raised.", ["21926"]),
        ("Mouse (Mus musculus) <p53> and rat (Rattus norvegicus) <p53>", ["22059", "24842"]),
        ("<p53> (mouse) and <p53> (human) were cloned.", ["22059", "7157"]),
        ("Mouse-derived <p53> and human-derived <p53>.", ["22059", "7157"]),
        ("<Trp53>-/- mice and <TP53> in human patients.", ["22059", "7157"]),
        ("Human patients and <Pten>-deficient mice.", ["19211"]),
    ],
)
def test_a_species_directly_beside_a_gene_decides(
    linker: KindsLinker, text: str, expected: list[str]
) -> None:
    assert ids(linker, text) == expected
    reasons = {m.best.reason.partition(": ")[2] for m in linked(linker, text) if m.best}
    assert reasons == {BESIDE}


def test_the_only_species_of_the_sentence(linker: KindsLinker) -> None:
    text = "Patients were studied. Zebrafish embryos exposed to dioxin had <tp53> induction."
    (mention,) = linked(linker, text)
    assert mention.best is not None
    assert mention.best.concept_id == "30590"
    assert mention.best.reason.startswith("taxon 7955: its species is the only one")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nude mice lack <Foxn1>.", "15218"),
        ("SCID mice had more <p53>.", "22059"),
        ("NOD/SCID mice lack <Prkdc>.", "19090"),
        # Mice that bear human cells say nothing.
        ("Nude mice with xenografts of HCT116 cells had less <TP53>.", "7157"),
        ("Flies mutant for <Pten> were larger.", "43991"),
        ("Fruit flies without <Sod1> die early.", "39251"),
    ],
)
def test_strains_and_plurals_name_species(linker: KindsLinker, text: str, expected: str) -> None:
    assert ids(linker, text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "Porcine <IL6> and bovine <IL6> were measured.",
        "Canine <TP53> and feline <TP53> were sequenced.",
        "Equine <IL10>, ovine <IL10> and avian <IL10> were cloned.",
        "The <p53> gene of the dog.",
        "Xenopus laevis <p53> was cloned.",
        "Horses lack <TP53>.",
        "Rhesus monkeys had <CCR5>.",
    ],
)
def test_a_gene_of_a_species_outside_the_base_is_nil(linker: KindsLinker, text: str) -> None:
    assert set(ids(linker, text)) == {None}


def test_capitals_are_genes_not_species(linker: KindsLinker) -> None:
    genes = next(part for part in linker.others if "Gene" in part.kb.types)
    words = set(genes.ranker.species)  # type: ignore[attr-defined]
    assert {"men", "rat", "cat"} <= words
    # Neither MEN1 nor CAT names a species.
    assert ids(linker, "<MEN1> and CAT were measured.") == ["4221"]
    (mention,) = linked(linker, "CAT <MEN1> was measured.")
    assert mention.best is not None
    assert mention.best.reason == "taxon 9606: the text does not say whose gene it is"


def test_a_short_form_has_the_kind_of_its_long_form(linker: KindsLinker) -> None:
    (mention,) = linked(linker, "<BPA> (Bisphenol A) is an estrogen.")
    assert (mention.type, mention.best and mention.best.concept_id) == ("Chemical", "C006780")
    (mention,) = linked(linker, "The bullous pemphigoid antigen 1 (<BPA>) is in the skin.")
    assert (mention.type, mention.best and mention.best.concept_id) == ("Gene", "667")


def test_mek_is_the_kinase_of_erk(linker: KindsLinker) -> None:
    assert ids(linker, "Human <MEK> was phosphorylated.") == ["5604"]


@pytest.mark.parametrize("text", ["<C57BL/6> mice", "C57BL/<6> mice", "<BALB/c> and <C57BL/6J>"])
def test_a_strain_is_no_cell_line(linker: KindsLinker, text: str) -> None:
    found = linked(linker, text, "CellLine")
    assert {m.nil_reason for m in found} == {"a strain of animals, not a cell line"}
    assert ids(linker, "<HeLa> and <ES-C57BL/6> cells", "CellLine") == ["CVCL_0030", "CVCL_5746"]


def test_nested_mentions_change_no_others(linker: KindsLinker) -> None:
    nested = biolink.load(nested=True)
    text = (
        "MEK and ERK1/2 were phosphorylated in SK-MEL-28 cells by IL-6 and TGF-α. Lung cancer and "
        "non-small cell lung cancer in mouse TNF receptor 1 mutants, with ERK1 and mouse p53."
    )
    outer = linker(text).mentions
    every = {(m.start, m.end): m for m in nested(text).mentions}
    assert len(every) > len(outer)
    assert [every[m.start, m.end] for m in outer] == list(outer)
    fragments = {"MEL", "SK", "IL", "α", "6", "28"}
    assert fragments.isdisjoint(m.text for m in every.values())
