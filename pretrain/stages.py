"""The two pre-training stages, denoising and KB-guided, from settings to a model folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from biolink.errors import ConfigError
from biolink.kb import KnowledgeBase
from biolink.kb.lexical import LexicalIndex
from biolink.kb.prompt import PromptForm
from biolink.pretrain.denoising import Noise
from biolink.pretrain.kb_guided import Choice, KBGuidedSamples, Sample
from biolink.pretrain.stream import DenoisingStream, Reader, packed_dataset
from biolink.pretrain.training.checkpoints import Report
from biolink.pretrain.training.objectives import generation, preferences
from biolink.pretrain.training.running import Numbered, Optimisation, run_training
from biolink.pretrain.training.seq2seq import denoising_batch, generation_batch
from biolink.pretrain.training.settings import at_least, field_table, share
from biolink.pretrain.training.start import (
    check_start,
    prompt_of,
    save_model,
    source_limit,
    start_from,
)

__all__ = ["Denoising", "KBGuided", "run_denoising", "run_kb_guided"]


@dataclass(frozen=True, slots=True)
class Denoising:
    """Denoising pre-training on plain text (BioBART, section 3).

    Attributes
    ----------
    out
        Output folder; the model is written to ``out/model``, checkpoints to ``out/run``.
    text
        Files of text, JSON Lines, MEDLINE or PubMed XML; each file is a shard.
    training
        Length and speed of the training.
    model
        Model folder from which the training starts. Default: a new model with ``config``.
    config
        transformers' configuration of a new model, or values to change in that of ``model``.
    tokenizer
        Folder of the tokeniser. Default: that of the model.
    length
        Number of tokens of a packed sequence. Default: 512.
    noise
        How text is corrupted.
    dropout
        Dropout of hidden states and attention. Default: 0.1.
    trainer
        Further fields of ``transformers.TrainingArguments`` (DeepSpeed, FSDP).
    """

    out: Path
    text: tuple[Path, ...]
    training: Optimisation
    model: Path | None = None
    config: dict[str, Any] = field(default_factory=dict)
    tokenizer: Path | None = None
    length: int = 512
    noise: Noise = field(default_factory=Noise)
    dropout: float = 0.1
    trainer: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        at_least("length", self.length, 16)
        share("dropout", self.dropout)
        if not self.text:
            raise ConfigError("text is empty; expected one file or more")


@dataclass(frozen=True, slots=True)
class KBGuided:
    """KB-guided pre-training on synthetic synonym samples (GenBioEL, section 3.1).

    Attributes
    ----------
    out, model, config, tokenizer, dropout, training, trainer
        As for :class:`Denoising`.
    kb
        Knowledge base, stored or in any readable format.
    prompt
        Fields of :class:`biolink.kb.prompt.PromptForm` to change.
    choice
        Which synonym is the mention; see :class:`biolink.pretrain.kb_guided.KBGuidedSamples`.
    label_smoothing, smoothing_form
        See :func:`biolink.pretrain.training.losses.smoothed_nll`.
    negatives
        Whether the model learns to prefer the right name to the most similar name of another
        concept (ANGEL, section 3.2), in place of plain generation. Default: False.
    beta
        See :func:`biolink.pretrain.training.losses.preference`. Default: 0.1.
    """

    out: Path
    kb: Path
    training: Optimisation
    model: Path | None = None
    config: dict[str, Any] = field(default_factory=dict)
    tokenizer: Path | None = None
    prompt: dict[str, Any] = field(default_factory=dict)
    choice: Choice = "random"
    label_smoothing: float = 0.1
    smoothing_form: Literal["fairseq", "huggingface"] = "fairseq"
    negatives: bool = False
    beta: float = 0.1
    dropout: float = 0.1
    trainer: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        share("label_smoothing", self.label_smoothing)
        share("dropout", self.dropout)
        at_least("beta", self.beta, 0)


def run_denoising(settings: Denoising, read: Reader, report: Report = lambda record: None) -> Path:
    """Run the stage, or continue it after an interruption, and return the model folder.

    Parameters
    ----------
    settings
        All settings of the stage.
    read
        A function that reads the texts of files (:func:`biolink.texts.read_texts`).
    report
        Called with each line of the log.
    """
    check_start(settings.out)
    model, tokenizer = start_from(
        settings.model,
        settings.config,
        settings.tokenizer,
        settings.dropout,
        settings.training.seed,
    )
    limit = source_limit(model.config)
    if settings.length > limit:
        raise ConfigError(f"length = {settings.length}; expected at most the model's {limit}")
    packed = packed_dataset([str(f) for f in settings.text], read, tokenizer, settings.length)
    stream = DenoisingStream(packed, tokenizer, settings.noise, settings.training.seed)
    start_id = model.config.decoder_start_token_id

    def collate(samples: Sequence[dict[str, list[int]]]) -> dict[str, Tensor]:
        return denoising_batch(
            [s["source"] for s in samples],
            [s["target"] for s in samples],
            tokenizer.pad_token_id,
            start_id,
        )

    run_training(
        model, stream, collate, generation(0.0), settings.training, settings.out / "run",
        settings.trainer, report=report, stage=settings,
    )  # fmt: skip
    return _finish(settings, model, tokenizer, prompt_of(settings.model, {}))


def kb_guided_samples(settings: KBGuided) -> KBGuidedSamples:
    """Return the samples of a stage, for training and for a preview."""
    kb = KnowledgeBase.read(settings.kb)
    index = None
    if settings.negatives or settings.choice != "random":
        index = LexicalIndex.build(kb)
    form = prompt_of(settings.model, settings.prompt)
    return KBGuidedSamples(
        kb, form, settings.training.seed, settings.choice, index, settings.negatives
    )


def run_kb_guided(settings: KBGuided, report: Report = lambda record: None) -> Path:
    """Run the stage, or continue it after an interruption, and return the model folder."""
    check_start(settings.out)
    model, tokenizer = start_from(
        settings.model,
        settings.config,
        settings.tokenizer,
        settings.dropout,
        settings.training.seed,
    )
    samples = kb_guided_samples(settings)
    training = settings.training
    config = model.config
    objective = generation(settings.label_smoothing, settings.smoothing_form)
    if settings.negatives:
        objective = preferences(model, settings.beta)

    def collate(batch: Sequence[Sample]) -> dict[str, Tensor]:
        rows = list(batch)
        names = [s.target for s in rows]
        if settings.negatives:
            # A concept that resembles no other is compared with itself, which changes nothing.
            names += [s.negative or s.target for s in rows]
            rows += rows
        return generation_batch(
            tokenizer,
            samples.form,
            [s.source for s in rows],
            [s.mention for s in rows],
            names,
            config.decoder_start_token_id,
            config.eos_token_id,
            source_limit(config),
        )

    # Processes take whole batches in turn, so together they see the same as one process.
    dataset = Numbered(2**62, samples.in_training)
    run_training(
        model, dataset, collate, objective, training, settings.out / "run", settings.trainer,
        report=report, by_tokens=not settings.negatives, stage=settings,
    )  # fmt: skip
    return _finish(settings, model, tokenizer, samples.form)


def _finish(settings: Denoising | KBGuided, model: Any, tokenizer: Any, form: PromptForm) -> Path:
    folder = settings.out / "model"
    stage = {"stage": type(settings).__name__, **field_table(settings)}
    save_model(folder, model, tokenizer, form, stage, settings.model)
    return folder
