"""Training of the recogniser (:mod:`biolink.infer.mentions.tagger`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from biolink.documents import Document
from biolink.errors import ConfigError
from biolink.infer.mentions.recognise import DictionaryRecogniser
from biolink.infer.mentions.tagger import (
    TYPES,
    WINDOW,
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
from biolink.infer.mentions.word_pieces import CONCEPT, Dictionary, Span
from biolink.infer.network.model import load_model
from biolink.infer.seen_documents import write_seen_documents
from biolink.kb import KnowledgeBase
from biolink.kb.model_files import TAGGER, stop_names_of
from biolink.kb.types import kind_of
from biolink.pretrain.training.checkpoints import Report
from biolink.pretrain.training.order import shuffled
from biolink.pretrain.training.running import Numbered, Optimisation, run_training
from biolink.pretrain.training.settings import at_least, field_table
from biolink.pretrain.training.start import check_start, extend_model

__all__ = [
    "Recognising",
    "Tagged",
    "nothing_unsure",
    "partial_nll",
    "recogniser_optimisation",
    "run_recognising",
    "tagged",
    "tagging",
    "tagging_losses",
    "third",
    "train_tagger",
]

_SAVED = 100  # The number of steps between checkpoints.
_SORTED = 16  # The number of batches whose windows are sorted by length, to save padding.
_PADDED = 32  # The lengths of windows are padded to multiples of this number.
_CONCEPTS = 0.5  # The weight of the loss of concepts beside that of types.


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
        does not mark are allowed as well. If concepts are learned, their labels follow.
    """

    pieces: Pieces
    allowed: np.ndarray


def nothing_unsure(document: Document) -> list[Span]:
    """Return no spans: everything outside of the mentions is certain."""
    return []


def tagged(
    documents: Sequence[Document],
    marked: Sequence[str],
    tokenizer: Any,
    dictionaries: Sequence[Dictionary],
    types: Sequence[str] = TYPES,
    *,
    concepts: Literal["none", "some", "all"] = "none",
    unsure: Callable[[Document], Sequence[Span]] = nothing_unsure,
) -> list[Tagged]:
    """Return the documents of a corpus as training texts.

    Parameters
    ----------
    documents
        The documents.
    marked
        The types that the corpus marks. If there are none, its mentions say nothing about types.
    tokenizer
        The tokeniser of the model.
    dictionaries
        The recognisers whose mentions are features of the pieces.
    types
        The types to recognise.
    concepts
        Whether the mentions are ``all`` concepts of the text, or ``some`` of them, so that nothing
        is known about the rest. With ``none``, concepts are not learned. Default: ``none``.
    unsure
        A function that gives spans in which, outside of the mentions, any of their types may have
        been left out. Default: none.
    """
    result = []
    for document in documents:
        pieces = pieces_of(document, tokenizer, dictionaries, types)
        allowed = _allowed(pieces, document, marked, unsure(document), types)
        if concepts != "none":
            spans = [
                (m.start, m.end, CONCEPT[0])
                for m in document.mentions
                if kind_of(m.type) != "Variant"  # no ontology names variants
            ]
            annotated = label_spans(pieces.offsets, spans, CONCEPT)
            of_concepts = np.eye(len(labels_of(CONCEPT)), dtype=bool)[annotated]
            if concepts == "some":
                of_concepts[annotated == 0] = True
            allowed = np.concatenate([allowed, of_concepts], 1)
        result.append(Tagged(pieces, allowed))
    return result


def _allowed(
    pieces: Pieces,
    document: Document,
    marked: Sequence[str],
    unsure: Sequence[Span],
    types: Sequence[str],
) -> np.ndarray:
    """The labels of types that each piece may have: bool [pieces, labels]."""
    labels = labels_of(types)
    allowed = np.zeros((len(pieces.ids), len(labels)), dtype=bool)
    if not marked:
        allowed[:] = True
        return allowed
    unmarked = [i for i, label in enumerate(labels) if label != "O" and label[2:] not in marked]
    annotated = label_spans(pieces.offsets, typed_spans(document.mentions, types), types)
    allowed[np.arange(len(annotated)), annotated] = True
    outside = np.flatnonzero(annotated == 0)
    allowed[np.ix_(outside, np.array(unmarked, dtype=int))] = True
    for start, end, kind in unsure:
        inside = (pieces.offsets[:, 0] < end) & (pieces.offsets[:, 1] > start)
        of_kind = np.array([labels.index(f"{mark}-{kind}") for mark in "BI"])
        allowed[np.ix_(np.flatnonzero(inside & (annotated == 0)), of_kind)] = True
    return allowed


def partial_nll(scores: Tensor, allowed: Tensor) -> Tensor:
    """Return the negative log-likelihood of the labels that tokens may have, as a mean over tokens.

    Parameters
    ----------
    scores
        [tokens, labels].
    allowed
        bool [tokens, labels]; tokens without an allowed label are left out, and so are tokens with
        all labels allowed, since nothing is known about them. If no token is left, the mean is 0.
    """
    known = allowed.any(1) & ~allowed.all(1)
    scores, allowed = scores[known].float(), allowed[known]
    right = torch.logsumexp(scores.masked_fill(~allowed, torch.finfo(scores.dtype).min), 1)
    return (torch.logsumexp(scores, 1) - right).sum() / max(1, len(scores))


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
    start: Tagger | None = None,
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
        As in :class:`biolink.infer.mentions.tagger.Tagger`. There is a head for concepts if the
        texts have labels of concepts.
    stage
        A dataclass with all settings. Default: ``settings``.
    report
        Called with each line of the log.
    start
        A tagger whose weights the training starts from. Default: None, for the layers of the
        model and new weights.
    """
    torch.manual_seed(settings.seed)
    device = next(model.parameters()).device
    concepts = bool(texts) and texts[0].allowed.shape[1] > len(labels_of(types))
    tagger = Tagger(model, shared, types, concepts).to(device)
    if start is not None:
        tagger.load_state_dict(start.own_state(), strict=False)
    layers = [p for p in tagger.encoder.parameters() if p.requires_grad]
    known = {id(p) for p in layers}
    fresh = [p for p in tagger.parameters() if p.requires_grad and id(p) not in known]
    windows = [(text, at) for text in texts for at in window_begins(len(text.pieces.ids))]
    block = _SORTED * settings.batch_size
    whole = min(WINDOW, max((len(text.pieces.ids) for text in texts), default=0)) + 2

    @lru_cache(maxsize=2)
    def sorted_block(number: int) -> list[tuple[Tagged, int]]:
        """The windows of some batches; those of a batch are of similar lengths."""
        first = number * block
        drawn = [
            windows[shuffled(at, len(windows), settings.seed)] for at in range(first, first + block)
        ]
        drawn.sort(key=lambda window: len(window[0].pieces.ids) - window[1])
        batches = [shuffled(at, _SORTED, settings.seed + number) for at in range(_SORTED)]
        size = settings.batch_size
        return [window for at in batches for window in drawn[at * size : (at + 1) * size]]

    def make(number: int) -> tuple[Tagged, int]:
        return sorted_block(number // block)[number % block]

    def collate_windows(drawn: Sequence[tuple[Tagged, int]]) -> dict[str, Tensor]:
        rows = [window_of(text.pieces, at, tagger.special) for text, at in drawn]
        # Batches of few different sizes, for which a CPU prepares its kernels once.
        longest = max(len(row[0]) for row in rows)
        size = min(_PADDED * math.ceil(longest / _PADDED), whole)
        ids, mask, shapes, covered = collate(rows, tagger.special[2], "cpu", size)
        allowed = torch.zeros(*ids.shape, texts[0].allowed.shape[1], dtype=torch.bool)
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


def tagging(model: Any, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Compute the loss of taggers and readers on a batch; see :func:`partial_nll`."""
    scores = model(batch["ids"], batch["mask"], batch["shapes"], batch["covered"])
    losses = tagging_losses(model, scores, batch["allowed"])
    return torch.stack(list(losses.values())).sum(), losses


def tagging_losses(model: Any, scores: Tensor, allowed: Tensor) -> dict[str, Tensor]:
    """Return the losses of the labels of types and, if they are learned, of concepts.

    Parameters
    ----------
    model
        The tagger.
    scores
        float [texts, tokens, labels].
    allowed
        bool [texts, tokens, labels]; see :func:`partial_nll`.
    """
    scores, allowed = scores.flatten(0, 1), allowed.flatten(0, 1)
    types = len(model.labels)
    losses = {"types": partial_nll(scores[:, :types], allowed[:, :types])}
    if scores.shape[1] > types:
        of_concepts = partial_nll(scores[:, types:], allowed[:, types:])
        losses["concepts"] = _CONCEPTS * of_concepts
    return losses


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
    texts = tagged(documents, types, linking.tokenizer, [dictionary], types)
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
