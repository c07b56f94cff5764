"""Parsing JSON and checking the types of its values, with clear errors.

A value of the wrong type raises :class:`Unfit`, which the reader turns into an ``InputError`` that
names the file and the line or entry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from biolink.errors import InputError
from biolink.kb.files import display_name, open_text

__all__ = ["Unfit", "as_list", "as_object", "as_text", "as_texts", "parse", "parse_file", "written"]

_HALF = re.compile("[\ud800-\udfff]")


class Unfit(ValueError):
    """A value has the wrong type or cannot be read."""


def parse(text: str) -> Any:
    """Parse a JSON value.

    Raises
    ------
    Unfit
        If the text is not JSON, is nested too deeply, or has a number with too many digits.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Unfit(f"not JSON ({error.msg}, column {error.colno})") from None
    except ValueError as error:
        raise Unfit(f"JSON that cannot be read ({error})") from None
    except RecursionError:
        raise Unfit("JSON that is nested too deeply") from None


def parse_file(path: str | Path, expected: str) -> Any:
    """Parse a JSON file.

    Parameters
    ----------
    path
        The file.
    expected
        What the file should contain, for the message.

    Raises
    ------
    InputError
        If the file cannot be read or is not JSON; the message names the line.
    """
    with open_text(path) as stream:
        text = stream.read()
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        raise InputError(display_name(path), error.lineno, error.msg, expected) from None
    except ValueError as error:
        raise InputError(display_name(path), None, str(error), expected) from None
    except RecursionError:
        raise InputError(display_name(path), None, "JSON nested too deeply", expected) from None


def as_object(value: Any, what: str) -> Mapping[str, Any]:
    """Return the value if it is an object; None counts as an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unfit(f"{what} is {written(value)}, not an object")
    return value


def as_list(value: Any, what: str) -> list[Any]:
    """Return the value if it is a list; None counts as an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unfit(f"{what} is {written(value)}, not a list")
    return value


def as_text(value: Any, what: str) -> str:
    """Return the value if it is a string without lone surrogates; None counts as ""."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unfit(f"{what} is {written(value)}, not a string")
    if _HALF.search(value):
        raise Unfit(f"{what} is {written(value)}, which holds half of a character")
    return value


def as_texts(value: Any, what: str) -> tuple[str, ...]:
    """Return a tuple of strings if the value is a string or a list of strings.

    >>> as_texts(["fever", "pyrexia"], '"names"'), as_texts("fever", '"names"')
    (('fever', 'pyrexia'), ('fever',))
    """
    if isinstance(value, str):
        return (as_text(value, what),) if value else ()
    items = as_list(value, what)
    if None in items:
        raise Unfit(f"{what} holds null")
    return tuple(as_text(item, what) for item in items)


def written(value: Any) -> str:
    """Return the value as messages show it; a long one is cut short."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
