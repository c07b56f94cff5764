"""fairseq's BART and GENRE checkpoints, converted to the Hugging Face layout.

Read under torch's restricted unpickler: tensors and plain values load, and the few classes that
fairseq's checkpoints hold are replaced by empty ones; code in a checkpoint never runs.
"""

from __future__ import annotations

import argparse
import json
import pickle
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from biolink.errors import ModelError
from biolink.pretrain.start import check_model_target, model_folder
from biolink.pretrain.vocabulary import barts_tokenizer, byte_level

__all__ = ["convert", "fairseq_ids", "read_checkpoint", "read_dictionary"]

#: fairseq's own symbols in the order of its ids; <mask> is added behind the dictionary.
_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
_IGNORED = re.compile(
    r"(^|\.)(version|_float_tensor|embed_positions\._float_tensor)$|^classification_heads\."
)


def read_dictionary(file: Path) -> list[str]:
    """Symbols of ``dict.txt`` in the order of fairseq's ids, special ones and <mask> included.

    Raises
    ------
    ModelError
        When a line is not ``symbol count``.
    """
    symbols = list(_SPECIAL)
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{file}: {error}; expected fairseq's dict.txt") from None
    for number, line in enumerate(lines, 1):
        symbol, _, count = line.removesuffix(" #fairseq:overwrite").rpartition(" ")
        if not symbol or not count.isdigit():
            raise ModelError(f"{file}:{number}: {line[:40]!r}; expected a symbol and a count")
        symbols.append(symbol)
    return [*symbols, "<mask>"]


def fairseq_ids(symbols: list[str], encoder: dict[str, int]) -> dict[str, int]:
    """Token -> row of fairseq's embedding.

    Parameters
    ----------
    symbols
        Of :func:`read_dictionary`; GPT-2's BPE writes ids of its own vocabulary, as digits.
    encoder
        GPT-2's ``encoder.json`` or ``vocab.json``: token -> id.
    """
    token_of = {str(number): token for token, number in encoder.items()}
    ids: dict[str, int] = {}
    for row, symbol in enumerate(symbols):
        special = symbol in _SPECIAL or symbol == "<mask>" or symbol.startswith("madeupword")
        token = symbol if special else token_of.get(symbol, symbol if symbol in encoder else None)
        if token is None:
            raise ModelError(f"dict.txt: {symbol!r} is no id of the BPE's vocabulary")
        ids[token] = row
    return ids


def read_checkpoint(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights, and the arguments of the model (``args`` or ``cfg.model``) as a dict.

    Raises
    ------
    ModelError
        When the file is no fairseq checkpoint, or holds objects that may not be loaded.
    """
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            saved = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ModelError(f"{file}: no such file; expected a fairseq checkpoint") from None
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"holds objects of {named[1]}" if named else "cannot be read without running code"
        raise ModelError(f"{file}: {what}; expected tensors and plain values only") from None
    except (OSError, RuntimeError, EOFError) as error:
        first = str(error).splitlines()[0]
        raise ModelError(f"{file}: {first}; expected a fairseq checkpoint") from None
    if not isinstance(saved, dict) or not isinstance(saved.get("model"), dict):
        raise ModelError(f"{file}: has no weights under 'model'; expected a fairseq checkpoint")
    found = saved.get("args") or (saved.get("cfg") or {}).get("model") or {}
    return saved["model"], dict(found if isinstance(found, dict) else vars(found))


def _config(weights: dict[str, Tensor], arguments: dict[str, Any], rows: int) -> Any:
    from transformers import BartConfig

    def layers(side: str) -> int:
        found = {int(m[1]) for k in weights if (m := re.match(rf"{side}\.layers\.(\d+)\.", k))}
        return len(found)

    width = weights["encoder.embed_tokens.weight"].shape[1]
    heads = {
        side: int(arguments.get(f"{side}_attention_heads") or width // 64)
        for side in ("encoder", "decoder")
    }
    return BartConfig(
        vocab_size=rows,
        d_model=width,
        encoder_layers=layers("encoder"),
        decoder_layers=layers("decoder"),
        encoder_attention_heads=heads["encoder"],
        decoder_attention_heads=heads["decoder"],
        encoder_ffn_dim=weights["encoder.layers.0.fc1.weight"].shape[0],
        decoder_ffn_dim=weights["decoder.layers.0.fc1.weight"].shape[0],
        # fairseq's positions begin behind its padding id, as Hugging Face's offset of 2 does.
        max_position_embeddings=weights["encoder.embed_positions.weight"].shape[0] - 2,
        activation_function=str(arguments.get("activation_fn") or "gelu"),
        dropout=float(arguments.get("dropout") or 0.1),
        attention_dropout=float(arguments.get("attention_dropout") or 0.0),
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
    dictionary
        ``dict.txt`` (``dict.source.txt`` of GENRE); looked for beside the checkpoint.
    tokenizer
        Folder with ``encoder.json`` or ``vocab.json``, and ``vocab.bpe`` or ``merges.txt``; looked
        for beside the checkpoint. Without it no tokeniser is written.

    Returns
    -------
    The converted model.
    """
    from transformers import BartForConditionalGeneration

    check_model_target(output)
    weights, arguments = read_checkpoint(checkpoint)
    if "encoder.embed_tokens.weight" not in weights or "encoder.layers.0.fc1.weight" not in weights:
        raise ModelError(f"{checkpoint}: has no encoder layers; expected a BART checkpoint")
    rows = weights["encoder.embed_tokens.weight"].shape[0]
    config = _config(weights, arguments, rows)
    if config.activation_function not in ("gelu", "relu"):
        raise ModelError(
            f"{checkpoint}: activation {config.activation_function!r}; expected gelu or relu"
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
    model = BartForConditionalGeneration(config).eval()
    missing, unexpected = model.load_state_dict(renamed, strict=False)
    wrong = sorted({*missing, *unexpected})
    if wrong:
        raise ModelError(f"{checkpoint}: {wrong[0]!r} does not fit; expected BART's weights")
    read = _tokenizer(checkpoint.parent, dictionary, tokenizer, rows)
    with model_folder(output) as folder:
        model.save_pretrained(folder)
        if read is not None:
            read.save_pretrained(folder)
    return model


def _tokenizer(beside: Path, dictionary: Path | None, folder: Path | None, rows: int) -> Any:
    places = [p for p in (dictionary, beside / "dict.txt", beside / "dict.source.txt") if p]
    found = next((p for p in places if p.is_file()), None)
    if dictionary is not None and found != dictionary:
        raise ModelError(f"{dictionary}: no such file; expected fairseq's dict.txt")
    place = folder or beside
    vocabulary, merges = (
        next((place / name for name in names if (place / name).is_file()), None)
        for names in (("encoder.json", "vocab.json"), ("vocab.bpe", "merges.txt"))
    )
    if found is None or vocabulary is None or merges is None:
        if folder is not None:
            raise ModelError(f"{folder}: no BPE; expected vocab.json and merges.txt, and dict.txt")
        return None
    from tokenizers import AddedToken, models

    ids = fairseq_ids(read_dictionary(found), json.loads(vocabulary.read_text(encoding="utf-8")))
    if len(ids) > rows:
        raise ModelError(f"{found}: {len(ids)} symbols; expected at most the model's {rows}")
    lines = merges.read_text(encoding="utf-8").splitlines()
    pairs = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    known = [p for p in pairs if len(p) == 2 and {*p, "".join(p)} <= ids.keys()]
    backend = byte_level(models.BPE(ids, known, unk_token="<unk>"))
    backend.add_special_tokens(
        [AddedToken(t, special=True, lstrip=t == "<mask>") for t in (*_SPECIAL, "<mask>")]
    )
    return barts_tokenizer(backend)
