"""BioSyn dictionaries: each line is ``id||name``, or with several of both ``id|id||name|name``.

The first id is that of the concept, the others are its alternative ids. Several lines may have the
same id. A composite id, such as ``D1+D2``, is one id.
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
    """Stream one concept per line.

    Raises
    ------
    InputError
        If a line has no ``||`` or no id.
    """
    for number, line in readable_lines(path, on_problem):
        if not line.strip():
            continue
        ids, separator, names = line.partition("||")
        first, *alternatives = [concept_id.strip() for concept_id in ids.split("|")]
        if not separator or not first:
            shown = f"the line {line[:80]!r}"
            problem = InputError(display_name(path), number, shown, "id||name|name|...")
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
