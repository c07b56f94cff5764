"""``biolink find-threshold``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from biolink.cli.calibrate import linked_gold
from biolink.cli.console import stdout
from biolink.cli.outputs import check_outputs, write_outputs
from biolink.evaluation.plots import SUFFIXES
from biolink.evaluation.thresholds import Curve, find_threshold, plot_curve, rounded_down
from biolink.kb.files import replace_file
from biolink.scale.blocks import LinkSettings

__all__ = ["ThresholdJob", "run_find_threshold"]

_ROWS = 20


@dataclass(frozen=True, slots=True)
class ThresholdJob:
    """The options of ``biolink find-threshold``.

    Attributes
    ----------
    files, kb, model, format, types
        As for ``biolink link``; the files are development documents with gold concepts.
    precision
        The precision to reach. Default: the highest F1 is chosen.
    output
        ``.json``, ``.svg`` or ``.png`` files to write.
    """

    files: tuple[str, ...]
    kb: str | None = None
    model: str | None = None
    format: str | None = None
    types: str | None = None
    precision: float | None = None
    output: tuple[str, ...] = ()


def run_find_threshold(job: ThresholdJob) -> Curve:
    """Link the gold mentions of files, sweep the threshold and print the curve."""
    check_outputs(job.output, (".json", *SUFFIXES), job.files, SUFFIXES)
    linked = linked_gold(LinkSettings(job.kb, job.model, types=job.types), job.files, job.format)
    curve = find_threshold(linked.documents, linked.bases, job.precision)

    def write(file: str) -> None:
        if file.endswith(".json"):
            values = {"best": asdict(curve.best), "points": [asdict(p) for p in curve.points]}
            with replace_file(file) as stream:
                stream.write(json.dumps(values, indent=1) + "\n")
        else:
            plot_curve(curve, Path(file))

    failed = write_outputs(job.output, write)
    _print(curve)
    for _, error in failed:
        raise error
    return curve


def _print(curve: Curve) -> None:
    """Print about twenty points, evenly spread over the curve, and the best."""
    from rich.table import Table

    table = Table()
    for column in ("threshold", "precision", "recall", "F1", "links"):
        table.add_column(column, justify="right")
    stride = max(1, len(curve.points) // _ROWS)
    shown = {*curve.points[::stride], curve.points[-1], curve.best}
    for point in sorted(shown, key=lambda p: p.threshold):
        best = point == curve.best
        table.add_row(
            f"* {curve.written}" if best else rounded_down(point.threshold, 4),
            f"{point.precision:.1%}",
            f"{point.recall:.1%}",
            f"{point.f1:.1%}",
            str(point.linked),
        )
    console = stdout()
    console.print(table)
    console.print(f"best (*): --threshold {curve.written}")
