"""Checks of what a caller gives, each where the value enters.

They raise :class:`biolink.errors.ConfigError`, which says what was given and what is expected.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import fields
from errno import ENAMETOOLONG
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

from biolink.errors import ConfigError, shown

__all__ = [
    "is_whole",
    "listed",
    "need",
    "need_callable",
    "need_flag",
    "need_iterable",
    "need_natural",
    "need_number",
    "need_path",
    "need_probability",
    "need_text",
    "options_of",
    "texts_of",
]

T = TypeVar("T")

#: Values that a message lists.
_LISTED = 30


def need(name: str, value: object, kind: type | tuple[type, ...], expected: str) -> None:
    """Refuse what is not of a class."""
    if not isinstance(value, kind):
        raise ConfigError(f"{name} is {shown(value)}; expected {expected}")


def need_text(name: str, value: object) -> None:
    """Refuse what is no text."""
    need(name, value, str, "a text")


def need_flag(name: str, value: object) -> None:
    """Refuse what is neither True nor False."""
    need(name, value, bool, "True or False")


def need_callable(name: str, value: object, expected: str) -> None:
    """Refuse what is neither a function nor None; a class is taken for a mistake."""
    if value is not None and (isinstance(value, type) or not callable(value)):
        raise ConfigError(f"{name} is {shown(value)}; expected {expected}")


def need_iterable(name: str, given: object, expected: str) -> None:
    """Refuse what is no list or stream; a text and a mapping are taken for mistakes."""
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise ConfigError(f"{name} is {shown(given)}; expected {expected}")


def need_path(value: object, expected: str) -> str | Path:
    """The path of a file or folder.

    >>> need_path(5, "the path of a file")
    Traceback (most recent call last):
    biolink.errors.ConfigError: 5 (int) is no path; expected the path of a file
    """
    path = value
    if isinstance(path, os.PathLike) and not isinstance(path, Path):
        path = os.fspath(path)
    if not isinstance(path, str | Path) or not str(path) or "\0" in str(path):
        raise ConfigError(f"{shown(value)} is not a path; expected {expected}")
    try:
        os.lstat(path)
    except OSError as error:
        if error.errno == ENAMETOOLONG:  # a text, perhaps
            raise ConfigError(f"{shown(value)} is too long a path; expected {expected}") from None
    return path


def is_whole(value: object) -> bool:
    """Whether a value is a whole number; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def need_natural(name: str, value: object) -> None:
    """Refuse what is no whole number from 1."""
    if not is_whole(value) or value < 1:  # type: ignore[operator]
        raise ConfigError(f"{name} is {shown(value)}; expected a whole number from 1")


def need_number(name: str, value: object) -> None:
    """Refuse what is no number; True and False are none."""
    if not isinstance(value, Real) or isinstance(value, bool) or value != value:
        raise ConfigError(f"{name} is {shown(value)}; expected a number")


def need_probability(name: str, value: Any) -> None:
    """Refuse what is no number from 0 to 1."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not (is_number and 0 <= float(value) <= 1):
        raise ConfigError(f"{name} is {shown(value)}; expected a probability from 0 to 1")


def texts_of(name: str, value: object) -> list[str]:
    """Several texts, or one.

    >>> texts_of("types", "Disease"), texts_of("types", {"Disease"})
    (['Disease'], ['Disease'])
    """
    texts = [value] if isinstance(value, str) else value
    if isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise ConfigError(f"{name} is {shown(value)}; expected a list of texts")
    texts = list(texts)
    for text in texts:
        if not isinstance(text, str):
            raise ConfigError(f"{name} has {shown(text)}; expected texts")
    return texts


_KINDS = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}


def options_of(cls: type[T], values: dict[str, Any]) -> T:
    """Options of a dataclass whose fields all have defaults, each of its default's type.

    Raises
    ------
    ConfigError
        When a name is unknown, or a value has another type or is out of range.
    """
    known = {field.name: field.default for field in fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ConfigError(f"unknown options {unknown}; expected one of {sorted(known)}")
    for name, value in values.items():
        kind = type(known[name])
        # A whole number is a number; True is not.
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise ConfigError(
                f"{name} is {shown(value)}; expected {_KINDS.get(kind, kind.__name__)}"
            )
    return cls(**values)


def listed(values: Iterable[str]) -> str:
    """Values as a message names them, in order; of many the first."""
    known = sorted(values)
    more = f" and {len(known) - _LISTED:,} more" if len(known) > _LISTED else ""
    return ", ".join(known[:_LISTED]) + more
