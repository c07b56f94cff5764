"""A check that scores are finite: others are reported as an error, never as a link."""

from __future__ import annotations

import numpy as np

from biolink.errors import ModelError
from biolink.kb.model_files import CURE

__all__ = ["check_scores"]


def check_scores(scores: np.ndarray, of: str) -> np.ndarray:
    """The scores themselves, if all of them are finite.

    Parameters
    ----------
    scores
        Any array of floats.
    of
        What they are, in the plural, for the message.

    Examples
    --------
    >>> check_scores(np.array([0.5]), "embeddings")
    array([0.5])

    Raises
    ------
    ModelError
        If one of them is infinite or not a number.
    """
    if not np.isfinite(scores).all():
        raise ModelError(
            f"the model gives {of} that are infinite or not a number: its weights are damaged, or "
            f"too large for the precision; {CURE}"
        )
    return scores
