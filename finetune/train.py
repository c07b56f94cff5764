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
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from biolink.errors import ConfigError
from biolink.finetune.samples import MentionSample
from biolink.finetune.targets import choose_target
from biolink.infer.backbone import Backbone, pooled
from biolink.infer.score import name_log_probs, pack
from biolink.kb import KnowledgeBase, normalise_name
from biolink.kb.lexical import LexicalIndex, near_misses
from biolink.kb.prompt import PromptForm
from biolink.pretrain.kb_guided import KBGuidedSamples
from biolink.pretrain.losses import info_nce, listwise, smoothed_nll

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
        How many of them start from an annotated mention.
    mining
        Where near-misses come from: ``lexical`` (n-grams) or ``dense``, which adds the nearest
        names by the embeddings that the model gives when the stage begins.
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
    mining: Literal["lexical", "dense"] = "lexical"
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
        if values.get("mining", "lexical") not in ("lexical", "dense"):
            raise ConfigError(f"mining is lexical or dense, not {values['mining']!r}")
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
        rng = random.Random(seed)
        self.targets = [
            choose_target("tfidf", s.mention, s.rows, kb, index, rng) for s in self.mentions
        ]
        self.lexical_misses = near_misses(texts, [s.rows for s in self.mentions], kb, index, 24)
        self.misses = self.lexical_misses
        self.names: MinedNames | None = None
        # Mentions are names for the contrast, as they are for a dictionary that holds them.
        self.mentions_of: dict[int, list[str]] = {}
        for sample in self.mentions:
            if len(sample.rows) == 1:
                self.mentions_of.setdefault(sample.rows[0], []).append(sample.mention)
        _, owner_rows, _ = kb.ownership
        types = [kb.types_at(int(row)) for row in owner_rows]
        self.by_type = [
            np.flatnonzero([key == found for found in types]) for key in sorted(set(types))
        ]

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
            concept = self.kb.concept_at(row)
            names = [n for n in (*concept.names, *self.mentions_of.get(row, ())) if _words(n)]
            if names:
                one = text if text and _words(text) else rng.choice(names)
                others = [n for n in names if _words(n) != _words(one)] or names
                first.append(one)
                second.append(rng.choice(others))
                rows.append(row)

        def add_misses(misses: Sequence[int]) -> None:
            for wrong in _spread(misses, 3, rng):
                add(self.kb.owners(wrong)[0], self.kb.name_at(wrong))

        while self.mentions and len(first) < stage.mention_pairs:
            number = rng.randrange(len(self.mentions))
            add(self.targets[number][1], self.mentions[number].mention)
            add_misses(self.misses[number])
        _, owner_rows, _ = self.kb.ownership
        while len(first) < stage.pairs:
            # Types take turns: a base may hold ten times as many chemicals as diseases. Each
            # anchor brings three near-misses with it.
            count = -(-(stage.pairs - len(first)) // 4)
            anchors = [int(owner_rows[rng.choice(rng.choice(self.by_type))]) for _ in range(count)]
            names = [rng.choice(self.kb.concept_at(row).names) for row in anchors]
            gold = [[row] for row in anchors]
            if self.names is not None:
                found = self.names.misses(self.names.queries(names), gold, 8)
            else:
                found = near_misses(names, gold, self.kb, self.index, 8)
            for row, name, misses in zip(anchors, names, found, strict=True):
                add(row, name)
                add_misses(misses)
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

    @torch.inference_mode()
    def embed_fixed(self, texts: Sequence[str], batch: int = 128) -> np.ndarray:
        """Unit vectors float32 [texts, d], without dropout; equal lengths run together."""
        training = self.model.training
        self.model.eval()
        vectors = np.empty((len(texts), self.backbone.config.d_model), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for begin in range(0, len(order), batch):
            part = order[begin : begin + batch]
            vectors[part] = self.embed([texts[i] for i in part]).numpy()
        self.model.train(training)
        return vectors

    def mine(self, stage: Stage) -> None:
        """Set the mentions' near-misses; under ``dense`` from the model at the stage's start.

        The vectors are kept beside the checkpoint, so that a resumed stage sees the same.
        """
        self.names, self.misses = None, self.lexical_misses
        if stage.mining != "dense":
            return
        file = self.folder / f"{stage.name}.names.npy"
        ids = self.index.name_ids
        if not file.exists():
            vectors = self.embed_fixed([self.kb.name_at(int(i)) for i in ids]).astype(np.float16)
            with Path(f"{file}.tmp").open("wb") as stream:
                np.save(stream, vectors)
            Path(f"{file}.tmp").replace(file)
        self.names = MinedNames(self.kb, ids, np.load(file))
        found = self.names.misses(
            torch.from_numpy(self.embed_fixed([s.mention for s in self.mentions])),
            [s.rows for s in self.mentions],
            12,
        )
        self.misses = [
            _interleaved(near, by_ngrams)
            for near, by_ngrams in zip(found, self.lexical_misses, strict=True)
        ]

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
        if self.finished(stage):
            self._resume(stage, optimiser, schedule)
            return
        self.mine(stage)
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


class MinedNames:
    """Names with their embeddings, to find near-misses by.

    Parameters
    ----------
    kb, name_ids
        The names.
    vectors
        Unit vectors [names, d].
    """

    def __init__(self, kb: KnowledgeBase, name_ids: np.ndarray, vectors: np.ndarray) -> None:
        self.kb, self.name_ids = kb, name_ids
        self.vectors = torch.from_numpy(vectors.astype(np.float32))
        self._place = dict(zip(name_ids.tolist(), range(len(name_ids)), strict=True))

    def queries(self, names: Sequence[str]) -> Tensor:
        """Vectors [names, d] of names; zeros for one that is not among them."""
        ids = [self.kb.name_id(name) for name in names]
        places = torch.tensor([-1 if i is None else self._place.get(i, -1) for i in ids])
        return self.vectors[places] * (places >= 0)[:, None]

    def misses(
        self, queries: Tensor, rows: Sequence[Sequence[int]], k: int, batch: int = 256
    ) -> list[list[int]]:
        """Name ids nearest to each query [queries, d] that none of its concepts owns."""
        result = []
        for begin in range(0, len(queries), batch):
            scores = queries[begin : begin + batch] @ self.vectors.T
            best = self.name_ids[scores.topk(min(4 * k, len(self.name_ids)), 1).indices.numpy()]
            for ids, gold in zip(best, rows[begin : begin + batch], strict=True):
                wrong = [int(i) for i in ids if not set(self.kb.owners(int(i))) & set(gold)]
                result.append(wrong[:k])
        return result


def _interleaved(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """Both lists by turns, each item once."""
    pairs = zip_longest(first, second)
    return list(dict.fromkeys(item for pair in pairs for item in pair if item is not None))


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
