"""Linking a column of a table, and saying which of its values were mapped, unsure or not mapped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from biolink.answers.linking import NO_TEXT, Candidate, TermLink, link_terms
from biolink.formats.sssom import TermMapping, justification, mean_mappings
from biolink.tables.sheets import Sheet

if TYPE_CHECKING:
    from biolink.pipeline import AnyLinker

__all__ = ["STATES", "UNSURE", "LinkedColumn", "Value", "link_column", "with_links"]

#: A value whose concept has a lower probability is unsure.
UNSURE = 0.8
#: What may become of a value, in the order in which a report lists it.
STATES = ("not mapped", "unsure", "mapped")
#: The names of the columns that are added, behind the name of the linked column.
_ADDED = ("id", "curie", "name", "probability", "alternatives", "nil_reason")


@dataclass(frozen=True, slots=True)
class Value:
    """A distinct value of a column with what it was linked to, and in how many rows."""

    link: TermLink
    rows: int

    @property
    def state(self) -> str:
        """One of :data:`STATES`."""
        if not self.link.id:
            return "not mapped"
        probability = self.link.probability
        return "unsure" if probability is None or not probability >= UNSURE else "mapped"


@dataclass(frozen=True, slots=True)
class LinkedColumn:
    """A column of terms with their links.

    Attributes
    ----------
    name
        The name of the column.
    links
        The link of each row.
    empty
        The number of rows without a term.
    """

    name: str
    links: Sequence[TermLink]
    empty: int

    def values(self) -> list[Value]:
        """The distinct values: not mapped first, then unsure, then mapped; frequent ones first.

        A value that contexts link differently stands there once for each of its links.
        """
        rows = Counter(link for link in self.links if link.nil_reason != NO_TEXT)
        values = [Value(link, count) for link, count in rows.items()]
        return sorted(values, key=lambda v: (STATES.index(v.state), -v.rows, v.link.term))

    def mappings(self) -> list[TermMapping]:
        """The mappings of the values, for SSSOM."""
        return mean_mappings(
            (_mapping(link) for link in self.links if link.nil_reason != NO_TEXT), "row"
        )


def link_column(
    sheet: Sheet,
    column: str,
    source: str,
    linker: AnyLinker | None = None,
    *,
    context_columns: Sequence[str] = (),
    types: str | Iterable[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LinkedColumn:
    """Link the terms of a column; each distinct term with its context is linked once.

    Parameters
    ----------
    sheet
        The table.
    column
        The name of the column with the terms.
    source
        The name of the file in messages.
    linker
        The loaded linker. Default: the embedded default.
    context_columns
        Columns whose cells help to tell what is meant.
    types
        The semantic types that the terms have. Default: any.
    progress
        Called with the number of distinct terms that are done, and their number.

    Raises
    ------
    InputError
        If the table does not have the columns.
    """
    terms = list(map(_text, sheet.cells(column, source)))
    around = [list(map(_text, sheet.cells(name, source))) for name in context_columns]
    contexts = ["\n".join(filter(None, cells)) for cells in zip(*around, strict=True)] or None
    links = link_terms(terms, linker, contexts=contexts, types=types, progress=progress)
    return LinkedColumn(column, links, sum(link.nil_reason == NO_TEXT for link in links))


def _text(cell: Any) -> str:
    """A cell as text; a whole number of Excel has no fraction."""
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell).strip()


def with_links(sheet: Sheet, linked: LinkedColumn) -> Sheet:
    """Return the table with the columns of the links at its right, such as ``disease_biolink_id``.

    Raises
    ------
    ConfigError
        If the table has such a column already.
    """
    links = linked.links
    columns: list[list[Any]] = [
        [link.id for link in links],
        [link.curie for link in links],
        [link.name for link in links],
        [None if link.probability is None else round(link.probability, 4) for link in links],
        [alternatives_written(link.alternatives) for link in links],
        [link.nil_reason or "" for link in links],
    ]
    return sheet.with_columns(added_names(linked.name), columns)


def added_names(column: str) -> tuple[str, ...]:
    """The names of the columns that :func:`with_links` adds."""
    return tuple(f"{column}_biolink_{name}" for name in _ADDED)


def alternatives_written(candidates: Sequence[Candidate]) -> str:
    """Other candidates in one cell.

    >>> alternatives_written([Candidate("D1", "mesh:D1", "Gout", "gout", 0.25)])
    'mesh:D1 Gout (0.25)'
    """
    return " | ".join(f"{c.curie} {c.name} ({c.probability:.2f})" for c in candidates)


def _mapping(link: TermLink) -> tuple[TermMapping, float]:
    """The mapping of a value without its confidence, and the confidence."""
    none = float("nan")
    if not link.id:
        probability = link.nil_probability
        comment = f"NIL: {link.nil_reason}"
        mapping = TermMapping(link.term, category=link.type, comment=comment)
        return mapping, none if probability is None else probability
    mapping = TermMapping(
        link.term,
        link.curie,
        link.name,
        justification(link.term, link.matched),
        matched=link.matched,
        category=link.type,
    )
    return mapping, none if link.probability is None else link.probability
