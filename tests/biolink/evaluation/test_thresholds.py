"""Thresholds from development data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from biolink import Concept, Document, KnowledgeBase, Link, Mention, evaluate
from biolink.cli.calibrate import LinkedGold
from biolink.cli.find_threshold import ThresholdJob, run_find_threshold
from biolink.errors import ConfigError
from biolink.evaluation.calibrating import calibrate
from biolink.evaluation.thresholds import find_threshold, plot_curve
from biolink.places import EMBEDDED
from tests.commands import DATA, run

KB = KnowledgeBase.from_concepts([Concept("D1", "fever"), Concept("D2", "cold")])


def document(*cases: tuple[str, str, float]) -> Document:
    """(gold id, linked id or "", probability) of each mention."""
    text = "x" * len(cases)
    mentions = [
        Mention(
            i, i + 1, "x",
            concept_ids=(gold,) if gold else (),
            links=(Link(linked, linked, 0.0, p, 1),) if linked else (),
        )
        for i, (gold, linked, p) in enumerate(cases)
    ]  # fmt: skip
    return Document("1", text, mentions=tuple(mentions))


CASES = document(
    ("D1", "D1", 0.9),
    ("D2", "D1", 0.5),  # wrong
    ("D2", "D2", 0.5),
    ("", "D1", 0.3),  # should be NIL
    ("D9", "D2", 0.2),  # gold is outside the knowledge base
    ("D1", "", 0.0),  # missed
)


def test_the_curve_equals_counting() -> None:
    curve = find_threshold([CASES], KB)
    found = {p.threshold: (p.precision, p.recall, p.linked) for p in curve.points}
    assert found == {
        0.9: (1.0, 0.25, 1),
        0.5: (pytest.approx(2 / 3), 0.5, 3),
        0.3: (0.5, 0.5, 4),
        0.2: (pytest.approx(2 / 5), 0.5, 5),
    }
    assert [p.threshold for p in curve.points] == sorted(found)
    assert curve.best.threshold == 0.5
    for point in curve.points:
        assert point.f1 == pytest.approx(
            2 * point.precision * point.recall / (point.precision + point.recall)
        )


def test_what_is_right_is_what_evaluate_counts() -> None:
    text, link = "xxxx", (Link("D1", "fever", 0.0, 0.9, 1),)
    ids = ("D1", "MESH:D1"), ("D1", "D2")
    mentions = [
        Mention(i, i + 1, "x", concept_ids=gold, id_joiner=joiner, links=link)
        for i, (gold, joiner) in enumerate((gold, joiner) for gold in ids for joiner in "|+")
    ]
    linked = Document("1", text, mentions=tuple(mentions))
    report = evaluate(linked, KB)
    # Of two concepts that are meant only together, neither is right.
    assert [case.strict for case in report.cases] == [True, True, True, False]
    best = find_threshold([linked], KB).best
    assert (best.precision, best.recall) == (0.75, report.strict_in_kb.recall_at_1)
    assert calibrate([linked] * 10, KB).right == (True, True, True, False) * 10


def test_a_wanted_precision() -> None:
    assert find_threshold([CASES], KB, 0.6).best.threshold == 0.5
    assert find_threshold([CASES], KB, 0.9).best.threshold == 0.9
    # The links at 0.3 would add nothing but an error.
    assert find_threshold([CASES], KB, 0.5).best.threshold == 0.5
    with pytest.raises(ConfigError, match="the highest is 0"):
        find_threshold([document(("D1", "D2", 0.5))], KB, 0.6)
    with pytest.raises(ConfigError, match="share above 0"):
        find_threshold([CASES], KB, 1.5)
    with pytest.raises(ConfigError, match="nothing to sweep"):
        find_threshold([document(("", "D2", 0.5))], KB)


@pytest.mark.parametrize(
    ("kept", "dropped", "written"),
    [
        (0.78266, 0.5, "0.7826"),
        (0.99996, 0.5, "0.9999"),
        (0.999965, 0.99993, "0.99996"),
        (0.999965, 0.9999, "0.99996"),
        (1.0, 0.5, "1.0000"),
        (0.3, 0.1 + 0.2 - 1e-16, "0.3"),
    ],
)
def test_the_written_threshold_keeps_the_links_of_the_best_one(
    kept: float, dropped: float, written: str
) -> None:
    curve = find_threshold([document(("D1", "D1", kept), ("", "D1", dropped))], KB)
    assert curve.best.threshold == kept
    assert curve.written == written
    assert dropped < float(curve.written) <= kept


def test_a_document_alone_is_taken_and_mistakes_are_told() -> None:
    assert find_threshold(CASES, KB).best.threshold == 0.5  # type: ignore[arg-type]
    for arguments, message in (
        (("fever", KB), "find_threshold was given 'fever'"),
        (([CASES], None), "kb is None"),
        (([CASES], KB, "high"), "precision is 'high'"),
    ):
        with pytest.raises(ConfigError, match=message):
            find_threshold(*arguments)


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_curve_is_drawn(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / f"curve.{suffix}"
    plot_curve(find_threshold([CASES], KB), file)
    head = file.read_bytes()[:200]
    assert (b"<svg" in file.read_bytes()) if suffix == "svg" else head.startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [file]


def test_no_printed_threshold_drops_links(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    documents = [
        document(("D1", "D1", 0.999968), ("D1", "D1", 0.999965), ("D2", "D1", 0.99993)),
        document(("D2", "D1", 0.78266)),
    ]
    gold = LinkedGold(documents, KB)
    monkeypatch.setattr("biolink.cli.find_threshold.linked_gold", lambda *_: gold)
    curve = run_find_threshold(ThresholdJob(("x",)))
    rows = [line.split("│")[1].strip() for line in capsys.readouterr().out.splitlines()
            if line.startswith("│")]  # fmt: skip
    assert rows == ["0.7826", "0.9999", f"* {curve.written}", "0.9999"]
    assert curve.written == "0.99996"


def test_command(tmp_path: Path) -> None:
    out = tmp_path / "curve.json"
    done = run("find-threshold", DATA / "bc5cdr.PubTator", "-o", out)
    assert done.returncode == 0, done.stderr
    assert "best (*): --threshold" in done.stdout
    values = json.loads(out.read_text())
    assert values["best"] in values["points"]
    done = run("find-threshold", DATA / "bc5cdr.PubTator", "-o", "curve.txt")
    assert done.returncode == 1 and "ends in .json, .svg or .png" in done.stderr
    done = run("link", DATA / "bc5cdr.PubTator", "--nil", "often")
    assert done.returncode == 1 and "unknown NIL policy 'often'" in done.stderr
    done = run(
        "link", "--kb", EMBEDDED / "kb", "--types", "Disease", "--nil",
        "post-pruning+threshold=0.2", "--mentions", "given", DATA / "bc5cdr.PubTator",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    reasons = {
        m["nil_reason"]
        for line in done.stdout.splitlines()
        for m in json.loads(line)["mentions"]
        if m["type"] == "Chemical"
    }
    assert reasons and all(r and ("outside" in r or "threshold" in r) for r in reasons)
