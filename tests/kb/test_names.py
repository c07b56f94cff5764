"""The form of names: spellings that differ only in Unicode are one name."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biolink.kb import Concept, KnowledgeBase, normalise_name
from biolink.kb.names import fold, fold_aligned


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("CO₂", "co2"),
        ("Ca²⁺ channel", "ca2 channel"),
        ("ﬁbrosis", "fibrosis"),
        ("ｄｉａｂｅｔｅｓ", "diabetes"),
        ("cafe\u0301 disease", "cafe disease"),
        ("Ménière’s", "meniere s"),
        ("Straße", "strasse"),
        ("œdema", "oedema"),
        ("TNF-α", "tnf alpha"),
        ("β‑carotene", "beta carotene"),
        ("αβ T cell", "alphabeta t cell"),
        ("Δ9−THC", "delta9 thc"),
        ("5 µg", "5 ug"),
        ("μ-opioid", "mu opioid"),
        ("5′-nucleotidase", "5 nucleotidase"),
        ("Enbrel™", "enbrel"),
        ("factor Ⅷ", "factor viii"),
        ("inter\u00adleukin", "interleukin"),
        ("διαβήτης", "διαβητησ"),
    ],
)
def test_one_form(written: str, plain: str) -> None:
    assert normalise_name(written) == plain


@given(st.text(max_size=30))
def test_the_form_depends_neither_on_the_writing_nor_on_repetition(text: str) -> None:
    name = normalise_name(text)
    assert normalise_name(name) == name
    for form in ("NFC", "NFD"):
        assert normalise_name(unicodedata.normalize(form, text)) == name


@given(st.text(max_size=30))
def test_folded_text_knows_where_it_comes_from(text: str) -> None:
    folded, places = fold_aligned(text)
    assert folded == fold(text)
    assert len(places) == len(folded) + 1
    assert places == sorted(places)
    assert places[-1] == len(text)
    assert all(0 <= place < len(text) for place in places[:-1])


def test_dashes_and_quotes_are_folded_to_those_of_a_keyboard() -> None:
    assert fold("α‑tocopherol, TNF–α, −5") == "alpha-tocopherol, TNF-alpha, -5"
    assert fold("Crohn’s and “so-called”, 5′") == "Crohn's and \"so-called\", 5'"


def test_case_stays_when_text_is_folded() -> None:
    assert fold("ＮＯ and Δ") == "NO and Delta"


def test_a_base_finds_every_writing() -> None:
    names = ("café disease", "cafe\u0301 syndrome", "ﬁbrosis", "beta-carotene", "CO2")
    kb = KnowledgeBase.from_concepts(Concept(str(i), name) for i, name in enumerate(names))
    asked = ("cafe\u0301 disease", "café syndrome", "fibrosis", "β-Carotene", "CO₂")
    assert [[c.id for c in kb.lookup(name)] for name in asked] == [[str(i)] for i in range(5)]
