"""Rows of a file of tab-separated values whose first line names the columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from biolink.errors import InputError
from biolink.kb.files import display_name
from biolink.kb.problems import OnProblem, raise_or_report, readable_lines
from biolink.kb.wording import columns_seen, counted

__all__ = ["begins_with_columns", "tab_rows", "values_in"]


def begins_with_columns(head: str, columns: Iterable[str]) -> bool:
    """Return whether the first line of a file names all these columns.

    >>> begins_with_columns("#tax_id\\tGeneID\\n9606\\t1\\n", ("tax_id", "GeneID"))
    True
    """
    return set(columns) <= set(_header(head.split("\n", 1)[0]))


def _header(line: str) -> list[str]:
    return [cell.strip() for cell in line.removeprefix("#").rstrip("\r\n").split("\t")]


def tab_rows(
    path: str | Path, required: Sequence[str], on_problem: OnProblem
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (number of the line, column -> cell without white space around it) for each row.

    Parameters
    ----------
    path
        The file. Its first line may begin with ``#``. Empty lines are passed over.
    required
        The columns that the file must have. The first of them must not be empty in any row.
    on_problem
        Called with the problem of each row that cannot be read, instead of raising it.

    Raises
    ------
    InputError
        If a column is missing, a row has another number of cells than the header, or the cell of
        the first required column is empty.
    """
    source = display_name(path)
    columns: list[str] = []
    for number, line in readable_lines(path, on_problem):
        if not columns:
            columns = _header(line)
            if missing := [column for column in required if column not in columns]:
                expected = f"the columns {', '.join(missing)}"
                raise InputError(source, number, columns_seen(columns), expected)
            continue
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) != len(columns):
            expected = f"{len(columns)}, as in the header"
            mistake = InputError(source, number, counted(len(cells), "column"), expected)
            raise_or_report(mistake, on_problem)
            continue
        row = {column: cell.strip() for column, cell in zip(columns, cells, strict=True)}
        if not row[required[0]]:
            mistake = InputError(source, number, f"no {required[0]}", "one in each row")
            raise_or_report(mistake, on_problem)
            continue
        yield number, row


def values_in(cell: str) -> tuple[str, ...]:
    """Return the values of a cell, which are separated by bars; ``-`` means none.

    >>> values_in("A1B|ABG"), values_in('"A1B|ABG"'), values_in("-")
    (('A1B', 'ABG'), ('A1B', 'ABG'), ())
    """
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        cell = cell[1:-1]
    values = (value.strip() for value in cell.split("|"))
    return tuple(dict.fromkeys(value for value in values if value not in ("", "-")))
