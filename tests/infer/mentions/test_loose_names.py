"""Names that a text writes in other forms."""

from __future__ import annotations

import pytest

from biolink import KnowledgeBase
from biolink.infer.mentions.loose_names import loose_names
from biolink.infer.mentions.words import words_of
from biolink.kb import Concept
from biolink.kb.word_sets import WordSets


@pytest.fixture(scope="module")
def sets() -> WordSets:
    names = (
        "Abnormality of the hand", "Palmar pits", "Plantar pits", "Small hand", "Collar bone",
        "Branchial anomaly", "Cysts of the kidney", "Gene expression", "Depression",
        "Calcification of falx cerebri", "Facial cleft", "Duplicated collecting system",
        "Hand muscle", "Bone",
    )  # fmt: skip
    concepts = [Concept(str(i), name) for i, name in enumerate(names)]
    return WordSets.build(KnowledgeBase.from_concepts(concepts))


def found(sets: WordSets, text: str) -> list[tuple[str, str]]:
    words = words_of(text)
    return sorted(
        (text[words[name.first][0] : words[name.last][1]], sets.kb.name_at(name.name_id))
        for name in loose_names(text, words, sets)
    )


@pytest.mark.parametrize(
    ("text", "span", "name"),
    [
        ("She had abnormal hands.", "abnormal hands", "abnormality of the hand"),
        ("an abnormality of the left hand,", "abnormality of the left hand", None),
        ("Her hands were small.", "hands were small", "small hand"),
        ("calcification of the falx cerebri", "calcification of the falx cerebri", None),
        ("palmar and plantar pits", "palmar and plantar pits", "palmar pits"),
        ("branchial, otic and renal anomalies", "branchial, otic and renal anomalies", None),
        ("cysts of the liver or kidney.", "cysts of the liver or kidney", None),
        ("duplication of the urinary collecting system", None, "duplicated collecting system"),
    ],
)
def test_found(sets: WordSets, text: str, span: str | None, name: str | None) -> None:
    names = found(sets, text)
    assert any(s == (span or text) and (name is None or n == name) for s, n in names)


@pytest.mark.parametrize(
    "text",
    [
        "a depressed mood",  # one word in another form is another thing
        "a bone collar",  # another head
        "expressed genes",
        "a hand. Abnormal",  # beyond the end of a sentence
        "abnormal (hand)",
        "a hand that is not abnormal",
        "abnormality of the hand muscles",  # the abnormality is of the muscles
        "a cleft and a flat facial line",
        "small feet, large hands",
        "X-collar bones-Y",
        "",
    ],
)
def test_not_found(sets: WordSets, text: str) -> None:
    wrong = {"abnormality of the hand", "small hand", "collar bone", "gene expression",
             "facial cleft", "depression"}  # fmt: skip
    assert not wrong & {name for _, name in found(sets, text)}
