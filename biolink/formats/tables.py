"""The part that TSV and CSV share: tables of linked documents, and tables of texts.

A table of linked documents has a row per document, passage and mention. The column ``kind`` says
which a row is, so one filter selects the mentions. A table of texts has a row per document, with an
id and a text, or a title and an abstract, in columns with any usual name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from biolink.documents import Document, Link, Mention, Passage
from biolink.errors import InputError
from biolink.formats.ids import join_ids, split_bars, split_ids
from biolink.formats.medline import titled
from biolink.formats.problems import (
    RECORD_ERRORS,
    OnProblem,
    check_utf8,
    raise_or_report,
    whole_number,
)
from biolink.kb.wording import columns_seen, counted

__all__ = ["COLUMNS", "TEXTS_EXPECTED", "documents_from", "is_linked", "is_table", "rows_of"]

COLUMNS = (
    "document",
    "kind",
    "start",
    "end",
    "text",
    "type",
    "gold_ids",
    "concept_id",
    "curie",
    "preferred_name",
    "name",
    "probability",
    "score",
    "shared",
    "nil_reason",
    "long_form",
    "spans",
    "parts",
    "assertions",
)
_NEEDED = {"document", "kind", "start", "end", "text"}

#: Field -> usual names of its column, as :func:`_key` writes them; the first that a table has is
#: taken.
_USUAL = {
    "id": (
        *("id", "docid", "documentid", "pmid", "pubmedid", "pmcid", "doi", "identifier", "uid"),
        *("textid", "recordid", "noteid", "articleid", "rowid", "document", "doc", "key", "nctid"),
    ),
    "text": (
        *("text", "texts", "body", "content", "contents", "note", "notes", "notetext", "report"),
        *("reporttext", "documenttext", "fulltext", "rawtext", "sentence", "sentences"),
        *("paragraph", "passage", "description", "narrative", "transcription", "comment", "input"),
    ),
    "title": ("title", "articletitle", "doctitle", "heading"),
    "abstract": ("abstract", "abstracttext", "summary"),
}

#: The expectation in messages about a table of texts.
TEXTS_EXPECTED = (
    "a column of texts with a usual name (text, body, content, ...), or title and abstract; name "
    "another with --text-column (in Python text_column=)"
)

#: The rows of a table as (line, cells).
Rows = Iterable[tuple[int, Sequence[str]]]


def _key(column: str) -> str:
    return re.sub(r"[\W_]", "", column.casefold())


def _field_columns(columns: Sequence[str]) -> dict[str, int]:
    """Field -> number of the column that has one of its usual names."""
    keys = [_key(column) for column in columns]
    numbers = {}
    for field, names in _USUAL.items():
        number = next((keys.index(name) for name in names if name in keys), None)
        if number is not None:
            numbers[field] = number
    return numbers


def is_linked(columns: Sequence[str]) -> bool:
    """Return whether a header is that of linked documents, which biolink writes.

    Only in such a table are cells escaped or guarded; the cells of other tables are literal.
    """
    return set(columns) >= _NEEDED


def is_table(columns: Sequence[str]) -> bool:
    """Return whether a header is that of linked documents, or of texts with an id."""
    if is_linked(columns):
        return True
    numbers = _field_columns(columns)
    return len(columns) > 1 and "id" in numbers and len(numbers) > 1


def documents_from(
    source: str,
    columns: Sequence[str],
    rows: Rows,
    text_column: str | None,
    on_problem: OnProblem,
) -> Iterator[Document]:
    """Yield the documents of a table.

    Parameters
    ----------
    source
        The name of the file in messages.
    columns
        The header of the table.
    rows
        The rows after the header, with line numbers.
    text_column
        The column that holds the texts. Default: found by its name.
    on_problem
        Called with each problem in place of raising it.

    Raises
    ------
    InputError
        When no column holds texts; the message names the columns of the table.
    """
    numbered = _of_one_width(source, len(columns), rows, on_problem)
    if text_column is None and is_linked(columns):
        linked = ((line, cells) for _, line, cells in numbered)
        yield from _linked(source, columns, linked, on_problem)
        return
    columns_of_fields = _text_columns(source, columns, text_column)
    for number, line, cells in numbered:
        try:
            row = {field: cells[column] for field, column in columns_of_fields.items()}
            check_utf8("".join(row.values()), source, line)
            document = _of_texts(row, number)
        except InputError as error:
            raise_or_report(error, on_problem)
        except ValueError as error:
            raise_or_report(InputError(source, line, str(error), "a text in each row"), on_problem)
        else:
            yield document


def _text_columns(source: str, columns: Sequence[str], text_column: str | None) -> dict[str, int]:
    """Field -> number of its column, in a table of texts."""
    numbers = _field_columns(columns)
    if text_column is not None:
        named = [i for i, c in enumerate(columns) if c == text_column]
        named += [i for i, c in enumerate(columns) if _key(c) == _key(text_column)]
        if not named:
            raise InputError(source, 1, columns_seen(columns), f"the text column {text_column!r}")
        numbers = {"text": named[0]} | ({"id": numbers["id"]} if "id" in numbers else {})
    if not numbers.keys() & {"text", "title", "abstract"}:
        raise InputError(source, 1, columns_seen(columns), TEXTS_EXPECTED)
    return numbers


def _of_texts(row: Mapping[str, str], number: int) -> Document:
    """The document of a row; if the row has no id, its number from 1 is the document's id."""
    doc_id = row.get("id", "").strip() or str(number)
    title = row.get("title", "")
    body = "\n".join(row[field] for field in ("text", "abstract") if row.get(field, "").strip())
    if title.strip():
        return titled(doc_id, title, body)
    if not body:
        raise ValueError("a row without a text")
    return Document(doc_id, body)


def _of_one_width(
    source: str, width: int, rows: Rows, on_problem: OnProblem
) -> Iterator[tuple[int, int, Sequence[str]]]:
    """The rows that have a cell for each column, as (number from 1, line, cells)."""
    for number, (line, cells) in enumerate(rows, 1):
        if len(cells) == width:
            yield number, line, cells
        elif any(cells):
            found = counted(len(cells), "column")
            problem = InputError(source, line, found, f"{width}, as in the header")
            raise_or_report(problem, on_problem)


def _linked(
    source: str, columns: Sequence[str], rows: Rows, on_problem: OnProblem
) -> Iterator[Document]:
    """The documents of a table whose rows of passages and mentions follow their document."""
    number = 0

    def of_a_document(item: tuple[int, dict[str, str]]) -> int:
        nonlocal number
        number += item[1]["kind"] == "document"
        return number

    named = ((line, dict(zip(columns, cells, strict=True))) for line, cells in rows)
    for _, group in groupby(named, of_a_document):
        block = list(group)
        line, head = block[0]
        if head["kind"] != "document":
            for line, row in block:
                found = f"a {row['kind'][:40]} of the document {row['document'][:40]!r}"
                expected = "the row of the document before it"
                problem = InputError(source, line, found, expected)
                raise_or_report(problem, on_problem)
            continue
        passages, mentions = [], []
        try:
            for line, row in block:
                check_utf8("".join(row.values()), source, line)
                if row["document"] != head["document"]:
                    other = row["document"][:40]
                    raise ValueError(f"a {row['kind'][:40]} of another document, {other!r}")
                if row["kind"] == "passage":
                    start, end = whole_number(row["start"]), whole_number(row["end"])
                    passages.append(Passage(start, end, row.get("type", "")))
                elif row["kind"] == "mention":
                    mentions.append(_mention(row))
                elif row is not head:
                    raise ValueError(f"the kind {row['kind'][:40]!r}")
            document = Document(head["document"], head["text"], tuple(passages), tuple(mentions))
        except InputError as error:
            raise_or_report(error, on_problem)
        except RECORD_ERRORS as error:
            problem = InputError(source, line, str(error), "values that fit the columns")
            raise_or_report(problem, on_problem)
        else:
            yield document


def _mention(row: Mapping[str, str]) -> Mention:
    ids, joiner = split_ids(row.get("gold_ids", ""))
    links: tuple[Link, ...] = ()
    if row.get("concept_id"):
        links = (
            Link(
                row["concept_id"],
                row.get("name", ""),
                float(row.get("score") or "nan"),
                float(row.get("probability") or "nan"),
                1,
                row.get("shared") == "yes",
                long_form=row.get("long_form") or None,
                preferred_name=row.get("preferred_name", ""),
                curie=row.get("curie", ""),
            ),
        )
    spans = [span.partition("-") for span in row.get("spans", "").split()]
    return Mention(
        whole_number(row["start"]),
        whole_number(row["end"]),
        row["text"],
        type=row.get("type", ""),
        concept_ids=ids,
        id_joiner=joiner,
        parts=tuple(map(_unescaped, split_bars(row["parts"]))) if row.get("parts") else (),
        spans=tuple((whole_number(a), whole_number(b)) for a, _, b in spans),
        links=links,
        nil_reason=row.get("nil_reason") or None,
        long_form=row.get("long_form") or None,
        assertions=tuple(row.get("assertions", "").split()),
    )


def _unescaped(part: str) -> str:
    """A part of a cell, in which bars and backslashes are escaped."""
    return re.sub(r"\\([\\|])", r"\1", part)


def rows_of(document: Document) -> Iterator[dict[str, str]]:
    """Yield the rows of a document: its own, those of its passages and those of its mentions."""
    size = str(len(document.text))
    own = {"document": document.id}
    yield {**own, "kind": "document", "start": "0", "end": size, "text": document.text}
    for p in document.passages:
        yield {**own, "kind": "passage", "start": str(p.start), "end": str(p.end), "type": p.kind}
    for m in document.mentions:
        row = {
            **own,
            "kind": "mention",
            "start": str(m.start),
            "end": str(m.end),
            "text": m.text,
            "type": m.type,
            "gold_ids": join_ids(m.concept_ids, m.id_joiner, missing=""),
            "nil_reason": m.nil_reason or "",
            "long_form": m.long_form or "",
            "spans": " ".join(f"{a}-{b}" for a, b in m.spans),
            "parts": "|".join(re.sub(r"[\\|]", r"\\\g<0>", part) for part in m.parts),
            "assertions": " ".join(m.assertions),
        }
        best = m.best
        if best is not None:
            row |= {
                "concept_id": best.concept_id,
                "curie": best.curie or best.concept_id,
                "preferred_name": best.preferred_name or best.name,
                "name": best.name,
                "probability": repr(float(best.probability)),
                "score": repr(float(best.score)),
                "shared": "yes" if best.shared else "no",
            }
        yield row
