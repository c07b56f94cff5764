"""JSON Lines: one object per concept.

The fields are those of :class:`biolink.kb.Concept`. ``id`` and either ``name`` or ``names`` are
required. The field names of scispaCy (``concept_id``, ``canonical_name``, ``aliases``,
``definition``, ``types``) are also read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from biolink.errors import InputError
from biolink.kb.concept import Columns, Concept, Record
from biolink.kb.files import display_name
from biolink.kb.problems import OnProblem, raise_or_report, readable_lines
from biolink.kb.readers.json_values import Unfit, as_text, as_texts, parse
from biolink.kb.wording import json_kind

LABEL = "JSON Lines, an object per concept"


def sniff(path: str | Path, head: str) -> bool:
    return re.match(r'\s*\{[^\n]*"(id|concept_id)"\s*:', head) is not None


def _texts(record: dict[str, Any], *keys: str) -> tuple[str, ...]:
    for key in keys:
        if record.get(key):
            return as_texts(record[key], f'"{key}"')
    return ()


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Record]:
    """Stream the concepts.

    Raises
    ------
    InputError
        If a line is not such an object.
    """
    fields: dict[str, None] = {}
    for number, line in readable_lines(path, on_problem):
        if not line.strip():
            continue
        try:
            record = parse(line)
            if not isinstance(record, dict):
                raise Unfit(f"the line is {json_kind(record)}")
            fields.update(dict.fromkeys(record))
            names = dict.fromkeys(
                (
                    *_texts(record, "name", "canonical_name"),
                    *_texts(record, "names", "synonyms", "aliases"),
                )
            )
            concept_id = record.get("id", record.get("concept_id"))
            concept_id = "" if concept_id is None else as_text(concept_id, "the id")
            if not concept_id.strip():
                raise Unfit("the object has no id")
            if not names:
                raise Unfit("the object has no name")
            preferred, *synonyms = names
            yield Concept(
                id=concept_id,
                name=preferred,
                synonyms=tuple(synonyms),
                definitions=_texts(record, "definitions", "definition"),
                types=_texts(record, "types", "type"),
                xrefs=_texts(record, "xrefs"),
                alternative_ids=_texts(record, "alternative_ids"),
                source=as_text(record.get("source"), '"source"'),
                parents=_texts(record, "parents"),
                taxon=as_text(record.get("taxon"), '"taxon"'),
            )
        except Unfit as error:
            expected = 'an object with "id", "name" and lists of further names and types'
            problem = InputError(display_name(path), number, str(error), expected)
            raise_or_report(problem, on_problem)
    yield Columns(tuple(fields))
