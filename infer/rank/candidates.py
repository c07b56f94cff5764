"""The candidates of a mention: names with features, and the concepts that they lead to."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from biolink.infer.rank.features import Candidates, column_of

__all__ = [
    "RankedConcept",
    "by_concept",
    "fill_in",
]


@dataclass(frozen=True, slots=True)
class RankedConcept:
    """A concept that was ranked for a task, with the name through which it was reached.

    Attributes
    ----------
    row
        The row of the concept in the knowledge base.
    name_id
        The id of the name.
    score
        The score by which concepts are ranked; what it is depends on the linker.
    probability
        In [0, 1].
    """

    row: int
    name_id: int
    score: float
    probability: float


def fill_in(
    candidates: Candidates, scored: np.ndarray, sums: np.ndarray, lengths: np.ndarray
) -> None:
    """Write the features of generation into the candidates.

    A name that was not scored gets the lowest values of the names that were.

    Parameters
    ----------
    candidates
        The candidates; their features are changed in place.
    scored
        The ids of the names that were scored, in ascending order.
    sums, lengths
        The log-probability of each of these names and its number of tokens.
    """
    if not len(candidates.rows) or not len(scored):
        return
    indices = np.minimum(np.searchsorted(scored, candidates.name_ids), len(scored) - 1)
    known = scored[indices] == candidates.name_ids
    for name, values in (("generation_sum", sums), ("generation_mean", sums / lengths)):
        column = np.where(known, values[indices], 0.0)
        if known.any():
            column[~known] = column[known].min()
        candidates.features[:, column_of(name)] = column


def by_concept(candidates: Candidates, scores: np.ndarray, nil: float) -> list[RankedConcept]:
    """Rank concepts by the total probability of their names.

    The probabilities are a softmax over the candidates and NIL. Each concept is returned with the
    name that has its highest score.

    Parameters
    ----------
    candidates
        The candidates of one mention; at least one.
    scores
        The score of each candidate.
    nil
        The score of NIL.

    Returns
    -------
    The concepts, most probable first; ties are broken by the row.
    """
    top = max(float(scores.max()), nil)
    weights = np.exp(scores - top)
    total = float(weights.sum()) + math.exp(nil - top)
    by_row: dict[int, tuple[float, float, int]] = {}
    for index in np.lexsort((candidates.name_ids, -scores)):
        row, weight = int(candidates.rows[index]), float(weights[index])
        if row in by_row:
            mass, score, name_id = by_row[row]
            by_row[row] = (mass + weight, score, name_id)
        else:
            by_row[row] = (weight, float(scores[index]), int(candidates.name_ids[index]))
    ranked = sorted(by_row.items(), key=lambda item: (-item[1][0], item[0]))
    return [
        RankedConcept(row, name_id, math.log(mass / total) if mass > 0 else -math.inf, mass / total)
        for row, (mass, _, name_id) in ranked
    ]
