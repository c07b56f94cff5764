"""Candidates of a mention: names with their features, and the concepts that come of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from biolink.infer.backbone import Memory
from biolink.infer.ranker import FEATURES

__all__ = ["Candidates", "Found", "Read", "Retrieved", "by_concept", "fill_in", "highest"]

#: Scores that :func:`highest` looks at together.
_SHELF = 64


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidates of one mention: parallel arrays over (name, owner), and their features.

    ``short`` says that the mention is a short form whose long form is not known.
    """

    name_ids: np.ndarray
    rows: np.ndarray
    features: np.ndarray
    short: bool = False


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Names found for a task, with their similarities: parallel arrays over names."""

    name_ids: np.ndarray
    ngrams: np.ndarray
    vectors: np.ndarray
    context: np.ndarray
    hints: np.ndarray  # [names, kinds of hints]


@dataclass(frozen=True, slots=True)
class Read:
    """A batch of tasks: the model's memory, and similarities [tasks, indexed names]."""

    memory: Memory
    ngrams: Any  # sparse, hints behind the tasks
    vectors: np.ndarray
    context: np.ndarray
    hinted: dict[str, np.ndarray]  # text of a hint -> its similarity to every indexed name


@dataclass(frozen=True, slots=True)
class Found:
    """A concept found for a task."""

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
        candidates.features[:, FEATURES.index(name)] = column


def highest(scores: np.ndarray, k: int) -> np.ndarray:
    """Places of the k best, ties by place."""
    if len(scores) <= k:
        return np.arange(len(scores))
    near = None
    if len(scores) > 4 * k * _SHELF:
        # The best of each shelf first: k of them, and so the k best of all, reach this high.
        shelves = scores[: len(scores) // _SHELF * _SHELF].reshape(-1, _SHELF).max(1)
        near = np.flatnonzero(scores >= np.partition(shelves, len(shelves) - k)[len(shelves) - k])
        scores = scores[near]
    limit = np.partition(scores, len(scores) - k)[len(scores) - k]
    above = np.flatnonzero(scores > limit)
    found = np.concatenate([above, np.flatnonzero(scores == limit)[: k - len(above)]])
    return found if near is None else near[found]


def by_concept(candidates: Candidates, scores: np.ndarray, nil: float) -> list[Found]:
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
        Found(row, name_id, math.log(mass / total) if mass > 0 else -math.inf, mass / total)
        for row, (mass, _, name_id) in ranked
    ]
