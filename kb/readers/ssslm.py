"""SSSLM lexica (Biolexica and others): TSV with one name per row, and the CURIE of its concept.

The columns ``text``, ``curie``, ``name`` and ``predicate`` are required. ``name`` is the preferred
name of the concept, and ``predicate`` says how the text names it, for example
``oboInOwl:hasExactSynonym``. The ids are CURIEs as the file has them. Source: the Simple Standard
for Sharing Literal Mappings, https://cthoyt.com/ssslm/
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from biolink.kb.concept import Concept, Dropped, Record
from biolink.kb.problems import OnProblem
from biolink.kb.tab_rows import begins_with_columns, tab_rows

LABEL = "SSSLM lexicon: TSV with text, curie, name, predicate (Biolexica)"

_COLUMNS = ("curie", "text", "name", "predicate")


def sniff(path: str | Path, head: str) -> bool:
    return begins_with_columns(head, _COLUMNS)


def read(
    path: str | Path,
    on_problem: OnProblem = None,
    vocabularies: str | None = None,
    predicates: str | None = None,
) -> Iterator[Record]:
    """Stream one concept for each run of rows with the same CURIE.

    Parameters
    ----------
    path
        The file.
    on_problem
        Called with the problem of each row that cannot be read, instead of raising it.
    vocabularies
        The prefixes of the concepts that are read, separated by commas, such as ``mondo,hp``.
        Default: None, for all.
    predicates
        The predicates of the synonyms that are kept, without their prefix and separated by commas,
        such as ``hasExactSynonym``. Default: None, for all. The preferred name is always kept.

    Raises
    ------
    InputError
        If the file lacks a column, or a row does not fit the header or has no CURIE.
    """
    wanted = _texts(vocabularies)
    kept = _texts(predicates)
    rows = (row for _, row in tab_rows(path, _COLUMNS, on_problem))
    for curie, group in groupby(rows, key=lambda row: row["curie"]):
        vocabulary = curie.partition(":")[0]
        if wanted is not None and vocabulary not in wanted:
            yield Dropped("concepts of other vocabularies", curie)
            continue
        entries = list(group)
        synonyms = (
            entry["text"]
            for entry in entries
            if kept is None or entry["predicate"].rpartition(":")[2] in kept
        )
        yield Concept(
            id=curie,
            name=entries[0]["name"] or entries[0]["text"],
            synonyms=tuple(dict.fromkeys(synonyms)),
            source=vocabulary,
        )


def _texts(option: str | None) -> set[str] | None:
    return None if option is None else {text.strip() for text in option.split(",")}
