"""Early stopping by a measure of links such as strict Recall@1, not by the loss."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from biolink.documents import Document
from biolink.errors import ModelError
from biolink.infer.linkers.mention_linker import Linker
from biolink.kb import KnowledgeBase
from biolink.kb.files import replace_file
from biolink.kb.model_files import json_of
from biolink.pretrain.training.checkpoints import Report

__all__ = ["Validation"]

#: A function from linked documents and a knowledge base to a figure; a higher one is better.
Measure = Callable[[Iterable[Document], KnowledgeBase], float]


@dataclass
class Validation(TrainerCallback):
    """Evaluates on development documents at regular steps, saves the best model, and stops early.

    Every process does the same, so all processes stop together.

    Attributes
    ----------
    linker
        A linker with the model that is trained.
    documents
        The development documents, with gold mentions.
    measure
        The measure, such as strict Recall@1.
    every
        Number of steps between evaluations.
    patience
        Number of evaluations without a better figure after which training stops; 0 for never.
    file
        The file of the figures, which a resumed run reads.
    save
        A function that writes the best model.
    report
        Called with each figure.
    """

    linker: Linker
    documents: list[Document]
    measure: Measure
    every: int
    patience: int
    file: Path
    save: Callable[[], None]
    report: Report = field(default=lambda record: None)

    def _history(self, step: int) -> list[dict[str, float]]:
        if not self.file.exists():
            return []
        history = json_of(self.file, list)
        try:
            return [entry for entry in history if entry["step"] < step and entry["figure"] > -2]
        except (TypeError, KeyError):
            raise ModelError(
                f"{self.file} is damaged; expected a list of steps and figures: remove it to let "
                "the next evaluation count as the best"
            ) from None

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        step = state.global_step
        if step % self.every and step < state.max_steps:
            return
        model = self.linker.model.backbone.model
        training = model.training
        model.eval()
        with torch.inference_mode():
            linked = self.linker.pipe(self.documents, recognise=False)
            figure = self.measure(linked, self.linker.kb)
        model.train(training)
        history = self._history(step)
        best = max((entry["figure"] for entry in history), default=-1.0)
        history.append({"step": step, "figure": figure})
        if state.is_world_process_zero:
            with replace_file(self.file) as stream:
                stream.write(json.dumps(history))
            if figure > best:
                self.save()
            self.report({"step": step, "dev Recall@1": round(figure, 4)})
        since = 0
        top = -1.0
        for entry in history:
            since = 0 if entry["figure"] > top else since + 1
            top = max(top, entry["figure"])
        if self.patience and since >= self.patience:
            control.should_training_stop = True
