"""Mentions within tokens that hyphens join."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biolink import DictionaryRecogniser, Document, KnowledgeBase, Mention, load
from biolink.documents import Passage
from biolink.infer.mentions.hyphenated import with_codes
from biolink.infer.mentions.recognise import TrainedRecogniser
from biolink.kb import Concept

DISEASES = ["COVID-19", "SARS", "asthma", "Multiple endocrine neoplasia type 1", "cancer", "Go-1"]
CHEMICALS = [
    "alpha-tocopherol", "5-HT", "Triton X-100", "N-methyl-D-aspartate", "L-NAME", "dopamine",
    "aspirin", "thallium-201", "calcium channel", "calcium", "SARS-CoV-2 vaccine",
]  # fmt: skip


@pytest.fixture(scope="module")
def kb() -> KnowledgeBase:
    named = [(name, "Disease") for name in DISEASES] + [(name, "Chemical") for name in CHEMICALS]
    return KnowledgeBase.from_concepts(
        Concept(str(number), name, types=(kind,)) for number, (name, kind) in enumerate(named)
    )


class Marks:
    """A tagger that marks the text between < and > in a given text."""

    def __init__(self, marked: str, kind: str) -> None:
        self.text, self.mentions = "", []
        for part in marked.split("<"):
            inside, _, behind = part.rpartition(">")
            if inside:
                span = (len(self.text), len(self.text) + len(inside))
                self.mentions.append(Mention(*span, inside, kind, probability=0.9))
            self.text += inside + behind

    def recognise(self, documents: list[Document], *_: Any) -> list[Document]:
        return [document.with_mentions(self.mentions) for document in documents]


def recognised(kb: KnowledgeBase, marked: str, kind: str) -> list[str]:
    marks = Marks(marked, kind)
    dictionary = DictionaryRecogniser(kb, stop_names=["thallium 201"])
    recogniser = TrainedRecogniser(marks, dictionary)  # type: ignore[arg-type]
    document = recogniser(Document("1", marks.text))
    assert all(marks.text[m.start : m.end] == m.text for m in document.mentions)
    return [m.text for m in document.mentions]


@pytest.mark.parametrize(
    ("marked", "kind", "expected"),
    [
        # The longest name in the token is taken, whichever of its parts were found.
        ("of <COVID>-19 here", "Disease", ["COVID-19"]),
        ("of <COVID>-<19> here", "Disease", ["COVID-19"]),
        ("of COVID-<19>", "Disease", ["COVID-19"]),
        ("of <COVID>‑19-related deaths", "Disease", ["COVID‑19"]),
        ("<α>‑tocopherol", "Chemical", ["α‑tocopherol"]),
        ("α-<tocopherol>", "Chemical", ["α-tocopherol"]),
        ("Alpha-<tocopherol>", "Chemical", ["Alpha-tocopherol"]),
        ("5-<HT> and 5–<HT>", "Chemical", ["5-HT", "5–HT"]),
        ("<Triton X>-100", "Chemical", ["Triton X-100"]),
        ("<N>-<methyl-D-aspartate>", "Chemical", ["N-methyl-D-aspartate"]),
        ("by <l>-NAME", "Chemical", ["l-NAME"]),
        ("<L‑>NAME, (<5->HT", "Chemical", ["L‑NAME", "5-HT"]),  # the hyphen was marked, too
        # A short form before a number does not mean the whole.
        ("<SARS>-CoV-<2> was", "Disease", ["SARS-CoV-2"]),
        ("<SARS>‑CoV‑2-infected", "Disease", ["SARS‑CoV‑2"]),
        ("<HIV>-1-RT", "Disease", ["HIV-1"]),
        # All other mentions stay as they were found.
        ("<aspirin>-induced <asthma>", "Chemical", ["aspirin", "asthma"]),
        ("<cancer>-2 and <dopamine>-1", "Disease", ["cancer", "dopamine"]),
        ("<NO>-GC1-KO and <ALS>-G", "Chemical", ["NO", "ALS"]),
        ("<calcium>-channel", "Chemical", ["calcium"]),
        ("<thallium>-201", "Chemical", ["thallium"]),
        ("<Go>-1 and <5>-HT", "Chemical", ["Go", "5-HT"]),  # of the same type only
        ("<SARS> -2, <SARS>- 2, <SARS>—2", "Disease", ["SARS", "SARS", "SARS"]),
        ("<asthma>-", "Disease", ["asthma"]),
    ],
)
def test_codes_belong_to_a_mention(
    kb: KnowledgeBase, marked: str, kind: str, expected: list[str]
) -> None:
    assert recognised(kb, marked, kind) == expected


def test_a_name_that_the_document_shortens(kb: KnowledgeBase) -> None:
    text = "<Multiple endocrine neoplasia type 1> (MEN-T1). The <MEN>-T1 gene."
    expected = ["Multiple endocrine neoplasia type 1", "MEN-T1"]
    assert recognised(kb, text, "Disease") == expected
    assert recognised(kb, "The <MEN>-T1 gene.", "Disease") == ["MEN"]


def test_a_code_of_another_passage_is_ignored(kb: KnowledgeBase) -> None:
    passages = (Passage(0, 6, "title"), Passage(6, 8, "abstract"))
    document = Document("1", "COVID-19", passages)
    marks = Marks("<COVID>-19", "Disease")
    recogniser = TrainedRecogniser(marks, DictionaryRecogniser(kb))  # type: ignore[arg-type]
    assert "COVID-19" not in [m.text for m in recogniser(document).mentions]


def test_the_more_probable_part_gives_the_type_of_the_whole(kb: KnowledgeBase) -> None:
    parts = [
        Mention(0, 4, "SARS", "Chemical", probability=0.4),
        Mention(9, 10, "2", "Disease", probability=0.8),
    ]
    document = Document("", "SARS-CoV-2")
    (whole,) = with_codes(document, parts, lambda text, kind: False)
    assert (whole.text, whole.type, whole.probability) == ("SARS-CoV-2", "Disease", 0.8)


@given(st.lists(st.sampled_from(["SARS", "CoV", "2", "β", "x", "like", "-", "‑", " "])), st.data())
@settings(max_examples=200, deadline=None)
def test_mentions_never_overlap_or_shrink(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    cuts = data.draw(st.lists(st.integers(0, len(text)), unique=True).map(sorted))
    spans = [(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    names = data.draw(st.sets(st.sampled_from(["β-x", "2-like", "SARS-β", "CoV-2"])))
    mentions = [Mention(a, b, text[a:b]) for a, b in spans]
    whole = with_codes(Document("", text), mentions, lambda written, _: written in names)
    assert all(text[m.start : m.end] == m.text for m in whole)
    assert all(a.end <= b.start for a, b in pairwise(whole))
    assert all(any(m.start <= a and b <= m.end for m in whole) for a, b in spans)


def test_only_the_beginning_of_a_token_with_very_many_parts_is_read(kb: KnowledgeBase) -> None:
    asked = []

    def names(text: str, kind: str) -> bool:
        asked.append(text)
        return False

    text = "1-" * 5000 + "asthma" + "-1" * 5000
    (whole,) = with_codes(Document("", text), [Mention(10_000, 10_006, "asthma")], names)
    assert whole.text == "asthma"
    assert len(asked) < 100


def test_the_default_does_not_confuse_a_virus_with_another_disease() -> None:
    linker = load()
    virus, disease = linker("SARS‑CoV‑2 causes COVID-19.").mentions
    assert (virus.text, disease.text) == ("SARS‑CoV‑2", "COVID-19")
    assert disease.best is not None
    assert disease.best.preferred_name == "COVID-19"
    # The virus is a species or, in the knowledge base of diseases, the disease that it causes.
    assert virus.best is None or "Severe acute respiratory syndrome c" in virus.best.preferred_name
    (vitamin,) = linker("The intake of α‑tocopherol was low.").mentions
    assert vitamin.text == "α‑tocopherol"
    assert vitamin.best is not None
    assert vitamin.best.preferred_name == "alpha-Tocopherol"
