"""Conversion of fairseq's BART and GENRE checkpoints to the Hugging Face layout.

Checkpoints are read with torch's restricted unpickler, which loads tensors and plain values and
never runs code from a checkpoint.
"""

from __future__ import annotations

import argparse
import pickle
import re
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from biolink.errors import ModelError
from biolink.kb.model_files import damaged, json_of
from biolink.kb.model_folder import check_model_target, model_folder
from biolink.kb.model_loading import check_weights
from biolink.pretrain.vocabulary import barts_tokenizer, byte_level

__all__ = ["convert", "fairseq_ids", "read_checkpoint", "read_dictionary"]

#: The errors that torch raises for damaged files.
_DAMAGE = (
    *(OSError, RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError),
    *(AssertionError, ArithmeticError, ImportError, MemoryError, struct.error, zipfile.BadZipFile),
)
#: Matrices from which the size of the model follows.
_NEEDED = (
    *("encoder.embed_tokens.weight", "encoder.embed_positions.weight"),
    *("encoder.layers.0.fc1.weight", "decoder.layers.0.fc1.weight"),
    *("decoder.embed_tokens.weight", "decoder.embed_positions.weight"),
)
_AGAIN = " #fairseq:overwrite"
#: fairseq's own symbols in the order of its ids; <mask> comes after the dictionary.
_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
_IGNORED = re.compile(
    r"(^|\.)(version|_float_tensor|embed_positions\._float_tensor)$|^classification_heads\."
)


def read_dictionary(file: Path) -> list[str]:
    """Return the symbols of ``dict.txt`` in the order of fairseq's ids, with the special ones.

    Raises
    ------
    ModelError
        When a line is not ``symbol count``, or a symbol occurs twice.
    """
    symbols = list(_SPECIAL)
    lines = _text(file, "fairseq's dict.txt").split("\n")
    if lines[-1] == "":
        del lines[-1]
    if not lines:
        raise ModelError(f"{file} is empty; expected fairseq's dict.txt")
    known = set(symbols)
    for number, line in enumerate(lines, 1):
        line = line.removesuffix("\r")
        again = line.endswith(_AGAIN)
        symbol, _, count = line.removesuffix(_AGAIN).rpartition(" ")
        if not symbol or not (count.isascii() and count.isdigit()):
            raise ModelError(f"{file}:{number}: {line[:40]!r}; expected a symbol and a count")
        if symbol in known and not again:
            raise ModelError(
                f"{file}:{number}: {symbol[:40]!r} occurs again; expected each symbol once"
            )
        known.add(symbol)
        symbols.append(symbol)
    return [*symbols, "<mask>"]


def _text(file: Path, expected: str) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except OSError as error:
        raise ModelError(f"{file}: {error.strerror or error}; expected {expected}") from None
    except UnicodeDecodeError as error:
        raise ModelError(f"{file}: {error.reason} (not UTF-8); expected {expected}") from None


def fairseq_ids(symbols: list[str], encoder: dict[str, int]) -> dict[str, int]:
    """Map each token to its row of fairseq's embedding.

    Parameters
    ----------
    symbols
        The symbols of :func:`read_dictionary`, which are ids of GPT-2's vocabulary in digits.
    encoder
        GPT-2's ``encoder.json`` or ``vocab.json``: token -> id.
    """
    token_of = {str(number): token for token, number in encoder.items()}
    ids: dict[str, int] = {}
    for row, symbol in enumerate(symbols):
        special = symbol in _SPECIAL or symbol == "<mask>" or symbol.startswith("madeupword")
        token = symbol if special else token_of.get(symbol, symbol if symbol in encoder else None)
        if token is None:
            raise ModelError(f"dict.txt: {symbol!r} is not an id of the BPE's vocabulary")
        ids[token] = row
    return ids


def read_checkpoint(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the weights and the arguments of the model (``args`` or ``cfg.model``) as dicts.

    Raises
    ------
    ModelError
        When the file is not a fairseq checkpoint, or holds objects that may not be loaded.
    """
    try:
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            # torch's warnings about odd pickles are hidden, since errors are reported below.
            warnings.simplefilter("ignore")
            saved = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ModelError(f"{file}: no such file; expected a fairseq checkpoint") from None
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"holds objects of {named[1]}" if named else "cannot be read without running code"
        raise ModelError(f"{file}: {what}; expected tensors and plain values only") from None
    except _DAMAGE as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{file} is damaged ({first}); expected a fairseq checkpoint") from None
    if not isinstance(saved, dict) or not isinstance(saved.get("model"), dict):
        raise ModelError(f"{file} has no weights under 'model'; expected a fairseq checkpoint")
    weights: dict[str, Tensor] = saved["model"]
    for name, tensor in weights.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise ModelError(
                f"{file}: {str(name)[:60]!r} under 'model' is not a tensor with a name"
            )
        if tensor.layout != torch.strided or tensor.is_complex() or tensor.is_quantized:
            raise ModelError(f"{file}: {name!r} is not a plain tensor of numbers")
    check_weights(weights.items(), file)
    config = saved.get("cfg")
    of_cfg = config.get("model") if isinstance(config, dict) else None
    arguments = saved.get("args") or of_cfg or {}
    if isinstance(arguments, argparse.Namespace):
        arguments = vars(arguments)
    if not isinstance(arguments, dict):
        raise ModelError(f"{file}: its arguments are not a table; expected a fairseq checkpoint")
    return weights, dict(arguments)


def _argument(arguments: dict[str, Any], name: str, default: float, file: Path) -> float:
    """A number among the checkpoint's arguments, or the default if it is missing."""
    value = arguments.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1024:
        raise ModelError(f"{file}: its argument {name} is {str(value)[:40]!r}; expected a number")
    return value


def _config(weights: dict[str, Tensor], arguments: dict[str, Any], file: Path) -> Any:
    from transformers import BartConfig

    def layers(side: str) -> int:
        numbers = {int(m[1]) for k in weights if (m := re.match(rf"{side}\.layers\.(\d+)\.", k))}
        return len(numbers)

    for name in _NEEDED:
        if name not in weights:
            raise ModelError(f"{file} has no {name!r}; expected a BART checkpoint")
        if weights[name].dim() != 2 or not weights[name].numel():
            shape = tuple(weights[name].shape)
            raise ModelError(f"{file}: {name!r} has the shape {shape}; expected a matrix")
    rows, width = weights["encoder.embed_tokens.weight"].shape
    positions = len(weights["encoder.embed_positions.weight"]) - 2
    heads = {}
    for side in ("encoder", "decoder"):
        name = f"{side}_attention_heads"
        heads[side] = int(_argument(arguments, name, 0, file)) or max(1, width // 64)
        if width % heads[side]:
            raise ModelError(f"{file}: {width} dimensions are not a multiple of {name}")
    if positions < 1:
        raise ModelError(f"{file} has no positions; expected a BART checkpoint")
    return BartConfig(
        vocab_size=rows,
        d_model=width,
        encoder_layers=layers("encoder"),
        decoder_layers=layers("decoder"),
        encoder_attention_heads=heads["encoder"],
        decoder_attention_heads=heads["decoder"],
        encoder_ffn_dim=weights["encoder.layers.0.fc1.weight"].shape[0],
        decoder_ffn_dim=weights["decoder.layers.0.fc1.weight"].shape[0],
        # fairseq's positions begin after its padding id, like Hugging Face's offset of 2.
        max_position_embeddings=positions,
        activation_function=str(arguments.get("activation_fn") or "gelu"),
        dropout=min(1.0, _argument(arguments, "dropout", 0.1, file)),
        attention_dropout=min(1.0, _argument(arguments, "attention_dropout", 0.0, file)),
        scale_embedding=not arguments.get("no_scale_embedding", True),
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        decoder_start_token_id=2,
        forced_eos_token_id=None,
    )


def convert(
    checkpoint: Path, output: Path, dictionary: Path | None = None, tokenizer: Path | None = None
) -> Any:
    """Write a model folder from a fairseq checkpoint.

    Parameters
    ----------
    checkpoint
        ``model.pt``.
    output
        The folder to write.
    dictionary
        ``dict.txt`` (``dict.source.txt`` for GENRE). Default: looked for beside the checkpoint.
    tokenizer
        Folder with ``encoder.json`` or ``vocab.json``, and ``vocab.bpe`` or ``merges.txt``.
        Default: looked for beside the checkpoint. If it is not found, no tokeniser is written.

    Returns
    -------
    The converted model.
    """
    from transformers import BartForConditionalGeneration

    check_model_target(output)
    weights, arguments = read_checkpoint(checkpoint)
    config = _config(weights, arguments, checkpoint)
    rows = config.vocab_size
    if config.activation_function not in ("gelu", "relu"):
        raise ModelError(
            f"{checkpoint}: the activation is {config.activation_function!r}; expected gelu or relu"
        )
    renamed = {f"model.{k}": v.float() for k, v in weights.items() if not _IGNORED.search(k)}
    head = renamed.pop("model.decoder.output_projection.weight", None)
    shared = renamed["model.decoder.embed_tokens.weight"]
    if head is not None and not torch.equal(head, shared):
        raise ModelError(f"{checkpoint}: output and input embeddings differ; expected shared ones")
    renamed |= {
        "model.shared.weight": shared,
        "lm_head.weight": shared,
        "final_logits_bias": torch.zeros(1, rows),
    }
    # The tokeniser is read first, so that its errors are found before the long work.
    read = _tokenizer(checkpoint.parent, dictionary, tokenizer, rows)
    with torch.device("meta"):
        shapes = {n: p.shape for n, p in BartForConditionalGeneration(config).state_dict().items()}
    given = {name: tensor.shape for name, tensor in renamed.items()}
    wrong = sorted(n for n in shapes | given if shapes.get(n) != given.get(n))
    if wrong:
        raise ModelError(f"{checkpoint}: {wrong[0]!r} does not fit; expected weights of BART")
    model = BartForConditionalGeneration(config).eval()
    model.load_state_dict(renamed)
    with model_folder(output) as folder:
        model.save_pretrained(folder)
        if read is not None:
            read.save_pretrained(folder)
    return model


def _tokenizer(beside: Path, dictionary: Path | None, folder: Path | None, rows: int) -> Any:
    paths = [p for p in (dictionary, beside / "dict.txt", beside / "dict.source.txt") if p]
    symbols = next((p for p in paths if p.is_file()), None)
    if dictionary is not None and symbols != dictionary:
        raise ModelError(f"{dictionary}: no such file; expected fairseq's dict.txt")
    holder = folder or beside
    vocabulary, merges = (
        next((holder / name for name in names if (holder / name).is_file()), None)
        for names in (("encoder.json", "vocab.json"), ("vocab.bpe", "merges.txt"))
    )
    if symbols is None or vocabulary is None or merges is None:
        if folder is not None:
            raise ModelError(f"{folder}: no BPE; expected vocab.json and merges.txt, and dict.txt")
        return None
    from tokenizers import AddedToken, models

    ids = fairseq_ids(read_dictionary(symbols), _encoder(vocabulary))
    if len(ids) > rows:
        raise ModelError(f"{symbols}: {len(ids)} symbols; expected at most the model's {rows}")
    backend = byte_level(models.BPE(ids, _merges(merges, ids), unk_token="<unk>"))
    backend.add_special_tokens(
        [AddedToken(t, special=True, lstrip=t == "<mask>") for t in (*_SPECIAL, "<mask>")]
    )
    return barts_tokenizer(backend)


def _encoder(file: Path) -> dict[str, int]:
    """GPT-2's vocabulary."""
    values: dict[str, int] = json_of(file)
    wrong = next((t for t, i in values.items() if type(i) is not int or i < 0), None)
    if wrong is not None:
        raise damaged(file, f"{wrong[:40]!r} has {str(values[wrong])[:40]!r}; expected an id")
    if len(set(values.values())) < len(values):
        raise damaged(file, "two tokens have the same id")
    return values


def _merges(file: Path, ids: dict[str, int]) -> list[tuple[str, str]]:
    """The merges whose tokens the dictionary has."""
    merges = []
    for number, line in enumerate(_text(file, "GPT-2's merges").split("\n"), 1):
        line = line.removesuffix("\r")
        if not line or line.startswith("#version"):
            continue
        first, _, second = line.partition(" ")
        if not first or not second or " " in second:
            raise ModelError(f"{file}:{number}: {line[:40]!r}; expected two pieces")
        if {first, second, first + second} <= ids.keys():
            merges.append((first, second))
    return merges
