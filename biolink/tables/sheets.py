"""Tables with named columns: CSV, TSV, Excel and Parquet.

A table is held in memory, column by column. Cells are kept as they are: text in CSV and TSV, typed
values in Excel and Parquet. Of a workbook, the first sheet is read, with the values of formulas;
the look of its cells is not kept.
"""

from __future__ import annotations

import csv
import logging
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biolink.errors import ConfigError, InputError, MissingDependencyError
from biolink.formats.csv import guarded
from biolink.kb.csv_rows import CsvLines, csv_rows
from biolink.kb.files import (
    STDIO,
    display_name,
    numbered_lines,
    open_text,
    replace_file,
    stem_suffixes,
)
from biolink.kb.temporary import temporary_beside, unwritable
from biolink.kb.wording import columns_seen, counted

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["KINDS", "Sheet", "kind_of_file", "read_sheet", "write_sheet"]

#: Suffix of a file -> the kind of its table.
KINDS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".xlsx": "excel",
    ".parquet": "parquet",
}
#: The greatest number of rows of a sheet in Excel, its header included.
_EXCEL_ROWS = 1_048_576

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table.

    Attributes
    ----------
    names
        The names of the columns, as the file has them.
    columns
        The cells of each column: a list, or an array of Arrow that keeps its type.
    added
        The number of columns at the right that were added. In CSV and TSV, a cell of these that a
        spreadsheet would take for a formula gets an apostrophe in front.
    """

    names: tuple[str, ...]
    columns: tuple[Sequence[Any] | pa.ChunkedArray, ...]
    added: int = 0

    def cells(self, name: str, source: str) -> list[Any]:
        """Return the cells of a column.

        Raises
        ------
        InputError
            If the table has no such column, or several; the message names its columns.
        """
        numbers = [n for n, given in enumerate(self.names) if given == name]
        if len(numbers) != 1:
            found = columns_seen(self.names) if not numbers else f"{len(numbers)} such columns"
            raise InputError(source, None, found, f"one column {name!r}")
        return _plain(self.columns[numbers[0]])

    def with_columns(self, names: Sequence[str], columns: Sequence[Sequence[Any]]) -> Sheet:
        """Return the table with further columns at its right.

        Raises
        ------
        ConfigError
            If it has a column of one of these names.
        """
        taken = [name for name in names if name in self.names]
        if taken:
            raise ConfigError(
                f"the table already has the column {taken[0]!r}; rename it or remove it"
            )
        columns = (*self.columns, *columns)
        return Sheet((*self.names, *names), columns, self.added + len(names))


def kind_of_file(path: str | Path) -> str:
    """Return the kind of a table by the name of its file; standard streams are CSV.

    Raises
    ------
    ConfigError
        If the name has another suffix.
    """
    if str(path) == STDIO:
        return "csv"
    compressed = Path(path).suffix.lower() in (".gz", ".xz")
    for suffix in reversed(stem_suffixes(path)):
        if suffix in KINDS and not (compressed and KINDS[suffix] in ("excel", "parquet")):
            return KINDS[suffix]
    raise ConfigError(
        f"{path}: no kind of table follows from this name; expected one that ends in "
        f"{', '.join(KINDS)}, the first three also with .gz or .xz"
    )


def read_sheet(path: str | Path) -> Sheet:
    """Read a table.

    Raises
    ------
    InputError
        If the file is no table of its kind; a row with too few or too many cells is named.
    MissingDependencyError
        For Excel, if openpyxl is not installed.
    """
    kind = kind_of_file(path)
    if kind == "parquet":
        return _read_parquet(path)
    source = display_name(path)
    rows = _excel_rows(path) if kind == "excel" else _text_rows(path, kind)
    line, names = next(rows, (1, []))
    header = tuple("" if name is None else str(name).strip() for name in names)
    if not any(header):
        raise InputError(source, line, "no header", "a row with the names of the columns")
    cells: list[Sequence[Any]] = []
    for line, row in rows:
        if len(row) != len(header):
            found, expected = counted(len(row), "cell"), f"{len(header)}, as in the header"
            raise InputError(source, line, found, expected)
        cells.append(row)
    columns = tuple(zip(*cells, strict=True)) if cells else ((),) * len(header)
    return Sheet(header, columns)


def _text_rows(path: str | Path, kind: str) -> Iterator[tuple[int, Sequence[Any]]]:
    if kind == "tsv":
        for number, line in numbered_lines(path):
            if line:
                yield number, line.split("\t")
        return
    with open_text(path) as stream:
        lines = CsvLines(stream)
        header = lines.header()
        separator = max(",;\t|", key=header.count)
        yield from csv_rows(lines, separator, display_name(path), None)


def _excel_rows(path: str | Path) -> Iterator[tuple[int, Sequence[Any]]]:
    """The rows of the first sheet without empty ones; cells behind the header's are dropped."""
    try:
        from openpyxl import load_workbook
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError:
        raise MissingDependencyError("openpyxl", "reading Excel", "table") from None
    source = display_name(path)
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(source, None, reason, "a workbook of Excel (.xlsx)") from None
    try:
        if not book.worksheets:
            raise InputError(source, None, "a workbook without a sheet", "a table")
        if len(book.sheetnames) > 1:
            others = ", ".join(book.sheetnames[1:])
            log.warning(
                "biolink: warning: %s: only the first sheet is read, not %s", source, others
            )
        width = None
        for number, row in enumerate(book.worksheets[0].iter_rows(values_only=True), 1):
            if all(cell is None for cell in row):
                continue
            last = max(n for n, cell in enumerate(row, 1) if cell is not None)
            width = last if width is None else width
            cells = [*row[: max(width, last)], *([None] * (width - len(row)))]
            yield number, cells
    finally:
        book.close()


def _read_parquet(path: str | Path) -> Sheet:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(display_name(path), None, str(error), "an Apache Parquet file") from None
    return Sheet(tuple(table.column_names), tuple(table.columns))


def write_sheet(sheet: Sheet, path: str | Path) -> None:
    """Write a table; the file is complete or not there.

    In Excel, text is never a formula.

    Raises
    ------
    InputError
        If the file cannot be written, or the table has too many rows for Excel.
    MissingDependencyError
        For Excel, if openpyxl is not installed.
    """
    kind = kind_of_file(path)
    if kind == "csv":
        with replace_file(path) as stream:
            writer = csv.writer(stream)
            writer.writerow(sheet.names)
            writer.writerows(_text_cells(sheet))
    elif kind == "tsv":
        with replace_file(path) as stream:
            for row in (sheet.names, *_text_cells(sheet)):
                stream.write("\t".join(cell.replace("\t", " ") for cell in row) + "\n")
    else:
        target = Path(path).resolve()
        with temporary_beside(target, folder=False) as (temporary, _):
            try:
                (_write_excel if kind == "excel" else _write_parquet)(sheet, temporary)
                temporary.replace(target)
            except OSError as error:
                raise unwritable(path, error) from None


def _text_cells(sheet: Sheet) -> Iterator[list[str]]:
    own = len(sheet.names) - sheet.added
    for row in zip(*map(_plain, sheet.columns), strict=True):
        cells = ["" if cell is None else str(cell) for cell in row]
        yield [*cells[:own], *map(guarded, cells[own:])]


def _write_excel(sheet: Sheet, path: Path) -> None:
    try:
        from openpyxl import Workbook
        from openpyxl.cell import WriteOnlyCell
        from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
    except ImportError:
        raise MissingDependencyError("openpyxl", "writing Excel", "table") from None
    columns = list(map(_plain, sheet.columns))
    if len(columns[0]) >= _EXCEL_ROWS:
        found = counted(len(columns[0]), "row")
        raise InputError(str(path), None, found, f"at most {_EXCEL_ROWS - 1:,}, or CSV or Parquet")
    book = Workbook(write_only=True)
    page = book.create_sheet("linked")

    def cell(value: Any) -> Any:
        if not isinstance(value, str):
            return (
                value if isinstance(value, bool | int | float) or value is None else _dated(value)
            )
        written = WriteOnlyCell(page, ILLEGAL_CHARACTERS_RE.sub(" ", value))
        written.data_type = "s"
        return written

    page.append([cell(name) for name in sheet.names])
    for row in zip(*columns, strict=True):
        page.append([cell(value) for value in row])
    book.save(path)


def _dated(value: Any) -> Any:
    """A value that Excel holds, such as a date, or else its text."""
    import datetime

    dates = (datetime.datetime, datetime.date, datetime.time, datetime.timedelta)
    return (
        value if isinstance(value, dates) and getattr(value, "tzinfo", None) is None else str(value)
    )


def _write_parquet(sheet: Sheet, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = []
    for column in sheet.columns:
        if isinstance(column, pa.ChunkedArray):
            arrays.append(column)
            continue
        try:
            arrays.append(pa.array(column))
        except (pa.ArrowInvalid, pa.ArrowTypeError):  # Excel may have numbers and text in a column.
            arrays.append(pa.array([None if v is None else str(v) for v in column], pa.string()))
    pq.write_table(pa.table(arrays, names=list(sheet.names)), path)


def _plain(column: Any) -> list[Any]:
    values: list[Any] = column.to_pylist() if hasattr(column, "to_pylist") else list(column)
    return values
