"""Definitions of abbreviations: where each applies, and how long a long form is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from biolink import DictionaryRecogniser, Document, KnowledgeBase, Linker, Mention
from biolink.documents import Passage
from biolink.infer.mentions import abbreviations
from biolink.infer.mentions.abbreviations import (
    Definition,
    Finder,
    definitions,
    expand_document,
    expand_mention,
    find_abbreviations,
    finder,
)
from biolink.infer.mentions.hints import appositions, hints
from biolink.infer.network.model import load_model
from biolink.kb import Concept

TWICE = (
    "MS is meant. Multiple sclerosis (MS) came first, and MS was seen. Later severe mitral "
    "stenosis (MS) appeared, and MS was treated."
)


@pytest.fixture(params=["schwartz-hearst", "scispacy"])
def find(request: pytest.FixtureRequest) -> Finder:
    if request.param == "scispacy":
        pytest.importorskip("scispacy")
    found = finder(request.param)
    assert found is not None
    return found


def shorts(document: Document, short: str) -> Document:
    return document.with_mentions(
        Mention(m.start(), m.end(), short) for m in re.finditer(rf"\b{short}\b", document.text)
    )


def test_the_definition_nearest_before_holds(find: Finder) -> None:
    expanded = expand_document(shorts(Document("1", TWICE), "MS"), find)
    first, second = "Multiple sclerosis", "mitral stenosis"
    assert [m.long_form for m in expanded.mentions] == [first, first, first, second, second]
    assert all(TWICE[m.start : m.end] == "MS" for m in expanded.mentions)


def test_a_later_definition_does_not_hold_where_the_form_is_in_brackets(find: Finder) -> None:
    text = "DM here. Myotonic dystrophy (DM) and DM. Diabetes mellitus (DM), DM."
    expanded = expand_document(shorts(Document("1", text), "DM"), find)
    second = "Diabetes mellitus"
    assert [m.long_form for m in expanded.mentions] == [second, None, None, second, second]


def test_a_given_long_form_stays(find: Finder) -> None:
    text = "DM is rare. Breast cancer (BC) is not. BC."
    given = Mention(0, 2, "DM", long_form="myotonic dystrophy")
    other = Mention(39, 41, "BC")
    expanded = expand_document(Document("1", text, mentions=(given, other)), find)
    assert [m.long_form for m in expanded.mentions] == ["myotonic dystrophy", "Breast cancer"]


def test_definitions_at_many_places_are_found(find: Finder) -> None:
    text = "A.\n\nMultiple sclerosis (MS) here."
    (found,) = find(text).found
    assert (found.short, found.long) == ("MS", "Multiple sclerosis")
    assert text[found.start : found.end].startswith("Multiple sclerosis (MS")
    (turned,) = find_abbreviations("So MI (myocardial infarction) was.").found
    assert turned == Definition("MI", "myocardial infarction", 3, 29)


@pytest.mark.parametrize("gap", ["\n\n", "\n", "\r\n", "\t", "     ", "\u2029"])
def test_a_long_form_ends_at_a_break(find: Finder, gap: str) -> None:
    text = (
        f"A study of gene expression{gap}Purpose{gap}Asymmetric dimethylarginine (ADMA) was high."
    )
    found = find(text)
    assert all(gap not in long for long in found.values()), dict(found)
    assert find(f"alpha beta{gap}muscular atrophy (ABMA) was seen.") == {}
    # A long form whose letters are all after the break is found.
    assert find(f"Spinal.{gap}spinal muscular atrophy (SMA).") == {"SMA": "spinal muscular atrophy"}


def test_a_long_form_ends_with_its_passage(find: Finder) -> None:
    text = "On spinal muscular atrophy (SMA) was seen."
    assert definitions(Document("1", text), find) == {"SMA": "spinal muscular atrophy"}
    parted = (Passage(0, 9, "title"), Passage(10, len(text), "abstract"))
    assert definitions(Document("1", text, parted), find) == {}
    together = (Passage(0, 2, "title"), Passage(3, len(text), "abstract"))
    (found,) = definitions(Document("1", text, together), find).found
    assert text[found.start :].startswith("spinal")


def test_letters_are_matched_in_one_form(find: Finder) -> None:
    if find is find_abbreviations:
        text = "The beta-adrenergic receptor (β-AR) is one."
        assert find(text) == {"β-AR": "beta-adrenergic receptor"}
    forms = {"CO₂R": "carbon dioxide response"}
    assert expand_mention("CO2R test", forms) == "carbon dioxide response test"


def test_short_forms_inside_long_forms_are_not_expanded() -> None:
    forms = {"AB": "alpha BC", "BC": "beta carotene"}
    assert expand_mention("AB and BC", forms) == "alpha BC and beta carotene"
    assert expand_mention("ABs", forms) == "alpha BC"


def test_the_dictionary_finds_short_forms_by_the_nearest_definition() -> None:
    kb = KnowledgeBase.from_concepts(
        [
            Concept("1", "multiple sclerosis", types=("Disease",)),
            Concept("2", "mitral stenosis", types=("Chemical",)),
        ]
    )
    found = DictionaryRecogniser(kb)(Document("1", TWICE)).mentions
    types = [m.type for m in found if m.text == "MS"]
    assert types == ["Disease"] * 3 + ["Chemical"] * 2
    assert all(TWICE[m.start : m.end] == m.text for m in found)


def test_an_apposition_holds_where_it_is_nearest() -> None:
    text = "Fever (KX-1) came. Cold (KX-1) went, KX-1."
    spans = [(0, 5), (7, 11), (19, 23), (25, 29), (37, 41)]
    document = Document("1", text, mentions=tuple(Mention(a, b, text[a:b]) for a, b in spans))
    beside = appositions(document)
    assert [beside.held("KX-1", place) for place in (7, 25, 37)] == ["Fever", "Cold", "Cold"]
    assert [hint.text for hint in hints(document, {})[4] if hint.kind == "apposition"] == ["Cold"]
    broken = Document("1", "Fever\n(KX-1) came.", mentions=(
        Mention(0, 5, "Fever"), Mention(7, 11, "KX-1"),
    ))  # fmt: skip
    assert appositions(broken) == {}


def test_two_meanings_are_two_tasks(model_folder: Path) -> None:
    kb = KnowledgeBase.from_concepts(
        [
            Concept("D1", "multiple sclerosis", types=("Disease",)),
            Concept("D2", "mitral stenosis", types=("Disease",)),
        ]
    )
    linker = Linker(load_model(model_folder), kb)
    linked = linker(shorts(Document("1", TWICE), "MS"))
    assert [m.best and m.best.concept_id for m in linked.mentions] == ["D1"] * 3 + ["D2"] * 2
    assert [m.best and m.best.long_form for m in linked.mentions][-1] == "mitral stenosis"


def test_the_rules_of_scispacy_are_selected_by_name() -> None:
    assert finder("none") is None and finder(None) is None
    assert abbreviations.finder("schwartz-hearst") is find_abbreviations
