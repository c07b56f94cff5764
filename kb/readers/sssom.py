"""SSSOM mappings: TSV after a YAML header in comments, for merging bases by cross references.

When the file is read as a knowledge base, the objects of the mappings are the concepts. The labels
of subject and object are names, and the subject is a cross reference.
Format: https://mapping-commons.github.io/sssom/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from biolink.errors import InputError
from biolink.kb.concept import Concept, Dropped, Record
from biolink.kb.files import display_name
from biolink.kb.problems import OnProblem, raise_or_report, readable_lines
from biolink.kb.wording import columns_seen, counted

LABEL = "SSSOM mappings (TSV)"

_REQUIRED = ("subject_id", "predicate_id", "object_id")


@dataclass(frozen=True, slots=True)
class Mapping:
    """One line of the file; the ids are CURIEs."""

    subject_id: str
    subject_label: str
    predicate_id: str
    object_id: str
    object_label: str


def sniff(path: str | Path, head: str) -> bool:
    lines = [line for line in head.splitlines() if not line.startswith("#")]
    return bool(lines) and set(_REQUIRED) <= set(lines[0].split("\t"))


def read_mappings(path: str | Path, on_problem: OnProblem = None) -> Iterator[Mapping]:
    """Stream the mappings of a file.

    Raises
    ------
    InputError
        If a required column is missing, or a line does not fit the header.
    """
    columns: list[str] | None = None
    for number, line in readable_lines(path, on_problem):
        if line.startswith("#") or not line.strip():
            continue
        cells = line.split("\t")
        if columns is None:
            columns = cells
            if not set(_REQUIRED) <= set(columns):
                expected = f"among them {', '.join(_REQUIRED)}"
                raise InputError(display_name(path), number, columns_seen(columns), expected)
            continue
        if len(cells) != len(columns):
            expected = f"{len(columns)}, as in the header"
            problem = InputError(
                display_name(path), number, counted(len(cells), "column"), expected
            )
            raise_or_report(problem, on_problem)
            continue
        row = dict(zip(columns, cells, strict=True))
        yield Mapping(
            row["subject_id"],
            row.get("subject_label", ""),
            row["predicate_id"],
            row["object_id"],
            row.get("object_label", ""),
        )


def read(
    path: str | Path, on_problem: OnProblem = None, predicate: str = "skos:exactMatch"
) -> Iterator[Record]:
    """Stream one concept per object; mappings with another predicate are left out.

    Parameters
    ----------
    path
        The file.
    on_problem
        Called with the problem of each row that cannot be read, instead of raising it.
    predicate
        The predicate of the mappings that are read. Default: ``skos:exactMatch``.
    """
    objects: dict[str, list[Mapping]] = {}
    for mapping in read_mappings(path, on_problem):
        if mapping.predicate_id == predicate:
            objects.setdefault(mapping.object_id, []).append(mapping)
        else:
            yield Dropped(f"mappings that are not {predicate}", mapping.object_id)
    for object_id, mappings in objects.items():
        labels = [m.subject_label for m in mappings if not m.subject_label.startswith("obsolete ")]
        if len(labels) < len(mappings):
            yield Dropped("labels of obsolete subjects", object_id, len(mappings) - len(labels))
        names = dict.fromkeys(filter(None, (*labels, *(m.object_label for m in mappings))))
        if not names:
            yield Dropped("without a name", object_id)
            continue
        preferred, *synonyms = names
        prefix, _, local = object_id.partition(":")
        yield Concept(
            id=local if prefix.lower() in {"mesh", "omim", "umls"} else object_id,
            name=preferred,
            synonyms=tuple(synonyms),
            xrefs=tuple(dict.fromkeys(m.subject_id for m in mappings)),
            source=f"SSSOM {prefix}",
        )
