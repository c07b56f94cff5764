"""Training of the recogniser (:mod:`biolink.infer.tagger`)."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from biolink.documents import Document
from biolink.infer.ranker import type_name
from biolink.infer.tagger import (
    LABELS,
    TYPES,
    Pieces,
    Tagger,
    collate,
    label_spans,
    pieces_of,
    window_begins,
    window_of,
)

__all__ = ["Tagged", "partial_nll", "tagged", "train_tagger"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tagged:
    """A document's word pieces with what each may be.

    Attributes
    ----------
    pieces
        The text.
    allowed
        bool [pieces, labels]: one label where the corpus says it; outside the mentions of a corpus
        that marks one type only, also the labels of the other.
    """

    pieces: Pieces
    allowed: np.ndarray


def tagged(
    documents: Sequence[Document],
    marked: Sequence[str],
    tokenizer: Any,
    dictionary: Callable[[Document], Document],
) -> list[Tagged]:
    """Training texts of a corpus.

    Parameters
    ----------
    marked
        Types that the corpus marks.
    """
    names = {type_name(kind): kind for kind in TYPES}
    unmarked = [i for i, label in enumerate(LABELS) if label != "O" and label[2:] not in marked]
    result = []
    for document in documents:
        pieces = pieces_of(document, tokenizer, dictionary)
        spans = [
            (m.start, m.end, names[type_name(m.type)])
            for m in document.mentions
            if type_name(m.type) in names
        ]
        labels = label_spans(pieces.offsets, spans)
        allowed = np.zeros((len(labels), len(LABELS)), dtype=bool)
        allowed[np.arange(len(labels)), labels] = True
        outside = np.flatnonzero(labels == 0)
        allowed[np.ix_(outside, np.array(unmarked, dtype=int))] = True
        result.append(Tagged(pieces, allowed))
    return result


def partial_nll(scores: Tensor, allowed: Tensor) -> Tensor:
    """Negative log-likelihood of the labels that a token may have, mean over tokens.

    Parameters
    ----------
    scores
        [tokens, labels].
    allowed
        bool of the same shape; tokens without any are left out.
    """
    known = allowed.any(1)
    scores, allowed = scores[known].float(), allowed[known]
    right = torch.logsumexp(scores.masked_fill(~allowed, torch.finfo(scores.dtype).min), 1)
    return (torch.logsumexp(scores, 1) - right).mean()


def train_tagger(
    model: Any,
    texts: Sequence[Tagged],
    *,
    steps: int,
    batch: int = 32,
    lr: float = 2e-4,
    seed: int = 0,
    shared: int = 2,
) -> Tagger:
    """Train on windows of the texts; on the device of the model, in bfloat16 on a GPU."""
    torch.manual_seed(seed)
    device = next(model.parameters()).device
    tagger = Tagger(model, shared).to(device).train()
    fresh = [*tagger.shapes.parameters(), *tagger.covered.parameters(), *tagger.head.parameters()]
    known = {id(p) for p in fresh}
    layers = [p for p in tagger.parameters() if p.requires_grad and id(p) not in known]
    optimiser = torch.optim.AdamW(
        [{"params": layers, "lr": lr}, {"params": fresh, "lr": 10 * lr}], weight_decay=0.01
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / (steps / 10), 1 - step / steps)
    )
    windows = [(text, at) for text in texts for at in window_begins(len(text.pieces.ids))]
    special = tagger.special
    total = 0.0
    for step in range(steps):
        rng = random.Random(f"{seed}:{step}")
        part = rng.sample(windows, min(batch, len(windows)))
        rows = [window_of(text.pieces, at, special) for text, at in part]
        ids, mask, shapes, covered = collate(rows, special[2], device)
        allowed = torch.zeros(*ids.shape, len(LABELS), dtype=torch.bool)
        for number, ((text, at), row) in enumerate(zip(part, rows, strict=True)):
            size = len(row[0]) - 2
            allowed[number, 1 : 1 + size] = torch.from_numpy(text.allowed[at : at + size])
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            scores = tagger(ids, mask, shapes, covered)
        loss = partial_nll(scores.flatten(0, 1), allowed.to(device).flatten(0, 1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tagger.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad(set_to_none=True)
        total += float(loss.detach())
        if (step + 1) % 100 == 0:
            log.info("tagger step %d loss %.4f", step + 1, total / 100)
            total = 0.0
    return tagger.eval()
