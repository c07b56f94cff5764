"""Statements that somebody cannot do something."""

from __future__ import annotations

import pytest

from biolink import DictionaryRecogniser, Document, KnowledgeBase
from biolink.infer.mentions.inabilities import inabilities
from biolink.infer.mentions.open_recogniser import OpenRecogniser
from biolink.infer.mentions.rewording import reworded
from biolink.kb import Concept
from biolink.kb.word_sets import WordSets

CONCEPTS = [
    Concept("1", "Absent speech", ("Lack of speech",)),
    Concept("2", "Inability to walk"),
    Concept("3", "Broad-based gait"),
    Concept("4", "Loss of speech"),
]


@pytest.mark.parametrize(
    ("text", "statement", "name"),
    [
        ("She never learned to speak.", "never learned to speak", "absent speech"),
        ("He cannot walk.", "cannot walk", "inability to walk"),
        ("he was unable to walk,", "unable to walk", "unable to walk"),
        ("They did not speak.", "did not speak", "lack of speech"),
        ("She lost her ability to speak", "lost her ability to speak", "loss of speech"),
    ],
)
def test_statements(text: str, statement: str, name: str) -> None:
    ((start, end, names),) = inabilities(text)
    assert text[start:end] == statement
    assert name in names


@pytest.mark.parametrize("text", ["He speaks.", "We did not see the results.", "could not", ""])
def test_other_statements(text: str) -> None:
    assert list(inabilities(text)) == []


def test_they_are_found_and_reworded() -> None:
    kb = KnowledgeBase.from_concepts(CONCEPTS)
    text = "He walked with a broad-based gait and never learned to speak."
    document = OpenRecogniser(DictionaryRecogniser(kb))(Document("", text))
    assert [m.text for m in document.mentions] == ["broad-based gait", "never learned to speak"]
    assert reworded("never learned to speak", kb, WordSets.build(kb)) == "absent speech"
    assert reworded("never learned to walk", kb, WordSets.build(kb)) == "inability to walk"
