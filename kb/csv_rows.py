"""Rows of CSV, of which a broken one costs only its first line."""

from __future__ import annotations

import csv
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from biolink.errors import InputError
from biolink.kb.problems import OnProblem, raise_or_report

__all__ = ["CsvLines", "csv_rows", "header_cells"]

#: Lines that a cell may have; a quote that is not closed by then is a mistake.
_LINES = 5_000


def header_cells(header: str, separator: str) -> list[str]:
    """The cells of a line, without white space around them; none where it is no row of CSV."""
    try:
        cells = next(csv.reader([header], delimiter=separator), [])
    except csv.Error:
        return []
    return [cell.strip() for cell in cells]


def csv_rows(
    lines: CsvLines, separator: str, source: str, on_problem: OnProblem
) -> Iterator[tuple[int, Sequence[str]]]:
    """(number of its first line, cells) of each row that is not empty.

    Parameters
    ----------
    lines
        The file.
    separator
        What stands between cells.
    source
        What messages call the file.
    on_problem
        Called with the problem of a broken row, of which only the first line is lost.
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    while True:
        lines.begin()
        try:
            cells = next(csv.reader(lines, delimiter=separator, strict=True))
        except StopIteration:
            return
        except csv.Error as error:
            problem = InputError(source, lines.before + 1, _said(error), "a row of CSV")
            lines.only_first()
            raise_or_report(problem, on_problem)
        else:
            if cells:
                yield lines.before + 1, cells


def _said(error: csv.Error) -> str:
    """What the csv module means."""
    said = str(error)
    if said == "unexpected end of data":
        return "a quoted cell without a closing quote"
    if "expected after" in said:
        return "characters between a closing quote and the separator"
    return said


class CsvLines:
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
