"""Plots by matplotlib, which the extra ``report`` installs."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from biolink.errors import ConfigError, MissingDependencyError
from biolink.evaluation.statistics import bin_of
from biolink.kb.files import replace_file

__all__ = ["SUFFIXES", "new_figure", "reliability", "save_figure", "svg"]

#: Suffixes of the files that can be written.
SUFFIXES = (".svg", ".png")
_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2")


def new_figure(width: float, height: float) -> tuple[Any, Any]:
    """Return a new figure and its axes; width and height are in inches.

    Raises
    ------
    MissingDependencyError
        When matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingDependencyError("matplotlib", "a picture", "report") from None
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def svg(figure: Any) -> str:
    """Return the figure as an element of an HTML page."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]


def save_figure(figure: Any, file: Path) -> None:
    """Write a figure as SVG or PNG, as the suffix of the file's name says."""
    if file.suffix not in SUFFIXES:
        raise ConfigError(f"{file}: expected a name that ends in .svg or .png")
    with replace_file(file) as stream:
        figure.savefig(stream.buffer, format=file.suffix.removeprefix("."))  # type: ignore[attr-defined]


def reliability(series: Mapping[str, Sequence[tuple[float, bool]]]) -> Any:
    """Plot the share of right links over their probability, in ten bins of equal width.

    Parameters
    ----------
    series
        Label -> (probability, right) of links. The size of a dot shows the number of links in it.
    """
    figure, axes = new_figure(5.2, 4.4)
    axes.plot([0, 1], [0, 1], color="#8c959f", linewidth=1, linestyle="--")
    for colour, (label, links) in zip(_COLOURS, series.items(), strict=False):
        points = []
        values = np.array(links, dtype=float).reshape(-1, 2)
        bins = bin_of(values[:, 0])
        for number in np.unique(bins):
            inside = values[bins == number]
            points.append((*inside.mean(0), len(inside)))
        if points:
            xs, ys, counts = zip(*points, strict=True)
            sizes = [12 + 220 * count / max(counts) for count in counts]
            axes.plot(xs, ys, color=colour, linewidth=1, label=label)
            axes.scatter(xs, ys, s=sizes, color=colour, alpha=0.8)
    axes.set(xlabel="probability of the best link", ylabel="share that is right")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    if len(series) > 1:
        axes.legend(loc="upper left")
    return figure
