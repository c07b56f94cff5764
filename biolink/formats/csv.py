"""CSV (RFC 4180) for spreadsheets: a row per document, passage and mention; or a table of texts.

A cell that a spreadsheet would take for a formula (it begins with ``=``, ``+``, ``-`` or ``@`` and
is not a number) is written with an apostrophe in front, which reading removes. A table of texts may
be separated by commas, semicolons or tabs, and its cells are taken literally. It has an id and a
text (or a title and an abstract) in columns with any usual name (:mod:`biolink.formats.tables`).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from biolink.documents import Document
from biolink.formats.metadata import metadata_left_out
from biolink.formats.problems import OnProblem
from biolink.formats.tables import COLUMNS, documents_from, is_linked, is_table, rows_of
from biolink.kb.csv_rows import CsvLines, csv_rows, header_cells
from biolink.kb.files import display_name, open_text

LABEL = "CSV, a row per document, passage and mention; or texts with ids"
SUFFIXES = (".csv",)

#: The beginning of a formula; a negative number is not one.
_FORMULA = re.compile(r"(?!-[0-9.]+(?:e-?[0-9]+)?\Z)'*[=+\-@\t\r\n]")
_GUARDED = re.compile(r"'+[=+\-@\t\r\n]")


def sniff(path: str | Path, head: str) -> bool:
    header = head.split("\n", 1)[0].rstrip("\r")
    return is_table(header_cells(header, _separator(header)))


def _separator(header: str) -> str:
    """The separator by which the header is one of a known table, or else the most frequent one."""
    signs = sorted(",;\t|", key=lambda sign: -header.count(sign))
    return next((sign for sign in signs if is_table(header_cells(header, sign))), signs[0])


def read(
    path: str | Path, on_problem: OnProblem = None, text_column: str | None = None
) -> Iterator[Document]:
    """Read documents as a stream; the table holds only the best link of a mention.

    Parameters
    ----------
    path
        The file.
    on_problem
        Called with each problem in place of raising it.
    text_column
        The column that holds the texts. Default: found by its name.
    """
    source = display_name(path)
    with open_text(path, "surrogateescape") as stream:
        lines = CsvLines(stream)
        header = lines.header()
        if not header:
            return
        rows = csv_rows(lines, _separator(header.splitlines()[0]), source, on_problem)
        columns = [cell.strip() for cell in next(rows, (0, []))[1]]
        if is_linked(columns):
            rows = ((line, [_bare(cell) for cell in cells]) for line, cells in rows)
        yield from documents_from(source, columns, rows, text_column, on_problem)


def guarded(cell: str) -> str:
    """Return a cell with an apostrophe in front if a spreadsheet would take it for a formula.

    >>> guarded("=1+1"), guarded("-0.5")
    ("'=1+1", '-0.5')
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _bare(cell: str) -> str:
    return cell[1:] if _GUARDED.match(cell) else cell


def left_out(document: Document) -> Iterator[str]:
    return metadata_left_out(document)


def write(documents: Iterable[Document], stream: IO[str]) -> None:
    """Write the header, and then the rows of each document, its passages and its mentions."""
    rows = csv.writer(stream)
    rows.writerow(COLUMNS)
    for document in documents:
        for row in rows_of(document):
            cells = (row.get(column, "") for column in COLUMNS)
            rows.writerow(map(guarded, cells))
