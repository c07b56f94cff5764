"""Scores that are no numbers are an error, not a link."""

from __future__ import annotations

import numpy as np

from biolink.errors import ModelError
from biolink.kb.model_files import CURE

__all__ = ["check_scores"]


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
