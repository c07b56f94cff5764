"""The files of a model folder: their names, and reading and checking those that are JSON.

Training and linking both read these files with this module, so a damaged file causes the same error
in both. The message names the file, what is wrong with it and what to do.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from biolink.errors import ModelError

__all__ = [
    "ABBREVIATIONS",
    "ANNOTATIONS",
    "ARCHITECTURES",
    "CALIBRATION",
    "CONFIG",
    "CURE",
    "READER",
    "REMEMBERED",
    "RETRIEVER",
    "SEAL",
    "SEEN_DOCUMENTS",
    "SETTINGS",
    "STOP_NAMES",
    "TAGGER",
    "TOKENISER",
    "TOKENISER_CONFIG",
    "WEIGHTS",
    "WRITTEN",
    "config_values",
    "counts_of",
    "damaged",
    "has_file",
    "is_of",
    "json_of",
    "kind_of",
]

#: The files that transformers writes.
CONFIG, WEIGHTS = "config.json", "model.safetensors"
TOKENISER, TOKENISER_CONFIG = "tokenizer.json", "tokenizer_config.json"
#: biolink's own settings of a model.
SETTINGS = "biolink.json"
#: How often annotated documents link a mention to a concept.
ANNOTATIONS = "annotations.json"
#: How often documents define a short form as the abbreviation of a name.
ABBREVIATIONS = "abbreviations.json"
#: Names that are usually ordinary words.
STOP_NAMES = "stop_names.json"
#: Hashes of the documents that the model was trained on.
SEEN_DOCUMENTS = "documents.json"
#: The calibration of the probabilities.
CALIBRATION = "calibration.json"
#: What people decided about mentions.
REMEMBERED = "remembered.json"
#: The recogniser that was trained with the model.
TAGGER = "tagger.safetensors"
#: The two networks of a retrieve-and-read model: one retrieves concepts, the other finds where the
#: text mentions them.
RETRIEVER, READER = "retriever.safetensors", "reader.safetensors"
#: Sizes and checksums of the other files.
SEAL = "seal.json"

CURE = "take this file from a whole copy of the model, or make the model anew"
#: The types of JSON values as messages name them.
WRITTEN: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    type(None): "null",
}


def damaged(file: Path, what: str) -> ModelError:
    """Return the error for a damaged file of a model folder."""
    return ModelError(f"{file} is damaged: {what}; {CURE}")


def has_file(file: Path) -> bool:
    """Return whether a model folder has a file.

    Raises
    ------
    ModelError
        If something else has its name: a folder, a link that leads nowhere, or a special file.
    """
    if file.is_file():
        return True
    if file.is_symlink() or file.exists():
        if file.is_dir():
            what = "a folder"
        else:
            what = "not a regular file" if file.exists() else "a link that leads nowhere"
        raise damaged(file, f"it is {what}")
    return False


def json_of(file: Path, expected: type = dict) -> Any:
    """Read a JSON file of a model folder.

    Parameters
    ----------
    file
        The file.
    expected
        The type that its value must have. Default: ``dict``.

    Raises
    ------
    ModelError
        If the file cannot be read, is not JSON, or has a value of another type.
    """

    def refuse_constant(constant: str) -> Any:
        raise ValueError(f"{constant} is not a JSON number")

    try:
        text = file.read_text(encoding="utf-8")
        if not text.strip():
            raise ValueError("it is empty")
        values = json.loads(text, parse_constant=refuse_constant)
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror or error}") from None
    except RecursionError:
        raise damaged(file, "it is nested too deeply") from None
    except ValueError as error:
        raise damaged(file, str(error)) from None
    if not isinstance(values, expected):
        raise damaged(file, f"it holds {kind_of(values)}, expected {WRITTEN[expected]}")
    return values


def kind_of(value: Any) -> str:
    """Return the type of a JSON value as messages name it.

    >>> kind_of([]), kind_of(0.5)
    ('a list', 'a number')
    """
    return WRITTEN.get(type(value), type(value).__name__)


def is_of(value: Any, kinds: tuple[type, ...]) -> bool:
    """Return whether a JSON value has one of these types; true and false are not numbers."""
    if isinstance(value, bool) and bool not in kinds:
        return False
    if float in kinds and isinstance(value, int | float):
        return abs(value) < 1e300 and math.isfinite(value)
    return isinstance(value, kinds)


def stop_names_of(folder: Path | None, name: str = STOP_NAMES) -> list[str]:
    """Return the names that are usually ordinary words, judging by the training documents.

    Parameters
    ----------
    folder
        A model folder, or None. The list is empty without a folder or without the file.
    name
        The name of the file. Default: :data:`STOP_NAMES`.

    Raises
    ------
    ModelError
        If the file is damaged.
    """
    file = None if folder is None else folder / name
    if file is None or not has_file(file):
        return []
    names: list[str] = json_of(file, list)
    for written in names:
        if not isinstance(written, str):
            raise damaged(file, f"it holds {str(written)[:40]!r}, expected names")
    return names


def counts_of(file: Path) -> dict[str, dict[str, int]]:
    """Read a file that maps pairs of strings to counts; the result is empty without the file.

    The files are ``annotations.json`` and ``abbreviations.json``.

    Raises
    ------
    ModelError
        If the file is damaged.
    """
    if not has_file(file):
        return {}
    values: dict[str, Any] = json_of(file)
    for first, counts in values.items():
        if not isinstance(counts, dict):
            raise damaged(
                file, f"{first[:40]!r} has {kind_of(counts)}, expected an object of counts"
            )
        for second, count in counts.items():
            if type(count) is not int or not 0 <= count < 2**53:
                raise damaged(
                    file,
                    f"{first[:40]!r}: {second[:40]!r} has {str(count)[:40]!r}, expected a count",
                )
    return values


#: The architectures that biolink supports.
ARCHITECTURES = ("bart", "t5", "mt5")
#: The sizes in ``config.json``, with the least and the greatest allowed value.
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
    """Read and check ``config.json`` of a model folder.

    Raises
    ------
    ModelError
        If the file is missing or damaged, the architecture is not supported, or a size is out of
        range.
    """
    file = folder / CONFIG
    if not has_file(file):
        raise ModelError(f"{folder} is not a model: it has no {CONFIG}; expected a model folder")
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
            continue  # null means as many as the encoder has
        if not is_of(value, (int,)) or not least <= value <= most:
            raise damaged(
                file,
                f"{name} is {str(value)[:40]!r}, expected a whole number from {least} to {most}",
            )
    for name, kinds in _OTHERS.items():
        if name in values and not is_of(values[name], kinds):
            raise damaged(
                file, f"{name} is {str(values[name])[:40]!r}, expected {WRITTEN[kinds[0]]}"
            )
    width = values.get("d_model")
    for name in ("encoder_attention_heads", "decoder_attention_heads"):
        if width and width % values.get(name, 1):
            raise damaged(file, f"d_model = {width} is not a multiple of {name} = {values[name]}")
    size = int(values.get("vocab_size", _SIZES["vocab_size"][1]))
    for name in _TOKENS:
        ids = values.get(name)
        numbers: list[Any] = ids if isinstance(ids, list) and ids else [ids]
        for number in numbers:
            if number is not None and not (is_of(number, (int,)) and 0 <= number < size):
                raise damaged(
                    file,
                    f"{name} is {str(ids)[:40]!r}, expected the id of a token, below {size} "
                    "(vocab_size)",
                )
    return values
