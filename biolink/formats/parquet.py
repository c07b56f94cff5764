"""Apache Parquet, a document per row; the columns have the names of the keys in JSON Lines.

A file needs the column ``text``, or ``title`` and ``abstract``. The id is ``id``, ``pmid``,
``doc_id`` or the number of the row. Columns with other names are ignored. A file with the columns
of BigBIO's ``kb`` schema is read by that schema (:mod:`biolink.formats.bigbio`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from biolink.documents import Document
from biolink.errors import InputError
from biolink.formats.bigbio import EXPECTED, document_of, is_bigbio
from biolink.formats.bigbio import IDS_EXPECTED as BIGBIO_IDS_EXPECTED
from biolink.formats.jsonl import IDS_EXPECTED, document_from_dict
from biolink.formats.problems import (
    RECORD_ERRORS,
    IdsSeen,
    OnProblem,
    described,
    raise_or_report,
)
from biolink.formats.tables import TEXTS_EXPECTED
from biolink.kb.files import STDIO, display_name
from biolink.kb.wording import columns_seen

LABEL = "Apache Parquet, a document per row"
SUFFIXES = (".parquet",)

_COLUMNS = (
    *("id", "pmid", "doc_id", "pmcid"),
    *("text", "title", "abstract"),
    *("passages", "mentions", "metadata"),
)
_EXPECTED = 'a row with "text" (or "title" and "abstract")'
#: The number of rows that are read together.
_ROWS = 256


def sniff(path: str | Path, head: str) -> bool:
    return head.startswith("PAR1")


def read(
    path: str | Path, on_problem: OnProblem = None, text_column: str | None = None
) -> Iterator[Document]:
    """Read documents as a stream; each row that is not a document is a problem.

    Parameters
    ----------
    path
        The file.
    on_problem
        Called with each problem in place of raising it; problems name rows by numbers from 1.
    text_column
        The column that holds the texts. Default: ``text``.
    """
    name = display_name(path)
    if str(path) == STDIO:
        raise InputError(name, None, "a stream", "a file, since Parquet is read from its end")
    seen = IdsSeen(name, IDS_EXPECTED, "their keys are {}")
    try:
        with pq.ParquetFile(path) as file:
            if text_column is None and is_bigbio(file.schema_arrow.names):
                yield from _of_bigbio(file, name, on_problem)
                return
            columns = [column for column in _COLUMNS if column in file.schema_arrow.names]
            wanted = {"text", "title", "abstract"} if text_column is None else {text_column}
            if not wanted & set(file.schema_arrow.names):
                named = None if text_column is None else f"the text column {text_column!r}"
                seen_columns = columns_seen(file.schema_arrow.names)
                raise InputError(name, None, seen_columns, named or TEXTS_EXPECTED)
            if text_column is not None:
                columns = [c for c in columns if c in ("id", "pmid", "doc_id", "pmcid")]
                columns.append(text_column)
            number = 0
            for batch in file.iter_batches(_ROWS, columns=columns):
                for index in range(batch.num_rows):
                    number += 1
                    try:
                        row = _without_nulls(batch.slice(index, 1).to_pylist()[0])
                        if text_column is not None:
                            row["text"] = row.pop(text_column)
                        document = document_from_dict(row, str(number), seen)
                    except (*RECORD_ERRORS, pa.ArrowException) as error:
                        problem = InputError(name, number, described(error), _EXPECTED)
                        raise_or_report(problem, on_problem)
                    else:
                        yield document
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            name, None, f"the file is damaged ({error})", "an Apache Parquet file"
        ) from None
    seen.warn()


def _of_bigbio(file: pq.ParquetFile, name: str, on_problem: OnProblem) -> Iterator[Document]:
    """The documents of a file with the columns of BigBIO's ``kb`` schema."""
    seen = IdsSeen(name, BIGBIO_IDS_EXPECTED, "they have {}")
    rows = (
        batch.slice(index, 1)
        for batch in file.iter_batches(_ROWS)
        for index in range(batch.num_rows)
    )
    for number, row in enumerate(rows, 1):
        try:
            document = document_of(_without_nulls(row.to_pylist()[0]), name, on_problem, seen)
        except (*RECORD_ERRORS, pa.ArrowException) as error:
            raise_or_report(InputError(name, number, described(error), EXPECTED), on_problem)
        else:
            yield document
    seen.warn()


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(v) for key, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(v) for v in value]
    return value
