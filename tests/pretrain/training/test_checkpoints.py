"""Training continues from the last complete checkpoint, whatever happened to the newest."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from biolink.errors import ConfigError, ModelError
from biolink.pretrain.stages import KBGuided, run_kb_guided
from biolink.pretrain.training.checkpoints import SEAL, damage_of, last_whole, seal
from biolink.pretrain.training.settings import read_settings
from tests.interrupting import interrupted, weights


class Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.target),)


def run(folder: Path, out: str, records: list[dict[str, Any]] | None = None) -> Path:
    settings = read_settings(KBGuided, folder / "kb.toml", [f"out={folder / out}"])
    return run_kb_guided(settings, lambda r: None if records is None else records.append(r))


@pytest.fixture
def broken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that was killed after its second checkpoint."""
    interrupted(monkeypatch, 7, lambda: run(folder, "broken"))
    assert (folder / "broken/run/checkpoint-3" / SEAL).is_file()
    assert (folder / "broken/run/checkpoint-6" / SEAL).is_file()
    return folder / "broken" / "run"


def truncate(checkpoint: Path) -> None:
    file = checkpoint / "optimizer.pt"
    file.write_bytes(file.read_bytes()[:-100])


def flip(checkpoint: Path) -> None:
    content = bytearray((checkpoint / "model.safetensors").read_bytes())
    content[-5] ^= 4
    (checkpoint / "model.safetensors").write_bytes(content)


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "truncated": truncate,
    "flipped": flip,
    "missing": lambda c: (c / "rng_state.pth").unlink(),
    "garbled state": lambda c: (c / "trainer_state.json").write_text("{"),
    "half written": lambda c: (c / SEAL).unlink(),
    "garbled seal": lambda c: (c / SEAL).write_text("[]"),
    "empty seal": lambda c: (c / SEAL).write_text("{}"),
    "odd seal": lambda c: (c / SEAL).write_text('{"model.safetensors": 5}'),
    "empty": lambda c: [f.unlink() for f in c.iterdir()],
}


@pytest.mark.parametrize("how", DAMAGES)
def test_training_continues_if_the_newest_checkpoint_is_damaged(
    folder: Path, broken: Path, how: str
) -> None:
    whole = weights(run(folder, "whole"))
    DAMAGES[how](broken / "checkpoint-6")
    records: list[dict[str, Any]] = []
    again = weights(run(folder, "broken", records))
    assert all(torch.equal(whole[name], t) for name, t in again.items())
    assert records[0]["damaged checkpoint"] == "checkpoint-6"
    assert records[0]["why"]
    assert records[1] == {"continues from": "checkpoint-3"}
    assert (broken / "damaged-1-checkpoint-6").is_dir()


def test_training_starts_again_if_all_checkpoints_are_damaged(folder: Path, broken: Path) -> None:
    whole = weights(run(folder, "whole"))
    for number in (3, 6):
        flip(broken / f"checkpoint-{number}")
    records: list[dict[str, Any]] = []
    again = weights(run(folder, "broken", records))
    assert all(torch.equal(whole[name], t) for name, t in again.items())
    assert {"continues from": "the start"} in records


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_checkpoint_cannot_run_code(folder: Path, broken: Path, name: str) -> None:
    torch.save(Malicious(folder / "ran"), broken / "checkpoint-6" / name)
    seal(broken / "checkpoint-6")  # as if it were whole
    with pytest.raises(ModelError, match="checkpoint-6 is not a checkpoint of this training"):
        run(folder, "broken")
    assert not (folder / "ran").exists()


def test_a_checkpoint_of_another_model_is_named(folder: Path, broken: Path) -> None:
    text = (folder / "kb.toml").read_text().replace("d_model = 16", "d_model = 24")
    assert "d_model = 24" in text
    (folder / "kb.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"checkpoints of other settings \(config.d_model\)"):
        run(folder, "broken")
    # The model at the same path may have become another.
    (broken / "stage.json").unlink()
    with pytest.raises(ModelError, match="checkpoint-6"):
        run(folder, "broken")


def test_a_seal_knows_every_file(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint-1"
    (checkpoint / "inner").mkdir(parents=True)
    (checkpoint / "a").write_bytes(b"one")
    (checkpoint / "inner" / "b").write_bytes(b"two")
    assert "half written" in str(damage_of(checkpoint))
    seal(checkpoint)
    assert set(json.loads((checkpoint / SEAL).read_text())) == {"a", "inner/b"}
    assert damage_of(checkpoint) is None
    (checkpoint / "later").write_bytes(b"by another process")
    assert damage_of(checkpoint) is None
    for content, what in ((b"twos", "has 4 bytes; expected 3 bytes"), (b"owt", "not what")):
        (checkpoint / "inner" / "b").write_bytes(content)
        assert what in str(damage_of(checkpoint))
    shutil.rmtree(checkpoint / "inner")
    assert damage_of(checkpoint) == "inner/b is missing"
    assert last_whole(tmp_path, "checkpoint", aside=False) is None
    assert checkpoint.is_dir()
    assert last_whole(tmp_path / "none", "checkpoint") is None
