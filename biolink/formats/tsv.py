r"""TSV: a row per document, passage and mention, with a header; or a table of texts.

Tabs, line breaks and backslashes inside a cell are written ``\t``, ``\n``, ``\r`` and ``\\``;
quotes have no special meaning. A table of texts has an id and a text (or a title and an abstract)
in columns with any usual name (:mod:`biolink.formats.tables`); its cells are taken literally.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from biolink.documents import Document
from biolink.formats.metadata import metadata_left_out
from biolink.formats.problems import OnProblem
from biolink.formats.tables import COLUMNS, documents_from, is_linked, is_table, rows_of
from biolink.kb.files import display_name, numbered_lines

LABEL = "TSV, a row per document, passage and mention; or texts with ids"
SUFFIXES = (".tsv", ".tab")

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_PLAIN = {escaped: plain for plain, escaped in _ESCAPES.items()}


def escape(text: str) -> str:
    """Escape the characters of a text that a cell cannot hold."""
    return re.sub(r"[\\\t\n\r]", lambda m: _ESCAPES[m[0]], text)


def unescape(text: str) -> str:
    """Undo :func:`escape`."""
    return re.sub(r"\\[\\tnr]", lambda m: _PLAIN[m[0]], text)


def sniff(path: str | Path, head: str) -> bool:
    header = head.split("\n", 1)[0].rstrip("\r")
    return "\t" in header and is_table(header.split("\t"))


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
    lines = numbered_lines(path, "surrogateescape")
    header = next((line for _, line in lines if line.strip()), None)
    if header is None:
        return
    columns = [column.strip() for column in header.split("\t")]
    rows = ((number, line.split("\t")) for number, line in lines if line)
    if is_linked(columns):
        rows = ((number, list(map(unescape, cells))) for number, cells in rows)
    yield from documents_from(display_name(path), columns, rows, text_column, on_problem)


def left_out(document: Document) -> Iterator[str]:
    return metadata_left_out(document)


def write(documents: Iterable[Document], stream: IO[str]) -> None:
    """Write the header, and then the rows of each document, its passages and its mentions."""
    stream.write("\t".join(COLUMNS) + "\n")
    for document in documents:
        for row in rows_of(document):
            stream.write("\t".join(escape(row.get(column, "")) for column in COLUMNS) + "\n")
