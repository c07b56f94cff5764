"""Two processes on one machine learn the same as one process with the whole batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def losses(folder: Path, command: list[str], out: str) -> list[float]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    log = (folder / out / "run/log.jsonl").read_text().splitlines()
    return [record["loss"] for record in map(json.loads, log) if "loss" in record]


@pytest.mark.parametrize(("stage", "file"), [("denoise", "denoise"), ("kb-guided", "kb")])
def test_two_processes_give_the_losses_of_one(folder: Path, stage: str, file: str) -> None:
    biolink = str(Path(sys.executable).with_name("biolink"))
    rest = ["pretrain", stage, f"{file}.toml", "--set", "dropout=0.0", "--set", "training.steps=4"]
    assert "batch_size = 3" in (folder / f"{file}.toml").read_text()
    one = losses(
        folder,
        [biolink, *rest, "--set", "out=one", "--set", "training.batch_size=6"],
        "one",
    )
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    two = losses(folder, [*launcher, "--no-python", biolink, *rest, "--set", "out=two"], "two")
    assert len(two) == len(one) == 2
    assert two == pytest.approx(one, rel=1e-4)
