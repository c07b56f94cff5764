"""JSON as knowledge bases have it: parsed and taken apart with clear errors.

A value of another type than expected raises :class:`Unfit`, which the reader turns into an
``InputError`` with the place.
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
    """A value is not what its place asks for."""


def parse(text: str) -> Any:
    """A JSON value.

    Raises
    ------
    Unfit
        When it is none, is nested too deeply, or has a number of too many digits.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Unfit(f"no JSON ({error.msg}, column {error.colno})") from None
    except ValueError as error:
        raise Unfit(f"no JSON that can be read ({error})") from None
    except RecursionError:
        raise Unfit("JSON that is nested too deeply") from None


def parse_file(path: str | Path, expected: str) -> Any:
    """The value of a JSON file; ``InputError`` with the line when there is none."""
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
    """The value, which must be an object; None counts as an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unfit(f"{what} is {written(value)}, not an object")
    return value


def as_list(value: Any, what: str) -> list[Any]:
    """The value, which must be a list; None counts as an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unfit(f"{what} is {written(value)}, not a list")
    return value


def as_text(value: Any, what: str) -> str:
    """The value, which must be a text of whole characters; None counts as ""."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unfit(f"{what} is {written(value)}, not a text")
    if _HALF.search(value):
        raise Unfit(f"{what} is {written(value)}, which holds half of a character")
    return value


def as_texts(value: Any, what: str) -> tuple[str, ...]:
    """The value, which must be a text or a list of texts."""
    if isinstance(value, str):
        return (as_text(value, what),) if value else ()
    items = as_list(value, what)
    if None in items:
        raise Unfit(f"{what} holds null")
    return tuple(as_text(item, what) for item in items)


def written(value: Any) -> str:
    """The value as messages show it."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
