"""A mention that is the name of one concept is linked to it, whatever other names there are."""

from __future__ import annotations

import pytest

from biolink import Concept, Document, KnowledgeBase, Linker, Mention, load


@pytest.fixture(scope="module")
def linker() -> Linker:
    kb = KnowledgeBase.from_concepts(
        [
            Concept("1", "Lipitor"),
            Concept("2", "Lipitor 40mg"),
            Concept("3", "Lipitor tablets"),
            Concept("4", "Pain in leg", ("leg pain",)),
            Concept("5", "Pain in leg and arm", ("leg and arm pain",)),
            Concept("6", "Nexium"),
            Concept("7", "Nexium 20mg"),
        ]
    )
    linker = load(kb=kb)
    assert isinstance(linker, Linker)
    return linker


@pytest.mark.parametrize(
    ("text", "concept"),
    [("Lipitor", "1"), ("LIPITOR", "1"), ("leg pain", "4"), ("Nexium", "6"), ("nexium 20mg", "7")],
)
@pytest.mark.parametrize("sentence", ["{}", "I took it for years: {}, and then no more."])
def test_an_exact_name_wins(linker: Linker, text: str, concept: str, sentence: str) -> None:
    start = sentence.index("{}")
    mention = Mention(start, start + len(text), text)
    linked = linker(Document("1", sentence.format(text), mentions=(mention,))).mentions[0]
    assert linked.best is not None and linked.best.concept_id == concept


def test_a_stop_word_is_not_a_mention() -> None:
    """The recogniser marks "and" here, since AND is a name of the embedded base."""
    assert [m.text for m in load()("She had a cold and flu.").mentions] == ["flu"]
