"""The table of the partial-KB benchmark as Markdown, as JSON and as one HTML page with plots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from typing import Any

from biolink.bench.partial_kb import Result
from biolink.bench.published import PUBLISHED, digest_of_ids
from biolink.bench.scoring import Part
from biolink.documents import Document
from biolink.evaluation.plots import new_figure, svg
from biolink.evaluation.report import html_page, html_table, markdown_table

__all__ = ["is_published_test", "to_html", "to_json", "to_markdown"]

#: Digest of the sorted ids of BC5CDR's test documents, for which results were published.
_BC5CDR_TEST = "f1ae3964802d985097bb238f2692b789ebcd71da70d64c52f0fe4acb63551df4"
_COLUMNS = (
    "paradigm", "system", "setting", "EL-P", "EL-R", "EL-F1", "95 % interval", "NER-P", "NER-R",
    "NER-F1", "NED-Acc", "tuned on development data",
)  # fmt: skip
_ERRORS = (
    "paradigm", "setting", "links", "right", "wrong concept", "wrong span", "outside",
    "nothing there", "missed",
)  # fmt: skip
NOT_COMPARABLE = (
    "These are not BC5CDR's 500 test documents: the figures are not comparable with published ones."
)


def is_published_test(documents: Sequence[Document]) -> bool:
    """Return whether these are the documents for which results were published."""
    return digest_of_ids(document.id for document in documents) == _BC5CDR_TEST


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _row(result: Result) -> list[str]:
    s = result.scores
    low, high = s.interval
    return [
        result.paradigm,
        result.system,
        result.setting,
        *map(_percent, (s.precision, s.recall, s.f1)),
        f"{_percent(low)} to {_percent(high)}",
        *map(_percent, (s.ner_precision, s.ner_recall, s.ner_f1, s.ned_accuracy)),
        result.tuned,
    ]


def _published_rows(part: Part, comparable: bool) -> list[list[str]]:
    if not comparable or (part.ids is None and part.rest is None):
        return []
    return [
        [
            row.paradigm,
            f"{row.system} (published)",
            row.setting,
            f"{row.precision:.2f}",
            f"{row.recall:.2f}",
            f"{row.f1:.2f}",
            "",
            "",
            "",
            f"{row.ner_f1:.2f}",
            f"{row.ned_accuracy:.2f}",
            "",
        ]
        for row in PUBLISHED["part" if part.ids is not None else "complement"]
    ]


def _error_row(result: Result) -> list[str]:
    s = result.scores
    return [
        result.paradigm,
        result.setting,
        str(s.guessed),
        str(s.right),
        *(str(s.errors[name]) for name in _ERRORS[4:8]),
        str(s.missed),
    ]


def _sections(
    results: Sequence[Result], parts: Sequence[Part], comparable: bool
) -> list[tuple[str, list[list[str]], list[list[str]]]]:
    """Title, rows and rows of errors for each part that has results."""
    sections = []
    for part in parts:
        own = [result for result in results if result.part == part.name]
        if own:
            title = f"{part.name}: {len(part.kb):,} concepts, {own[0].scores.gold:,} annotations"
            rows = [*map(_row, own), *_published_rows(part, comparable)]
            sections.append((title, rows, [*map(_error_row, own)]))
    return sections


def to_markdown(results: Sequence[Result], parts: Sequence[Part], comparable: bool) -> str:
    """Return tables for every part, with published rows where the results are comparable."""
    body = [] if comparable else [NOT_COMPARABLE]
    for title, rows, errors in _sections(results, parts, comparable):
        body += [f"## {title}", markdown_table(_COLUMNS, rows)]
        body += ["Links by what they are:", markdown_table(_ERRORS, errors)]
    return "\n\n".join(body) + "\n"


def to_json(results: Sequence[Result], comparable: bool, provenance: dict[str, Any]) -> str:
    """Return the results as a JSON object."""
    record = {
        "comparable": comparable,
        "provenance": provenance,
        "results": [asdict(result) for result in results],
        "published": {part: [row._asdict() for row in rows] for part, rows in PUBLISHED.items()}
        if comparable
        else {},
    }
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def to_html(results: Sequence[Result], parts: Sequence[Part], comparable: bool) -> str:
    """Return one page with the tables and a plot for every part."""
    body = ["<h1>Partial-KB inference</h1>"]
    body += [] if comparable else [f"<p>{NOT_COMPARABLE}</p>"]
    for title, rows, errors in _sections(results, parts, comparable):
        body += [f"<h2>{escape(title)}</h2>", _plot(rows), html_table(_COLUMNS, rows)]
        body += ["<h3>Links by what they are</h3>", html_table(_ERRORS, errors)]
    return html_page("biolink: partial-KB inference", "\n".join(body))


def _plot(rows: Sequence[Sequence[str]]) -> str:
    """A bar for the EL-F1 of every row, with its interval if it has one."""
    figure, axes = new_figure(9, 0.9 + 0.24 * len(rows))
    heights = list(range(len(rows)))[::-1]
    for height, row in zip(heights, rows, strict=True):
        value = float(row[5])
        published = "(published)" in row[1]
        axes.barh(height, value, color="#c9ced6" if published else "#4c78a8", height=0.7)
        if row[6]:
            low, high = (float(x) for x in row[6].split(" to "))
            axes.plot([low, high], [height, height], color="#1b1f24", linewidth=1)
        axes.text(value + 2.5, height, f"{value:.1f}", va="center", fontsize=8)
    labels = [f"{row[0]}, {row[1]}: {row[2]}" for row in rows]
    axes.set_yticks(heights, labels, fontsize=8)
    axes.set(xlim=(0, 105), xlabel="EL-F1, strict; grey: published")
    return svg(figure)
