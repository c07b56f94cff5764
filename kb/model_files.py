"""The JSON files of a model folder, read with a word on what is wrong in them.

Training and linking read the same files, and a damaged one is the same error to both: it names the
file, what stands in it and the cure.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from biolink.errors import ConfigError, ModelError
from biolink.kb.prompt import PromptForm

__all__ = [
    "ARCHITECTURES",
    "CURE",
    "SETTINGS",
    "checked_form",
    "config_values",
    "counts_of",
    "damaged",
    "json_of",
    "settings_of",
]

#: What biolink knows of a model, beside transformers' files.
SETTINGS = "biolink.json"
CURE = "take this file from a whole copy of the model, or make the model anew"
_FORMAT = "biolink-model"
_VERSION = 1
#: Entries of ``biolink.json`` and what each is.
_KNOWN: dict[str, tuple[type, ...]] = {
    "format": (str,),
    "version": (int,),
    "prompt": (dict,),
    "linker": (dict,),
    "ranker": (dict,),
    "nil": (dict,),
    "task": (str,),
    "development": (dict,),
    "training": (dict, list),
}
_WRITTEN: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    type(None): "null",
}
_LONGEST = {"start_marker": 100, "end_marker": 100, "decoder_prompt": 10_000}
_WIDEST = 100_000  # words of a window


def damaged(file: Path, what: str) -> ModelError:
    """The error of a damaged file of a model folder."""
    return ModelError(f"{file} is damaged: {what}; {CURE}")


def json_of(file: Path, expected: type = dict) -> Any:
    """What a JSON file of a model folder holds.

    Raises
    ------
    ModelError
        When it cannot be read, or holds something else than an object (a list, where that is
        expected).
    """

    def no_number(written: str) -> Any:
        raise ValueError(f"{written} is no number of JSON")

    try:
        values = json.loads(file.read_text(encoding="utf-8"), parse_constant=no_number)
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror or error}") from None
    except RecursionError:
        raise damaged(file, "it nests too deep") from None
    except ValueError as error:
        raise damaged(file, str(error)) from None
    if not isinstance(values, expected):
        raise damaged(file, f"it holds {_kind(values)}, expected {_WRITTEN[expected]}")
    return values


def _kind(value: Any) -> str:
    return _WRITTEN.get(type(value), type(value).__name__)


def _is(value: Any, kinds: tuple[type, ...]) -> bool:
    """Whether a value of JSON is of one of these kinds; true and false are no numbers."""
    if isinstance(value, bool) and bool not in kinds:
        return False
    if float in kinds and isinstance(value, int | float):
        return abs(value) < 1e300 and math.isfinite(value)
    return isinstance(value, kinds)


def settings_of(folder: Path) -> dict[str, Any]:
    """``biolink.json`` of a model folder, checked; empty where there is none.

    Raises
    ------
    ModelError
        For a damaged file, an entry that is not known and another version.
    """
    file = folder / SETTINGS
    if not file.is_file():
        return {}
    values: dict[str, Any] = json_of(file)
    if values.get("format", _FORMAT) != _FORMAT:
        raise damaged(file, f"format is {values['format']!r}, expected {_FORMAT!r}")
    version = values.get("version", _VERSION)
    if not _is(version, (int,)) or version != _VERSION:
        raise ModelError(
            f"{file}: version {version!r} is unknown to this version of biolink, which reads "
            f"{_VERSION}: install a newer one"
        )
    unknown = sorted(values.keys() - _KNOWN.keys())
    if unknown:
        raise ModelError(
            f"{file}: unknown entry {unknown[0]!r}; expected {', '.join(_KNOWN)}: a newer version "
            "of biolink may have written it"
        )
    for name, value in values.items():
        if not _is(value, _KNOWN[name]):
            expected = " or ".join(_WRITTEN[kind] for kind in _KNOWN[name])
            raise damaged(file, f"{name} is {_kind(value)}, expected {expected}")
    for kind, weights in values.get("ranker", {}).items():
        if kind not in ("weights", "nil"):
            raise damaged(file, f"ranker has the unknown entry {kind!r}")
        if not isinstance(weights, dict):
            raise damaged(file, f"ranker.{kind} is {_kind(weights)}, expected an object")
        for name, value in weights.items():
            if not _is(value, (float,)):
                raise damaged(file, f"ranker.{kind}.{name} is {value!r}, expected a number")
    try:
        checked_form(values.get("prompt", {}))
    except ConfigError as error:
        raise damaged(file, str(error)) from None
    return values


def checked_form(values: Mapping[str, Any]) -> PromptForm:
    """A text form from values that somebody wrote.

    >>> checked_form({"window": 40}).window
    40

    Raises
    ------
    ConfigError
        When a value is unknown, of another kind, or out of all proportion.
    """
    form = PromptForm.from_dict(dict(values))
    for field in fields(PromptForm):
        value = getattr(form, field.name)
        kind = type(field.default)
        if not _is(value, (kind,)):
            raise ConfigError(f"prompt.{field.name} is {_kind(value)}, expected {_WRITTEN[kind]}")
        longest = _LONGEST.get(field.name)
        if longest is not None and len(value) > longest:
            raise ConfigError(f"prompt.{field.name} has {len(value)} characters, expected few")
    if not 1 <= form.window <= _WIDEST:
        raise ConfigError(f"prompt.window is {form.window}, expected from 1 to {_WIDEST} words")
    for name in ("start_marker", "end_marker"):
        if not getattr(form, name).strip():
            raise ConfigError(f"prompt.{name} is empty, expected a word to put beside the mention")
    return form


def counts_of(file: Path) -> dict[str, dict[str, int]]:
    """Counts by two texts (``annotations.json``, ``abbreviations.json``); empty without the file.

    Raises
    ------
    ModelError
        When the file is damaged.
    """
    if not file.is_file():
        return {}
    values: dict[str, Any] = json_of(file)
    for name, counted in values.items():
        if not isinstance(counted, dict):
            raise damaged(file, f"{name[:40]!r} has {_kind(counted)}, expected an object of counts")
        for other, count in counted.items():
            if type(count) is not int or not 0 <= count < 2**53:
                raise damaged(
                    file, f"{name[:40]!r}: {other[:40]!r} has {str(count)[:40]!r}, expected a count"
                )
    return values


#: Architectures that biolink runs.
ARCHITECTURES = ("bart", "t5", "mt5")
#: Sizes in ``config.json``: least and most.
_SIZES: dict[str, tuple[int, int]] = {
    "d_model": (1, 16_384),
    "d_kv": (1, 4_096),
    **dict.fromkeys(("d_ff", "encoder_ffn_dim", "decoder_ffn_dim"), (1, 262_144)),
    **dict.fromkeys(("num_heads", "encoder_attention_heads", "decoder_attention_heads"), (1, 1024)),
    **dict.fromkeys(
        ("num_layers", "num_decoder_layers", "encoder_layers", "decoder_layers"), (1, 512)
    ),
    "max_position_embeddings": (1, 1_048_576),
    "vocab_size": (1, 8_388_608),
}
_TOKENS = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
_OTHERS: dict[str, tuple[type, ...]] = {
    "activation_function": (str,),
    "feed_forward_proj": (str,),
    "scale_embedding": (bool,),
    "tie_word_embeddings": (bool,),
    **dict.fromkeys(("dropout", "attention_dropout", "activation_dropout"), (float,)),
    **dict.fromkeys(("dropout_rate", "layer_norm_epsilon", "init_std"), (float,)),
}


def config_values(folder: Path) -> dict[str, Any]:
    """``config.json`` of a model folder, checked.

    Raises
    ------
    ModelError
        For a damaged file, an architecture that biolink does not run, and sizes out of all
        proportion.
    """
    file = folder / "config.json"
    if not file.is_file():
        raise ModelError(f"{folder} is no model: it has no config.json; expected a model folder")
    values: dict[str, Any] = json_of(file)
    kind = values.get("model_type")
    if kind not in ARCHITECTURES:
        raise ModelError(
            f"{file}: the architecture (model_type) is {str(kind)[:40]!r}; expected "
            f"{', '.join(ARCHITECTURES)}"
        )
    for name, (least, most) in _SIZES.items():
        value = values.get(name, least)
        if value is None and name == "num_decoder_layers":
            continue  # as many as the encoder's
        if not _is(value, (int,)) or not least <= value <= most:
            raise damaged(
                file,
                f"{name} is {str(value)[:40]!r}, expected a whole number from {least} to {most}",
            )
    for name, kinds in _OTHERS.items():
        if name in values and not _is(values[name], kinds):
            raise damaged(
                file, f"{name} is {str(values[name])[:40]!r}, expected {_WRITTEN[kinds[0]]}"
            )
    width = values.get("d_model")
    for name in ("encoder_attention_heads", "decoder_attention_heads"):
        if width and width % values.get(name, 1):
            raise damaged(file, f"d_model = {width} is no multiple of {name} = {values[name]}")
    size = int(values.get("vocab_size", _SIZES["vocab_size"][1]))
    for name in _TOKENS:
        ids = values.get(name)
        numbers: list[Any] = ids if isinstance(ids, list) and ids else [ids]
        for number in numbers:
            if number is not None and not (_is(number, (int,)) and 0 <= number < size):
                raise damaged(
                    file,
                    f"{name} is {str(ids)[:40]!r}, expected a token of the {size} (vocab_size)",
                )
    return values
