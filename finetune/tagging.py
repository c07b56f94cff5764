"""Training of the recogniser (:mod:`biolink.infer.mentions.tagger`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from biolink.infer.seen_documents import write_seen_documents
from biolink.kb import KnowledgeBase
from biolink.kb.model_files import TAGGER, stop_names_of
from biolink.pretrain.training.checkpoints import Report
from biolink.pretrain.training.order import shuffled
from biolink.pretrain.training.running import Numbered, Optimisation, run_training
from biolink.pretrain.training.settings import at_least, field_table
from biolink.pretrain.training.start import check_start, extend_model

__all__ = [
    "Recognising",
    "Tagged",
    "partial_nll",
    "recogniser_optimisation",
    "run_recognising",
    "tagged",
    "tagging",
    "third",
    "train_tagger",
]

_SAVED = 100  # The number of steps between checkpoints.


@dataclass(frozen=True, slots=True)
class Recognising:
    """Settings for training a recogniser on annotated documents.

    Attributes
    ----------
    out
        Output folder; a copy of the linking model with the recogniser is written to ``out/model``,
        checkpoints to ``out/run``.
    model
        Linking model on which the recogniser is built; it is not changed.
    kb
        Knowledge base whose names are the recogniser's dictionary.
    train
        Annotated documents in any format that can be read.
    types
        The types to recognise. A single type stands for all mentions, whatever their types.
    steps, batch_size, lr, seed
        Number of steps, windows of a step, learning rate and seed. New weights, which the model
        does not have, are trained with ten times the learning rate. Defaults: 600, 32, 3e-4, 0.
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
    """The word pieces of a document, with the labels that each may have.

    Attributes
    ----------
    pieces
        The word pieces.
    allowed
        bool [pieces, labels]: the labels that a piece may have. It is one label, except outside the
        mentions of a corpus that does not mark all types; there the labels of the types that it
        does not mark are allowed as well.
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
    """Return the documents of a corpus as training texts.

    Parameters
    ----------
    documents
        The documents.
    marked
        The types that the corpus marks.
    tokenizer
        The tokeniser of the model.
    dictionary
        The recogniser whose mentions are features of the pieces.
    types
        The types to recognise.
    """
    labels = labels_of(types)
    unmarked = [i for i, label in enumerate(labels) if label != "O" and label[2:] not in marked]
    result = []
    for document in documents:
        pieces = pieces_of(document, tokenizer, dictionary, types)
        spans = typed_spans(document.mentions, types)
        annotated = label_spans(pieces.offsets, spans, types)
        allowed = np.zeros((len(annotated), len(labels)), dtype=bool)
        allowed[np.arange(len(annotated)), annotated] = True
        outside = np.flatnonzero(annotated == 0)
        allowed[np.ix_(outside, np.array(unmarked, dtype=int))] = True
        result.append(Tagged(pieces, allowed))
    return result


def partial_nll(scores: Tensor, allowed: Tensor) -> Tensor:
    """Return the negative log-likelihood of the labels that tokens may have, as a mean over tokens.

    Parameters
    ----------
    scores
        [tokens, labels].
    allowed
        bool [tokens, labels]; tokens without an allowed label are left out.
    """
    known = allowed.any(1)
    scores, allowed = scores[known].float(), allowed[known]
    right = torch.logsumexp(scores.masked_fill(~allowed, torch.finfo(scores.dtype).min), 1)
    return (torch.logsumexp(scores, 1) - right).mean()


def train_tagger(
    model: Any,
    texts: Sequence[Tagged],
    folder: Path,
    settings: Optimisation,
    *,
    shared: int = 2,
    types: Sequence[str] = TYPES,
    stage: Any = None,
    report: Report = lambda record: None,
) -> Tagger:
    """Train a tagger on windows of texts, or continue after an interruption.

    The tagger is trained on the device of the model.

    Parameters
    ----------
    model
        The model whose encoder the tagger uses.
    texts
        The training texts.
    folder
        The folder of the checkpoints.
    settings
        Length and speed of the training. New weights, which the model does not have, are trained
        with ten times the learning rate.
    shared, types
        As in :class:`biolink.infer.mentions.tagger.Tagger`.
    stage
        A dataclass with all settings. Default: ``settings``.
    report
        Called with each line of the log.
    """
    torch.manual_seed(settings.seed)
    device = next(model.parameters()).device
    tagger = Tagger(model, shared, types).to(device)
    fresh = [*tagger.shapes.parameters(), *tagger.covered.parameters(), *tagger.head.parameters()]
    known = {id(p) for p in fresh}
    layers = [p for p in tagger.parameters() if p.requires_grad and id(p) not in known]
    windows = [(text, at) for text in texts for at in window_begins(len(text.pieces.ids))]

    def make(number: int) -> tuple[Tagged, int]:
        return windows[shuffled(number, len(windows), settings.seed)]

    def collate_windows(drawn: Sequence[tuple[Tagged, int]]) -> dict[str, Tensor]:
        rows = [window_of(text.pieces, at, tagger.special) for text, at in drawn]
        ids, mask, shapes, covered = collate(rows, tagger.special[2], "cpu")
        allowed = torch.zeros(*ids.shape, len(tagger.labels), dtype=torch.bool)
        for number, ((text, at), row) in enumerate(zip(drawn, rows, strict=True)):
            size = len(row[0]) - 2
            allowed[number, 1 : 1 + size] = torch.from_numpy(text.allowed[at : at + size])
        return {"ids": ids, "mask": mask, "shapes": shapes, "covered": covered, "allowed": allowed}

    run_training(
        tagger, Numbered(2**62, make), collate_windows, tagging, settings, folder,
        {"use_cpu": device.type == "cpu"}, (), report, by_tokens=False,
        stage=settings if stage is None else stage,
        groups=[{"params": layers}, {"params": fresh, "lr": 10 * settings.lr}],
    )  # fmt: skip
    return tagger.eval()


def tagging(model: Any, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
    """Compute the loss of taggers and readers on a batch; see :func:`partial_nll`."""
    scores = model(batch["ids"], batch["mask"], batch["shapes"], batch["covered"])
    return partial_nll(scores.flatten(0, 1), batch["allowed"].flatten(0, 1)), {}


def recogniser_optimisation(
    steps: int, batch_size: int, lr: float, seed: int, device: str
) -> Optimisation:
    """Return the length and speed of a recogniser's training, which uses bfloat16 on a GPU."""
    return Optimisation(
        steps=steps,
        batch_size=batch_size,
        lr=lr,
        schedule="linear",
        warmup=0.1,
        epsilon=1e-8,
        clip=1.0,
        seed=seed,
        precision="bf16" if device == "cuda" else "fp32",
        save_every=_SAVED,
    )


def third(model: Any) -> int:
    """Return a third of a model's encoder layers, the number that a classifier on it shares."""
    return len(model.get_encoder().layers) // 3


def run_recognising(
    settings: Recognising,
    documents: Sequence[Document],
    report: Report = lambda record: None,
) -> Path:
    """Train a recogniser, or continue its training, and return the folder of the model with it.

    Parameters
    ----------
    settings
        All settings of the training.
    documents
        The documents of ``settings.train``, in which all mentions of the types must be annotated.
    report
        Called with each line of the log.
    """
    check_start(settings.out)
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
    model = linking.backbone.model
    tagger = train_tagger(
        model,
        texts,
        settings.out / "run",
        recogniser_optimisation(
            settings.steps,
            settings.batch_size,
            settings.lr,
            settings.seed,
            next(model.parameters()).device.type,
        ),
        shared=third(model),
        types=types,
        stage=settings,
        report=report,
    )
    tagger.kb = kb.base.fingerprint
    folder = settings.out / "model"
    record = {"stage": "Recognising", **field_table(settings)}

    def write(to: Path) -> None:
        tagger.save(to / TAGGER)
        write_seen_documents(to, documents)

    extend_model(folder, settings.model, record, write)
    return folder
