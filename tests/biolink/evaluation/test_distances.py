"""The distance of wrong links to the gold, in reports of both kinds."""

from __future__ import annotations

import json
from dataclasses import replace

from biolink import Concept, Document, KnowledgeBase, Link, Mention, evaluate
from biolink.evaluation import Report
from biolink.evaluation.found import evaluate_found
from biolink.evaluation.report import found_to_html, found_to_markdown, to_html, to_markdown

KB = KnowledgeBase.from_concepts(
    [
        Concept("D1", "disease"),
        Concept("D2", "cancer", parents=("D1",)),
        Concept("D3", "lung cancer", parents=("D2",)),
        Concept("D4", "fever", parents=("D1",), alternative_ids=("OLD",)),
        Concept("D5", "aspirin"),
    ]
)
FLAT = KnowledgeBase.from_concepts([replace(concept, parents=()) for concept in KB])
ANNOTATED = (
    ("D2", "D2"),  # right
    ("D3", "D2"),  # the child
    ("D1", "D2"),  # the parent
    ("OLD", "D2"),  # another child of the parent
    ("D4", "D3"),  # three steps
    ("D5", "D3"),  # unrelated
    ("D5|D2", "D3"),  # the nearest of several
    ("D9", "D3"),  # gold outside the base: not counted
    ("D3", ""),  # NIL: not counted
)
COUNTS = {"1 step (a parent or child)": 3, "2 steps": 1, "3 steps or more": 1, "unrelated": 1}
SHARE = "| 1 step (a parent or child) | 3 | 50.0% |"


def documents() -> list[Document]:
    mentions = []
    for gold, link in ANNOTATED:
        links = (Link(link, link, 0.0, 0.5, 1),) if link else ()
        reason = None if link else "threshold"
        ids = tuple(gold.split("|"))
        mentions.append(Mention(0, 5, "fever", "", ids, links=links, nil_reason=reason))
    return [Document(str(i), "fever", mentions=(m,)) for i, m in enumerate(mentions)]


def test_wrong_links_are_counted_by_distance() -> None:
    report = evaluate(documents(), KB)
    assert report.distances == COUNTS
    assert Report.from_json(report.to_json()) == report
    assert json.loads(report.to_json())["distances"] == COUNTS
    assert SHARE in to_markdown({"biolink": report})
    assert "<td>50.0%</td>" in to_html({"biolink": report})


def test_found_links_too() -> None:
    report = evaluate_found(documents(), documents(), KB)
    assert report.distances == COUNTS
    assert SHARE in found_to_markdown({"biolink": report})
    assert "<td>50.0%</td>" in found_to_html({"biolink": report})


def test_ids_that_are_meant_together() -> None:
    links = (Link("D3", "lung cancer", 0.0, 0.5, 1),)
    mention = Mention(0, 5, "fever", "", ("D3", "D4"), "+", links=links)
    report = evaluate(Document("1", "fever", mentions=(mention,)), KB)
    # No link is right, and one to a part of the whole has no distance to it.
    assert report.strict.recall_at_1 == 0 and report.distances is not None
    assert sum(report.distances.values()) == 0


def test_without_a_hierarchy_nothing_is_reported() -> None:
    for kb in (FLAT, None):
        report = evaluate(documents(), kb)
        assert report.distances is None
        assert "Distance of wrong links" not in to_markdown({"biolink": report})
    found = evaluate_found(documents(), documents(), FLAT)
    assert "Distance of wrong links" not in found_to_markdown({"biolink": found})
