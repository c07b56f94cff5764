"""Strict and lenient scores."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from biolink import Concept, Document, KnowledgeBase, Link, Mention, evaluate
from biolink.errors import ConfigError
from biolink.evaluation import Report, compare
from biolink.evaluation.baselines import predicted
from biolink.evaluation.report import to_html, to_markdown
from biolink.evaluation.slices import overlap


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


def test_links_may_have_prefixes() -> None:
    kb = KnowledgeBase.from_concepts(
        [Concept("D1", "fever"), Concept("253300", "atrophy")],
        prefix="mesh",
        prefixes=[("[0-9]{6}", "OMIM")],
    )
    for base in (kb, None):
        report = report_of(
            mention(("D1",), "mesh:D1"),
            mention(("OMIM:253300",), "OMIM:253300"),
            mention(("253300",), "OMIM:253300"),
            mention(("MESH:D1",), "D9", also=("mesh:D1",)),
            kb=base,
        )
        assert report.strict.recall_at_1 == 0.75
        assert report.lenient.recall_at_1 == 1.0


def test_the_interval_is_reproducible() -> None:
    mentions = [mention(("D1",), "D1" if i % 3 else "D2") for i in range(30)]
    assert report_of(*mentions).strict.interval == report_of(*mentions).strict.interval


KB = KnowledgeBase.from_concepts(
    [
        Concept("D1", "fever", ("body heat",)),
        Concept("D2", "cold", ("fever",)),
        Concept("D3", "spinal muscular atrophy"),
    ]
)


def sliced() -> Report:
    text = "fever SMA pyrexia of unknown kind"
    mentions = (
        Mention(0, 5, "fever", "Disease", ("D1",), links=(Link("D1", "fever", 0, 0.9, 1),)),
        Mention(
            6, 9, "SMA", "Disease", ("D3",), long_form="spinal muscular atrophy",
            links=(Link("D1", "fever", 0, 0.6, 1), Link("D3", "x", 0, 0.3, 2)),
        ),
        Mention(10, 33, text[10:], "Sign", ("D2",), links=(Link("D1", "fever", 0, 0.2, 1),)),
        Mention(10, 17, "pyrexia", "Sign", ("D9",), nil_reason="below threshold"),
        Mention(0, 5, "fever", "Sign", ("D2",),
                links=(Link("D1", "fever", 0, 0.2, 1, True, ("D2",)),)),
    )  # fmt: skip
    training = [Document("t", "fever", mentions=(Mention(0, 5, "fever", "", ("MESH:D2",)),))]
    document = Document("1", text, mentions=mentions)
    return evaluate([document], KB, training=training, provenance={"what": "<test> & more"})


def test_slices_reasons_and_the_ceiling() -> None:
    report = sliced()
    assert [case.why for case in report.cases] == [
        "", "gold ranked 2", "gold not among the candidates", "gold not in the knowledge base",
        "right name, other owner",
    ]  # fmt: skip
    assert report.ceiling == pytest.approx(2 / 5)
    parts = report.slices
    assert {v: p.mentions for v, p in parts["type"].items()} == {"Disease": 2, "Sign": 3}
    assert parts["type"]["Sign"].in_kb == 2
    assert parts["type"]["Disease"].strict == 0.5
    assert {v: p.mentions for v, p in parts["abbreviation"].items()} == {"yes": 1, "no": 4}
    assert {v: p.mentions for v, p in parts["mention in training"].items()} == {
        "seen": 2, "unseen": 3,
    }  # fmt: skip
    assert {v: p.mentions for v, p in parts["concept in training"].items()} == {
        "seen": 2, "unseen": 3,
    }  # fmt: skip
    assert parts["homonym"]["yes"].mentions == 2
    assert parts["words in the mention"]["4 or more"].mentions == 1
    bins = {value: part.mentions for value, part in parts["overlap with a gold name"].items()}
    assert bins == {"0 to 0.2": 1, "0.8 to 1": 3}
    assert overlap("tumors", "tumor") == pytest.approx(4 / 7)
    nothing_known = evaluate([Document("1", "fever", mentions=sliced_mentions())], None)
    assert set(nothing_known.slices) == {"type", "abbreviation", "words in the mention"}


def sliced_mentions() -> tuple[Mention, ...]:
    return (Mention(0, 5, "fever", "", ("D1",)),)


def test_a_report_can_be_stored_as_json() -> None:
    report = sliced()
    assert Report.from_json(report.to_json()) == report


def test_paired_comparison() -> None:
    def report(rights: list[bool], name: str = "") -> Report:
        return evaluate(
            Document(f"{name}{i}", "fever", mentions=(mention(("D1",), "D1" if right else "D2"),))
            for i, right in enumerate(rights)
        )

    worse, better = report([i % 2 == 0 for i in range(60)]), report([i % 4 < 3 for i in range(60)])
    found = compare(worse, better)
    assert (found.mentions, found.only_first, found.only_second) == (60, 0, 15)
    assert found.difference == pytest.approx(0.25)
    assert found.interval[0] > 0
    assert found.p_value < 0.01
    same = compare(worse, worse)
    assert same.difference == 0
    assert same.p_value == 1.0
    assert compare(worse, report([True], "other ")).mentions == 0
    # Mentions are matched by their offsets, so half of the documents are enough.
    assert compare(worse, report([True] * 30)).mentions == 30


def test_documents_that_share_an_id_are_compared_apart() -> None:
    def report(rights: list[bool], name: str) -> Report:
        return evaluate(
            Document(
                name or str(i), "fever", mentions=(mention(("D1",), "D1" if right else "D2"),) * 2
            )
            for i, right in enumerate(rights)
        )

    sides = [i % 2 == 0 for i in range(60)], [i % 4 < 3 for i in range(60)]
    apart = compare(*(report(side, "") for side in sides))
    shared = compare(*(report(side, "a") for side in sides))
    assert shared == apart
    assert (shared.mentions, shared.only_first, shared.only_second) == (120, 0, 30)
    # The second of two mentions with the same offsets is not taken for the first.
    twice = (mention(("D1",), "D1"), mention(("D1",), "D2"))
    first, second = (
        evaluate(Document("1", "fever", mentions=mentions)) for mentions in (twice, twice[::-1])
    )
    assert (compare(first, second).only_first, compare(first, second).only_second) == (1, 1)
    assert [case.document for case in report([True] * 3, "a").cases[::2]] == ["a", "a#2", "a#3"]


def test_predictions_of_documents_that_share_an_id_are_refused() -> None:
    one = Document("1", "fever", mentions=(mention(("D1",)),))
    other = Document("1", "fever.", mentions=(mention(("D2",)),))
    for gold, system, what in (([one, other], [one], "annotated"), ([one], [one, other], "pred")):
        with pytest.raises(ConfigError, match=f"two {what}.* have the id '1'; expected an id of"):
            list(predicted(gold, system))
    # The same document twice is harmless.
    assert len(list(predicted([one, one], [one, one]))) == 2


def test_other_systems_predictions() -> None:
    gold = [
        Document(
            "1", "fever cold", mentions=(mention(("D1",)), Mention(6, 10, "cold", "", ("D2",)))
        )
    ]
    system = [Document("1", "fever cold", mentions=(mention(("MESH:D1", "D7")),))]
    linked = list(predicted(gold, system))
    assert [link.concept_id for link in linked[0].mentions[0].links] == ["MESH:D1", "D7"]
    report = evaluate(linked, KB)
    assert (report.strict.recall_at_1, report.nil) == (0.5, 1)


def test_reports_as_pages() -> None:
    reports = {"ours": sliced(), "other | system": replace(sliced(), protocol="biosyn")}
    comparisons = [("ours", "other | system", compare(*reports.values()))]
    text = to_markdown(reports, comparisons)
    assert "| ours | strict | 5 | 4 | 20.0% |" in text
    assert "other \\| system" in text
    page = to_html(reports, comparisons)
    assert page.startswith("<!doctype html>")
    assert page.count("<svg") == 3
    assert "&lt;test&gt; &amp; more" in page
    assert "spinal muscular atrophy" in page
    # The page loads nothing from elsewhere: no script, style sheet or picture.
    assert not re.findall(r'(?:src|href)="(?!#)', page.replace('xlink:href="#', ""))
    assert "<script" not in page
    assert "<link" not in page
