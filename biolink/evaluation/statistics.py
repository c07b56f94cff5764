"""Statistics that the measures share: the bootstrap, the sweep of thresholds and the binning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["BINS", "RESAMPLES", "Sweep", "bin_of", "interval", "mean", "resampled", "sweep"]

#: The number of resamples of a bootstrap.
RESAMPLES = 1000
#: The number of bins of a reliability diagram and of the expected calibration error.
BINS = 10


def mean(values: Sequence[bool] | np.ndarray) -> float:
    """Return the mean of values, or 0 if there are none."""
    return float(np.mean(values)) if len(values) else 0.0


def resampled(counts: np.ndarray, seed: int) -> np.ndarray:
    """Return the sum of each column over samples of documents drawn with replacement.

    Parameters
    ----------
    counts
        float [documents, columns].
    seed
        Seed of the samples.

    Returns
    -------
    float [resamples, columns].
    """
    drawn = np.random.default_rng(seed).integers(0, len(counts), (RESAMPLES, len(counts)))
    sums: np.ndarray = counts[drawn].sum(1)
    return sums


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of resampled values."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class Sweep:
    """The links that are kept at each threshold that makes a difference, strictest first.

    Attributes
    ----------
    values
        float [thresholds]: the threshold; links with this value or a higher one are kept.
    kept, right
        int64 [thresholds]: the number of links that are kept, and of those that are right.
    f1
        float [thresholds]: the harmonic mean of precision and recall.
    """

    values: np.ndarray
    kept: np.ndarray
    right: np.ndarray
    f1: np.ndarray


def sweep(values: Sequence[float], right: Sequence[bool], wanted: int) -> Sweep:
    """Sweep a threshold over the values of links; links with equal values are kept together.

    Parameters
    ----------
    values, right
        The value of each link, and whether it is right.
    wanted
        The number of right links that are possible.

    >>> sweep([0.9, 0.8, 0.8], [True, True, False], 2).f1.round(2)
    array([0.67, 0.8 ])
    """
    order = np.argsort(-np.array(values), kind="stable")
    ranked = np.array(values, dtype=float)[order]
    rights = np.cumsum(np.array(right, dtype=int)[order])
    lasts = np.flatnonzero(np.append(np.diff(ranked) < 0, True)) if len(ranked) else order
    kept = lasts + 1
    f1 = 2 * rights[lasts] / np.maximum(1, kept + wanted)
    return Sweep(ranked[lasts], kept, rights[lasts], f1)


def bin_of(probabilities: np.ndarray) -> np.ndarray:
    """Return the bin of each probability, from 0 to ``BINS - 1``."""
    return np.minimum((probabilities * BINS).astype(int), BINS - 1)
