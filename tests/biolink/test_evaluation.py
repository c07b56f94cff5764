"""Strict and lenient scores."""

from __future__ import annotations

import json

import pytest

from biolink import Concept, Document, KnowledgeBase, Link, Mention, evaluate


def mention(
    gold: tuple[str, ...], *links: str, joiner: str = "|", also: tuple[str, ...] = ()
) -> Mention:
    ranked = tuple(
        Link(concept, concept, 0.0, 0.5, rank, bool(also), also if rank == 1 else ())
        for rank, concept in enumerate(links, 1)
    )
    return Mention(0, 5, "fever", "Disease", gold, joiner, links=ranked)


def report_of(*mentions: Mention, kb: KnowledgeBase | None = None):  # type: ignore[no-untyped-def]
    documents = [Document(str(i), "fever", mentions=(m,)) for i, m in enumerate(mentions)]
    return evaluate(documents, kb)


def test_strict_and_lenient() -> None:
    report = report_of(
        mention(("D1",), "D1", "D2"),  # right
        mention(("D2",), "D1", "D2"),  # right at 5
        mention(("D2",), "D1", also=("D2",)),  # an owner of the name is right: lenient only
        mention(("D1", "D3"), "D3"),  # one of several alternatives
        mention(("D1", "D3"), "D1", joiner="+"),  # together they make the mention
        mention(("D1",)),  # NIL
        mention(()),  # no gold: not counted
    )
    assert (report.documents, report.mentions, report.nil) == (7, 6, 1)
    assert report.strict.recall_at_1 == pytest.approx(2 / 6)
    assert report.strict.recall_at_5 == pytest.approx(3 / 6)
    assert report.lenient.recall_at_1 == pytest.approx(4 / 6)
    assert report.lenient.recall_at_5 == pytest.approx(5 / 6)
    assert report.by_type == {"Disease": pytest.approx(2 / 6)}
    low, high = report.strict.interval
    assert low <= report.strict.recall_at_1 <= high
    assert json.loads(report.to_json())["strict"]["recall_at_1"] == pytest.approx(2 / 6)
    assert report.in_kb is None


def test_ids_are_resolved_by_the_kb() -> None:
    kb = KnowledgeBase.from_concepts([Concept("1", "fever", alternative_ids=("D9",))])
    report = report_of(mention((" MESH:D9",), "1"), mention(("D7",), "1"), kb=kb)
    assert report.in_kb == 1
    assert report.strict.recall_at_1 == 0.5
    assert report.strict_in_kb.recall_at_1 == 1.0


def test_the_interval_is_reproducible_and_empty_input_is_fine() -> None:
    mentions = [mention(("D1",), "D1" if i % 3 else "D2") for i in range(30)]
    assert report_of(*mentions).strict.interval == report_of(*mentions).strict.interval
    assert report_of().strict.recall_at_1 == 0.0
