"""Flat JSON: one object, ``{"id": ["name", "synonym", ...], ...}``; a single string is one name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from biolink.errors import InputError
from biolink.kb.concept import Concept
from biolink.kb.files import display_name, open_text

LABEL = 'flat JSON ({"id": ["name", ...]})'


def sniff(path: str | Path, head: str) -> bool:
    return re.match(r'\s*\{\s*("[^"\n]*"\s*:\s*[\["]|\})', head) is not None and (
        re.match(r'\s*\{\s*"(id|name|graphs)"\s*:', head) is None
    )


def read_names(path: str | Path) -> Iterator[tuple[str, list[str]]]:
    """(id, names) of every entry.

    Raises
    ------
    InputError
        When the file is not one JSON object of lists of strings.
    """
    try:
        with open_text(path) as stream:
            entries = json.load(stream)
    except json.JSONDecodeError as error:
        raise InputError(display_name(path), error.lineno, error.msg, "one JSON object") from None
    if not isinstance(entries, dict):
        raise InputError(display_name(path), None, type(entries).__name__, "a JSON object")
    for key in list(entries):
        names = entries.pop(key)
        names = [names] if isinstance(names, str) else names
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError(display_name(path), None, f"entry {key!r}", "a list of names")
        yield key, names


def read(path: str | Path) -> Iterator[Concept]:
    """Stream the concepts; the first name is the preferred one."""
    for key, names in read_names(path):
        yield Concept(
            id=key,
            name=names[0] if names else "",
            synonyms=tuple(dict.fromkeys(n for n in names[1:] if n != names[0])),
            source=Path(path).name,
        )
