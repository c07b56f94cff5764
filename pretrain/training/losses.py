"""Losses on tensors for the training objectives."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "consistency",
    "info_nce",
    "listwise",
    "preference",
    "sequence_log_probs",
    "smoothed_nll",
    "unlikelihood",
]

#: Label of a position that a loss ignores.
IGNORED = -100


def smoothed_nll(
    log_probs: Tensor,
    targets: Tensor,
    smoothing: float,
    form: Literal["fairseq", "huggingface"] = "huggingface",
) -> Tensor:
    """Return the mean cross entropy over predictions, with label smoothing over the vocabulary.

    Parameters
    ----------
    log_probs
        [predictions, vocabulary].
    targets
        [predictions].
    smoothing
        Epsilon, from 0 to below 1.
    form
        ``huggingface``: (1 - epsilon) nll + epsilon * mean over the vocabulary. ``fairseq``: each
        wrong token gets epsilon / (V - 1), so the right one gets exactly 1 - epsilon.
    """
    nll = -log_probs.gather(1, targets[:, None])[:, 0]
    if form == "fairseq":
        each = smoothing / (log_probs.shape[1] - 1)
        return ((1 - smoothing - each) * nll - each * log_probs.sum(1)).mean()
    return ((1 - smoothing) * nll - smoothing * log_probs.mean(1)).mean()


def consistency(first: Tensor, second: Tensor) -> Tensor:
    """Return the symmetric KL divergence of two dropout passes, as the mean over predictions.

    Source: R-Drop (NeurIPS 2021), equation 2.

    Parameters
    ----------
    first, second
        Log-probabilities [predictions, vocabulary].
    """
    forward = F.kl_div(first, second, log_target=True, reduction="batchmean")
    backward = F.kl_div(second, first, log_target=True, reduction="batchmean")
    return (forward + backward) / 2


def unlikelihood(log_probs: Tensor, rows: Tensor, tokens: Tensor) -> Tensor:
    """Return the unlikelihood loss of tokens that the trie allows but the target does not have.

    Source: unlikelihood training (ICLR 2020), equation 4, over the trie as in GenBioEL's code.

    Parameters
    ----------
    log_probs
        [predictions, vocabulary].
    rows, tokens
        Parallel lists of the prediction and the wrong token.

    Returns
    -------
    The sum of -log(1 - p) over wrong tokens, divided by the number of predictions.
    """
    if not len(rows):
        return log_probs.new_zeros(())
    wrong = log_probs[rows, tokens].exp().clamp(max=1 - 1e-6)
    return -torch.log1p(-wrong).sum() / len(log_probs)


def sequence_log_probs(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the sum of the log-probabilities of each row's labels [rows], without ignored ones.

    Parameters
    ----------
    logits
        [rows, T, vocabulary].
    labels
        [rows, T].
    """
    wanted = labels != IGNORED
    chosen = torch.log_softmax(logits.float(), -1).gather(2, labels.clamp(min=0)[..., None])
    return (chosen[..., 0] * wanted).sum(1)


def preference(
    right: Tensor, wrong: Tensor, right_before: Tensor, wrong_before: Tensor, beta: float
) -> Tensor:
    """Return the loss of direct preference optimisation of right names over wrong ones.

    Source: ANGEL (ACL Findings 2025), section 3.3; DPO (NeurIPS 2023), equation 7.

    Parameters
    ----------
    right, wrong
        Sequence log-probabilities [pairs] under the model.
    right_before, wrong_before
        The same under the model before this stage.
    beta
        The weight of the log-probability ratios; a smaller value lets the model move farther.
    """
    margin = (right - right_before) - (wrong - wrong_before)
    return -F.logsigmoid(beta * margin).mean()


def listwise(scores: Tensor, right: Tensor, present: Tensor) -> Tensor:
    """Return the negative log of the share of right names in a softmax, as the mean over mentions.

    Parameters
    ----------
    scores
        [mentions, names].
    right
        bool [mentions, names]: whether the name is one of the gold concept.
    present
        bool [mentions, names]: False after the last name of a mention that has fewer.
    """
    lowest = torch.finfo(scores.dtype).min
    every = torch.logsumexp(scores.masked_fill(~present, lowest), 1)
    return (every - torch.logsumexp(scores.masked_fill(~right, lowest), 1)).mean()


def info_nce(first: Tensor, second: Tensor, owners: Tensor, temperature: float) -> Tensor:
    """Return the contrastive loss of synonym pairs in a batch, in both directions.

    Source: SapBERT (NAACL 2021).

    Parameters
    ----------
    first, second
        Unit vectors [pairs, d].
    owners
        [pairs]: the concept of each pair; other pairs of the same concept are not negatives.
    temperature
        The divisor of the cosines.
    """
    scores = first @ second.T / temperature
    same = owners[:, None] == owners[None, :]
    same.fill_diagonal_(False)
    scores = scores.masked_fill(same, torch.finfo(scores.dtype).min)
    labels = torch.arange(len(first), device=first.device)
    return (F.cross_entropy(scores, labels) + F.cross_entropy(scores.T, labels)) / 2
