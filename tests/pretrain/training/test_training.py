"""Settings files, the pre-training stages, and resumption to the same weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.data_loader import BatchSamplerShard
from torch.utils.data import BatchSampler, SequentialSampler
from typer.testing import CliRunner

from biolink.cli.app import app
from biolink.errors import BiolinkError, ConfigError, ModelError
from biolink.kb.model_folder import is_sealed, verify_model
from biolink.pretrain.stages import (
    Denoising,
    KBGuided,
    kb_guided_samples,
    run_denoising,
    run_kb_guided,
)
from biolink.pretrain.training.losses import consistency, preference, smoothed_nll, unlikelihood
from biolink.pretrain.training.running import Numbered
from biolink.pretrain.training.settings import read_settings
from biolink.texts import read_texts
from tests.interrupting import interrupted, weights


@pytest.mark.parametrize("stage", ["denoise", "kb"])
def test_an_interrupted_run_equals_an_uninterrupted_one(
    folder: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(out: str) -> Path:
        if stage == "denoise":
            file, override = folder / "denoise.toml", [f"out={folder / out}"]
            return run_denoising(read_settings(Denoising, file, override), read_texts)
        return run_kb_guided(read_settings(KBGuided, folder / "kb.toml", [f"out={folder / out}"]))

    whole = weights(run("whole"))
    interrupted(monkeypatch, 5, lambda: run("broken"))
    assert not (folder / "broken" / "model").exists()
    assert (folder / "broken" / "run" / "checkpoint-3").exists()
    assert all(torch.equal(whole[name], t) for name, t in weights(run("broken")).items())
    log = [json.loads(line) for line in (folder / "whole/run/log.jsonl").open()]
    losses = [record["loss"] for record in log if "loss" in record]
    assert losses[-1] < losses[0]
    settings = json.loads((folder / "whole/model/biolink.json").read_text())
    assert settings["training"][-1]["training"]["steps"] == 8


def test_a_stage_continues_from_another(folder: Path) -> None:
    run_denoising(read_settings(Denoising, folder / "denoise.toml"), read_texts)
    text = (folder / "kb.toml").read_text().split("[config]")[0]
    text = text.replace('tokenizer = "bpe"', 'model = "denoised/model"')
    (folder / "next.toml").write_text(text + "[training]\nsteps = 2\n")
    model = run_kb_guided(read_settings(KBGuided, folder / "next.toml"))
    stages = json.loads((model / "biolink.json").read_text())["training"]
    assert [stage["stage"] for stage in stages] == ["Denoising", "KBGuided"]
    for written in (folder / "denoised/model", model):
        assert is_sealed(written)
        verify_model(written)
    (folder / "denoised/model/biolink.json").unlink()
    with pytest.raises(ModelError, match=r"biolink\.json is missing"):
        run_kb_guided(read_settings(KBGuided, folder / "next.toml", [f"out={folder / 'other'}"]))


def test_a_bad_text_does_not_affect_others(folder: Path) -> None:
    """It is reported once, however often the files are read, and is in no sample."""
    toml = str(folder / "denoise.toml")
    assert CliRunner().invoke(app, ["pretrain", "denoise", toml]).exit_code == 0
    good = (folder / "a.jsonl").read_text()
    (folder / "a.jsonl").write_text("[1]\n" + good)
    again = ["--set", f"out={folder}/again"]
    done = CliRunner().invoke(app, ["pretrain", "denoise", toml, *again])
    assert done.exit_code == 1, done.output
    assert f"{folder}/a.jsonl:1" in done.stderr
    assert "biolink: 1 problem; everything else was done" in done.stderr
    one, other = weights(folder / "denoised/model"), weights(folder / "again/model")
    assert all(torch.equal(one[name], other[name]) for name in one)
    command = ["pretrain", "tokenizer", str(folder / "a.jsonl"), "--size", "300", "-o"]
    done = CliRunner().invoke(app, [*command, str(folder / "bpe2")])
    assert done.exit_code == 1 and (folder / "bpe2/tokenizer.json").is_file()
    (folder / "a.jsonl").write_text('[1]\n{"text": 5}\n')
    done = CliRunner().invoke(app, [*command, str(folder / "bpe3")])
    assert isinstance(done.exception, BiolinkError)
    assert "no document could be read" in str(done.exception)
    assert not (folder / "bpe3").exists()


def test_mention_choice_and_negatives(folder: Path) -> None:
    def samples(*overrides: str) -> Any:
        return kb_guided_samples(read_settings(KBGuided, folder / "kb.toml", overrides))

    def mention_of(target: str, *overrides: str) -> set[str]:
        found = samples(*overrides)
        made = [found.in_training(n) for n in range(40 * len(found))]
        return {s.mention for s in made if s.target == target}

    assert mention_of("breast tumor") == {"Breast cancer", "cancer of the breast"}
    assert mention_of("breast tumor", "choice=most_similar") == {"Breast cancer"}
    assert mention_of("breast tumor", "choice=least_similar") == {"cancer of the breast"}
    assert mention_of("breast tumor", "choice=sample") == {"Breast cancer", "cancer of the breast"}
    opposed = samples("negatives=true")
    made = [opposed.in_training(number) for number in range(10 * len(opposed))]
    assert {s.negative for s in made if s.mention == "breast tumor"} == {"lung tumor"}
    run_kb_guided(read_settings(KBGuided, folder / "kb.toml", ["negatives=true"]))
    log = [json.loads(line) for line in (folder / "guided/run/log.jsonl").open()]
    # Before the first step the model equals its reference, so the loss is -log sigmoid(0).
    assert log[0]["loss"] == pytest.approx(0.6931, abs=0.05)
    assert log[-2]["loss"] < log[0]["loss"]


def test_processes_share_the_batches_of_one(folder: Path) -> None:
    samples = kb_guided_samples(read_settings(KBGuided, folder / "kb.toml"))
    dataset = Numbered(24, samples.in_training)

    def batches(size: int) -> Any:
        return BatchSampler(SequentialSampler(dataset), size, drop_last=False)

    one = [[dataset[i] for i in batch] for batch in batches(6)]
    shares = [
        [[dataset[i] for i in batch] for batch in BatchSamplerShard(batches(3), 2, process)]
        for process in (0, 1)
    ]
    assert [a + b for a, b in zip(*shares, strict=True)] == one


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("lenght=40", r"denoise.toml: unknown setting 'lenght'; expected one of .*length"),
        ("length=two", r"denoise.toml:4: length = 'two'; expected a whole number"),
        ("noise.rate=2", r"rate = 2.0; expected a number from 0 to 1"),
        ("training.schedule=steep", r"training.schedule = 'steep'; expected one of 'linear'"),
        ("training.steps=0", r"denoise.toml:17: steps = 0; expected 1 or more"),
        ("training.warmup=8", r"warmup = 8.0; expected less than steps = 8"),
        ("config.speed=3", "config.speed is unknown; expected a field of BartConfig"),
        ("trainer.speed=3", "trainer: .*speed"),
        ("trainer.max_steps=3", "max_steps is set by biolink"),
        ("model=nowhere", "nowhere is not a model"),
        ("length=100", "at most the model's 64"),
        ("broken", "expected key=value"),
    ],
)
def test_wrong_settings_are_named(folder: Path, change: str, message: str) -> None:
    with pytest.raises(BiolinkError, match=message):
        run_denoising(read_settings(Denoising, folder / "denoise.toml", [change]), read_texts)
    assert not (folder / "denoised" / "model").exists()


def test_files_that_are_not_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_settings(Denoising, tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("a = \n")
    with pytest.raises(ConfigError, match=r"bad.toml: .*line 1"):
        read_settings(Denoising, tmp_path / "bad.toml")
    (tmp_path / "few.toml").write_text('out = "x"\n')
    with pytest.raises(ConfigError, match="'text' is missing; expected a list, each a path"):
        read_settings(Denoising, tmp_path / "few.toml")


def test_losses_equal_those_of_their_papers() -> None:
    logits = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    log_probs = logits.log_softmax(1)
    targets = torch.tensor([0, 3, 5, 1])
    # fairseq: 0.9 for the target, 0.1 / 5 for each other token.
    wanted = torch.full((4, 6), 0.02, dtype=torch.float64)
    wanted[torch.arange(4), targets] = 0.9
    found = smoothed_nll(log_probs, targets, 0.1, "fairseq")
    assert found == pytest.approx(float(-(wanted * log_probs).sum(1).mean()))
    wanted = torch.full((4, 6), 0.1 / 6, dtype=torch.float64)
    wanted[torch.arange(4), targets] += 0.9
    found = smoothed_nll(log_probs, targets, 0.1, "huggingface")
    assert found == pytest.approx(float(-(wanted * log_probs).sum(1).mean()))
    other = torch.randn(4, 6, dtype=torch.float64).log_softmax(1)
    both = ((log_probs.exp() - other.exp()) * (log_probs - other)).sum(1).mean() / 2
    assert consistency(log_probs, other) == pytest.approx(float(both))
    assert consistency(log_probs, log_probs) == 0
    wrong = unlikelihood(log_probs, torch.tensor([0, 0, 2]), torch.tensor([1, 2, 4]))
    p = log_probs.exp()
    by_hand = -((1 - p[0, 1]).log() + (1 - p[0, 2]).log() + (1 - p[2, 4]).log()) / 4
    assert wrong == pytest.approx(float(by_hand))
    nothing = torch.empty(0, dtype=torch.long)
    assert unlikelihood(log_probs, nothing, nothing) == 0
    a, b = torch.tensor([-1.0]), torch.tensor([-3.0])
    assert preference(a, b, a, b, 0.5) == pytest.approx(0.6931, abs=1e-4)
    assert preference(a, b, b, b, 0.5) < preference(a, b, a, b, 0.5)
