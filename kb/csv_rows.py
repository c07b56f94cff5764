"""Reading CSV so that a broken row costs only its first line."""

from __future__ import annotations

import csv
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from biolink.errors import InputError
from biolink.kb.problems import OnProblem, raise_or_report

__all__ = ["CsvLines", "csv_rows", "header_cells"]

#: The greatest number of lines in a row; a quote that is not closed by then is a mistake.
_LINES = 5_000


def header_cells(header: str, separator: str) -> list[str]:
    """Return the cells of a header without white space around them; none if it is not CSV."""
    try:
        cells = next(csv.reader([header], delimiter=separator), [])
    except csv.Error:
        return []
    return [cell.strip() for cell in cells]


def csv_rows(
    lines: CsvLines, separator: str, source: str, on_problem: OnProblem
) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield (number of the first line, cells) for each row that is not empty.

    Parameters
    ----------
    lines
        The lines of the file.
    separator
        The character between cells.
    source
        The name of the file in messages.
    on_problem
        Called with the problem of each broken row. Only the first line of such a row is lost.
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    while True:
        lines.begin()
        try:
            cells = next(csv.reader(lines, delimiter=separator, strict=True))
        except StopIteration:
            return
        except csv.Error as error:
            problem = InputError(source, lines.before + 1, _meaning(error), "a row of CSV")
            lines.only_first()
            raise_or_report(problem, on_problem)
        else:
            if cells:
                yield lines.before + 1, cells


def _meaning(error: csv.Error) -> str:
    """Say in plain words what an error of the csv module means."""
    message = str(error)
    if message == "unexpected end of data":
        return "a quoted cell without a closing quote"
    if "expected after" in message:
        return "characters between a closing quote and the separator"
    return message


class CsvLines:
    """The lines of a table; those of the current row can be read again."""

    def __init__(self, stream: Iterable[str]) -> None:
        self._stream = iter(stream)
        self._again: deque[str] = deque()
        self.row: list[str] = []
        #: The number of lines before the current row.
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
        """Return the first line that is not empty; it will be read again as the first row."""
        for line in self:
            if line.strip("\ufeff\r\n "):
                self.row.pop()
                self._again.appendleft(line.removeprefix("\ufeff"))
                return self._again[0]
        return ""

    def begin(self) -> None:
        """Begin a new row with the next line."""
        self.before += len(self.row)
        self.row = []

    def only_first(self) -> None:
        """Drop only the first line of this row; the others will be read again."""
        self._again.extendleft(reversed(self.row[1:]))
        del self.row[1:]
