"""Checks of the arguments of public functions.

They raise :class:`biolink.errors.ConfigError`, which says what was given and what was expected.
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

#: The greatest number of values that a message lists.
_LISTED = 30


def need(name: str, value: object, kind: type | tuple[type, ...], expected: str) -> None:
    """Raise an error unless the value is an instance of one of these classes."""
    if not isinstance(value, kind):
        raise ConfigError(f"{name} is {shown(value)}; expected {expected}")


def need_text(name: str, value: object) -> None:
    """Raise an error unless the value is a string."""
    need(name, value, str, "a string")


def need_flag(name: str, value: object) -> None:
    """Raise an error unless the value is True or False."""
    need(name, value, bool, "True or False")


def need_callable(name: str, value: object, expected: str) -> None:
    """Raise an error unless the value is a function or None; a class counts as a mistake."""
    if value is not None and (isinstance(value, type) or not callable(value)):
        raise ConfigError(f"{name} is {shown(value)}; expected {expected}")


def need_iterable(name: str, given: object, expected: str) -> None:
    """Raise an error unless the value is a list or stream.

    A string or a mapping can be iterated over, but counts as a mistake.
    """
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise ConfigError(f"{name} is {shown(given)}; expected {expected}")


def need_path(value: object, expected: str) -> str | Path:
    """Return the path if the value can be the path of a file or folder.

    >>> need_path(5, "the path of a file")
    Traceback (most recent call last):
    biolink.errors.ConfigError: 5 (int) is not a path; expected the path of a file
    """
    path = value
    if isinstance(path, os.PathLike) and not isinstance(path, Path):
        path = os.fspath(path)
    if not isinstance(path, str | Path) or not str(path) or "\0" in str(path):
        raise ConfigError(f"{shown(value)} is not a path; expected {expected}")
    try:
        os.lstat(path)
    except OSError as error:
        if error.errno == ENAMETOOLONG:  # perhaps a text that was passed by mistake
            raise ConfigError(f"{shown(value)} is too long a path; expected {expected}") from None
    return path


def is_whole(value: object) -> bool:
    """Return whether a value is a whole number; True and False do not count as numbers."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def need_natural(name: str, value: object) -> None:
    """Raise an error unless the value is a whole number from 1."""
    if not is_whole(value) or value < 1:  # type: ignore[operator]
        raise ConfigError(f"{name} is {shown(value)}; expected a whole number from 1")


def need_number(name: str, value: object) -> None:
    """Raise an error unless the value is a number; True and False do not count as numbers."""
    if not isinstance(value, Real) or isinstance(value, bool) or value != value:
        raise ConfigError(f"{name} is {shown(value)}; expected a number")


def need_probability(name: str, value: Any) -> None:
    """Raise an error unless the value is a number from 0 to 1."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not (is_number and 0 <= float(value) <= 1):
        raise ConfigError(f"{name} is {shown(value)}; expected a probability from 0 to 1")


def texts_of(name: str, value: object) -> list[str]:
    """Return the strings of a list, or a list of the one string that was given.

    >>> texts_of("types", "Disease"), texts_of("types", {"Disease"})
    (['Disease'], ['Disease'])
    """
    texts = [value] if isinstance(value, str) else value
    if isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise ConfigError(f"{name} is {shown(value)}; expected a list of strings")
    texts = list(texts)
    for text in texts:
        if not isinstance(text, str):
            raise ConfigError(f"{name} has {shown(text)}; expected strings")
    return texts


_KINDS = {int: "a whole number", float: "a number", bool: "True or False", str: "a string"}


def options_of(cls: type[T], values: dict[str, Any]) -> T:
    """Make a dataclass of options from names and values.

    Every field of the class must have a default, and each value must have the type of that default.
    A whole number is accepted where the default is a float.

    Raises
    ------
    ConfigError
        If a name is unknown, or a value has the wrong type or is out of range.
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
    """Return the values in order, as a message lists them; a long list is cut short.

    >>> listed({"b", "a"})
    'a, b'
    """
    known = sorted(values)
    more = f" and {len(known) - _LISTED:,} more" if len(known) > _LISTED else ""
    return ", ".join(known[:_LISTED]) + more
