"""BioSyn dictionaries: ``id||name`` a line, ``id|alternative||name|name``, composite ids with +.

The first id names the concept, the others are its alternative ids. Lines of one id may repeat.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from biolink.errors import InputError
from biolink.kb.concept import Concept
from biolink.kb.files import display_name
from biolink.kb.problems import OnProblem, raise_or_report, readable_lines

LABEL = "BioSyn dictionary (id||name)"


def sniff(path: str | Path, head: str) -> bool:
    lines = [line for line in head.splitlines()[:5] if line.strip()]
    return bool(lines) and all("||" in line and "\t" not in line for line in lines)


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Concept]:
    """Stream a concept per line.

    Raises
    ------
    InputError
        For a line without ``||`` or without an id.
    """
    for number, line in readable_lines(path, on_problem):
        if not line.strip():
            continue
        ids, separator, names = line.partition("||")
        first, *alternatives = [part.strip() for part in ids.split("|")]
        if not separator or not first:
            found = f"the line {line[:80]!r}"
            problem = InputError(display_name(path), number, found, "id||name|name|...")
            raise_or_report(problem, on_problem)
            continue
        preferred, *synonyms = names.split("|")
        yield Concept(
            id=first,
            name=preferred,
            synonyms=tuple(synonyms),
            alternative_ids=tuple(alternatives),
            source=Path(path).name,
        )
