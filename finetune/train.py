"""The default's training loop: denoising, generation, near-misses and synonym contrast.

Every step's batch and dropout depend only on the seed and the step's number, so a run that is
interrupted and resumed gives the weights that an uninterrupted one gives (on one kind of device).
"""

from __future__ import annotations

import json
import logging
import re
import time
import zlib
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError
from shutil import rmtree
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from biolink.errors import ConfigError, ModelError
from biolink.finetune.batches import Batch, Batches, Mined, Ranking, Special, Stage
from biolink.finetune.mining import nearest_wrong
from biolink.finetune.tables import Mentions, Names, Ragged
from biolink.infer.network.backbone import Backbone, pooled, span_vectors
from biolink.infer.rank.score import name_log_probs
from biolink.kb import KnowledgeBase
from biolink.kb.prompt import PromptForm
from biolink.pretrain.checkpoints import last_whole, seal
from biolink.pretrain.losses import info_nce, listwise, smoothed_nll
from biolink.pretrain.seq2seq import padded

__all__ = ["Stage", "Trainer"]

log = logging.getLogger(__name__)

_MINED = 16
_LOG_EVERY = 25
_KEPT = 2
_WEIGHTS, _STATE = "weights.safetensors", "state.pt"


class Trainer:
    """Runs stages over a model, with checkpoints.

    Parameters
    ----------
    model, tokenizer, form
        What is trained; changed in place. It trains on the device that it is on, in bfloat16
        where that is a GPU.
    kb
        The knowledge base of the KB-guided samples and of ``names``.
    names, mentions, texts
        Tables (:mod:`biolink.finetune.tables`); texts are packed sequences of token ids.
    folder
        For checkpoints and ``log.jsonl``.
    workers
        Processes that make batches.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        form: PromptForm,
        kb: KnowledgeBase,
        names: Names,
        mentions: Mentions,
        texts: Ragged,
        folder: Path,
        seed: int = 0,
        workers: int = 0,
    ) -> None:
        self.model, self.tokenizer, self.form = model, tokenizer, form
        self.backbone = Backbone(model)
        self.kb, self.names, self.mentions, self.texts = kb, names, mentions, texts
        self.folder, self.seed, self.workers = folder, seed, workers
        folder.mkdir(parents=True, exist_ok=True)
        mask = tokenizer.mask_token_id
        self.special = Special(
            self.backbone.pad_id,
            int(tokenizer.bos_token_id),
            self.backbone.eos_id,
            self.backbone.pad_id if mask is None else int(mask),
            self.backbone.start_id,
        )

    @property
    def device(self) -> torch.device:
        return self.backbone.device

    def _precision(self) -> Any:
        if self.device.type == "cuda":
            return torch.autocast("cuda", torch.bfloat16)
        return nullcontext()

    # ------------------------------------------------------------------ embeddings

    def embed(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Unit vectors of names or mentions [texts, d]."""
        return pooled(self.backbone.encode(ids, mask), mask)

    @torch.inference_mode()
    def embed_fixed(self, rows: Ragged, batch: int = 256) -> Tensor:
        """Unit vectors [rows, d] of token ids, without dropout; equal lengths run together."""
        training = self.model.training
        self.model.eval()
        if self.device.type == "cuda":
            batch *= 16
        order = np.argsort(np.diff(rows.offsets), kind="stable")
        special = self.special
        vectors = torch.empty(len(rows), self.backbone.config.d_model, device=self.device)
        for begin in range(0, len(order), batch):
            part = order[begin : begin + batch]
            bare = [[special.begin, *rows[int(i)], special.end] for i in part]
            ids = padded(bare, special.pad).to(self.device)
            lengths = torch.tensor([len(row) for row in bare], device=self.device)
            mask = torch.arange(ids.shape[1], device=self.device)[None] < lengths[:, None]
            with self._precision():
                vectors[torch.from_numpy(part).to(self.device)] = self.embed(ids, mask.long())
        self.model.train(training)
        return vectors

    def mine(self, stage: Stage) -> Mined | None:
        """Near-misses by the model as it is when the stage begins.

        They are kept beside the checkpoint, so that a resumed stage sees the same.
        """
        if not (stage.negatives or stage.pairs):
            return None
        file = self.folder / f"{stage.name}.mined.npz"
        if not file.exists():
            names, mentions = self.names, self.mentions
            vectors = self.embed_fixed(names.tokens)
            of_name, every = names.families.padded(), np.arange(len(names.tokens))
            near_names = nearest_wrong(vectors, of_name, vectors, every, of_name, _MINED)
            chosen = np.flatnonzero(names.candidate)
            near_mentions = nearest_wrong(
                self.embed_fixed(mentions.texts),
                mentions.families.padded(),
                vectors[torch.from_numpy(chosen).to(self.device)],
                chosen,
                of_name[chosen],
                _MINED,
                mentions.own.astype(np.int64),
            )
            with Path(f"{file}.tmp").open("wb") as stream:
                np.savez(stream, names=near_names, mentions=near_mentions)
            Path(f"{file}.tmp").replace(file)
        try:
            with np.load(file, allow_pickle=False) as stored:
                return Mined(stored["names"], stored["mentions"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
            raise ModelError(
                f"{file} is damaged ({error}): remove it, and the near-misses are mined again"
            ) from None

    # ------------------------------------------------------------------ steps

    def batches(self, stage: Stage, mined: Mined | None) -> Batches:
        """The batches of a stage, by step."""
        return Batches(
            stage, self.seed, self.names, self.mentions, self.texts, self.kb, self.form,
            self.tokenizer, self.special, mined,
        )  # fmt: skip

    def losses(self, stage: Stage, batch: Batch) -> dict[str, Tensor]:
        """The losses of one step, to be added up."""
        losses: dict[str, Tensor] = {}
        if batch.texts is not None:
            logits = self.model(
                input_ids=batch.texts["input_ids"],
                attention_mask=batch.texts["attention_mask"],
                decoder_input_ids=batch.texts["decoder_input_ids"],
                use_cache=False,
            ).logits
            losses["denoising"] = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1).float(), batch.texts["labels"].flatten(), ignore_index=-100
            )
        if batch.ranking is not None:
            losses |= self._ranking_losses(stage, batch.ranking)
        if batch.pairs is not None:
            ids, mask, families = batch.pairs
            first, second = self.embed(ids, mask).float().chunk(2)
            losses["contrast"] = info_nce(first, second, families, stage.temperature)
        return losses

    def _ranking_losses(self, stage: Stage, batch: Ranking) -> dict[str, Tensor]:
        states = self.backbone.encode(batch.source, batch.source_mask)
        memory = self.backbone.memory(states, batch.source_mask)
        sums, _, log_probs = name_log_probs(self.backbone, memory, batch.packed)
        packed = batch.packed
        first = packed.slots % packed.names == 0
        losses = {
            "generation": smoothed_nll(
                log_probs[packed.at[first]], packed.targets[first], stage.label_smoothing
            )
        }
        if stage.negatives:
            losses["listwise"] = listwise(sums, batch.right, batch.present)
        if stage.context:
            vectors = span_vectors(states, batch.spans).float()
            names = self.embed(batch.beside, batch.beside_mask).float()
            scores = vectors @ names.T / stage.temperature
            own = batch.families[: len(vectors)]
            same = own[:, None] == batch.families[None, :]
            same[:, : len(vectors)].fill_diagonal_(False)
            scores = scores.masked_fill(same, torch.finfo(scores.dtype).min)
            labels = torch.arange(len(vectors), device=scores.device)
            losses["context"] = stage.context * torch.nn.functional.cross_entropy(scores, labels)
        return losses

    def run(self, stage: Stage, *, checkpoint_every: int = 100) -> None:
        """Run a stage, or the rest of it where a checkpoint of it exists."""
        optimiser, schedule = self._optimiser(stage)
        if self.finished(stage):
            self._resume(stage, optimiser, schedule)
            return
        mined = self.mine(stage)
        begin = self._resume(stage, optimiser, schedule)

        def save(done: int) -> None:
            if done % checkpoint_every == 0 or done == stage.steps:
                self._save(stage, done, optimiser, schedule)

        self._steps(stage, mined, begin, optimiser, schedule, save)

    def steps(self, stage: Stage) -> None:
        """All steps of a stage, without checkpoints."""
        self._steps(stage, self.mine(stage), 0, *self._optimiser(stage), lambda done: None)

    def _steps(
        self,
        stage: Stage,
        mined: Mined | None,
        begin: int,
        optimiser: Any,
        schedule: Any,
        after: Callable[[int], None],
    ) -> None:
        self.model.train()
        totals: dict[str, Tensor] = {}
        started = time.perf_counter()
        loader = DataLoader(
            Subset(self.batches(stage, mined), range(begin, stage.steps)),
            batch_size=None,
            num_workers=self.workers,
            prefetch_factor=4 if self.workers else None,
        )
        count = 0
        for step, batch in enumerate(loader, begin):
            torch.manual_seed(hash((self.seed, step)) % 2**31)
            with self._precision():
                losses = self.losses(stage, batch.to(self.device))
            torch.stack(list(losses.values())).sum().backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad(set_to_none=True)
            for name, loss in losses.items():
                totals[name] = totals.get(name, torch.zeros((), device=self.device)) + loss.detach()
            done, count = step + 1, count + 1
            if done % _LOG_EVERY == 0 or done == stage.steps:
                seconds = round(time.perf_counter() - started, 1)
                record: dict[str, Any] = {"stage": stage.name, "step": done, "seconds": seconds}
                record |= {name: round(float(total) / count, 4) for name, total in totals.items()}
                with (self.folder / "log.jsonl").open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(record) + "\n")
                log.info("%s", record)
                totals, started, count = {}, time.perf_counter(), 0
            after(done)
        self.model.eval()

    # ------------------------------------------------------------------ checkpoints

    def _optimiser(self, stage: Stage) -> tuple[Any, Any]:
        """Optimiser and schedule."""
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
        optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: _rate(step, stage.steps)
        )
        return optimiser, schedule

    def _last(self, stage: Stage) -> Path | None:
        """Folder of the stage's last whole checkpoint."""
        return last_whole(
            self.folder, stage.name, lambda record: log.warning("stage %s: %s", stage.name, record)
        )

    def finished(self, stage: Stage) -> bool:
        """Whether the stage's checkpoint is its last."""
        last = self._last(stage)
        return last is not None and _step_of(last) >= stage.steps

    def _save(self, stage: Stage, step: int, optimiser: Any, schedule: Any) -> None:
        """Write a checkpoint; the one before it stays until it is whole."""
        target = self.folder / f"{stage.name}-{step}"
        if target.exists():
            rmtree(target)
        target.mkdir()
        tensors = {name: p.detach().contiguous() for name, p in self.model.named_parameters()}
        save_file(tensors, target / _WEIGHTS, metadata={"step": str(step)})
        state = {
            "step": step,
            "stage": asdict(stage),
            "optimiser": optimiser.state_dict(),
            "schedule": schedule.state_dict(),
        }
        torch.save(state, target / _STATE)
        seal(target)
        # One more is kept, for when the newest is damaged.
        for old in sorted(_checkpoints(self.folder, stage), key=_step_of)[:-_KEPT]:
            rmtree(old)

    def _resume(self, stage: Stage, optimiser: Any, schedule: Any) -> int:
        last = self._last(stage)
        if last is None:
            return 0
        try:
            saved = torch.load(last / _STATE, weights_only=True, map_location=self.device)
            weights = load_file(last / _WEIGHTS)
            if saved["stage"] != asdict(stage):
                raise ConfigError(
                    f"{last} is a checkpoint of other settings: remove it to start anew"
                )
            parameters = dict(self.model.named_parameters())
            with torch.no_grad():
                for name, tensor in weights.items():
                    parameters[name].copy_(tensor)
            optimiser.load_state_dict(saved["optimiser"])
            schedule.load_state_dict(saved["schedule"])
            return int(saved["step"])
        except (UnpicklingError, SafetensorError, RuntimeError, ValueError, LookupError) as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ModelError(
                f"{last} is not a checkpoint of this training ({first}): remove it to start anew"
            ) from None


def _checkpoints(folder: Path, stage: Stage) -> list[Path]:
    pattern = re.compile(rf"{re.escape(stage.name)}-\d+")
    return [child for child in folder.iterdir() if pattern.fullmatch(child.name)]


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _rate(step: int, steps: int) -> float:
    warm_up = max(1, steps // 20)
    return min((step + 1) / warm_up, max(0.0, (steps - step) / max(1, steps - warm_up)))
