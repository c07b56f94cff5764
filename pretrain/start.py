"""What a training starts from, and what it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from shutil import copytree
from typing import Any

from biolink.errors import ConfigError, ModelError
from biolink.kb.files import check_folder_target, holds_only, replace_folder
from biolink.kb.model_files import SETTINGS, checked_form, config_values, settings_of
from biolink.kb.model_loading import (
    config_of_transformers,
    model_of_transformers,
    tokeniser_of_transformers,
)
from biolink.kb.prompt import PromptForm

__all__ = [
    "check_model_target",
    "extend_model",
    "model_folder",
    "prompt_of",
    "save_model",
    "source_limit",
    "start_from",
]

_MARKS = (SETTINGS, "config.json", "tokenizer_config.json")
_PARTS = (
    *("*.json", "*.safetensors", "*.bin", "*.txt", "*.model", "*.jinja", "*.npy", "*.npz"),
    *("*.md", "LICENSE*", "NOTICE*", ".gitattributes"),
)
_A_MODEL = "a model folder"


def is_model_folder(folder: Path) -> bool:
    """Whether a folder holds a model or a tokeniser and nothing else, be it damaged."""
    return holds_only(folder, _PARTS) and any((folder / name).is_file() for name in _MARKS)


def check_model_target(folder: str | Path) -> None:
    """Refuse a place at which no model may be written, before there is one to write.

    Raises
    ------
    InputError
        When anything but an empty folder or another model stands there.
    """
    check_folder_target(folder, is_model_folder, _A_MODEL)


def model_folder(folder: str | Path) -> AbstractContextManager[Path]:
    """A temporary folder that becomes the model folder when all went well.

    Raises
    ------
    InputError
        When anything but an empty folder or another model stands there.
    """
    return replace_folder(folder, is_model_folder, _A_MODEL)


def start_from(
    model: Path | None,
    config: dict[str, Any],
    tokenizer: Path | None,
    dropout: float | None = None,
    seed: int = 0,
) -> tuple[Any, Any]:
    """A model and its tokeniser: a checkpoint, or random weights from a configuration.

    Parameters
    ----------
    model
        Folder in the Hugging Face layout; None to start from ``config``.
    config
        ``transformers`` configuration with its ``model_type`` (``bart`` unless given); its
        vocabulary and special ids follow the tokeniser. Beside ``model``: values to change.
    tokenizer
        Folder of the tokeniser; the model's own when None.
    dropout
        Of hidden states and attention; the configuration's when None.
    seed
        Of random weights.
    """
    import torch
    from transformers import AutoConfig, AutoModelForSeq2SeqLM
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    place = tokenizer or model
    if place is None:
        raise ConfigError("tokenizer is missing; expected a folder, as there is no model")
    if model is not None:
        config_values(model)
    if not any((place / name).is_file() for name in ("tokenizer.json", "vocab.json")):
        raise ModelError(f"{place} has no tokeniser; expected tokenizer.json in it")
    read = tokeniser_of_transformers(place)
    changes = dict(config)
    if dropout is not None:
        changes |= {"dropout": dropout, "attention_dropout": dropout, "dropout_rate": dropout}
    try:
        if model is not None:
            settings = config_of_transformers(model)
            _check_known(settings, config)
            for key, value in changes.items():
                if hasattr(settings, key):
                    setattr(settings, key, value)
            loaded = model_of_transformers(model, settings)
        else:
            kind = changes.pop("model_type", "bart")
            start = read.eos_token_id if kind == "bart" else read.pad_token_id
            values = {
                "vocab_size": max(read.get_vocab().values()) + 1,
                "pad_token_id": read.pad_token_id,
                "bos_token_id": read.bos_token_id,
                "eos_token_id": read.eos_token_id,
                "decoder_start_token_id": start,
                "forced_eos_token_id": None,
            }
            _check_known(AutoConfig.for_model(kind), changes.keys() & config.keys())
            settings = AutoConfig.for_model(kind, **(values | changes))
            torch.manual_seed(seed)
            loaded = AutoModelForSeq2SeqLM.from_config(settings)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{model or 'config'}: {first}; expected a BART or T5 model") from None
    return loaded, read


def _check_known(settings: Any, keys: Iterable[str]) -> None:
    for key in keys:
        if not hasattr(settings, key):
            raise ConfigError(
                f"config.{key} is unknown; expected a field of {type(settings).__name__}"
            )


def prompt_of(model: Path | None, changes: dict[str, Any]) -> PromptForm:
    """The prompt form that a checkpoint was trained with, with some values changed."""
    values = {} if model is None else settings_of(model).get("prompt", {})
    return checked_form(values | changes)


def source_limit(config: Any) -> int:
    """How many tokens the encoder reads."""
    return int(getattr(config, "max_position_embeddings", 512) or 512)


def save_model(
    folder: Path,
    model: Any,
    tokenizer: Any,
    form: PromptForm,
    stage: dict[str, Any],
    before: Path | None = None,
    **further: Any,
) -> None:
    """Write a model folder: weights, tokeniser and ``biolink.json``, all or nothing.

    Parameters
    ----------
    stage
        The settings that made it.
    before
        The model that it started from, whose stages are listed first.
    further
        More entries of ``biolink.json``.
    """
    settings = {
        "format": "biolink-model",
        "version": 1,
        "prompt": form.to_dict(),
        **further,
        "training": [*_stages(before), stage],
    }
    with model_folder(folder) as temporary:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        (temporary / SETTINGS).write_text(
            json.dumps(settings, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def _stages(model: Path | None) -> list[Any]:
    """The stages that made a model."""
    earlier = [] if model is None else settings_of(model).get("training", [])
    return earlier if isinstance(earlier, list) else [earlier]


def extend_model(
    folder: Path,
    before: Path,
    stage: dict[str, Any],
    write: Callable[[Path], None],
    **further: Any,
) -> None:
    """Copy a model folder and add to it, all or nothing.

    The weights are the same file, so indexes that were made with them fit.

    Parameters
    ----------
    before
        The model.
    stage
        The settings of what is added.
    write
        Writes the new files into the folder it is given.
    further
        Entries of ``biolink.json`` to set.
    """
    settings = settings_of(before) | {**further, "training": [*_stages(before), stage]}
    with model_folder(folder) as temporary:
        copytree(before, temporary, dirs_exist_ok=True)
        write(temporary)
        (temporary / SETTINGS).write_text(
            json.dumps(settings, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
