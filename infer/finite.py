"""Weights are read with care; weights and scores that are no numbers are errors, not links."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from biolink.errors import ModelError
from biolink.kb.model_files import CURE, damaged

__all__ = ["check_scores", "check_weights", "tensors_of"]


def tensors_of(file: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises
    ------
    ModelError
        When it cannot be read, or is damaged.
    """
    try:
        return load_file(file)
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror or error}") from None
    except (SafetensorError, ValueError, RuntimeError, KeyError) as error:
        raise damaged(file, str(error).splitlines()[0] if str(error) else "no weights") from None


def check_weights(weights: Iterable[tuple[str, Tensor]], file: str | Path) -> None:
    """Refuse weights of which one is infinite or not a number.

    A sum is one pass over the memory, and neither leaves a sum as a number.
    """
    with torch.inference_mode():
        for name, tensor in weights:
            if not tensor.is_floating_point() or torch.isfinite(tensor.sum(dtype=torch.float32)):
                continue
            wrong = int((~torch.isfinite(tensor)).sum())
            if wrong:
                raise ModelError(
                    f"{file} is damaged: {wrong} of the {tensor.numel()} weights in {name!r} are "
                    f"infinite or not a number; {CURE}"
                )


def check_scores(scores: np.ndarray, of: str) -> np.ndarray:
    """The scores, when all of them are finite.

    >>> check_scores(np.array([0.5]), "embeddings")
    array([0.5])

    Raises
    ------
    ModelError
        When one is not.
    """
    if not np.isfinite(scores).all():
        raise ModelError(
            f"the model gives {of} that are infinite or not a number: its weights are damaged, or "
            f"too large for the precision; {CURE}"
        )
    return scores
