"""Rolling links up to a level of the hierarchy."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from biolink import Concept, Document, KnowledgeBase, Link, Mention, roll_up
from biolink.errors import ConfigError

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
    (done,) = roll_up(document, KB, to)
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
    (done,) = roll_up(document, KB, "D2")
    assert done.mentions[0].links[0].also == ("D6", "unknown")


def test_mentions_stay_as_they_are() -> None:
    nil = Mention(0, 6, "cancer", concept_ids=("D7",), nil_reason="threshold", nil_probability=0.6)
    document = Document("1", "cancer", mentions=(nil,))
    assert list(roll_up(document, KB, 1)) == [document]
    unknown = linked(("X9", 0.5))
    assert list(roll_up(unknown, KB, 0)) == [unknown]


def test_wrong_levels() -> None:
    for to, message in (
        (4, "roll-up is to depth 4; expected a number from 0 to 3"),
        (-1, "roll-up is to depth -1"),
        ("253300", "depth 253300"),
        ("D1,X", "roll-up has the id 'X', which is not in the knowledge base"),
        (1.5, "roll-up is 1.5"),
        ([], "roll-up has no id"),
    ):
        with pytest.raises(ConfigError, match=message):
            roll_up([], KB, to)  # type: ignore[arg-type]
    flat = KnowledgeBase.from_concepts([Concept("1", "fever")])
    for to in (0, "1"):
        with pytest.raises(ConfigError, match="no concept of the knowledge base has a parent"):
            roll_up([], flat, to)
