"""The recogniser for any knowledge base."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import biolink
from biolink import DictionaryRecogniser, Document, KnowledgeBase, Link, Mention
from biolink.errors import ConfigError
from biolink.infer.mentions.open_recogniser import OpenRecogniser, longest, with_names_inside
from biolink.kb import Concept


@pytest.fixture(scope="module")
def kb() -> KnowledgeBase:
    return KnowledgeBase.from_concepts(
        [
            Concept("1", "Ulcerative colitis", types=("Phenotype",)),
            Concept("2", "Colitis", types=("Phenotype",)),
            Concept("3", "Abnormality of the hand", types=("Phenotype",)),
            Concept("4", "Severe", types=("Phenotype",)),
            Concept("5", "Broad-based gait", types=("Phenotype",)),
        ]
    )


class Reader:
    """In the place of a classifier: it takes some words for concepts."""

    def __init__(self, *words: str) -> None:
        self.words, self.finds_concepts = words, True

    def concepts(self, documents: list[Document]) -> list[Document]:
        return [d.with_mentions(filter(None, (self._of(d.text, w) for w in self.words)))
                for d in documents]  # fmt: skip

    def _of(self, text: str, word: str) -> Mention | None:
        start = text.find(word)
        return None if start < 0 else Mention(start, start + len(word), word, probability=0.9)


def opened(kb: KnowledgeBase, *concepts: str, nested: bool = False) -> OpenRecogniser:
    reader: Any = Reader(*concepts) if concepts else None
    return OpenRecogniser(DictionaryRecogniser(kb, nested=nested), reader)


def texts(recognise: OpenRecogniser, text: str) -> list[str]:
    document = recognise(Document("1", text))
    assert all(document.text[m.start : m.end] == m.text for m in document.mentions)
    return [mention.text for mention in document.mentions]


def test_names_in_any_form(kb: KnowledgeBase) -> None:
    text = "Severe ulcerative colitis, abnormal hands and a broad-based gait."
    expected = ["ulcerative colitis", "abnormal hands", "broad-based gait"]
    assert texts(opened(kb), text) == expected
    types = {m.type for m in opened(kb)(Document("", text)).mentions}
    assert types == {"Phenotype"}


def test_nested_mentions_are_kept_if_wanted(kb: KnowledgeBase) -> None:
    text = "ulcerative colitis"
    assert texts(opened(kb), text) == ["ulcerative colitis"]
    assert texts(opened(kb, nested=True), text) == ["ulcerative colitis", "colitis"]


def test_stop_names_and_subsets_hold_for_other_forms(kb: KnowledgeBase) -> None:
    hands = DictionaryRecogniser(kb, ["abnormality of the hand"])
    assert texts(OpenRecogniser(hands), "abnormal hands") == []
    part = opened(kb).with_kb(kb.subset(ids=["1"]))
    assert texts(part, "abnormal hands, ulcerative colitis") == ["ulcerative colitis"]


def test_concepts_beside_names(kb: KnowledgeBase) -> None:
    recognise = opened(kb, "never learned to speak", "ulcerative colitis; never")
    text = "ulcerative colitis; never learned to speak"
    assert texts(recognise, text) == ["ulcerative colitis", "never learned to speak"]
    nested = opened(kb, "never learned", "learned to speak", nested=True)
    assert texts(nested, text) == [
        "ulcerative colitis", "colitis", "never learned", "learned to speak",
    ]  # fmt: skip


def test_concepts_without_a_sure_link_are_left_out(kb: KnowledgeBase) -> None:
    recognise = opened(kb, "great fatigue", "being tired", "no appetite")
    found = recognise(Document("", "colitis, great fatigue, being tired, no appetite"))
    assert len(found.mentions) == 4
    name, *concepts = found.mentions
    linked = [
        replace(concept, links=(Link("2", "Colitis", 0.0, probability, 1),))
        for concept, probability in zip(concepts, (0.9, 0.3), strict=False)
    ]
    settled = recognise.settled(found.with_mentions([name, *linked, concepts[-1]]))
    assert [m.text for m in settled.mentions] == ["colitis", "great fatigue"]


def test_words_and_sites_are_no_concepts() -> None:
    kb = KnowledgeBase.from_concepts([Concept("1", "Abnormality of the sella turcica")])
    recognise = opened(kb, "tired", "sella turcica", "cannot sleep")
    assert texts(recognise, "tired, sella turcica, cannot sleep") == ["cannot sleep"]


def test_the_recogniser_travels(kb: KnowledgeBase) -> None:
    again = pickle.loads(pickle.dumps(opened(kb, nested=True)))
    assert texts(again, "ulcerative colitis") == ["ulcerative colitis", "colitis"]


def test_longest() -> None:
    text = "chronic ulcerative colitis"
    spans = [(0, 18), (8, 26), (19, 26), (0, 7)]
    mentions = [Mention(a, b, text[a:b]) for a, b in spans]
    assert [m.text for m in longest(mentions)] == ["chronic ulcerative", "colitis"]


def test_names_inside_mentions(kb: KnowledgeBase) -> None:
    document = Document("", "ulcerative colitis and colitis")
    mention = Mention(0, 18, "ulcerative colitis", "Disease")
    names = DictionaryRecogniser(kb, nested=True)
    kept = with_names_inside(document, [mention], [names])
    assert [(m.start, m.end, m.type) for m in kept] == [
        (0, 18, "Disease"),
        (11, 18, "Phenotype"),
    ]


def test_nested_needs_the_default_recogniser(kb: KnowledgeBase) -> None:
    with pytest.raises(ConfigError, match="nested"):
        biolink.load(kb=kb, nested=True, recogniser=DictionaryRecogniser(kb))
    with pytest.raises(ConfigError, match="nested"):
        biolink.load(kb=kb, nested=1)  # type: ignore[arg-type]


def test_linking_to_a_base_of_ones_own(kb: KnowledgeBase) -> None:
    linker = biolink.load(kb=kb, nested=True)
    document = linker("Ulcerative colitis with abnormal hands.")
    linked = [(m.text, m.best and m.best.concept_id) for m in document.mentions]
    assert linked == [("Ulcerative colitis", "1"), ("colitis", "2"), ("abnormal hands", "3")]


@pytest.mark.corpus
def test_phenotypes_of_abstracts(data_folder: Path) -> None:
    """On development documents, names in any form find more than names as they are."""
    hpo = data_folder / "kb" / "hpo" / "hp-2016-04-01.obo.gz"
    kb = KnowledgeBase.read(hpo, on_problem=lambda problem: None)
    documents = list(biolink.read(data_folder / "corpora/gsc_plus/GSCplus_dev.PubTator.gz"))
    right = {}
    for recognise in (DictionaryRecogniser(kb), OpenRecogniser(DictionaryRecogniser(kb))):
        found = [{(m.start, m.end) for m in recognise(d).mentions} for d in documents]
        gold = [{(m.start, m.end) for m in d.mentions} for d in documents]
        both = sum(len(a & b) for a, b in zip(found, gold, strict=True))
        right[type(recognise)] = (
            2 * both / sum(len(a) + len(b) for a, b in zip(found, gold, strict=True))
        )
    assert right[OpenRecogniser] > 0.6 > 0.55 > right[DictionaryRecogniser]
