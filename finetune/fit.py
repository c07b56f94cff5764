"""Fitting the weights of the combined score on development data.

The loss is the negative log-likelihood of the right candidates under a softmax over the candidates
of a mention and NIL; NIL is right if no candidate is. The probabilities are therefore calibrated on
the data of the fit. The order of the candidates before ranking is one point of the search space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from biolink.infer.rank.combined import DENSE_SHARE
from biolink.infer.rank.features import FEATURES, Candidates, nil_features

__all__ = ["Fit", "fit_weights", "hits", "likeliest_weights"]

#: The weights of the candidates' own order, by cosines of n-grams and of embeddings.
CANDIDATE_ORDER = np.array(
    [{"lexical": 20.0, "dense": 20.0 * DENSE_SHARE}.get(name, 0.0) for name in FEATURES]
)


@dataclass(frozen=True, slots=True)
class Fit:
    """Fitted weights, and the Recall@1 that they reach.

    Attributes
    ----------
    weights, nil_weights
        Weights for :class:`biolink.infer.rank.ranker.Ranker`.
    held_out
        Share of mentions whose best candidate is right, by two-fold cross-validation.
    candidate_order
        The same share for the candidates' own order.
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
    """Fit the weights of candidates and of NIL.

    If the fitted weights are worse than the candidates' own order on held-out data, that order is
    kept, and only the weights of NIL are fitted, so that NIL's probabilities fit that order.

    Parameters
    ----------
    candidates
        The candidates of each development mention.
    gold
        Rows of the gold concepts of each mention; empty for NIL.
    folds
        0 or 1 for each mention, the same within a document.
    counts
        The weight of each mention, for example how often it occurs.
    used
        Names of the features to use; others get the weight 0. Default: all.
    l2
        The weight of the squared norm of the weights. Default: 1e-5.
    """
    used_mask = np.array([name in used for name in FEATURES])
    weighing = np.asarray(counts, dtype=float)
    rights = 0.0
    for fold in (0, 1):
        train = [i for i, f in enumerate(folds) if f != fold]
        test = [i for i, f in enumerate(folds) if f == fold]
        weights, _ = _minimise(
            [candidates[i] for i in train], [gold[i] for i in train], weighing[train], used_mask, l2
        )
        right = hits([candidates[i] for i in test], [gold[i] for i in test], weights)
        rights += float(right @ weighing[test])
    held_out = rights / max(1.0, weighing.sum())
    plain = float(np.average(hits(candidates, gold, CANDIDATE_ORDER), weights=weighing))
    weights, nil_weights = _minimise(candidates, gold, weighing, used_mask, l2)
    if held_out < plain:
        weights, nil_weights = _minimise(candidates, gold, weighing, used_mask, l2, CANDIDATE_ORDER)
    return Fit(weights, nil_weights, held_out, plain)


def hits(
    candidates: Sequence[Candidates], gold: Sequence[Sequence[int]], weights: np.ndarray
) -> np.ndarray:
    """bool [mentions]: whether the best candidate is a gold concept."""
    result = np.zeros(len(candidates), dtype=bool)
    for i, (of_mention, rows) in enumerate(zip(candidates, gold, strict=True)):
        if len(of_mention.rows):
            best = np.lexsort((of_mention.name_ids, -(of_mention.features @ weights)))[0]
            result[i] = int(of_mention.rows[best]) in rows
    return result


def _minimise(
    candidates: Sequence[Candidates],
    gold: Sequence[Sequence[int]],
    weighing: np.ndarray,
    used_mask: np.ndarray,
    l2: float,
    fixed: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    return likeliest_weights(
        [of_mention.features for of_mention in candidates],
        [
            np.isin(of_mention.rows, list(rows))
            for of_mention, rows in zip(candidates, gold, strict=True)
        ],
        np.stack([nil_features(of_mention) for of_mention in candidates]),
        weighing,
        used_mask,
        l2,
        fixed,
    )


def likeliest_weights(
    candidates: Sequence[np.ndarray],
    right: Sequence[np.ndarray],
    nil: np.ndarray,
    counts: np.ndarray,
    used: np.ndarray | None = None,
    l2: float = 1e-5,
    fixed: np.ndarray | None = None,
    around: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of candidates and of NIL under which the right ones are the likeliest.

    Parameters
    ----------
    candidates
        float [candidates, features] for each mention.
    right
        bool [candidates] for each mention: whether the candidate is right. If none is, NIL is.
    nil
        float [mentions, NIL features].
    counts
        The weight of each mention.
    used
        bool [features]: the features that are used; the others get the weight 0. Default: all.
    l2
        The weight of the squared norm of the weights. Default: 1e-5.
    fixed
        float [features]: weights of the candidates that are kept; then only those of NIL are
        fitted. Default: None.
    around
        Weights of candidates and of NIL from which the penalty counts, instead of from 0. Default:
        None.
    """
    features, present, good_ones = _padded(candidates, right)
    width = features.shape[2]
    of_nil = torch.from_numpy(np.asarray(nil, dtype=np.float64))
    nil_right = ~good_ones.any(1)
    importance = torch.from_numpy(counts / counts.mean())
    mask = torch.ones(width, dtype=torch.float64)
    if used is not None:
        mask = torch.from_numpy(used.astype(np.float64))
    # Features are standardised, so that the penalty treats them alike.
    spread = features[present].std(0).clamp(min=1e-6)
    start, nil_start = (None, None) if around is None else map(torch.from_numpy, around)
    weights = torch.zeros(width, dtype=torch.float64, requires_grad=True)
    nil_weights = torch.zeros(of_nil.shape[1], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [nil_weights] if fixed is not None else [weights, nil_weights],
        max_iter=300,
        line_search_fn="strong_wolfe",
        history_size=20,
    )
    lowest = torch.finfo(torch.float64).min

    def used_weights() -> Tensor:
        if fixed is not None:
            return torch.from_numpy(fixed)
        change = weights * mask / spread
        return change if start is None else start + change

    def used_nil_weights() -> Tensor:
        return nil_weights if nil_start is None else nil_start + nil_weights

    def closure() -> Tensor:
        optimiser.zero_grad()
        scores = features @ used_weights()
        nil_scores = of_nil @ used_nil_weights()
        every = torch.cat([scores.masked_fill(~present, lowest), nil_scores[:, None]], 1)
        good = torch.cat(
            [
                scores.masked_fill(~good_ones, lowest),
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
    return used_weights().detach().numpy(), used_nil_weights().detach().numpy()


def _padded(
    candidates: Sequence[np.ndarray], right: Sequence[np.ndarray]
) -> tuple[Tensor, Tensor, Tensor]:
    """The features [mentions, candidates, features], and which candidates exist and are right."""
    most = max((len(of_mention) for of_mention in candidates), default=0)
    count, width = len(candidates), next((c.shape[1] for c in candidates), 0)
    features = torch.zeros(count, most, width, dtype=torch.float64)
    present = torch.zeros(count, most, dtype=torch.bool)
    good_ones = torch.zeros(count, most, dtype=torch.bool)
    for i, (of_mention, here) in enumerate(zip(candidates, right, strict=True)):
        size = len(of_mention)
        features[i, :size] = torch.from_numpy(of_mention)
        present[i, :size] = True
        good_ones[i, :size] = torch.from_numpy(here)
    return features, present, good_ones
