r"""TSV: a row per document and per mention, with a header.

The column ``kind`` says ``document``, ``passage`` or ``mention``, so the mentions alone are one
filter away and the text travels with them. Tabs, line breaks and backslashes inside a cell are
written ``\t``, ``\n``, ``\r`` and ``\\``. A TSV that has only columns ``id`` and ``text`` is read
as a table of documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from biolink.documents import Document, Link, Mention, Passage
from biolink.errors import InputError
from biolink.formats.ids import join_ids, split_ids
from biolink.formats.problems import OnProblem, raise_or_report
from biolink.kb.files import display_name, numbered_lines

LABEL = "TSV, a row per document, passage and mention"
SUFFIXES = (".tsv",)

COLUMNS = (
    "document",
    "kind",
    "start",
    "end",
    "text",
    "type",
    "gold_ids",
    "concept_id",
    "name",
    "probability",
    "score",
    "shared",
    "nil_reason",
    "long_form",
    "spans",
    "parts",
)

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_PLAIN = {escaped: plain for plain, escaped in _ESCAPES.items()}


def escape(text: str) -> str:
    return re.sub(r"[\\\t\n\r]", lambda m: _ESCAPES[m[0]], text)


def unescape(text: str) -> str:
    return re.sub(r"\\[\\tnr]", lambda m: _PLAIN[m[0]], text)


def sniff(path: str | Path, head: str) -> bool:
    columns = set(head.split("\n", 1)[0].rstrip("\r").split("\t"))
    return {"document", "kind", "start", "end", "text"} <= columns or {"id", "text"} <= columns


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """Stream documents; only a mention's best link is in the table."""
    source = display_name(path)
    columns: list[str] = []
    current: tuple[int, str, str] | None = None
    rows: list[tuple[int, dict[str, str]]] = []
    for number, line in numbered_lines(path):
        if not columns:
            columns = line.split("\t")
            if not ({"document", "kind", "start", "end", "text"} <= set(columns)) and not (
                {"id", "text"} <= set(columns)
            ):
                raise InputError(source, number, repr(line[:60]), f"a header: {' '.join(COLUMNS)}")
            continue
        if not line:
            continue
        cells = line.split("\t")
        if len(cells) != len(columns):
            problem = InputError(source, number, f"{len(cells)} columns", f"{len(columns)}")
            raise_or_report(problem, on_problem)
            continue
        row = {column: unescape(cell) for column, cell in zip(columns, cells, strict=True)}
        if "kind" not in row:
            yield Document(row["id"], row["text"])
        elif row["kind"] == "document":
            if current is not None:
                yield from _document(source, *current, rows, on_problem)
            current, rows = (number, row["document"], row["text"]), []
        elif current is not None and row["document"] == current[1]:
            rows.append((number, row))
        else:
            problem = InputError(
                source, number, f"a {row['kind']} of {row['document']!r}", "its document row before"
            )
            raise_or_report(problem, on_problem)
    if current is not None:
        yield from _document(source, *current, rows, on_problem)


def _document(
    source: str,
    first: int,
    doc_id: str,
    text: str,
    rows: list[tuple[int, dict[str, str]]],
    on_problem: OnProblem,
) -> Iterator[Document]:
    passages, mentions = [], []
    line = first
    try:
        for line, row in rows:  # noqa: B007 the handler below names the line
            start, end = int(row["start"]), int(row["end"])
            if row["kind"] == "passage":
                passages.append(Passage(start, end, row.get("type", "")))
            elif row["kind"] == "mention":
                mentions.append(_mention(row, start, end))
            else:
                raise ValueError(f"kind {row['kind']!r}")
        yield Document(doc_id, text, tuple(passages), tuple(mentions))
    except ValueError as error:
        problem = InputError(source, line, str(error), "a row as the header says")
        raise_or_report(problem, on_problem)


def _mention(row: dict[str, str], start: int, end: int) -> Mention:
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
            ),
        )
    spans = tuple(
        (int(a), int(b)) for a, b in (s.split("-") for s in row.get("spans", "").split() if s)
    )
    return Mention(
        start,
        end,
        row["text"],
        type=row.get("type", ""),
        concept_ids=ids,
        id_joiner=joiner,
        parts=tuple(row["parts"].split("|")) if row.get("parts") else (),
        spans=spans,
        links=links,
        nil_reason=row.get("nil_reason") or None,
        long_form=row.get("long_form") or None,
    )


def write(documents: Iterable[Document], stream: IO[str]) -> None:
    """The header, then each document's row, its passages and its mentions."""

    def put(*cells: str) -> None:
        row = [*map(escape, cells), *[""] * (len(COLUMNS) - len(cells))]
        stream.write("\t".join(row) + "\n")

    stream.write("\t".join(COLUMNS) + "\n")
    for document in documents:
        put(document.id, "document", "0", str(len(document.text)), document.text)
        for p in document.passages:
            put(document.id, "passage", str(p.start), str(p.end), "", p.kind)
        for m in document.mentions:
            best = m.best
            put(
                document.id,
                "mention",
                str(m.start),
                str(m.end),
                m.text,
                m.type,
                join_ids(m.concept_ids, m.id_joiner, missing=""),
                best.concept_id if best else "",
                best.name if best else "",
                repr(best.probability) if best else "",
                repr(best.score) if best else "",
                ("yes" if best.shared else "no") if best else "",
                m.nil_reason or "",
                m.long_form or "",
                " ".join(f"{a}-{b}" for a, b in m.spans),
                "|".join(m.parts),
            )
