"""The default's training: denoising, generation, near-misses and synonym contrast in each step.

The loop is that of all trainings (:mod:`biolink.pretrain.training.running`). A run that was
interrupted and resumed gives the same weights as one without interruption, on the same kind of
device.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from biolink.errors import ModelError
from biolink.finetune.joint.batches import Batch, Batches, Mined, Ranking, Special, Stage
from biolink.finetune.joint.mining import nearest_wrong
from biolink.finetune.joint.tables import Mentions, Names, Ragged, save_arrays
from biolink.infer.network.backbone import Backbone
from biolink.infer.network.pooling import pooled, span_vectors
from biolink.infer.rank.score import name_log_probs
from biolink.kb import KnowledgeBase
from biolink.kb.prompt import PromptForm
from biolink.pretrain.training.losses import info_nce, listwise, smoothed_nll
from biolink.pretrain.training.objectives import Objective
from biolink.pretrain.training.running import Optimisation, run_training
from biolink.pretrain.training.seq2seq import padded

__all__ = ["Stage", "Trainer"]

log = logging.getLogger(__name__)

_MINED = 16
_LOG_EVERY = 25


class Trainer:
    """Runs stages over a model, with checkpoints.

    Parameters
    ----------
    model, tokenizer, form
        The model, which is changed in place, its tokeniser and its prompt form. The model is
        trained on its device, in bfloat16 if that is a GPU.
    kb
        The knowledge base of the KB-guided samples and of ``names``.
    names, mentions, texts
        Tables (:mod:`biolink.finetune.joint.tables`); texts are packed sequences of token ids.
    folder
        The folder of the near-misses; checkpoints and ``log.jsonl`` are in a folder for each stage.
    seed
        Seed of the batches and of dropout.
    workers
        The number of processes that make batches.
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
        """The device of the model."""
        return self.backbone.device

    def _precision(self) -> Any:
        if self.device.type == "cuda":
            return torch.autocast("cuda", torch.bfloat16)
        return nullcontext()

    # ------------------------------------------------------------------ embeddings

    def embed(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return unit vectors of names or mentions [texts, d]."""
        return pooled(self.backbone.encode(ids, mask), mask)

    @torch.inference_mode()
    def embed_fixed(self, rows: Ragged, batch: int = 256) -> Tensor:
        """Return unit vectors [rows, d] of token ids, without dropout, batched by length."""
        training = self.model.training
        self.model.eval()
        if self.device.type == "cuda":
            batch *= 16
        order = np.argsort(np.diff(rows.offsets), kind="stable")
        special = self.special
        vectors = torch.empty(len(rows), self.backbone.config.d_model, device=self.device)
        for begin in range(0, len(order), batch):
            numbers = order[begin : begin + batch]
            bare = [[special.begin, *rows[int(i)], special.end] for i in numbers]
            ids = padded(bare, special.pad).to(self.device)
            lengths = torch.tensor([len(row) for row in bare], device=self.device)
            mask = torch.arange(ids.shape[1], device=self.device)[None] < lengths[:, None]
            with self._precision():
                vectors[torch.from_numpy(numbers).to(self.device)] = self.embed(ids, mask.long())
        self.model.train(training)
        return vectors

    def mine(self, stage: Stage) -> Mined | None:
        """Find near-misses by the embeddings of the model at the beginning of the stage.

        They are stored in a file, so that a resumed stage uses the same.
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
            save_arrays(file, names=near_names, mentions=near_mentions)
        try:
            with np.load(file, allow_pickle=False) as stored:
                return Mined(stored["names"], stored["mentions"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
            raise ModelError(
                f"{file} is damaged ({error}); remove it to have the near-misses mined again"
            ) from None

    # ------------------------------------------------------------------ steps

    def batches(self, stage: Stage, mined: Mined | None) -> Batches:
        """Return the batches of a stage."""
        return Batches(
            stage, self.seed, self.names, self.mentions, self.texts, self.kb, self.form,
            self.tokenizer, self.special, mined,
        )  # fmt: skip

    def losses(self, stage: Stage, batch: Batch) -> dict[str, Tensor]:
        """Return the losses of one step, whose sum is minimised."""
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

    def run(self, stage: Stage, *, checkpoint_every: int | None = 100) -> None:
        """Run a stage, or the rest of it if it has a checkpoint.

        Parameters
        ----------
        stage
            The stage.
        checkpoint_every
            Number of steps between checkpoints, or None for no checkpoints. Default: 100.
        """
        settings = Optimisation(
            steps=stage.steps,
            batch_size=1,  # An item of Batches is the whole batch of a step.
            lr=stage.lr,
            schedule="linear",
            warmup=0.05,
            betas=(0.9, 0.98),
            epsilon=1e-8,
            clip=1.0,
            seed=self.seed,
            save_every=checkpoint_every or stage.steps,
            log_every=_LOG_EVERY,
        )
        extra = {
            "use_cpu": self.device.type == "cpu",
            "dataloader_num_workers": self.workers,
            "dataloader_prefetch_factor": 4 if self.workers else None,
            "save_strategy": "no" if checkpoint_every is None else "steps",
        }
        encoder = list(self.model.get_encoder().parameters())
        known = {id(p) for p in encoder}
        others = [p for p in self.model.parameters() if id(p) not in known]
        run_training(
            self.model, self.batches(stage, self.mine(stage)), _only, self._objective(stage),
            settings, self.folder / stage.name, extra,
            report=lambda record: log.info("stage %s: %s", stage.name, record),
            by_tokens=False, stage=stage,
            groups=[{"params": encoder, "lr": stage.encoder_lr}, {"params": others}],
        )  # fmt: skip
        self.model.eval()

    def _objective(self, stage: Stage) -> Objective:
        def objective(model: Any, batch: Mapping[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
            # Parts of the model are called directly, where accelerate does not set the precision.
            with self._precision():
                losses = self.losses(stage, batch["batch"])
            return torch.stack(list(losses.values())).sum(), losses

        return objective


def _only(batches: Sequence[Batch]) -> dict[str, Batch]:
    (batch,) = batches
    return {"batch": batch}
