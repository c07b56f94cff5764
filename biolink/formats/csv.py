"""CSV (RFC 4180), for spreadsheets: a row per document, passage and mention; or a table of texts.

A cell that a spreadsheet would take for a formula (it begins with ``=``, ``+``, ``-`` or ``@``)
has an apostrophe in front of it, which reading takes away again. Scores, which are negative, are
left out. Read are tables of texts as well, separated by commas, semicolons or tabs: an id and a
text (or title and abstract) in columns of any usual name (:mod:`biolink.formats.tables`).
"""

from __future__ import annotations

import csv
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from biolink.documents import Document
from biolink.errors import InputError
from biolink.formats.problems import OnProblem, raise_or_report
from biolink.formats.tables import COLUMNS, documents_from, is_table, rows_of
from biolink.kb.files import display_name, open_text

LABEL = "CSV, a row per document, passage and mention; or texts with ids"
SUFFIXES = (".csv",)

_COLUMNS = tuple(column for column in COLUMNS if column != "score")
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_GUARDED = re.compile(r"'+[=+\-@\t\r\n]")
#: Lines that a cell may have; a quote that is not closed by then is a mistake.
_LINES = 5_000


def sniff(path: str | Path, head: str) -> bool:
    header = head.split("\n", 1)[0].rstrip("\r")
    return is_table(_cells(header, _separator(header)))


def _separator(header: str) -> str:
    """What parts the columns: that by which the header is one of a table, else the commonest."""
    found = sorted(",;\t|", key=lambda sign: -header.count(sign))
    return next((sign for sign in found if is_table(_cells(header, sign))), found[0])


def _cells(header: str, separator: str) -> list[str]:
    try:
        cells = next(csv.reader([header], delimiter=separator), [])
    except csv.Error:
        return []
    return [cell.strip() for cell in cells]


def read(
    path: str | Path, on_problem: OnProblem = None, text_column: str | None = None
) -> Iterator[Document]:
    """Stream documents; only a mention's best link is in the table.

    Parameters
    ----------
    text_column
        The column that holds the texts; found by its name when None.
    """
    source = display_name(path)
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with open_text(path, "surrogateescape") as stream:
        lines = _Lines(stream)
        header = lines.header()
        if not header:
            return
        rows = _rows(lines, _separator(header.splitlines()[0]), source, on_problem)
        columns = [cell.strip() for cell in next(rows, (0, []))[1]]
        if "kind" in columns:
            rows = ((line, [_bare(cell) for cell in cells]) for line, cells in rows)
        yield from documents_from(source, columns, rows, text_column, on_problem)


class _Lines:
    """Lines of a table, of which those of the row that is being read can be read again."""

    def __init__(self, stream: Iterable[str]) -> None:
        self._stream = iter(stream)
        self._again: deque[str] = deque()
        self.row: list[str] = []
        #: Lines before those of the row.
        self.before = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.row) > _LINES:
            raise StopIteration
        line = self._again.popleft() if self._again else next(self._stream)
        self.row.append(line)
        return line

    def header(self) -> str:
        """The first line that is not empty, still to be read."""
        for line in self:
            if line.strip("\ufeff\r\n "):
                self.row.pop()
                self._again.appendleft(line.removeprefix("\ufeff"))
                return self._again[0]
        return ""

    def begin(self) -> None:
        """The next line is the first of a row."""
        self.before += len(self.row)
        self.row = []

    def only_first(self) -> None:
        """Of the lines of this row only the first is lost; the others are read again."""
        self._again.extendleft(reversed(self.row[1:]))
        del self.row[1:]


def _rows(
    lines: _Lines, separator: str, source: str, on_problem: OnProblem
) -> Iterator[tuple[int, Sequence[str]]]:
    while True:
        lines.begin()
        try:
            cells = next(csv.reader(lines, delimiter=separator, strict=True))
        except StopIteration:
            return
        except csv.Error as error:
            problem = InputError(source, lines.before + 1, str(error), "a row of CSV")
            lines.only_first()
            raise_or_report(problem, on_problem)
        else:
            if cells:
                yield lines.before + 1, cells


def _bare(cell: str) -> str:
    return cell[1:] if _GUARDED.match(cell) else cell


def write(documents: Iterable[Document], stream: IO[str]) -> None:
    """The header, then each document's row, its passages and its mentions."""
    rows = csv.writer(stream)
    rows.writerow(_COLUMNS)
    for document in documents:
        for row in rows_of(document):
            cells = (row.get(column, "") for column in _COLUMNS)
            rows.writerow(f"'{cell}" if _FORMULA.match(cell) else cell for cell in cells)
