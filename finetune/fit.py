"""Fitting the weights of the combined score on development data.

The loss is the negative log-likelihood of the right candidates under a softmax over a mention's
candidates and NIL; NIL is right where no candidate is. So the probabilities are calibrated on the
data they were fitted on, and the order of the candidates alone is one point of the search space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from biolink.infer.rank.combined import DENSE_SHARE
from biolink.infer.rank.features import FEATURES, NIL_FEATURES, Candidates, nil_features

__all__ = ["Fit", "fit_weights", "hits"]

#: The candidates' own order: cosines of n-grams and of embeddings.
CANDIDATE_ORDER = np.array(
    [{"lexical": 20.0, "dense": 20.0 * DENSE_SHARE}.get(name, 0.0) for name in FEATURES]
)


@dataclass(frozen=True, slots=True)
class Fit:
    """Fitted weights, and the Recall@1 they reach.

    Attributes
    ----------
    weights, nil_weights
        For :class:`biolink.infer.rank.ranker.Ranker`.
    held_out
        Share of mentions whose best candidate is right, by two-fold cross-validation.
    candidate_order
        The same for the candidates' own order.
    """

    weights: np.ndarray
    nil_weights: np.ndarray
    held_out: float
    candidate_order: float


def fit_weights(
    candidates: Sequence[Candidates],
    gold: Sequence[Sequence[int]],
    folds: Sequence[int],
    counts: Sequence[float],
    used: Sequence[str] = FEATURES,
    l2: float = 1e-5,
) -> Fit:
    """Fit weights; should they lose to the candidates' order on held-out data, keep that order.

    Then NIL's weights are fitted for that order, so that its probabilities stay on one scale.

    Parameters
    ----------
    candidates
        Of each development mention.
    gold
        Rows of its gold concepts; empty for NIL.
    folds
        0 or 1 for each mention, equal within a document.
    counts
        How often each mention occurs: it weighs as much, as it does in any measure.
    used
        Features that take part (others get weight 0).
    """
    kept = np.array([name in used for name in FEATURES])
    weighing = np.asarray(counts, dtype=float)
    rights = 0.0
    for fold in (0, 1):
        train = [i for i, f in enumerate(folds) if f != fold]
        test = [i for i, f in enumerate(folds) if f == fold]
        weights, _ = _minimise(
            [candidates[i] for i in train], [gold[i] for i in train], weighing[train], kept, l2
        )
        right = hits([candidates[i] for i in test], [gold[i] for i in test], weights)
        rights += float(right @ weighing[test])
    held_out = rights / max(1.0, weighing.sum())
    plain = float(np.average(hits(candidates, gold, CANDIDATE_ORDER), weights=weighing))
    weights, nil_weights = _minimise(candidates, gold, weighing, kept, l2)
    if held_out < plain:
        weights, nil_weights = _minimise(candidates, gold, weighing, kept, l2, CANDIDATE_ORDER)
    return Fit(weights, nil_weights, held_out, plain)


def hits(
    candidates: Sequence[Candidates], gold: Sequence[Sequence[int]], weights: np.ndarray
) -> np.ndarray:
    """bool [mentions]: the best candidate is a gold concept."""
    result = np.zeros(len(candidates), dtype=bool)
    for i, (found, rows) in enumerate(zip(candidates, gold, strict=True)):
        if len(found.rows):
            best = np.lexsort((found.name_ids, -(found.features @ weights)))[0]
            result[i] = int(found.rows[best]) in rows
    return result


def _minimise(
    candidates: Sequence[Candidates],
    gold: Sequence[Sequence[int]],
    weighing: np.ndarray,
    kept: np.ndarray,
    l2: float,
    fixed: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    most = max((len(c.rows) for c in candidates), default=0)
    count = len(candidates)
    features = torch.zeros(count, most, len(FEATURES), dtype=torch.float64)
    present = torch.zeros(count, most, dtype=torch.bool)
    right = torch.zeros(count, most, dtype=torch.bool)
    nil = torch.zeros(count, len(NIL_FEATURES), dtype=torch.float64)
    for i, (found, rows) in enumerate(zip(candidates, gold, strict=True)):
        size = len(found.rows)
        features[i, :size] = torch.from_numpy(found.features)
        present[i, :size] = True
        right[i, :size] = torch.from_numpy(np.isin(found.rows, list(rows)))
        nil[i] = torch.from_numpy(nil_features(found))
    nil_right = ~right.any(1)
    importance = torch.from_numpy(weighing / weighing.mean())
    mask = torch.from_numpy(kept.astype(np.float64))
    # Standardised, so that the penalty treats all features alike.
    spread = features[present].std(0).clamp(min=1e-6)
    weights = torch.zeros(len(FEATURES), dtype=torch.float64, requires_grad=True)
    nil_weights = torch.zeros(len(NIL_FEATURES), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [nil_weights] if fixed is not None else [weights, nil_weights],
        max_iter=300,
        line_search_fn="strong_wolfe",
        history_size=20,
    )
    lowest = torch.finfo(torch.float64).min

    def used_weights() -> Tensor:
        return weights * mask / spread if fixed is None else torch.from_numpy(fixed)

    def closure() -> Tensor:
        optimiser.zero_grad()
        scores = features @ used_weights()
        nil_scores = nil @ nil_weights
        every = torch.cat([scores.masked_fill(~present, lowest), nil_scores[:, None]], 1)
        good = torch.cat(
            [
                scores.masked_fill(~right, lowest),
                nil_scores[:, None].masked_fill(~nil_right[:, None], lowest),
            ],
            1,
        )
        losses = torch.logsumexp(every, 1) - torch.logsumexp(good, 1)
        loss = (losses * importance).mean()
        loss = loss + l2 * (weights.square().sum() + nil_weights.square().sum())
        loss.backward()
        return loss

    optimiser.step(closure)
    return used_weights().detach().numpy(), nil_weights.detach().numpy()
