"""Phrases for messages: numbers with nouns, types of JSON values, lists of columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["columns_seen", "counted", "json_kind"]

#: The number of characters of a header that a message shows.
_SHOWN = 200
_JSON = {int: "a number", float: "a number", str: "a string", list: "a list", dict: "an object"}


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, which is in the plural unless the number is 1.

    >>> counted(1, "concept"), counted(12000, "name"), counted(0, "entry", "entries")
    ('1 concept', '12,000 names', '0 entries')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def json_kind(value: Any) -> str:
    """Return the name of a value's JSON type, with its article.

    >>> json_kind([1]), json_kind(1.5), json_kind(None), json_kind({})
    ('a list', 'a number', 'null', 'an object')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return _JSON.get(type(value)) or f"a {type(value).__name__}"


def columns_seen(columns: Iterable[str]) -> str:
    """Describe the header of a table for a message.

    >>> columns_seen(["code", "title"]), columns_seen([""])
    ('the columns are code, title', 'the header is empty')
    """
    names = ", ".join(columns)
    if not names.strip(", "):
        return "the header is empty"
    shown = names if len(names) <= _SHOWN else f"{names[:_SHOWN]}..."
    return f"the columns are {shown}"
