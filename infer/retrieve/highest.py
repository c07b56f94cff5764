"""The highest of many scores, without sorting them all."""

from __future__ import annotations

import numpy as np

__all__ = ["highest"]

#: :func:`highest` first compares the maxima of blocks of this many scores.
_BLOCK = 64


def highest(scores: np.ndarray, k: int) -> np.ndarray:
    """The indices of the ``k`` highest scores. Among equal scores, the first ones are taken.

    >>> highest(np.array([0.1, 0.9, 0.5, 0.9]), 2)
    array([1, 3])
    """
    if len(scores) <= k:
        return np.arange(len(scores))
    selected = None
    if len(scores) > 4 * k * _BLOCK:
        # The k-th highest maximum of a block is a lower bound of the k-th highest score, so only
        # scores that are at least as high need to be compared.
        maxima = scores[: len(scores) // _BLOCK * _BLOCK].reshape(-1, _BLOCK).max(1)
        selected = np.flatnonzero(scores >= np.partition(maxima, len(maxima) - k)[len(maxima) - k])
        scores = scores[selected]
    limit = np.partition(scores, len(scores) - k)[len(scores) - k]
    above = np.flatnonzero(scores > limit)
    chosen = np.concatenate([above, np.flatnonzero(scores == limit)[: k - len(above)]])
    return chosen if selected is None else selected[chosen]
