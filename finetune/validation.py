"""Early stopping on what counts: strict Recall@1 of constrained decoding, not the loss."""

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

__all__ = ["Validation"]

#: Linked documents, knowledge base -> the figure that decides; higher is better.
Measure = Callable[[Iterable[Document], KnowledgeBase], float]


@dataclass
class Validation(TrainerCallback):
    """Links the development documents now and then, keeps the best weights, and stops.

    Every process does the same, so all of them stop together.

    Attributes
    ----------
    linker
        Over the model that is trained.
    documents
        With gold mentions.
    measure
        Strict Recall@1, say.
    every
        Steps between two looks.
    patience
        Looks without a better figure before training stops; 0 to go on to the end.
    file
        Where the figures are kept, so that a resumed run knows them.
    save
        Writes the best model.
    """

    linker: Linker
    documents: list[Document]
    measure: Measure
    every: int
    patience: int
    file: Path
    save: Callable[[], None]
    report: Callable[[dict[str, Any]], None] = field(default=lambda record: None)

    def _history(self, step: int) -> list[dict[str, float]]:
        if not self.file.exists():
            return []
        history = json_of(self.file, list)
        try:
            return [entry for entry in history if entry["step"] < step and entry["figure"] > -2]
        except (TypeError, KeyError):
            raise ModelError(
                f"{self.file} is damaged; expected a list of steps and figures: remove it, and the "
                "next look counts as the best"
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
