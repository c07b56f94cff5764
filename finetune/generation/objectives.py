"""The objective of fine-tuning: generation with regularisers, whose weights are settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from biolink.kb.trie import NameTrie
from biolink.pretrain.training.losses import consistency, smoothed_nll, unlikelihood
from biolink.pretrain.training.objectives import Objective, logits_of, predictions

__all__ = ["fine_tuning", "wrong_continuations"]


def wrong_continuations(trie: NameTrie, labels: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return the wrong tokens that the trie allows in place of each target token.

    Parameters
    ----------
    trie
        The trie of the names.
    labels
        Target ids of each row (name and end token).

    Returns
    -------
    Numbers of predictions, counted through all rows, and a wrong token for each.
    """
    rows: list[np.ndarray] = []
    tokens: list[np.ndarray] = []
    number = 0
    for target in labels:
        node: int | None = 0
        for token in target:
            if node is not None:
                children, first = trie.children(node)
                wrong = children[children != token].astype(np.int64)
                rows.append(np.full(len(wrong), number))
                tokens.append(wrong)
                child = np.flatnonzero(children == token)
                node = first + int(child[0]) if len(child) else None
            number += 1
    if not rows:
        return torch.empty(0, dtype=torch.long), torch.empty(0, dtype=torch.long)
    return torch.from_numpy(np.concatenate(rows)), torch.from_numpy(np.concatenate(tokens))


def fine_tuning(
    smoothing: float,
    form: Literal["fairseq", "huggingface"],
    r_drop: float = 0.0,
    unlikely: float = 0.0,
) -> Objective:
    """Return the objective: label-smoothed likelihood, R-Drop and unlikelihood.

    Parameters
    ----------
    smoothing, form
        See :func:`biolink.pretrain.training.losses.smoothed_nll`.
    r_drop
        Weight of the divergence of two dropout passes over the same batch.
    unlikely
        Weight of the unlikelihood of ``wrong_rows`` and ``wrong_tokens`` in the batch.
    """

    def objective(model: Any, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        log_probs, targets = predictions(logits_of(model, batch), batch["labels"])
        loss = smoothed_nll(log_probs, targets, smoothing, form)
        nll = -log_probs.detach().gather(1, targets[:, None]).mean()
        parts = {"nll": float(nll)}
        if r_drop:
            again, _ = predictions(logits_of(model, batch), batch["labels"])
            divergence = consistency(log_probs, again)
            nlls = loss + smoothed_nll(again, targets, smoothing, form)
            loss = nlls / 2 + r_drop * divergence
            parts["r_drop"] = float(divergence.detach())
        if unlikely:
            wrong = unlikelihood(log_probs, batch["wrong_rows"], batch["wrong_tokens"])
            loss = loss + unlikely * wrong
            parts["unlikelihood"] = float(wrong.detach())
        return loss, parts

    return objective
