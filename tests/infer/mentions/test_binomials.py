"""Scientific names of species beside what a recogniser found."""

from __future__ import annotations

from biolink.documents import Mention
from biolink.infer.mentions.binomials import with_binomials, with_viruses
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


def test_the_symbol_of_a_gene_is_no_part_of_a_species() -> None:
    assert found("the E. coli LACZ gene", "E. coli LACZ") == [("E. coli", "Species")]
    assert found("the E. coli K-12 LACZ", "E. coli K-12 LACZ") == [("E. coli K-12 LACZ", "Species")]
    named = KnowledgeBase.from_concepts(
        [Concept("1", "E. coli"), Concept("2", "E. coli MG", types=("Species",))]
    )
    text = "E. coli MG"
    (mention,) = with_binomials(text, [Mention(0, 10, text, "Species")], named)
    assert mention.text == text


def test_a_virus_is_named_after_its_host() -> None:
    def viruses(text: str, *mentions: tuple[str, str]) -> list[str]:
        given = [
            Mention(text.index(words), text.index(words) + len(words), words, kind)
            for words, kind in mentions
        ]
        result = with_viruses(text, given)
        assert all(text[m.start : m.end] == m.text for m in result)
        return [mention.text for mention in result]

    tobacco, mouse = ("Tobacco", "Species"), ("mouse", "Species")
    assert viruses("Tobacco mosaic virus", tobacco) == ["Tobacco mosaic virus"]
    assert viruses("Tobacco rattle viruses", tobacco) == ["Tobacco rattle viruses"]
    inner = (("hepatitis", "Disease"), ("virus", "Species"))
    assert viruses("mouse hepatitis virus", mouse, *inner) == ["mouse hepatitis virus"]
    # Other words between, another kind, and a mention that goes on.
    assert viruses("mouse with a virus", mouse) == ["mouse"]
    assert viruses("mouse and the virus", mouse) == ["mouse"]
    assert viruses("Tobacco mosaic virus", ("Tobacco", "Chemical")) == ["Tobacco"]
    assert viruses("mouse virus strains", mouse) == ["mouse"]
    longer = ("hepatitis virus infection", "Disease")
    assert viruses("mouse hepatitis virus infection", mouse, longer) == ["mouse", longer[0]]
