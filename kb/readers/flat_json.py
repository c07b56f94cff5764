"""Flat JSON: one object, ``{"id": ["name", "synonym", ...], ...}``; one name may be a string."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from biolink.errors import InputError
from biolink.kb.concept import Concept
from biolink.kb.files import display_name
from biolink.kb.problems import OnProblem, raise_or_report
from biolink.kb.readers.json_values import Unfit, as_text, as_texts, parse_file
from biolink.kb.wording import json_kind

LABEL = 'flat JSON ({"id": ["name", ...]})'


def sniff(path: str | Path, head: str) -> bool:
    return re.match(r'\s*\{\s*("[^"\n]*"\s*:\s*[\["]|\})', head) is not None and (
        re.match(r'\s*\{\s*"(id|name|graphs)"\s*:', head) is None
    )


def read_names(
    path: str | Path, on_problem: OnProblem = None
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield (id, names) for each entry.

    Raises
    ------
    InputError
        If the file is not one JSON object of lists of strings.
    """
    expected = "one JSON object of lists of names"
    entries = parse_file(path, expected)
    if not isinstance(entries, dict):
        raise InputError(display_name(path), None, json_kind(entries), expected)
    for key in list(entries):
        try:
            yield as_text(key, "an id"), as_texts(entries.pop(key), f"the entry {key!r}")
        except Unfit as error:
            raise_or_report(InputError(display_name(path), None, str(error), expected), on_problem)


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Concept]:
    """Stream the concepts; the first name is the preferred one."""
    for key, names in read_names(path, on_problem):
        yield Concept(
            id=key,
            name=names[0] if names else "",
            synonyms=tuple(dict.fromkeys(n for n in names[1:] if n != names[0])),
            source=Path(path).name,
        )
