"""Trainings that are stopped half way, and the weights that they leave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainerCallback

from biolink.pretrain.training import running

__all__ = ["interrupted", "weights"]


class Kill(Exception):
    """An interruption of a training."""


def interrupted(monkeypatch: pytest.MonkeyPatch, step: int, run: Any) -> None:
    """Run until a step, and stop there with an error."""

    class Killer(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == step:
                raise Kill

    inner = running._Trainer

    def dying(*args: Any, callbacks: Any, **kwargs: Any) -> Any:
        return inner(*args, callbacks=[*callbacks, Killer()], **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(running, "_Trainer", dying)
        with pytest.raises(Kill):
            run()


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")
