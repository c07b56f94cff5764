"""Rolling links up to a level of the hierarchy."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from biolink import Concept, Document, KnowledgeBase, Link, Mention, roll_up
from biolink.errors import ConfigError
from biolink.kb.bases import KnowledgeBases

KB = KnowledgeBase.from_concepts(
    [
        Concept("D1", "Neoplasms"),
        Concept("D2", "Neoplasms by Site", parents=("D1",)),
        Concept("D3", "Lung Neoplasms", parents=("D2",)),
        Concept("D4", "Breast Neoplasms", parents=("D2", "D6")),
        Concept("D5", "Skin Diseases"),
        Concept("D6", "Breast Diseases", parents=("D5",)),
        Concept("D7", "Ductal Carcinoma", ("DC",), parents=("D4",), alternative_ids=("OLD",)),
        Concept("253300", "Atrophy"),
    ],
    prefix="mesh",
)


def linked(*links: tuple[str, float], **changes: Any) -> Document:
    made = tuple(
        replace(Link(i, i, math.log(p), p, rank), **changes) for rank, (i, p) in enumerate(links, 1)
    )
    return Document("1", "cancer", mentions=(Mention(0, 6, "cancer", "Disease", links=made),))


def rolled(document: Document, to: Any) -> list[tuple[str, float]]:
    done = roll_up(document, KB, to)
    (mention,) = done.mentions
    assert [link.rank for link in mention.links] == list(range(1, len(mention.links) + 1))
    return [(link.concept_id, round(link.probability, 9)) for link in mention.links]


def test_a_depth() -> None:
    document = linked(("D7", 0.9))
    assert rolled(document, 0) == [("D1", 0.9)]  # as near as D5, and of the parent listed first
    assert rolled(document, 1) == [("D2", 0.9)]
    assert rolled(document, "2") == [("D4", 0.9)]
    assert rolled(document, 3) == [("D7", 0.9)]
    assert rolled(linked(("D1", 0.9), ("253300", 0.1)), 2) == [("D1", 0.9), ("253300", 0.1)]


def test_the_nearest_of_several_ids() -> None:
    document = linked(("OLD", 0.5), ("D3", 0.3), ("D5", 0.2))
    assert rolled(document, "D1") == [("D1", 0.8), ("D5", 0.2)]
    assert rolled(document, ["D1", "mesh:D4"]) == [("D4", 0.5), ("D1", 0.3), ("D5", 0.2)]
    assert rolled(document, "D5,D1") == [("D1", 0.8), ("D5", 0.2)]
    assert rolled(document, "mesh:253300") == [("OLD", 0.5), ("D3", 0.3), ("D5", 0.2)]


def test_links_that_become_one_are_ranked_anew() -> None:
    document = linked(("D5", 0.4), ("D3", 0.35), ("D4", 0.25))
    (done,) = roll_up([document], KB, "D2")
    first, second = done.mentions[0].links
    assert (first.concept_id, first.probability) == ("D2", 0.6)
    assert math.exp(first.score) == pytest.approx(0.6)
    assert (first.name, first.preferred_name, first.curie) == ("D3", "Neoplasms by Site", "mesh:D2")
    assert (second.concept_id, second.rank) == ("D5", 2)
    # A sum of rounded probabilities does not exceed 1.
    assert rolled(linked(("D3", 0.7), ("D4", 0.4)), "D2") == [("D2", 1.0)]


def test_other_owners_of_the_name_are_rolled_up_too() -> None:
    document = linked(("D7", 0.9), also=("D3", "D6", "unknown"), shared=True)
    done = roll_up(document, KB, "D2")
    assert done.mentions[0].links[0].also == ("D6", "unknown")


def test_mentions_stay_as_they_are() -> None:
    nil = Mention(0, 6, "cancer", concept_ids=("D7",), nil_reason="threshold", nil_probability=0.6)
    document = Document("1", "cancer", mentions=(nil,))
    assert list(roll_up([document], KB, 1)) == [document]
    assert roll_up(document, KB, 1) == document
    unknown = linked(("X9", 0.5))
    assert roll_up(unknown, KB, 0) == unknown


def test_wrong_levels() -> None:
    for to, message in (
        (4, "roll-up is to depth 4; expected a number from 0 to 3"),
        (-1, "roll-up is to depth -1"),
        ("253300", "depth 253300"),
        ("D1,X", "roll-up has the id 'X', which is not in the knowledge base"),
        (1.5, "roll-up is 1.5; expected a depth, which is a whole number from 0, or concept ids"),
        (True, "roll-up is True; expected a depth"),
        ([], "roll-up has no id"),
    ):
        with pytest.raises(ConfigError, match=message):
            roll_up([], KB, to)  # type: ignore[arg-type]
    flat = KnowledgeBase.from_concepts([Concept("1", "fever")])
    for to in (0, "1"):
        with pytest.raises(ConfigError, match="no concept of the knowledge base has a parent"):
            roll_up([], flat, to)


DISEASES = KnowledgeBase.from_concepts(
    [
        Concept("D1", "Neoplasms", types=("Disease",)),
        Concept("127550", "Carcinoma", types=("Disease",), parents=("D1",)),
    ],
    prefix="mesh",
    prefixes=[(r"\d{6}", "OMIM")],
)
GENES = KnowledgeBase.from_concepts(
    [Concept("127550", "A3GALT2", types=("Gene",))], prefix="NCBIGene"
)
SPECIES = KnowledgeBase.from_concepts(
    [
        Concept("40674", "Mammalia", types=("Species",)),
        Concept("9604", "Hominidae", types=("Species",), parents=("40674",)),
        Concept("127550", "Homo", types=("Species",), parents=("9604",)),
    ],
    prefix="NCBITaxon",
)
BASES = KnowledgeBases([DISEASES, GENES, SPECIES])


def of_kinds(*kinds: str) -> Document:
    links = (Link("127550", "x", -0.1, 0.9, 1),)
    return Document("1", "x", mentions=tuple(Mention(0, 1, "x", k, links=links) for k in kinds))


def curies(document: Document, kb: KnowledgeBase | KnowledgeBases, to: Any) -> list[str]:
    done = roll_up(document, kb, to)
    return [m.best.curie or m.best.concept_id for m in done.mentions if m.best]


def test_the_type_of_a_mention_chooses_the_base() -> None:
    document = of_kinds("Gene", "Disease", "OrganismTaxon", "", "Variant")
    assert curies(document, BASES, 0) == [
        "127550",
        "mesh:D1",
        "NCBITaxon:40674",
        "mesh:D1",
        "127550",
    ]
    assert curies(document, BASES, "NCBITaxon:9604,D1") == [
        "127550", "mesh:D1", "NCBITaxon:9604", "mesh:D1", "127550",
    ]  # fmt: skip
    # A depth that only one hierarchy has.
    assert curies(of_kinds("Disease", "Species"), BASES, 1) == ["127550", "NCBITaxon:9604"]
    # A part of a base does not change the level.
    part = KnowledgeBases([DISEASES, SPECIES.subset(ids=["127550"])])
    assert curies(of_kinds("Species"), part, 0) == ["NCBITaxon:40674"]


def test_one_base_leaves_mentions_of_other_kinds() -> None:
    document = of_kinds("Gene", "Disease", "Species")
    assert curies(document, DISEASES, 0) == ["127550", "mesh:D1", "127550"]
    assert curies(document, SPECIES, 0) == ["127550", "127550", "NCBITaxon:40674"]


def test_wrong_levels_of_several_bases() -> None:
    for to, message in (
        (3, "expected a number from 0 to 2"),
        ("40674,D1", r"40674 together with ids.* has its prefix \(NCBITaxon:40674\)"),
        (["D1", "40674"], "40674 together with ids"),
        (["127550"], "several knowledge bases; expected OMIM:127550 or NCBITaxon:127550"),
        ("NCBIGene:127550", "in a knowledge base in which no concept has a parent"),
        ("mesh:40674", "'mesh:40674', which is not in the knowledge base; expected ids such as"),
    ):
        with pytest.raises(ConfigError, match=message):
            roll_up([], BASES, to)
    with pytest.raises(ConfigError, match="no concept of the knowledge base has a parent"):
        roll_up([], KnowledgeBases([GENES]), 0)
    with pytest.raises(ConfigError, match=r"expected a KnowledgeBase, or linker\.bases"):
        roll_up([], "mesh.kb", 0)  # type: ignore[arg-type]
