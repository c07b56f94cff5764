"""The model from which a training starts, and the model folder that it writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from shutil import copyfile, copytree, ignore_patterns
from typing import Any

from biolink.errors import ConfigError, ModelError
from biolink.kb.model_files import SEAL, SEEN_DOCUMENTS, TOKENISER, config_values
from biolink.kb.model_folder import (
    ModelSettings,
    check_model,
    check_model_target,
    checked_form,
    model_folder,
    settings_of,
    write_settings,
)
from biolink.kb.model_loading import (
    config_of_transformers,
    model_of_transformers,
    tokeniser_of_transformers,
)
from biolink.kb.prompt import PromptForm
from biolink.kb.sealed import STAMP
from biolink.pretrain.training.packages import check_training_packages

__all__ = [
    "check_start",
    "extend_model",
    "prompt_of",
    "save_model",
    "source_limit",
    "start_from",
]


def check_start(out: Path) -> None:
    """Check, before any work, that a training can run and that its model can be written.

    Raises
    ------
    MissingDependencyError
        When a package is missing that training needs.
    InputError
        When anything but an empty folder or another model stands at ``out/model``.
    """
    check_training_packages()
    check_model_target(out / "model")


def start_from(
    model: Path | None,
    config: dict[str, Any],
    tokenizer: Path | None,
    dropout: float | None = None,
    seed: int = 0,
) -> tuple[Any, Any]:
    """Return a model and its tokeniser, from a folder or with random weights.

    Parameters
    ----------
    model
        Folder in the Hugging Face layout. If it is None, the model gets random weights.
    config
        With ``model``, the values to change in its configuration. Without it, the ``transformers``
        configuration, with ``model_type`` (default: ``bart``); the vocabulary and special ids
        follow from the tokeniser.
    tokenizer
        Folder of the tokeniser. Default: that of the model.
    dropout
        Dropout of hidden states and attention. Default: that of the configuration.
    seed
        Seed of random weights.
    """
    import torch
    from transformers import AutoConfig, AutoModelForSeq2SeqLM
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    source = tokenizer or model
    if source is None:
        raise ConfigError(
            "tokenizer is missing; expected the folder of one, since no model is given"
        )
    for folder in {source, model or source}:
        check_model(folder)
    if model is not None:
        config_values(model)
    if not any((source / name).is_file() for name in (TOKENISER, "vocab.json")):
        raise ModelError(f"{source} has no tokeniser; expected {TOKENISER} in it")
    read = tokeniser_of_transformers(source)
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
    """Return the prompt form with which a model was trained, with some values changed."""
    form = PromptForm() if model is None else settings_of(model).prompt
    return checked_form(form.to_dict() | changes)


def source_limit(config: Any) -> int:
    """Return the number of tokens that the encoder reads."""
    return int(getattr(config, "max_position_embeddings", 512) or 512)


def save_model(
    folder: Path,
    model: Any,
    tokenizer: Any,
    form: PromptForm,
    stage: dict[str, Any],
    before: Path | None = None,
    write: Callable[[Path], object] = lambda folder: None,
    **further: Any,
) -> None:
    """Write a model folder with weights, tokeniser and ``biolink.json``, completely or not at all.

    Parameters
    ----------
    folder
        The folder to write.
    model, tokenizer, form
        The model, its tokeniser and its prompt form.
    stage
        The settings of the training.
    before
        The model from which the training started. Its stages are listed first, and its training
        documents count as those of the new model, too.
    write
        A function that writes further files into the folder that it is given.
    further
        Further entries of ``biolink.json``.
    """
    earlier = [] if before is None else settings_of(before).stages
    settings = ModelSettings(form, training=[*earlier, stage], **further)
    with model_folder(folder) as temporary:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        if before is not None and (before / SEEN_DOCUMENTS).is_file():
            copyfile(before / SEEN_DOCUMENTS, temporary / SEEN_DOCUMENTS)
        write(temporary)
        write_settings(temporary, settings)


def extend_model(
    folder: Path,
    before: Path,
    stage: dict[str, Any],
    write: Callable[[Path], object],
    **further: Any,
) -> None:
    """Copy a model folder and add files to the copy, completely or not at all.

    The weights stay the same, so indexes that were made with them remain valid.

    Parameters
    ----------
    folder
        The folder to write.
    before
        The folder to copy.
    stage
        The settings of the training that made the new files.
    write
        A function that writes the new files into the folder that it is given.
    further
        Entries of ``biolink.json`` to set.
    """
    check_model(before)
    settings = settings_of(before)
    settings = replace(settings, training=[*settings.stages, stage], **further)
    with model_folder(folder) as temporary:
        copytree(before, temporary, dirs_exist_ok=True, ignore=ignore_patterns(SEAL, STAMP))
        write(temporary)
        write_settings(temporary, settings)
