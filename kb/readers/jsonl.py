"""JSON Lines: an object per concept.

Fields are those of :class:`biolink.kb.Concept`; ``id`` and one of ``name`` and ``names`` are
required. scispaCy's field names (``concept_id``, ``canonical_name``, ``aliases``, ``definition``,
``types``) are read too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from biolink.errors import InputError
from biolink.kb.concept import Concept
from biolink.kb.files import display_name, numbered_lines

LABEL = "JSON Lines, an object per concept"


def sniff(path: str | Path, head: str) -> bool:
    return re.match(r'\s*\{[^\n]*"(id|concept_id)"\s*:', head) is not None


def _texts(record: dict[str, Any], *keys: str) -> tuple[str, ...]:
    for key in keys:
        value = record.get(key)
        if value:
            values = [value] if isinstance(value, str) else value
            if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
                raise ValueError(f"{key} is {value!r}, not a list of strings")
            return tuple(values)
    return ()


def read(path: str | Path) -> Iterator[Concept]:
    """Stream the concepts.

    Raises
    ------
    InputError
        For a line that is not such an object.
    """
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError(f"a JSON {type(record).__name__}")
            names = dict.fromkeys(
                (
                    *_texts(record, "name", "canonical_name"),
                    *_texts(record, "names", "synonyms", "aliases"),
                )
            )
            concept_id = record.get("id", record.get("concept_id"))
            if not isinstance(concept_id, str) or not concept_id.strip() or not names:
                raise ValueError("no id or no name")
            preferred, *synonyms = names
            yield Concept(
                id=concept_id,
                name=preferred,
                synonyms=tuple(synonyms),
                definitions=_texts(record, "definitions", "definition"),
                types=_texts(record, "types", "type"),
                xrefs=_texts(record, "xrefs"),
                alternative_ids=_texts(record, "alternative_ids"),
                source=str(record.get("source", "")),
            )
        except ValueError as error:
            raise InputError(
                display_name(path),
                number,
                str(error),
                'an object with "id" and "name" (strings) and lists of strings',
            ) from None
