"""Synonyms-aware fine-tuning from settings to a model folder (GenBioEL, section 3.2)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import Tensor

from biolink.documents import Document
from biolink.errors import ConfigError
from biolink.finetune.generation.negatives import Pair, mine_pairs, read_pairs, write_pairs
from biolink.finetune.generation.noise import add_hidden_noise
from biolink.finetune.generation.objectives import fine_tuning, wrong_continuations
from biolink.finetune.generation.soft_prompt import add_soft_prompts
from biolink.finetune.generation.validation import Measure, Validation
from biolink.finetune.samples import MentionSample, mention_samples, no_gold
from biolink.finetune.targets import Target, choose_target
from biolink.infer.linkers.mention_linker import Linker
from biolink.infer.mentions.abbreviations import finder
from biolink.infer.network.backbone import Backbone
from biolink.infer.network.model import LinkingModel
from biolink.infer.rank.task import LinkerOptions
from biolink.infer.seen_documents import write_seen_documents
from biolink.kb import KnowledgeBase
from biolink.kb.lexical import LexicalIndex
from biolink.kb.prompt import PromptForm
from biolink.pretrain.training.checkpoints import Report
from biolink.pretrain.training.losses import IGNORED
from biolink.pretrain.training.objectives import preferences
from biolink.pretrain.training.order import shuffled
from biolink.pretrain.training.running import Numbered, Optimisation, run_training
from biolink.pretrain.training.seq2seq import generation_batch
from biolink.pretrain.training.settings import at_least, field_table, share
from biolink.pretrain.training.start import (
    check_start,
    prompt_of,
    save_model,
    source_limit,
    start_from,
)

__all__ = ["FineTuning", "Negatives", "run_fine_tuning", "run_negatives"]


@dataclass(frozen=True, slots=True)
class Negatives:
    """Settings of the second stage, which prefers right names to the model's own wrong names.

    Source: ANGEL (ACL Findings 2025), section 3.3.

    Attributes
    ----------
    top_k
        Number of decoded names among which wrong ones are looked for. Default: 5.
    wrong_names
        The most pairs for a mention. Default: 2.
    beta
        See :func:`biolink.pretrain.training.losses.preference`. Default: 0.1.
    likelihood
        Weight of the likelihood of the right names, which is added to the preference. Default: 0.
    """

    top_k: int = 5
    wrong_names: int = 2
    beta: float = 0.1
    likelihood: float = 0.0

    def __post_init__(self) -> None:
        at_least("top_k", self.top_k, 1)
        at_least("wrong_names", self.wrong_names, 1)
        at_least("beta", self.beta, 0)
        at_least("likelihood", self.likelihood, 0)


@dataclass(frozen=True, slots=True)
class FineTuning:
    """Settings of fine-tuning on annotated documents.

    Attributes
    ----------
    out
        Output folder; the best model is written to ``out/model``, checkpoints to ``out/run``.
    model
        Model folder from which the training starts, a BART or T5 model.
    kb
        Knowledge base, stored or in any readable format. If it is disambiguated (``biolink kb
        disambiguate``), the model learns the names with their distinguishing strings.
    train, dev
        Annotated training and development documents in any format that can be read.
    prompt
        Fields of :class:`biolink.kb.prompt.PromptForm` to change; ``decoder_prompt = ""`` trains
        without a decoder prompt.
    target
        The synonym that is taught; see :data:`biolink.finetune.targets.Target`. Default: ``tfidf``.
    abbreviations
        How abbreviations are expanded in training and development documents:
        ``schwartz-hearst`` (the default), ``scispacy``, ``auto`` or ``none``.
    label_smoothing, smoothing_form
        See :func:`biolink.pretrain.training.losses.smoothed_nll`.
    r_drop
        Weight of R-Drop; with 0, the default, there is only one pass.
    unlikelihood
        Weight of the unlikelihood of wrong continuations in the trie. Default: 0.
    hidden_noise, hidden_noise_scale
        Noise of HyPe, ``none`` (the default), ``normal`` or ``uniform``, and its scale.
    soft_prompt
        Number of new prompt tokens for encoder and decoder each; all other weights are frozen.
        With 0, the default, there is no soft prompt.
    freeze_decoder
        Whether only the encoder is trained, with the weights that it shares. Default: False.
    dropout
        Dropout of hidden states and attention. Default: 0.1.
    evaluate_every
        Number of steps between evaluations on the development documents. Default: 500.
    patience
        Number of evaluations without improvement after which training stops. With 0, the default,
        it does not stop early.
    negatives
        Settings of the second stage (``biolink finetune --negatives``).
    training, trainer
        As for :class:`biolink.pretrain.stages.Denoising`.
    """

    out: Path
    model: Path
    kb: Path
    train: tuple[Path, ...]
    training: Optimisation
    dev: tuple[Path, ...] = ()
    prompt: dict[str, Any] = field(default_factory=dict)
    target: Target = "tfidf"
    abbreviations: Literal["schwartz-hearst", "scispacy", "auto", "none"] = "schwartz-hearst"
    label_smoothing: float = 0.1
    smoothing_form: Literal["fairseq", "huggingface"] = "fairseq"
    r_drop: float = 0.0
    unlikelihood: float = 0.0
    hidden_noise: Literal["none", "normal", "uniform"] = "none"
    hidden_noise_scale: float = 1e-5
    soft_prompt: int = 0
    freeze_decoder: bool = False
    dropout: float = 0.1
    evaluate_every: int = 500
    patience: int = 0
    negatives: Negatives = field(default_factory=Negatives)
    trainer: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        share("label_smoothing", self.label_smoothing)
        share("dropout", self.dropout)
        for name in ("r_drop", "unlikelihood", "hidden_noise_scale", "soft_prompt", "patience"):
            at_least(name, getattr(self, name), 0)
        at_least("evaluate_every", self.evaluate_every, 1)
        if not self.train:
            raise ConfigError("train is empty; expected one file or more")
        if self.freeze_decoder and self.soft_prompt:
            raise ConfigError("freeze_decoder and soft_prompt exclude each other; expected one")


@dataclass
class _Parts:
    """The model, data and linker that both stages need."""

    settings: FineTuning
    model: Any
    tokenizer: Any
    form: PromptForm
    kb: KnowledgeBase
    index: LexicalIndex
    linker: Linker
    samples: list[MentionSample]
    documents: Sequence[Document]

    def batch(
        self, sources: Sequence[str], mentions: Sequence[str], names: Sequence[str]
    ) -> dict[str, Tensor]:
        config = self.model.config
        return generation_batch(
            self.tokenizer,
            self.form,
            sources,
            mentions,
            names,
            config.decoder_start_token_id,
            config.eos_token_id,
            source_limit(config),
        )

    def save(self, stage: str) -> None:
        record = {"stage": stage, **field_table(self.settings)}
        folder, before = self.settings.out / "model", self.settings.model
        save_model(
            folder, self.model, self.tokenizer, self.form, record, before,
            lambda to: write_seen_documents(to, self.documents),
        )  # fmt: skip


def _prepare(
    settings: FineTuning, documents: Sequence[Document], development: Sequence[Document]
) -> _Parts:
    check_start(settings.out)
    model, tokenizer = start_from(settings.model, {}, None, settings.dropout)
    form = prompt_of(settings.model, settings.prompt)
    if settings.soft_prompt:
        seed = settings.training.seed
        form = add_soft_prompts(model, tokenizer, form, settings.soft_prompt, seed)
    if settings.freeze_decoder:
        shared = {id(p) for p in model.get_encoder().parameters()}
        for parameter in model.parameters():
            parameter.requires_grad_(id(parameter) in shared)
    kb = KnowledgeBase.read(settings.kb)
    index = LexicalIndex.build(kb)
    find = finder(settings.abbreviations)
    samples = [s for s in mention_samples(documents, kb, form, find) if s.rows]
    if not samples:
        raise no_gold(settings.train)
    options = LinkerOptions(
        method="generate", abbreviations=settings.abbreviations, top_k=settings.negatives.top_k
    )
    linking = LinkingModel(Backbone(model), tokenizer, form)
    return _Parts(
        settings, model, tokenizer, form, kb, index, Linker(linking, kb, options), samples,
        [*documents, *development],
    )  # fmt: skip


def _hooks(
    parts: _Parts, development: Sequence[Document], measure: Measure, report: Report, stage: str
) -> list[Validation]:
    if not development:
        return []
    settings = parts.settings
    run = settings.out / "run"
    run.mkdir(parents=True, exist_ok=True)
    return [
        Validation(
            parts.linker,
            list(development),
            measure,
            settings.evaluate_every,
            settings.patience,
            run / "validation.json",
            lambda: parts.save(stage),
            report,
        )
    ]


def run_fine_tuning(
    settings: FineTuning,
    documents: Sequence[Document],
    development: Sequence[Document],
    measure: Measure,
    report: Report = lambda record: None,
) -> Path:
    """Fine-tune, or continue after an interruption, and return the folder of the best model.

    Parameters
    ----------
    settings
        All settings of the training.
    documents, development
        The documents of ``settings.train`` and ``settings.dev``.
    measure
        A function from linked development documents and the knowledge base to the figure by which
        the best model is chosen, such as strict Recall@1. Without development documents the last
        model is written.
    report
        Called with each line of the log.
    """
    parts = _prepare(settings, documents, development)
    if settings.hidden_noise != "none":
        add_hidden_noise(parts.model, settings.hidden_noise, settings.hidden_noise_scale)
    training = settings.training
    if settings.soft_prompt:
        training = replace(training, weight_decay=0.0)
    samples, seed = parts.samples, training.seed

    def make(number: int) -> tuple[MentionSample, str]:
        index = shuffled(number, len(samples), seed)
        sample = samples[index]
        rng = random.Random(f"{seed}:{number // len(samples)}:{index}")
        kind, kb = settings.target, parts.kb
        name, _ = choose_target(kind, sample.mention, sample.rows, kb, parts.index, rng)
        return sample, name

    def collate(rows: Sequence[tuple[MentionSample, str]]) -> dict[str, Tensor]:
        batch = parts.batch(
            [s.source for s, _ in rows], [s.mention for s, _ in rows], [name for _, name in rows]
        )
        if settings.unlikelihood:
            labels = [
                np.asarray(row)[np.asarray(row) != IGNORED].tolist() for row in batch["labels"]
            ]
            wrong = wrong_continuations(parts.linker.trie, labels)
            batch["wrong_rows"], batch["wrong_tokens"] = wrong
        return batch

    objective = fine_tuning(
        settings.label_smoothing, settings.smoothing_form, settings.r_drop, settings.unlikelihood
    )
    hooks = _hooks(parts, development, measure, report, "FineTuning")
    run_training(
        parts.model, Numbered(2**62, make), collate, objective, training, settings.out / "run",
        settings.trainer, hooks, report, stage=settings,
    )  # fmt: skip
    if not development:
        parts.save("FineTuning")
    return settings.out / "model"


def run_negatives(
    settings: FineTuning,
    documents: Sequence[Document],
    development: Sequence[Document],
    measure: Measure,
    report: Report = lambda record: None,
) -> Path:
    """Run the second stage; ``settings.model`` is the model of the first stage.

    The pairs are decoded once and stored in ``out/pairs.jsonl``. The parameters are those of
    :func:`run_fine_tuning`.
    """
    parts = _prepare(settings, documents, development)
    file = settings.out / "pairs.jsonl"
    if not file.exists():
        settings.out.mkdir(parents=True, exist_ok=True)
        rng = random.Random(settings.training.seed)
        targets = [
            choose_target("tfidf", s.mention, s.rows, parts.kb, parts.index, rng)[0]
            for s in parts.samples
        ]
        write_pairs(
            file,
            mine_pairs(
                parts.linker,
                parts.samples,
                targets,
                settings.negatives.wrong_names,
                report=lambda done, size: report({"decoded": done, "of": size}),
            ),
        )
    pairs = read_pairs(file)
    if not pairs:
        raise ConfigError(
            "the model makes no mistake on the training mentions, so there is nothing to learn"
        )
    report({"pairs": len(pairs)})
    seed = settings.training.seed

    def collate(rows: Sequence[Pair]) -> dict[str, Tensor]:
        return parts.batch(
            [pair.source for pair in rows] * 2,
            [pair.mention for pair in rows] * 2,
            [pair.right for pair in rows] + [pair.wrong for pair in rows],
        )

    chosen = settings.negatives
    objective = preferences(parts.model, chosen.beta, chosen.likelihood)
    dataset = Numbered(2**62, lambda number: pairs[shuffled(number, len(pairs), seed)])
    hooks = _hooks(parts, development, measure, report, "Negatives")
    run_training(
        parts.model, dataset, collate, objective, settings.training, settings.out / "run",
        settings.trainer, hooks, report, by_tokens=False, stage=settings,
    )  # fmt: skip
    if not development:
        parts.save("Negatives")
    return settings.out / "model"
