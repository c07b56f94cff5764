"""Reports of evaluations as Markdown and as one HTML page with plots."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping, Sequence

from biolink.evaluation import Case, Comparison, Report, Scores
from biolink.evaluation.found import FoundReport, Rates
from biolink.evaluation.plots import new_figure, reliability, svg
from biolink.kb.wording import counted

__all__ = [
    "bars",
    "found_to_html",
    "found_to_markdown",
    "html_page",
    "html_table",
    "markdown_table",
    "reasons_of_misses",
    "to_html",
    "to_markdown",
]

_ERRORS_SHOWN = 300
_COLUMNS = (
    "system", "protocol", "mentions", "in KB", "strict R@1", "95 % interval", "R@5", "lenient R@1",
    "lenient R@5", "strict R@1, gold in KB", "ceiling", "NIL",
)  # fmt: skip


def _row(name: str, report: Report) -> list[str]:
    def percent(scores: Scores | None, field: str = "recall_at_1") -> str:
        return "" if scores is None else f"{getattr(scores, field):.1%}"

    low, high = report.strict.interval
    return [
        name,
        report.protocol,
        str(report.mentions),
        "" if report.in_kb is None else str(report.in_kb),
        percent(report.strict),
        f"{low:.1%} to {high:.1%}",
        percent(report.strict, "recall_at_5"),
        percent(report.lenient),
        percent(report.lenient, "recall_at_5"),
        percent(report.strict_in_kb),
        f"{report.ceiling:.1%}",
        str(report.nil),
    ]


def _left_out(report: Report | FoundReport) -> list[str]:
    """What is not counted, as a list of one sentence or none."""
    if not report.without_base:
        return []
    verb = "is" if report.without_base == 1 else "are"
    return [
        f"{counted(report.without_base, 'more mention')} with a gold concept {verb} of a kind "
        "without a knowledge base (variants), and not counted where concepts are compared."
    ]


def _comparison(first: str, second: str, result: Comparison) -> str:
    low, high = result.interval
    return (
        f"{second} minus {first}: {result.difference:+.1%} strict Recall@1 "
        f"({low:+.1%} to {high:+.1%}, paired bootstrap over documents, p = {result.p_value:.3f}; "
        f"{result.only_second} mentions are right only in {second}, {result.only_first} only in "
        f"{first})"
    )


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = ["| " + " | ".join(columns) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _slice_rows(report: Report) -> list[list[str]]:
    return [
        [
            dimension,
            value,
            str(scores.mentions),
            f"{scores.strict:.1%}",
            f"{scores.interval[0]:.1%} to {scores.interval[1]:.1%}",
            f"{scores.lenient:.1%}",
            f"{scores.strict_in_kb:.1%} of {scores.in_kb}",
        ]
        for dimension, values in report.slices.items()
        for value, scores in values.items()
    ]


_SLICE_COLUMNS = (
    "slice", "value", "mentions", "strict R@1", "95 % interval", "lenient R@1",
    "strict, gold in KB",
)  # fmt: skip


def reasons_of_misses(report: Report) -> list[tuple[str, int]]:
    """Return why links are not right by the strict measure, the most frequent reason first."""
    return Counter(case.why for case in report.errors).most_common()


_DISTANCE_TITLE = "Distance of wrong links to the gold in the hierarchy"
_DISTANCE_COLUMNS = ("distance", "wrong links", "share")


def _distance_rows(distances: Mapping[str, int]) -> list[list[str]]:
    every = max(1, sum(distances.values()))
    return [[name, str(count), f"{count / every:.1%}"] for name, count in distances.items()]


def _provenance(report: Report) -> list[tuple[str, str]]:
    return [(key, str(value)) for key, value in report.provenance.items()]


def to_markdown(
    reports: Mapping[str, Report], comparisons: Sequence[tuple[str, str, Comparison]] = ()
) -> str:
    """Return a summary, the slices and the reasons of misses as Markdown.

    Parameters
    ----------
    reports
        System -> report; slices and misses are those of the first system.
    comparisons
        Names of a first and a second system, with their comparison.
    """
    name, main = next(iter(reports.items()))
    blocks = ["# Evaluation", markdown_table(_COLUMNS, [_row(n, r) for n, r in reports.items()])]
    blocks += _left_out(main)
    blocks += ["- " + _comparison(*item) for item in comparisons]
    blocks += [f"## Slices of {name}", markdown_table(_SLICE_COLUMNS, _slice_rows(main))]
    reasons = [[why, str(count)] for why, count in reasons_of_misses(main)]
    blocks += ["## Misses", markdown_table(("why", "mentions"), reasons)]
    if main.distances is not None:
        rows = _distance_rows(main.distances)
        blocks += [f"## {_DISTANCE_TITLE}", markdown_table(_DISTANCE_COLUMNS, rows)]
    provenance = [[key, value] for key, value in _provenance(main)]
    blocks += ["## Provenance", markdown_table(("what", "value"), provenance)]
    return "\n\n".join(blocks) + "\n"


def to_html(
    reports: Mapping[str, Report], comparisons: Sequence[tuple[str, str, Comparison]] = ()
) -> str:
    """Return one self-contained page with the tables, plots as SVG, and the misses.

    Raises
    ------
    MissingDependencyError
        When matplotlib is not installed.
    """
    name, main = next(iter(reports.items()))
    escaped = html.escape
    body = ["<h1>Evaluation</h1>", html_table(_COLUMNS, [_row(n, r) for n, r in reports.items()])]
    body += [f"<p>{sentence}</p>" for sentence in _left_out(main)]
    body += [f"<p>{escaped(_comparison(*item))}</p>" for item in comparisons]
    body += ["<h2>Systems</h2>", _systems_plot(reports)]
    body += [f"<h2>Slices of {escaped(name)}</h2>", _slices_plot(main)]
    body.append(html_table(_SLICE_COLUMNS, _slice_rows(main)))
    if any(p > 0 for case in main.cases for _, _, p in case.links[:1]):
        body += ["<h2>Reliability</h2>", _reliability_plot(main.cases)]
    body.append("<h2>Misses</h2>")
    body.append(html_table(("why", "mentions"), [(w, str(n)) for w, n in reasons_of_misses(main)]))
    if main.distances is not None:
        body.append(f"<h2>{_DISTANCE_TITLE}</h2>")
        body.append(html_table(_DISTANCE_COLUMNS, _distance_rows(main.distances)))
    shown = main.errors[:_ERRORS_SHOWN]
    if len(shown) < len(main.errors):
        body.append(
            f"<p>These are the first {len(shown)} of {len(main.errors)}; the JSON report has all."
            "</p>"
        )
    rows = [
        (
            f"{case.document}:{case.start}-{case.end}",
            case.text + (f" = {case.long_form}" if case.long_form else ""),
            case.type,
            ", ".join(case.gold),
            case.why,
            "; ".join(f"{i} {n} ({p:.2f})" for i, n, p in case.links),
        )
        for case in shown
    ]
    columns = ("where", "mention", "type", "gold", "why", "the five best")
    body.append(html_table(columns, rows))
    body += ["<h2>Provenance</h2>", html_table(("what", "value"), _provenance(main))]
    return html_page("biolink evaluation", "\n".join(body))


_FOUND_COLUMNS = (
    "system", "what", "precision", "recall", "F1", "95 % interval of F1", "annotated", "found",
    "right",
)  # fmt: skip


def _found_rows(reports: Mapping[str, FoundReport]) -> list[list[str]]:
    def row(name: str, what: str, rates: Rates) -> list[str]:
        def percent(value: float, interval: tuple[float, float]) -> str:
            return f"{value:.1%} ({interval[0]:.1%} to {interval[1]:.1%})"

        low, high = rates.f1_interval
        return [
            name,
            what,
            percent(rates.precision, rates.precision_interval),
            percent(rates.recall, rates.recall_interval),
            f"{rates.f1:.1%}",
            f"{low:.1%} to {high:.1%}",
            *map(str, (rates.annotated, rates.found, rates.right)),
        ]

    return [
        row(name, what, rates)
        for name, report in reports.items()
        for what, rates in (
            ("spans", report.spans),
            *(
                # All annotated concepts may be of kinds without a knowledge base.
                [("spans and concepts", report.concepts)]
                if report.concepts.annotated or not report.without_base
                else []
            ),
            *(
                (f"{what} of the type {kind}", rates)
                for kind, both in (report.kinds.items() if len(report.kinds) > 1 else ())
                for what, rates in zip(("spans", "spans and concepts"), both, strict=True)
                if rates is not None
            ),
        )
    ]


def _found_sections(
    reports: Mapping[str, FoundReport],
) -> list[tuple[str, Sequence[str], list[list[str]]]]:
    name, main = next(iter(reports.items()))
    misses = [[why, str(count)] for why, count in main.misses.items()]
    provenance = [[key, str(value)] for key, value in main.provenance.items()]
    distances = [] if main.distances is None else _distance_rows(main.distances)
    return [
        ("Found and linked, exact spans", _FOUND_COLUMNS, _found_rows(reports)),
        (f"Misses of {name}", ("what", "mentions"), misses),
        *([(_DISTANCE_TITLE, _DISTANCE_COLUMNS, distances)] if distances else []),
        ("Provenance", ("what", "value"), provenance),
    ]


def found_to_markdown(reports: Mapping[str, FoundReport]) -> str:
    """Return rates, misses and provenance of an end-to-end evaluation as Markdown.

    Parameters
    ----------
    reports
        System -> report; misses are those of the first system.
    """
    sections = [
        f"## {title}\n\n{markdown_table(columns, rows)}"
        for title, columns, rows in _found_sections(reports)
    ]
    left_out = _left_out(next(iter(reports.values())))
    return "\n\n".join(["# Evaluation, end to end", *left_out, *sections]) + "\n"


def found_to_html(reports: Mapping[str, FoundReport]) -> str:
    """Return the same as :func:`found_to_markdown` as one self-contained page."""
    body = ["<h1>Evaluation, end to end</h1>"]
    body += [f"<p>{sentence}</p>" for sentence in _left_out(next(iter(reports.values())))]
    for title, columns, rows in _found_sections(reports):
        body += [f"<h2>{html.escape(title)}</h2>", html_table(columns, rows)]
    return html_page("biolink evaluation, end to end", "\n".join(body))


def html_page(title: str, body: str) -> str:
    """Return a self-contained page."""
    return _PAGE.replace("TITLE", html.escape(title)).replace("BODY", body)


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>TITLE</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
  color: #1b1f24; background: #fff }
.scroll { overflow-x: auto; margin: 1rem 0 }
table { border-collapse: collapse; font-size: 13px }
th, td { border-bottom: 1px solid #d8dee4; padding: .3rem .6rem; text-align: left;
  vertical-align: top }
th { background: #f6f8fa }
svg { max-width: 100%; height: auto }
</style></head><body>
BODY
</body></html>
"""


def html_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table that scrolls if it is too wide."""
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    lines = (
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{"".join(lines)}</table></div>'


def bars(
    labels: Sequence[str], values: Sequence[float], intervals: Sequence[tuple[float, float]]
) -> str:
    """Return a plot with a bar and its interval for each strict Recall@1, from 0 to 1."""
    figure, axes = new_figure(8.5, 0.9 + 0.3 * len(labels))
    heights = list(range(len(labels)))[::-1]
    below = [max(0.0, v - low) for v, (low, _) in zip(values, intervals, strict=True)]
    above = [max(0.0, high - v) for v, (_, high) in zip(values, intervals, strict=True)]
    axes.barh(heights, values, color="#4c78a8", height=0.66)
    axes.errorbar(
        values, heights, xerr=[below, above], fmt="none", ecolor="#1b1f24", capsize=2, linewidth=1
    )
    for height, value, upper in zip(heights, values, above, strict=True):
        axes.text(value + upper + 0.012, height, f"{value:.1%}", va="center", fontsize=8)
    axes.set_yticks(heights, labels, fontsize=8)
    axes.set_xlim(0, 1.1)
    axes.set_xlabel("strict Recall@1, 95 % interval")
    return svg(figure)


def _systems_plot(reports: Mapping[str, Report]) -> str:
    scores = [report.strict for report in reports.values()]
    return bars(list(reports), [s.recall_at_1 for s in scores], [s.interval for s in scores])


def _slices_plot(report: Report) -> str:
    slices = [
        (f"{dimension}: {value} ({scores.mentions})", scores)
        for dimension, values in report.slices.items()
        for value, scores in values.items()
    ]
    return bars(
        [label for label, _ in slices],
        [scores.strict for _, scores in slices],
        [scores.interval for _, scores in slices],
    )


def _reliability_plot(cases: Sequence[Case]) -> str:
    return svg(reliability({"": [(case.links[0][2], case.strict) for case in cases if case.links]}))
