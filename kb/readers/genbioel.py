"""GenBioEL's ``target_kb.json``: ``{"id": ["name", ...], "id|id": ["name", ...], ...}``.

GenBioEL joins several ids of one concept by ``|``. The first is that of the concept, the others are
its alternative ids. Without such keys, the format is that of flat JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from biolink.kb.concept import Concept
from biolink.kb.files import stem_suffixes
from biolink.kb.problems import OnProblem
from biolink.kb.readers.flat_json import read_names

LABEL = "GenBioEL target_kb.json"


def sniff(path: str | Path, head: str) -> bool:
    return Path(path).name.startswith("target_kb.json") and ".json" in stem_suffixes(path)


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Concept]:
    """Stream the concepts; the first name is the preferred one."""
    for key, names in read_names(path, on_problem):
        first, *alternatives = [concept_id.strip() for concept_id in key.split("|")]
        yield Concept(
            id=first,
            name=names[0] if names else "",
            synonyms=tuple(dict.fromkeys(n for n in names[1:] if n != names[0])),
            alternative_ids=tuple(alternatives),
            source=Path(path).name,
        )
