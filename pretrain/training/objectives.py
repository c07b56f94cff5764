"""The objectives of training: functions of a transformers model and a batch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from biolink.pretrain.training.losses import IGNORED, preference, sequence_log_probs, smoothed_nll

__all__ = ["Objective", "generation", "logits_of", "predictions", "preferences"]

#: A function of a model and a batch that returns the loss, and figures for the log.
Objective = Callable[[Any, Mapping[str, Any]], tuple[Tensor, Mapping[str, float | Tensor]]]


def logits_of(model: Any, batch: Mapping[str, Tensor]) -> Tensor:
    """Return the logits [rows, T, vocabulary] of a batch for generation."""
    output = model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        decoder_input_ids=batch["decoder_input_ids"],
        use_cache=False,
    )
    logits: Tensor = output.logits
    return logits


def predictions(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return log-probabilities [predictions, vocabulary] and targets of labels not ignored."""
    wanted = labels != IGNORED
    return torch.log_softmax(logits[wanted].float(), -1), labels[wanted]


def generation(
    smoothing: float, form: Literal["fairseq", "huggingface"] = "huggingface"
) -> Objective:
    """Return the objective of generation, the label-smoothed likelihood of the target."""

    def objective(model: Any, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        log_probs, targets = predictions(logits_of(model, batch), batch["labels"])
        loss = smoothed_nll(log_probs, targets, smoothing, form)
        nll = -log_probs.detach().gather(1, targets[:, None]).mean()
        return loss, {"nll": float(nll)}

    return objective


def preferences(model: Any, beta: float, likelihood: float = 0.0) -> Objective:
    """Return an objective that prefers the first half of a batch's rows to the second half.

    Parameters
    ----------
    model
        The model before the stage; a frozen copy of it is the reference.
    beta
        See :func:`biolink.pretrain.training.losses.preference`.
    likelihood
        The weight of the likelihood of the right names, which is added to the preference.
    """
    reference = copy.deepcopy(model).eval().requires_grad_(False)

    def objective(model: Any, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        labels = batch["labels"]
        reference.to(labels.device)
        now = sequence_log_probs(logits_of(model, batch), labels)
        with torch.no_grad():
            before = sequence_log_probs(logits_of(reference, batch), labels)
        half = len(labels) // 2
        loss = preference(now[:half], now[half:], before[:half], before[half:], beta)
        parts = {"preferred": float((now[:half] > now[half:]).float().mean())}
        if likelihood:
            tokens = (labels[:half] != IGNORED).sum()
            loss = loss - likelihood * now[:half].sum() / tokens
        return loss, parts

    return objective
