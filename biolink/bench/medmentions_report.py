"""The results of the MedMentions benchmark as Markdown, as JSON and as one HTML page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from html import escape

from biolink.bench.medmentions import TYPE_NAMES, Result
from biolink.bench.published import MEDMENTIONS
from biolink.evaluation import Scores, Slice
from biolink.evaluation.report import (
    bars,
    html_page,
    html_table,
    markdown_table,
    reasons_of_misses,
)

__all__ = ["to_html", "to_json", "to_markdown"]

#: Heading, columns and rows.
_Table = tuple[str, Sequence[str], list[list[str]]]

_TITLE = "MedMentions ST21pv"
_COLUMNS = ("system", "measure", "Recall@1", "95 % interval", "Recall@5", "Recall@1, gold in KB")
_SLICE_COLUMNS = (
    "mentions", "gold in KB", "strict Recall@1", "95 % interval", "lenient Recall@1",
    "95 % interval",
)  # fmt: skip
#: Dimension of the report's slices -> the heading of its table, and what is in its first column.
_DIMENSIONS = {
    "type": ("By semantic type", "semantic type"),
    "mention in training": ("Mentions seen and unseen in training", "mention"),
    "concept in training": ("Concepts seen and unseen in training", "concept"),
}
COMPARABLE = (
    "These are the 879 test documents with the annotations of ST21pv, and a knowledge base of "
    "ST21pv's size: the figures are comparable with the published ones. The lenient measure is "
    "that of the papers, the strict one that of BELB."
)


def _verdict(result: Result) -> str:
    if result.comparable:
        return COMPARABLE
    reasons = "; ".join(result.why_not)
    return f"The figures are not comparable with published ones: {reasons}."


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else " to ".join(map(_percent, interval))


def _rows(result: Result) -> list[list[str]]:
    """The rows of both measures, each with its published figures if they are comparable."""
    report = result.report
    measures: tuple[tuple[str, Scores, Scores | None], ...] = (
        ("strict", report.strict, report.strict_in_kb),
        ("lenient", report.lenient, report.lenient_in_kb),
    )
    rows = []
    for measure, scores, in_kb in measures:
        rows.append(
            [
                result.system,
                measure,
                _percent(scores.recall_at_1),
                _interval(scores.interval),
                _percent(scores.recall_at_5),
                "" if in_kb is None else _percent(in_kb.recall_at_1),
            ]
        )
        if result.comparable:
            rows += [
                [f"{system} (published)", measure, f"{value:.2f}", "", "", ""]
                for system, value in MEDMENTIONS[measure].items()
            ]
    return rows


def _slice_row(value: str, scores: Slice) -> list[str]:
    return [
        f"{value} {TYPE_NAMES[value]}" if value in TYPE_NAMES else value,
        f"{scores.mentions:,}",
        f"{scores.in_kb:,}",
        _percent(scores.strict),
        _interval(scores.interval),
        _percent(scores.lenient),
        _interval(scores.lenient_interval),
    ]


def _tables(result: Result) -> list[_Table]:
    report = result.report
    documents = f"{report.documents:,} documents, {report.mentions:,} mentions"
    tables: list[tuple[str, Sequence[str], list[list[str]]]] = [
        (documents, _COLUMNS, _rows(result))
    ]
    for dimension, (heading, first) in _DIMENSIONS.items():
        if dimension in report.slices:
            rows = [_slice_row(*item) for item in report.slices[dimension].items()]
            tables.append((heading, (first, *_SLICE_COLUMNS), rows))
    misses = [[why, f"{count:,}"] for why, count in reasons_of_misses(report)]
    tables.append(("Misses, by the strict measure", ("why", "mentions"), misses))
    provenance = [[what, str(value)] for what, value in report.provenance.items()]
    tables.append(("Provenance", ("what", "value"), provenance))
    return tables


def to_markdown(result: Result) -> str:
    """Return whether the figures are comparable, and all tables."""
    body = [f"# {_TITLE}", _verdict(result)]
    for heading, columns, rows in _tables(result):
        body += [f"## {heading}", markdown_table(columns, rows)]
    return "\n\n".join(body) + "\n"


def to_json(result: Result) -> str:
    """Return the result as a JSON object, with every mention and its links."""
    record = {
        "comparable": result.comparable,
        "why_not": result.why_not,
        "system": result.system,
        "report": asdict(result.report),
        "published": MEDMENTIONS if result.comparable else {},
    }
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def to_html(result: Result) -> str:
    """Return one page with the tables, and a plot of the strict measure by semantic type.

    Raises
    ------
    MissingDependencyError
        When matplotlib is not installed.
    """
    body = [f"<h1>{_TITLE}</h1>", f"<p>{escape(_verdict(result))}</p>"]
    of_type = result.report.slices.get("type", {})
    for heading, columns, rows in _tables(result):
        body.append(f"<h2>{escape(heading)}</h2>")
        if heading == _DIMENSIONS["type"][0]:
            labels = [row[0] for row in rows]
            scores = list(of_type.values())
            body.append(bars(labels, [s.strict for s in scores], [s.interval for s in scores]))
        body.append(html_table(columns, rows))
    return html_page(f"biolink: {_TITLE}", "\n".join(body))
