"""The training loop: generation, near-misses and synonym contrast in one step.

Every step's batch and dropout depend only on the seed and the step's number, so a run that is
interrupted and resumed gives the weights that an uninterrupted one gives.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from biolink.errors import ConfigError
from biolink.finetune.losses import info_nce, listwise, smoothed_nll
from biolink.finetune.samples import MentionSample, closest_name, near_misses
from biolink.infer.backbone import Backbone, pooled
from biolink.infer.score import name_log_probs, pack
from biolink.kb import KnowledgeBase, normalise_name
from biolink.kb.lexical import LexicalIndex
from biolink.kb.prompt import PromptForm
from biolink.pretrain.kb_guided import KBGuidedSamples

__all__ = ["Stage", "Trainer"]

log = logging.getLogger(__name__)

_NAME_LIMIT = 24  # tokens; longer names are rare systematic chemical names


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of training.

    Attributes
    ----------
    name
        For checkpoints and the log.
    steps
        Optimiser steps.
    mentions, kb_samples
        Annotated mentions and KB-guided samples in a step.
    pairs
        Synonym pairs in a step's contrastive batch; 0 for none.
    mention_pairs
        How many of them are (mention, name) instead of (name, name).
    negatives
        Near-misses scored beside each target; 0 for none.
    lr, encoder_lr
        Peak learning rates of the decoder and of the encoder with its embeddings; they fall
        linearly to zero after a warm-up of 5 % of the steps.
    label_smoothing, temperature
        Of the generation loss and of the contrast.
    """

    name: str
    steps: int
    mentions: int = 0
    kb_samples: int = 0
    pairs: int = 0
    mention_pairs: int = 0
    negatives: int = 0
    lr: float = 3e-4
    encoder_lr: float = 5e-5
    label_smoothing: float = 0.1
    temperature: float = 0.05

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Stage:
        known = {field.name for field in fields(cls)}
        unknown = set(values) - known
        if unknown:
            raise ConfigError(
                f"unknown settings of a stage {sorted(unknown)}: known {sorted(known)}"
            )
        if not values.get("name") or values.get("steps", 0) < 1:
            raise ConfigError("a stage needs a name and at least one step")
        return cls(**values)


class Trainer:
    """Runs stages over a model, with checkpoints.

    Parameters
    ----------
    model, tokenizer, form
        What is trained; changed in place.
    kb, index
        Names and their lexical neighbours.
    mentions
        Annotated samples; those without a concept in the knowledge base are passed over.
    folder
        For checkpoints and ``log.jsonl``.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        form: PromptForm,
        kb: KnowledgeBase,
        index: LexicalIndex,
        mentions: Sequence[MentionSample],
        folder: Path,
        seed: int = 0,
    ) -> None:
        self.model, self.tokenizer, self.form = model, tokenizer, form
        self.backbone = Backbone(model)
        self.kb, self.index = kb, index
        self.folder, self.seed = folder, seed
        self.kb_samples = KBGuidedSamples(kb, form, seed)
        self.mentions = [sample for sample in mentions if sample.rows]
        folder.mkdir(parents=True, exist_ok=True)
        texts = [sample.mention for sample in self.mentions]
        self.targets = [closest_name(s.mention, s.rows, kb, index) for s in self.mentions]
        self.misses = near_misses(texts, [s.rows for s in self.mentions], kb, index, 24)

    # ------------------------------------------------------------------ batches

    def generation_batch(
        self, stage: Stage, rng: random.Random
    ) -> tuple[list[str], list[str], list[list[str]]]:
        """Sources, mentions and names; the first name is the target, the rest near-misses."""
        sources, mentions, names = [], [], []
        for number in rng.sample(
            range(len(self.mentions)), min(stage.mentions, len(self.mentions))
        ):
            sample = self.mentions[number]
            misses = self.misses[number]
            sources.append(sample.source)
            mentions.append(sample.mention)
            wrong = _spread(misses, stage.negatives, rng)
            names.append([self.targets[number][0], *map(self.kb.name_at, wrong)])
        chosen = [
            self.kb_samples[rng.randrange(len(self.kb_samples))] for _ in range(stage.kb_samples)
        ]
        wrong_of = [[] for _ in chosen]  # type: list[list[int]]
        if stage.negatives and chosen:
            texts, rows = [s.mention for s in chosen], [(s.row,) for s in chosen]
            wrong_of = near_misses(texts, rows, self.kb, self.index, 12)
        for kb_sample, misses in zip(chosen, wrong_of, strict=True):
            sources.append(kb_sample.source)
            mentions.append(kb_sample.mention)
            wrong = _spread(misses, stage.negatives, rng)
            names.append([kb_sample.target, *map(self.kb.name_at, wrong)])
        return sources, mentions, names

    def pair_batch(
        self, stage: Stage, rng: random.Random
    ) -> tuple[list[str], list[str], list[int]]:
        """First texts, second texts and concept rows of synonym pairs.

        Three of four name pairs are of concepts whose names look like those of the first, so that
        the batch holds near-misses.
        """
        first: list[str] = []
        second: list[str] = []
        rows: list[int] = []

        def add(row: int, text: str | None = None) -> None:
            names = [name for name in self.kb.concept_at(row).names if normalise_name(name)]
            if names:
                one = text or rng.choice(names)
                others = [n for n in names if _words(n) != _words(one)] or names
                first.append(one)
                second.append(rng.choice(others))
                rows.append(row)

        if self.mentions:
            for _ in range(stage.mention_pairs):
                number = rng.randrange(len(self.mentions))
                add(self.targets[number][1], self.mentions[number].mention)
                for wrong in _spread(self.misses[number], 1, rng):
                    add(self.kb.owners(wrong)[0])
        _, owner_rows, _ = self.kb.ownership
        while len(first) < stage.pairs:
            row = int(owner_rows[rng.randrange(len(owner_rows))])
            add(row)
            misses = near_misses(first[-1:], [[row]], self.kb, self.index, 8)[0]
            for wrong in _spread(misses, 3, rng):
                add(self.kb.owners(wrong)[0])
        return first[: stage.pairs], second[: stage.pairs], rows[: stage.pairs]

    # ------------------------------------------------------------------ steps

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors of names or mentions [texts, d]."""
        encoded = self.tokenizer(
            [normalise_name(t) or t.lower() for t in texts],
            padding=True,
            truncation=True,
            max_length=_NAME_LIMIT,
            return_tensors="pt",
        )
        states = self.backbone.encode(encoded["input_ids"], encoded["attention_mask"])
        return pooled(states, encoded["attention_mask"])

    def losses(self, stage: Stage, rng: random.Random) -> dict[str, Tensor]:
        """The losses of one step, to be added up."""
        losses: dict[str, Tensor] = {}
        if stage.mentions or stage.kb_samples:
            sources, mentions, names = self.generation_batch(stage, rng)
            encoded = self.tokenizer(
                sources, padding=True, truncation=True, max_length=160, return_tensors="pt"
            )
            mask = encoded["attention_mask"]
            memory = self.backbone.memory(self.backbone.encode(encoded["input_ids"], mask), mask)
            prompts = self.form.prompt_ids(self.tokenizer, mentions, self.backbone.start_id)
            prompts = [[p[0], *p[1:][-_NAME_LIMIT:]] for p in prompts]
            ids = [
                [
                    n[:_NAME_LIMIT]
                    for n in self.form.name_ids(self.tokenizer, of, self.backbone.eos_id)
                ]
                for of in names
            ]
            packed = pack(prompts, ids, self.backbone.pad_id)
            sums, lengths, log_probs = name_log_probs(self.backbone, memory, packed)
            wanted = packed.targets >= 0
            right = packed.owner[wanted] == 0
            losses["generation"] = smoothed_nll(
                log_probs[right], packed.targets[wanted][right], stage.label_smoothing
            )
            if stage.negatives:
                losses["listwise"] = listwise(sums, lengths > 0)
        if stage.pairs:
            first, second, rows = self.pair_batch(stage, rng)
            vectors = self.embed([*first, *second])
            losses["contrast"] = info_nce(
                vectors[: len(first)], vectors[len(first) :], torch.tensor(rows), stage.temperature
            )
        return losses

    def run(self, stage: Stage, *, checkpoint_every: int = 100) -> None:
        """Run a stage, or the rest of it where a checkpoint of it exists."""
        optimiser = self._optimiser(stage)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: _rate(step, stage.steps)
        )
        begin = self._resume(stage, optimiser, schedule)
        self.model.train()
        totals: dict[str, float] = {}
        started = time.perf_counter()
        for step in range(begin, stage.steps):
            torch.manual_seed(hash((self.seed, step)) % 2**31)
            losses = self.losses(stage, random.Random(f"{self.seed}:{stage.name}:{step}"))
            torch.stack(list(losses.values())).sum().backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad(set_to_none=True)
            for name, loss in losses.items():
                totals[name] = totals.get(name, 0.0) + float(loss.detach())
            done = step + 1
            if done % 25 == 0 or done == stage.steps:
                count = (done - begin - 1) % 25 + 1
                seconds = time.perf_counter() - started
                record = {"stage": stage.name, "step": done, "seconds": round(seconds, 1)}
                record |= {name: round(total / count, 4) for name, total in totals.items()}
                with (self.folder / "log.jsonl").open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(record) + "\n")
                log.info("%s", record)
                totals, started = {}, time.perf_counter()
            if done % checkpoint_every == 0 or done == stage.steps:
                self._save(stage, done, optimiser, schedule)
        self.model.eval()

    # ------------------------------------------------------------------ checkpoints

    def _optimiser(self, stage: Stage) -> torch.optim.Optimizer:
        encoder = {id(p) for p in self.model.get_encoder().parameters()}
        groups = [
            {
                "params": [p for p in self.model.parameters() if id(p) in encoder],
                "lr": stage.encoder_lr,
            },
            {
                "params": [p for p in self.model.parameters() if id(p) not in encoder],
                "lr": stage.lr,
            },
        ]
        return torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.01, fused=True)

    def _files(self, stage: Stage) -> tuple[Path, Path]:
        return self.folder / f"{stage.name}.safetensors", self.folder / f"{stage.name}.state.pt"

    def finished(self, stage: Stage) -> bool:
        """Whether the stage's checkpoint is its last."""
        file = self._files(stage)[1]
        return file.exists() and torch.load(file, weights_only=True)["step"] >= stage.steps

    def _save(self, stage: Stage, step: int, optimiser: Any, schedule: Any) -> None:
        weights, state = self._files(stage)
        tensors = {name: p.detach().contiguous() for name, p in self.model.named_parameters()}
        save_file(tensors, f"{weights}.tmp", metadata={"step": str(step)})
        torch.save(
            {
                "step": step,
                "stage": asdict(stage),
                "optimiser": optimiser.state_dict(),
                "schedule": schedule.state_dict(),
            },
            f"{state}.tmp",
        )
        Path(f"{weights}.tmp").replace(weights)
        Path(f"{state}.tmp").replace(state)

    def _resume(self, stage: Stage, optimiser: Any, schedule: Any) -> int:
        weights, state = self._files(stage)
        if not state.exists():
            return 0
        saved = torch.load(state, weights_only=True)
        if saved["stage"] != asdict(stage):
            raise ConfigError(f"{state} is a checkpoint of other settings: remove it to start anew")
        parameters = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, tensor in load_file(weights).items():
                parameters[name].copy_(tensor)
        optimiser.load_state_dict(saved["optimiser"])
        schedule.load_state_dict(saved["schedule"])
        return int(saved["step"])


def _rate(step: int, steps: int) -> float:
    warm_up = max(1, steps // 20)
    return min((step + 1) / warm_up, max(0.0, (steps - step) / max(1, steps - warm_up)))


def _spread(misses: Sequence[int], k: int, rng: random.Random) -> list[int]:
    """k of the near-misses: half of them the nearest, the others from further down."""
    if k <= 0 or not misses:
        return []
    near = list(misses[: (k + 1) // 2])
    rest = list(misses[len(near) :])
    return near + rng.sample(rest, min(k - len(near), len(rest)))


def _words(name: str) -> list[str]:
    return sorted(normalise_name(name).split())
