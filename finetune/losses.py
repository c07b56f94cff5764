"""Training objectives."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["info_nce", "listwise", "smoothed_nll"]


def smoothed_nll(log_probs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Cross entropy with label smoothing over the vocabulary, mean over predictions.

    Parameters
    ----------
    log_probs
        [predictions, vocabulary].
    targets
        [predictions].
    """
    nll = -log_probs.gather(1, targets[:, None])[:, 0]
    return ((1 - smoothing) * nll - smoothing * log_probs.mean(1)).mean()


def listwise(scores: Tensor, present: Tensor, temperature: float = 1.0) -> Tensor:
    """Softmax over the names of each mention, the first of which is right.

    Parameters
    ----------
    scores
        [mentions, names].
    present
        bool of the same shape: False where a mention has fewer names.
    """
    masked = (scores / temperature).masked_fill(~present, torch.finfo(scores.dtype).min)
    return -torch.log_softmax(masked, 1)[:, 0].mean()


def info_nce(first: Tensor, second: Tensor, owners: Tensor, temperature: float) -> Tensor:
    """Contrast of synonym pairs within a batch, in both directions (SapBERT, NAACL 2021).

    Parameters
    ----------
    first, second
        Unit vectors [pairs, d].
    owners
        [pairs]: concept of each pair; other pairs of the same concept are no negatives.
    """
    scores = first @ second.T / temperature
    same = owners[:, None] == owners[None, :]
    same.fill_diagonal_(False)
    scores = scores.masked_fill(same, torch.finfo(scores.dtype).min)
    labels = torch.arange(len(first), device=first.device)
    return (F.cross_entropy(scores, labels) + F.cross_entropy(scores.T, labels)) / 2
