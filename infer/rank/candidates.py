"""Candidates of a mention: names with their features, and the concepts that come of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from biolink.infer.network.backbone import Memory
from biolink.infer.rank.features import Candidates, column_of

__all__ = [
    "BatchEncoding",
    "NameHits",
    "RankedConcept",
    "by_concept",
    "fill_in",
    "highest",
]

#: Scores whose maximum :func:`highest` looks at first.
_BLOCK = 64


@dataclass(frozen=True, slots=True)
class NameHits:
    """Names that were retrieved for a task, with their similarities: parallel arrays over names."""

    name_ids: np.ndarray
    ngrams: np.ndarray
    vectors: np.ndarray
    context: np.ndarray
    hints: np.ndarray  # [names, kinds of hints]


@dataclass(frozen=True, slots=True)
class BatchEncoding:
    """A batch of tasks as the model reads it: memory, and similarities [tasks, indexed names]."""

    memory: Memory
    ngrams: Any  # sparse, hints behind the tasks
    vectors: np.ndarray
    context: np.ndarray
    hinted: dict[str, np.ndarray]  # text of a hint -> its similarity to every indexed name


@dataclass(frozen=True, slots=True)
class RankedConcept:
    """A concept that was ranked for a task, with the name through which it was reached."""

    row: int
    name_id: int
    score: float
    probability: float


def fill_in(
    candidates: Candidates, scored: np.ndarray, sums: np.ndarray, lengths: np.ndarray
) -> None:
    """Write the features of generation; a name that was not scored has those of the worst."""
    if not len(candidates.rows) or not len(scored):
        return
    places = np.minimum(np.searchsorted(scored, candidates.name_ids), len(scored) - 1)
    known = scored[places] == candidates.name_ids
    for name, values in (("generation_sum", sums), ("generation_mean", sums / lengths)):
        column = np.where(known, values[places], 0.0)
        if known.any():
            column[~known] = column[known].min()
        candidates.features[:, column_of(name)] = column


def highest(scores: np.ndarray, k: int) -> np.ndarray:
    """Indices of the k highest scores; of equal scores the first ones.

    >>> highest(np.array([0.1, 0.9, 0.5, 0.9]), 2)
    array([1, 3])
    """
    if len(scores) <= k:
        return np.arange(len(scores))
    near = None
    if len(scores) > 4 * k * _BLOCK:
        # The k-th highest maximum of a block is a lower bound of the k-th highest score, and so
        # only scores from there on need to be compared.
        maxima = scores[: len(scores) // _BLOCK * _BLOCK].reshape(-1, _BLOCK).max(1)
        near = np.flatnonzero(scores >= np.partition(maxima, len(maxima) - k)[len(maxima) - k])
        scores = scores[near]
    limit = np.partition(scores, len(scores) - k)[len(scores) - k]
    above = np.flatnonzero(scores > limit)
    chosen = np.concatenate([above, np.flatnonzero(scores == limit)[: k - len(above)]])
    return chosen if near is None else near[chosen]


def by_concept(candidates: Candidates, scores: np.ndarray, nil: float) -> list[RankedConcept]:
    """Concepts by the probability of all of their names together, best name first shown."""
    top = max(float(scores.max()), nil)
    weights = np.exp(scores - top)
    total = float(weights.sum()) + math.exp(nil - top)
    found: dict[int, tuple[float, float, int]] = {}
    for place in np.lexsort((candidates.name_ids, -scores)):
        row, weight = int(candidates.rows[place]), float(weights[place])
        if row in found:
            mass, score, name_id = found[row]
            found[row] = (mass + weight, score, name_id)
        else:
            found[row] = (weight, float(scores[place]), int(candidates.name_ids[place]))
    ranked = sorted(found.items(), key=lambda item: (-item[1][0], item[0]))
    return [
        RankedConcept(row, name_id, math.log(mass / total) if mass > 0 else -math.inf, mass / total)
        for row, (mass, _, name_id) in ranked
    ]
