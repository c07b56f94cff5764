"""Scientific names of species beside what a recogniser found."""

from __future__ import annotations

from biolink.documents import Mention
from biolink.infer.mentions.binomials import with_binomials
from biolink.kb import Concept, KnowledgeBase

SPECIES = KnowledgeBase.from_concepts(
    [
        Concept("562", "Escherichia coli", ("E. coli",), types=("Species",)),
        Concept("6239", "Caenorhabditis elegans", ("C. elegans",), types=("Species",)),
    ]
)


def found(text: str, *mentions: str) -> list[tuple[str, str]]:
    given = [
        Mention(text.index(words), text.index(words) + len(words), words, "Species")
        for words in mentions
    ]
    result = with_binomials(text, given, SPECIES)
    assert all(text[m.start : m.end] == m.text for m in result)
    return [(mention.text, mention.type) for mention in result]


def test_names_are_added_and_take_the_place_of_parts() -> None:
    assert found("Infected E. coli and the C. elegans worm", "elegans") == [
        ("E. coli", "Species"),
        ("C. elegans", "Species"),
    ]
    assert found("E.coli or Escherichia coli") == [
        ("E.coli", "Species"),
        ("Escherichia coli", "Species"),
    ]


def test_longer_mentions_and_other_words_are_left_alone() -> None:
    assert found("the E. coli K-12 strain", "E. coli K-12") == [("E. coli K-12", "Species")]
    assert found("We saw E. colitis. Escherichia grew", "Escherichia") == [
        ("Escherichia", "Species")
    ]
    assert found("E. coli", "E. coli") == [("E. coli", "Species")]
    assert with_binomials("E. coli", [], SPECIES, {"e coli"}) == []
