"""Training of the recogniser (:mod:`biolink.infer.mentions.tagger`)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from biolink.documents import Document
from biolink.errors import ConfigError
from biolink.infer.mentions.recognise import DictionaryRecogniser
from biolink.infer.mentions.tagger import (
    TYPES,
    Pieces,
    Tagger,
    collate,
    label_spans,
    labels_of,
    pieces_of,
    typed_spans,
    window_begins,
    window_of,
)
from biolink.infer.network.model import load_model
from biolink.kb import KnowledgeBase
from biolink.kb.model_files import TAGGER, stop_names_of
from biolink.kb.model_folder import check_model_target
from biolink.pretrain.settings import at_least, field_table
from biolink.pretrain.start import extend_model

__all__ = [
    "Recognising",
    "Tagged",
    "partial_nll",
    "run_recognising",
    "tagged",
    "third",
    "train_tagger",
]

_LOGGED = 50  # steps between lines of the log


@dataclass(frozen=True, slots=True)
class Recognising:
    """Training a recogniser on annotated documents.

    Attributes
    ----------
    out
        The linking model with the recogniser beside it goes to ``out/model``.
    model
        Linking model to build on; it stays as it is.
    kb
        Knowledge base whose names are the recogniser's dictionary.
    train
        Annotated documents in any readable format.
    types
        That are recognised. A single one stands for all mentions, whatever their types.
    steps, batch_size, lr, seed
        Of the training. What is new in the recogniser learns ten times as fast.
    """

    out: Path
    model: Path
    kb: Path
    train: tuple[Path, ...]
    types: tuple[str, ...] = TYPES
    steps: int = 600
    batch_size: int = 32
    lr: float = 3e-4
    seed: int = 0

    def __post_init__(self) -> None:
        at_least("steps", self.steps, 1)
        at_least("batch_size", self.batch_size, 1)
        if not self.lr > 0:
            raise ConfigError(f"lr = {self.lr}; expected a number above 0")
        if not self.train:
            raise ConfigError("train is empty; expected one file or more")
        if not self.types:
            raise ConfigError("types is empty; expected one type or more")


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
    types: Sequence[str] = TYPES,
) -> list[Tagged]:
    """Training texts of a corpus.

    Parameters
    ----------
    marked
        Types that the corpus marks.
    types
        That are recognised.
    """
    labels = labels_of(types)
    unmarked = [i for i, label in enumerate(labels) if label != "O" and label[2:] not in marked]
    result = []
    for document in documents:
        pieces = pieces_of(document, tokenizer, dictionary, types)
        spans = typed_spans(document.mentions, types)
        said = label_spans(pieces.offsets, spans, types)
        allowed = np.zeros((len(said), len(labels)), dtype=bool)
        allowed[np.arange(len(said)), said] = True
        outside = np.flatnonzero(said == 0)
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
    types: Sequence[str] = TYPES,
    report: Callable[[dict[str, Any]], None] = lambda record: None,
) -> Tagger:
    """Train on windows of the texts; on the device of the model, in bfloat16 on a GPU."""
    torch.manual_seed(seed)
    device = next(model.parameters()).device
    tagger = Tagger(model, shared, types).to(device).train()
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
        allowed = torch.zeros(*ids.shape, len(tagger.labels), dtype=torch.bool)
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
        if (step + 1) % _LOGGED == 0:
            report({"step": step + 1, "loss": total / _LOGGED})
            total = 0.0
    return tagger.eval()


def third(model: Any) -> int:
    """A third of a model's encoder layers: what a classifier on it shares with it."""
    return len(model.get_encoder().layers) // 3


def run_recognising(
    settings: Recognising,
    documents: Sequence[Document],
    report: Callable[[dict[str, Any]], None] = lambda record: None,
) -> Path:
    """Train a recogniser; returns the folder of the model that has it.

    Parameters
    ----------
    documents
        The content of ``settings.train``. All of their mentions are taken to be marked.
    """
    check_model_target(settings.out / "model")
    linking = load_model(settings.model)
    kb = KnowledgeBase.read(settings.kb)
    dictionary = DictionaryRecogniser(kb, stop_names_of(linking.folder))
    types = settings.types
    texts = tagged(documents, types, linking.tokenizer, dictionary, types)
    if not any((~text.allowed[:, 0]).any() for text in texts):
        raise ConfigError(
            f"train = {[str(f) for f in settings.train]}; expected mentions of the types "
            f"{list(types)}"
        )
    tagger = train_tagger(
        linking.backbone.model,
        texts,
        steps=settings.steps,
        batch=settings.batch_size,
        lr=settings.lr,
        seed=settings.seed,
        shared=third(linking.backbone.model),
        types=types,
        report=report,
    )
    tagger.kb = kb.base.fingerprint
    folder = settings.out / "model"
    record = {"stage": "Recognising", **field_table(settings)}
    extend_model(folder, settings.model, record, lambda to: tagger.save(to / TAGGER))
    return folder
