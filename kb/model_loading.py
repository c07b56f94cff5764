"""Loading models and tokenisers of transformers safely.

Nothing is downloaded, no code from a model folder is run, and errors name the file that is damaged.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from biolink.errors import ModelError
from biolink.kb.model_files import (
    CURE,
    TOKENISER,
    TOKENISER_CONFIG,
    WEIGHTS,
    config_values,
    damaged,
    has_file,
    json_of,
)

__all__ = [
    "backend_of",
    "check_weights",
    "config_of_transformers",
    "model_of_transformers",
    "tensors_of",
    "tokeniser_of_transformers",
]


#: Files from which transformers can make a tokeniser.
_VOCABULARIES = (
    *(TOKENISER, "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model"),
    "tokenizer.model",
)


def tensors_of(file: Path) -> dict[str, Tensor]:
    """Load the tensors of a safetensors file.

    Raises
    ------
    ModelError
        If the file cannot be read or is damaged.
    """
    try:
        return load_file(file)
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror or error}") from None
    except (SafetensorError, ValueError, RuntimeError, KeyError) as error:
        raise damaged(file, str(error).splitlines()[0] if str(error) else "no weights") from None


def check_weights(weights: Iterable[tuple[str, Tensor]], file: str | Path) -> None:
    """Raise an error if a weight is infinite or not a number.

    A sum is infinite or not a number if one of its terms is, and takes one pass over the memory.

    Raises
    ------
    ModelError
        Naming the file and the tensor.
    """
    with torch.inference_mode():
        for name, tensor in weights:
            if not tensor.is_floating_point() or torch.isfinite(tensor.sum(dtype=torch.float32)):
                continue
            not_finite = int((~torch.isfinite(tensor)).sum())
            if not_finite:
                raise ModelError(
                    f"{file} is damaged: {not_finite} of the {tensor.numel()} weights in {name!r} "
                    f"are infinite or not a number; {CURE}"
                )


def backend_of(file: Path) -> Tokenizer:
    """Load the tokeniser of a ``tokenizer.json``.

    Raises
    ------
    ModelError
        If the file is damaged.
    """
    json_of(file)
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:
        # The package tokenizers raises the class Exception itself; all others rise.
        if type(error) is not Exception:
            raise
        first = str(error).splitlines()[0] if str(error) else "no tokeniser"
        raise damaged(file, first) from None


def config_of_transformers(path: str | Path) -> Any:
    """Load the configuration of a model, given its folder or its name on the hub.

    Raises
    ------
    ModelError
        If there is none on this computer, or it is damaged.
    """
    from transformers import AutoConfig

    if Path(path).is_dir():
        config_values(Path(path))
    try:
        return AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(path, error) from None


def model_of_transformers(path: str | Path, config: Any = None) -> Any:
    """Load a sequence-to-sequence model in float32, without running code from its folder.

    Parameters
    ----------
    path
        The model folder, or the name of a model on the hub that has been downloaded before.
    config
        The configuration to use. Default: None, for the model's own.

    Raises
    ------
    ModelError
        If there is no model, its files are damaged, or a weight is infinite or not a number.
    """
    from transformers import AutoModelForSeq2SeqLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = Path(path)
    weights = folder / WEIGHTS
    if folder.is_dir():
        config_values(folder)
        if has_file(weights):
            check_weights(tensors_of(weights).items(), weights)
    try:
        if config is None:
            config = config_of_transformers(path)
        model, loading_info = AutoModelForSeq2SeqLM.from_pretrained(
            path,
            config=config,
            dtype=torch.float32,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are checked below
        )
    except UnpicklingError:
        raise ModelError(
            f"{path}: the weights cannot be read without running code; expected "
            "model.safetensors, or a pytorch_model.bin with nothing but tensors"
        ) from None
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, SafetensorError) as error:
        raise _unreadable(path, error) from None
    names = (*loading_info["missing_keys"], *(name for name, *_ in loading_info["mismatched_keys"]))
    wrong = sorted(set(names) - {"final_logits_bias"})
    if len(wrong) < len(names):
        model.final_logits_bias.zero_()  # The authors of BART published it without this bias.
    if wrong:
        raise damaged(
            weights if weights.is_file() else folder,
            f"it does not fit config.json ({wrong[0]!r} and {len(wrong) - 1} more are missing or "
            "of another shape)",
        )
    check_weights(model.named_parameters(), path)
    return model


def tokeniser_of_transformers(path: str | Path) -> Any:
    """Load a tokeniser without running code from its folder.

    Parameters
    ----------
    path
        The model folder, or the name of a model on the hub that has been downloaded before.

    Raises
    ------
    ModelError
        If there is no tokeniser, or its files are damaged.
    """
    from transformers import AutoTokenizer

    folder = Path(path)
    if has_file(folder / TOKENISER):
        backend_of(folder / TOKENISER)
    for name in (TOKENISER_CONFIG, "vocab.json", "special_tokens_map.json"):
        if has_file(folder / name):
            json_of(folder / name)
    try:
        return AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        if folder.is_dir() and not any((folder / name).is_file() for name in _VOCABULARIES):
            raise damaged(folder / TOKENISER, "it is missing") from None
        if (folder / TOKENISER_CONFIG).is_file():
            raise damaged(folder / TOKENISER_CONFIG, _first_line(error)) from None
        raise _unreadable(path, error) from None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _unreadable(path: str | Path, error: Exception) -> ModelError:
    return ModelError(
        f"{path} is not a model that can be loaded offline ({_first_line(error)}); expected a "
        "folder with config.json, model.safetensors and a tokeniser, of a BART or T5 model"
    )
