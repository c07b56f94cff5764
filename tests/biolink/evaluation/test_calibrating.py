"""Calibrated probabilities."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from biolink import Combination, Concept, Document, KnowledgeBase, Link, Linker, Mention
from biolink.errors import ConfigError, ModelError
from biolink.evaluation.calibrating import (
    calibrate,
    expected_error,
    fit_calibration,
    fit_combination,
)
from biolink.evaluation.plots import reliability
from biolink.infer.decide.calibration import Calibration, log_odds
from biolink.infer.decide.nil import NilEvidence
from biolink.infer.decide.written import policy_from, policy_values
from biolink.infer.network.model import load_model
from biolink.kb.model_files import CALIBRATION
from biolink.kb.model_folder import seal_model
from biolink.pipeline import load
from tests.commands import run

KB = KnowledgeBase.from_concepts([Concept("D1", "fever"), Concept("D2", "cold")])
EXAMPLE = Path(__file__).parents[3] / "examples" / "data" / "bc5cdr_20.PubTator"


def documents(count: int = 60) -> list[Document]:
    """Links with probability p that are right with probability p squared."""
    rng = random.Random(0)
    found = []
    for number in range(count):
        mentions = []
        for i in range(20):
            p = rng.random()
            gold = "D1" if rng.random() < p * p else "D2"
            link = Link("D1", "fever", float(np.log(p)), p, 1)
            mentions.append(Mention(i, i + 1, "x", concept_ids=(gold,), links=(link,)))
        found.append(Document(str(number), "x" * 20, mentions=tuple(mentions)))
    return found


@pytest.mark.parametrize("kind", ["isotonic", "platt"])
def test_calibration_corrects_the_probabilities(kind: str) -> None:
    found = calibrate(documents(), KB, kind)  # type: ignore[arg-type]
    assert found.error_before > 0.12 and found.error_after < 0.05
    for p in (0.2, 0.5, 0.8):
        assert found.calibration(p) == pytest.approx(p * p, abs=0.1)
    values = [found.calibration(p) for p in np.linspace(0, 1, 50)]
    assert values == sorted(values) and min(values) >= 0 and max(values) <= 1


def test_expected_error_by_hand() -> None:
    assert expected_error([0.1, 0.15, 0.9], [False, True, True]) == pytest.approx(
        (abs(0.25 - 1) + abs(0.9 - 1)) / 3
    )
    assert expected_error([], []) == 0


def test_a_calibration_is_stored(tmp_path: Path) -> None:
    calibration = fit_calibration([0.1, 0.4, 0.6, 0.9], [False, True, False, True])
    calibration.save(tmp_path / "c.json")
    assert Calibration.read(tmp_path / "c.json") == calibration
    for wrong in ("{", "{}", '{"kind": "other", "x": [1], "y": [1]}', '{"kind": "platt"}'):
        (tmp_path / "c.json").write_text(wrong)
        with pytest.raises(ModelError, match=r"c\.json is (not a calibration|damaged)"):
            Calibration.read(tmp_path / "c.json")
    with pytest.raises(ModelError, match="cannot be read"):
        Calibration.read(tmp_path / "none.json")
    with pytest.raises(ConfigError, match="right and links that are wrong"):
        fit_calibration([0.5], [True])


def test_a_linker_applies_its_calibration(
    model_folder: Path, kb: KnowledgeBase, tmp_path: Path
) -> None:
    text = "breast tumor"
    document = Document("1", text, mentions=(Mention(0, len(text), text),))
    plain = Linker(load_model(model_folder), kb)
    halved = Calibration("isotonic", (0.0, 1.0), (0.0, 0.5))
    calibrated = Linker(load_model(model_folder), kb, calibration=halved)
    before, after = plain(document).mentions[0], calibrated(document).mentions[0]
    assert [link.concept_id for link in before.links] == [link.concept_id for link in after.links]
    for one, other in zip(before.links, after.links, strict=True):
        assert other.probability == pytest.approx(one.probability / 2)
        assert other.score == one.score
    halved.save(tmp_path / "half.json")
    loaded = load(model=model_folder, kb=kb, calibration=tmp_path / "half.json")
    assert isinstance(loaded, Linker) and loaded.calibration == halved
    # In a sealed model folder, the file is added to the seal.
    shutil.copytree(model_folder, tmp_path / "model")
    seal_model(tmp_path / "model")
    for written in (Calibration("platt", (1.0,), (0.0,)), halved):
        written.save(tmp_path / "model" / CALIBRATION)
        loaded = load(model=tmp_path / "model", kb=kb)
        assert isinstance(loaded, Linker) and loaded.calibration == written
    (tmp_path / "model" / CALIBRATION).write_text('{"kind": "platt", "x": [1], "y": [1]}')
    with pytest.raises(ModelError, match=r"calibration\.json"):
        load(model=tmp_path / "model", kb=kb)


def test_the_combination_learns_the_features_that_matter() -> None:
    rng = random.Random(0)
    seen, right = [], []
    for _ in range(400):
        inside, outside = rng.random(), rng.random()
        link = Link("D1", "x", float(np.log(inside)), inside, 1)
        other = Link("D2", "y", float(np.log(outside)), outside, 1)
        seen.append(NilEvidence([link], 0.1, other, 0.9))
        right.append(inside > outside)
    fitted = fit_combination(seen, right)
    hits = [(fitted.reason(one) is None) == truth for one, truth in zip(seen, right, strict=True)]
    assert np.mean(hits) > 0.95
    assert "combined probability" in (replace(fitted, value=1.0).reason(seen[0]) or "")
    assert policy_from(json.loads(json.dumps(policy_values(fitted)))) == fitted
    with pytest.raises(ConfigError, match="6 weights"):
        Combination((1.0,), 0.5)
    # No weight is so large that the probability overflows.
    assert Combination((-1e4, 0, 0, 0, 0, 0), 0.5).probability(seen[0]) == 0.0
    with pytest.raises(ConfigError):
        fit_combination(seen[:2], [True, True])


def test_log_odds_are_finite() -> None:
    assert log_odds(0.5) == pytest.approx(0)
    assert np.isfinite([log_odds(0), log_odds(1)]).all()


def test_the_diagram_shows_both_series(tmp_path: Path) -> None:
    figure = reliability({"before": [(0.1, False), (0.9, True)], "after": [(0.5, True)]})
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [
        "before", "after",
    ]  # fmt: skip


def test_from_the_shell(tmp_path: Path) -> None:
    outputs = ("-o", tmp_path / "c.json", "-o", tmp_path / "d.svg")
    done = run("calibrate", EXAMPLE, "--kind", "platt", *outputs)
    assert done.returncode == 0 and "expected calibration error" in done.stdout
    assert Calibration.read(tmp_path / "c.json").kind == "platt"
    assert "<svg" in (tmp_path / "d.svg").read_text()
    wrong = run("calibrate", EXAMPLE, "-o", "x.txt")
    assert wrong.returncode == 1 and "expected a name that ends in" in wrong.stderr
