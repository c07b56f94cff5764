"""The training loop: transformers' Trainer over deterministic batches, with exact resumption.

The Trainer uses accelerate, so several GPUs, bf16, DeepSpeed and FSDP are settings: the table
``[trainer]`` of a TOML file is passed to ``transformers.TrainingArguments`` as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.utils.data import Dataset, SequentialSampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from biolink.errors import ConfigError, ModelError
from biolink.pretrain.training.checkpoints import Report, check_stage, last_whole, note_stage, seal
from biolink.pretrain.training.losses import IGNORED
from biolink.pretrain.training.objectives import Objective
from biolink.pretrain.training.packages import check_training_packages
from biolink.pretrain.training.resumable import MARKS, MarkedStream
from biolink.pretrain.training.settings import at_least, share

__all__ = ["Numbered", "Optimisation", "run_training"]


@dataclass(frozen=True, slots=True)
class Optimisation:
    """Length and speed of a training.

    Attributes
    ----------
    steps
        Number of optimiser steps.
    batch_size
        Number of samples of a batch in one process. The samples of a step are this number times
        ``accumulation`` times the number of processes. Default: 8.
    accumulation
        Number of batches whose gradients are added up for one step. Default: 1.
    lr
        Peak learning rate. Default: 1e-5.
    schedule
        How the learning rate falls after the warm-up: ``linear``, ``polynomial``, ``cosine`` or
        ``constant``. Default: ``polynomial``.
    warmup
        Number of steps of the warm-up, or their share of all steps if below 1. Default: 0.02.
    weight_decay, betas, epsilon
        Parameters of AdamW. Defaults: 0.01, (0.9, 0.999) and 1e-6.
    clip
        Largest norm of the gradient. Default: 0.1.
    seed
        Seed of the order, of random choices in samples and of dropout. Default: 0.
    precision
        ``fp32`` (the default), ``bf16`` or ``fp16``.
    save_every, log_every
        Number of steps between checkpoints, and between lines of the log. Defaults: 500 and 50.
    keep
        Number of checkpoints to keep, at least two since the newest may be incomplete. Default: 2.
    """

    steps: int
    batch_size: int = 8
    accumulation: int = 1
    lr: float = 1e-5
    schedule: Literal["linear", "polynomial", "cosine", "constant"] = "polynomial"
    warmup: float = 0.02
    weight_decay: float = 0.01
    betas: tuple[float, ...] = (0.9, 0.999)
    epsilon: float = 1e-6
    clip: float = 0.1
    seed: int = 0
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    save_every: int = 500
    log_every: int = 50
    keep: int = 2

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "accumulation", "save_every", "log_every", "keep"):
            at_least(name, getattr(self, name), 1)
        for name in ("warmup", "weight_decay", "clip"):
            at_least(name, getattr(self, name), 0)
        if self.warmup >= self.steps:
            raise ConfigError(f"warmup = {self.warmup}; expected less than steps = {self.steps}")
        if not self.lr > 0:
            raise ConfigError(f"lr = {self.lr}; expected a number above 0")
        if len(self.betas) != 2:
            raise ConfigError(f"betas = {list(self.betas)}; expected two numbers")
        for beta in self.betas:
            share("betas", beta)


class Numbered(Dataset):
    """Samples by number, which are made when they are needed.

    Parameters
    ----------
    size
        The number of samples.
    make
        A function from a number to a sample, which must depend on the number alone.
    """

    def __init__(self, size: int, make: Callable[[int], Any]) -> None:
        self.size, self.make = size, make

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, number: int) -> Any:
        return self.make(number)


def training_arguments(
    folder: Path, settings: Optimisation, extra: Mapping[str, Any]
) -> TrainingArguments:
    """Return the settings as ``transformers.TrainingArguments``.

    Raises
    ------
    ConfigError
        When ``extra`` has a field that TrainingArguments does not know, or that biolink sets.
    """
    names = {"constant": "constant_with_warmup"}
    own: dict[str, Any] = {
        "output_dir": str(folder),
        "max_steps": settings.steps,
        "per_device_train_batch_size": settings.batch_size,
        "gradient_accumulation_steps": settings.accumulation,
        "learning_rate": settings.lr,
        "lr_scheduler_type": names.get(settings.schedule, settings.schedule),
        # As in our settings, a value below 1 is a share of all steps.
        "warmup_steps": settings.warmup if settings.warmup < 1 else int(settings.warmup),
        "weight_decay": settings.weight_decay,
        "adam_beta1": settings.betas[0],
        "adam_beta2": settings.betas[1],
        "adam_epsilon": settings.epsilon,
        "max_grad_norm": settings.clip,
        "seed": settings.seed,
        "bf16": settings.precision == "bf16",
        "fp16": settings.precision == "fp16",
        "save_steps": settings.save_every,
        "logging_steps": settings.log_every,
        # The checkpoint before the newest must stay until the newest has its seal.
        "save_total_limit": max(2, settings.keep),
        "remove_unused_columns": False,
        "report_to": "none",
        "disable_tqdm": True,
        "lr_scheduler_kwargs": {"lr_end": 0.0} if settings.schedule == "polynomial" else {},
        # Without this, several processes on CPUs do not find one another.
        "use_cpu": not torch.accelerator.is_available(),
        # Each process reads the whole stream and takes its share, since batches differ in length.
        "accelerator_config": {"dispatch_batches": False},
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": torch.cuda.is_available(),
    }
    fixed = sorted(set(extra) & own.keys() & {"output_dir", "max_steps", "remove_unused_columns"})
    if fixed:
        raise ConfigError(f"trainer.{fixed[0]} is set by biolink; expected no value for it")
    try:
        return TrainingArguments(**(own | dict(extra)))
    except (TypeError, ValueError, ImportError, OSError) as error:
        raise ConfigError(f"trainer: {str(error).splitlines()[0]}") from None


@contextmanager
def _of_this_training(checkpoint: Any) -> Iterator[None]:
    """Raise an error that names the checkpoint if it cannot be loaded in the block.

    transformers reads pickles with ``weights_only``, so code in them never runs.
    """
    try:
        yield
    except (RuntimeError, ValueError, KeyError, TypeError, SafetensorError, UnpicklingError) as e:
        first = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise ModelError(
            f"{checkpoint} is not a checkpoint of this training ({first}); expected one with the "
            "same settings: remove it, or choose another folder as out"
        ) from None


class _Trainer(Trainer):
    """transformers' Trainer with our objective, which takes the samples in their order."""

    def __init__(self, objective: Objective, by_tokens: bool, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.objective, self.by_tokens = objective, by_tokens
        self.loss_is_scaled_for_ga = False
        self._parts: dict[str, float | Tensor] = {}
        self._counted = 0
        #: The checkpoint with whose random state the next step begins.
        self.random_state_of: str | None = None

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        return SequentialSampler(dataset) if hasattr(dataset, "__len__") else None

    def _load_from_checkpoint(self, *args: Any, **kwargs: Any) -> Any:
        with _of_this_training(args[0]):
            return super()._load_from_checkpoint(*args, **kwargs)

    def _load_optimizer_and_scheduler(self, checkpoint: Any) -> None:
        with _of_this_training(checkpoint):
            super()._load_optimizer_and_scheduler(checkpoint)

    def _load_rng_state(self, checkpoint: Any) -> None:
        with _of_this_training(checkpoint):
            super()._load_rng_state(checkpoint)

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        if self.random_state_of is not None:
            # A stream skips samples itself. transformers restores the random state before it
            # starts the reader, which draws a number, so the state is restored again here.
            self._load_rng_state(self.random_state_of)
            self.random_state_of = None
        return super().training_step(*args, **kwargs)

    def compute_loss(
        self,
        model: Any,
        inputs: Any,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        loss, parts = self.objective(model, inputs)
        for name, value in parts.items():
            value = value.detach() if isinstance(value, Tensor) else value
            self._parts[name] = self._parts.get(name, 0.0) + value
        self._counted += 1
        if self.by_tokens and self.accelerator.num_processes > 1:
            # Processes have unequal numbers of tokens; this gives the mean of one large batch.
            tokens = (inputs["labels"] != IGNORED).sum()
            everywhere = self.accelerator.reduce(tokens, "sum")
            loss = loss * tokens * self.accelerator.num_processes / everywhere
        return (loss, None) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs and self._counted:
            logs |= {name: float(total) / self._counted for name, total in self._parts.items()}
            self._parts, self._counted = {}, 0
        super().log(logs, start_time)


@dataclass
class _Marks(TrainerCallback):
    """Writes the marks of the stream into each checkpoint."""

    stream: MarkedStream

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            self.stream.save_marks(folder / MARKS)


@dataclass
class _Seal(TrainerCallback):
    """Writes the seal of a checkpoint; this must be the last callback."""

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.barrier()  # Each process writes files of its own.
        if state.is_world_process_zero:
            seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")


@dataclass
class _Log(TrainerCallback):
    """Appends each line of the log to a file, and reports it."""

    file: Path
    report: Report = field(default=lambda record: None)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        if state.is_world_process_zero and logs:
            record = {"step": state.global_step, **logs}
            with self.file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(record) + "\n")
            self.report(record)


def _adamw(groups: Sequence[dict[str, Any]], settings: Optimisation) -> tuple[Any, dict[str, Any]]:
    """AdamW over groups of parameters, in the form that transformers' Trainer takes."""
    return torch.optim.AdamW, {
        "params": list(groups),
        "lr": settings.lr,
        "betas": tuple(settings.betas),
        "eps": settings.epsilon,
        "weight_decay": settings.weight_decay,
        "fused": True,
    }


def run_training(
    model: Any,
    dataset: Dataset | MarkedStream,
    collate: Callable[[Sequence[Any]], Mapping[str, Any]],
    objective: Objective,
    settings: Optimisation,
    folder: Path,
    extra: Mapping[str, Any] | None = None,
    callbacks: Sequence[TrainerCallback] = (),
    report: Report = lambda record: None,
    by_tokens: bool = True,
    *,
    stage: Any,
    groups: Sequence[dict[str, Any]] | None = None,
) -> Any:
    """Train a model, starting from the last complete checkpoint in the folder if there is one.

    A damaged or incomplete checkpoint is reported and renamed.

    Parameters
    ----------
    model
        The model, which is changed in place.
    dataset
        :class:`Numbered` samples, or a stream of texts.
    collate
        A function from samples to a batch.
    objective
        A function from the model and a batch to the loss and figures for the log.
    settings
        Length and speed of the training.
    folder
        The folder of the checkpoints ``checkpoint-N`` and of ``log.jsonl``.
    extra
        Further fields of ``transformers.TrainingArguments``.
    callbacks
        Callbacks of transformers' Trainer.
    report
        Called with each line of the log.
    by_tokens
        Whether the objective is a mean over predictions, the default, or over rows. This determines
        the weights of processes.
    stage
        A dataclass with all settings of the training. A checkpoint of other settings is refused.
    groups
        Parameters with their own learning rates, as :class:`torch.optim.AdamW` takes them.

    Returns
    -------
    The state of transformers' Trainer.

    Raises
    ------
    ConfigError
        When the checkpoints were made with other settings.
    MissingDependencyError
        When a package is missing that training needs.
    """
    check_training_packages()
    folder.mkdir(parents=True, exist_ok=True)
    arguments = training_arguments(folder, settings, extra or {})
    last = _last_checkpoint(folder, arguments.process_index == 0, stage, report)
    hooks: list[Any] = [_Log(folder / "log.jsonl", report), *callbacks]
    if isinstance(dataset, MarkedStream):
        hooks.append(_Marks(dataset))
        if last is not None:
            of_step = settings.batch_size * settings.accumulation * arguments.world_size
            _resume_stream(dataset, last, of_step)
            arguments.ignore_data_skip = True
    hooks.append(_Seal())
    trainer = _Trainer(
        objective,
        by_tokens,
        model=model,
        args=arguments,
        train_dataset=dataset,
        data_collator=collate,
        callbacks=hooks,
        optimizer_cls_and_kwargs=None if groups is None else _adamw(groups, settings),
    )
    trainer.remove_callback(PrinterCallback)
    path = None if last is None else str(last)
    trainer.random_state_of = path if isinstance(dataset, MarkedStream) else None
    trainer.train(resume_from_checkpoint=path)
    return trainer.state


def _last_checkpoint(folder: Path, first: bool, stage: Any, report: Report) -> Path | None:
    """The checkpoint from which a run continues; only the ``first`` process writes files."""
    last = last_whole(folder, "checkpoint", report, aside=first)
    if last is not None:
        check_stage(folder, stage)
    elif first:
        note_stage(folder, stage)
    return last


def _resume_stream(stream: MarkedStream, checkpoint: Path, of_step: int) -> None:
    """Let a stream continue after the samples of the steps before a checkpoint."""
    done = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    marks = json.loads((checkpoint / MARKS).read_text(encoding="utf-8"))
    stream.resume(done["global_step"] * of_step, marks)
