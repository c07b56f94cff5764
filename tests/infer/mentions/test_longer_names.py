"""Longer names that begin with a mention."""

from __future__ import annotations

from typing import Any

import pytest

from biolink import Document, KnowledgeBase, load
from biolink.infer.mentions.longer_names import with_longer_names
from biolink.infer.mentions.recognise import DictionaryRecogniser
from biolink.kb import Concept
from tests.infer.mentions.test_codes import marked

NAMES = [
    ("substance P", "T"), ("troponin", "T"), ("troponin T", "T"), ("Su(H)", "Gene"),
    ("cystic fibrosis", "T"), ("cystic fibrosis gene", "T"), ("sodium", "T"),
    ("sodium channel", "T"), ("platelet count, increased", "T"), ("iron overload", "Other"),
]  # fmt: skip


@pytest.fixture(scope="module")
def dictionary() -> DictionaryRecogniser:
    concepts = [Concept(str(n), name, types=(kind,)) for n, (name, kind) in enumerate(NAMES)]
    return DictionaryRecogniser(KnowledgeBase.from_concepts(concepts))


def extended(dictionary: DictionaryRecogniser, text: str) -> list[tuple[str, str]]:
    plain, mentions = marked(text)
    document = Document("", plain)
    names = dictionary.names_in(document)
    found = with_longer_names(document, mentions, names, dictionary.names_from)
    assert all(plain[m.start : m.end] == m.text for m in found)
    return [(m.text, m.type) for m in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<substance> P antagonist", "substance P"),
        ("<cystic> <fibrosis> <gene>", "cystic fibrosis gene"),
        ("<Cystic> fibrosis, gene", "Cystic fibrosis"),
        # A name of its own is only continued by a code.
        ("<troponin> T", "troponin T"),
        ("<sodium> channel", "sodium"),
        # Not across a mark, a line, or a mention that goes on, and not to another type.
        ("<platelet count>, increased", "platelet count"),
        ("<substance>\nP", "substance"),
        ("<iron> overload", "iron"),
    ],
)
def test_a_mention_is_extended_to_the_longest_name(
    dictionary: DictionaryRecogniser, text: str, expected: str
) -> None:
    assert extended(dictionary, text) == [(expected, "T")]


def test_brackets_without_a_space_belong_to_a_name_of_any_type(
    dictionary: DictionaryRecogniser,
) -> None:
    assert extended(dictionary, "<Su>(H) and <Su> (H)") == [("Su(H)", "Gene"), ("Su", "T")]


def test_a_name_does_not_cut_the_next_mention(dictionary: DictionaryRecogniser) -> None:
    found = extended(dictionary, "<cystic> fibrosis <gene therapy>")
    assert found == [("cystic fibrosis", "T"), ("gene therapy", "T")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("COVID-19 pneumonia caused by SARS-CoV-2.", {"COVID-19 pneumonia", "SARS-CoV-2"}),
        ("COVID-19 pneumonia", {"COVID-19"}),
        ("COVID-19 pneumonia was seen in patients.", {"COVID-19", "patients"}),
        ("Notch and Su(H) regulate E(spl) genes.", {"Notch", "Su(H)", "E(spl)"}),
        ("Tobacco rattle virus-induced gene silencing", {"Tobacco rattle virus"}),
        ("Arabidopsis thaliana FLC", {"Arabidopsis thaliana"}),
    ],
)
def test_the_embedded_recogniser_finds_whole_codes(text: str, expected: set[str]) -> None:
    linker: Any = load()
    assert {m.text for m in linker(text).mentions} == expected
