"""The threshold below which a link should be NIL, chosen on development documents.

Source: Partial KB inference (BioNLP 2023), section 3.2: thresholds are tuned on development data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from pathlib import Path

from biolink.documents import Document, each_document
from biolink.errors import ConfigError
from biolink.evaluation.cases import gold_of, known_id
from biolink.evaluation.plots import new_figure, save_figure
from biolink.evaluation.statistics import sweep
from biolink.kb.arguments import need_number
from biolink.kb.bases import KnowledgeBases, base_of, need_base
from biolink.kb.knowledge_base import KnowledgeBase

__all__ = ["Curve", "Point", "find_threshold", "plot_curve", "rounded_down"]


@dataclass(frozen=True, slots=True)
class Point:
    """The scores of the links at or above a threshold.

    Attributes
    ----------
    threshold
        Probability from 0 to 1.
    precision
        Share of the links that are right.
    recall
        Share of the mentions with a gold concept in the knowledge base that are linked to it.
    f1
        The harmonic mean of precision and recall.
    linked
        The number of links at or above the threshold.
    """

    threshold: float
    precision: float
    recall: float
    f1: float
    linked: int


@dataclass(frozen=True, slots=True)
class Curve:
    """The scores at all thresholds that make a difference, ascending, and the best of them."""

    points: tuple[Point, ...]
    best: Point

    @property
    def written(self) -> str:
        """The best threshold with as few decimals as keep the same links, four at least."""
        value = self.best.threshold
        below = max((p.threshold for p in self.points if p.threshold < value), default=-1.0)
        for digits in range(4, 17):
            text = rounded_down(value, digits)
            if below < float(text) <= value:
                return text
        return repr(value)


def rounded_down(threshold: float, digits: int) -> str:
    """Write a threshold with so many decimals, none of them rounded up.

    A higher threshold would drop the links whose probability is the threshold.

    >>> rounded_down(0.99996, 4)
    '0.9999'
    """
    return str(Decimal(threshold).quantize(Decimal(1).scaleb(-digits), ROUND_DOWN))


def find_threshold(
    documents: Iterable[Document],
    kb: KnowledgeBase | KnowledgeBases,
    precision: float | None = None,
) -> Curve:
    """Sweep the threshold over linked development documents.

    Parameters
    ----------
    documents
        Documents with gold concepts that were linked without a NIL policy. A mention without a
        gold concept in the knowledge base should be NIL. A link is right if it is so by the strict
        measure of :func:`biolink.evaluate`.
    kb
        The linker's knowledge base, ``linker.kb``, or its knowledge bases, ``linker.bases``. It
        resolves ids and says which gold concepts it has.
    precision
        If given, the best point is that of the highest recall among those with at least this
        precision. Default: the point of the highest F1.

    Raises
    ------
    ConfigError
        When there are no links, or no threshold gives the precision.
    """
    need_base(kb)
    if precision is not None:
        need_number("precision", precision)
        if not 0 < precision <= 1:
            raise ConfigError(f"precision is {precision}; expected a share above 0 and at most 1")
    probabilities: list[float] = []
    right: list[bool] = []
    wanted = 0
    for document in each_document(documents, "find_threshold"):
        for mention in document.mentions:
            base = base_of(kb, mention.type)
            gold = gold_of(mention, base)
            wanted += gold.in_kb
            if mention.best is not None:
                probabilities.append(mention.best.probability)
                right.append(known_id(mention.best.concept_id, base) in gold.right)
    if not probabilities or not wanted:
        raise ConfigError("no mention with a gold concept was linked: there is nothing to sweep")
    swept = sweep(probabilities, right, wanted)
    points = [
        Point(
            threshold=float(swept.values[i]),
            precision=float(swept.right[i] / swept.kept[i]),
            recall=float(swept.right[i] / wanted),
            f1=float(swept.f1[i]),
            linked=int(swept.kept[i]),
        )
        for i in reversed(range(len(swept.values)))
    ]
    if precision is None:
        best = max(points, key=lambda point: point.f1)
    else:
        precise = [point for point in points if point.precision >= precision]
        if not precise:
            highest = max(point.precision for point in points)
            raise ConfigError(
                f"no threshold gives a precision of {precision}; the highest is {highest}"
            )
        best = max(precise, key=lambda point: (point.recall, point.precision))
    return Curve(tuple(points), best)


def plot_curve(curve: Curve, file: Path) -> None:
    """Plot precision, recall and F1 over the threshold into a file (.svg or .png).

    Raises
    ------
    MissingDependencyError
        When matplotlib is not installed.
    """
    figure, axes = new_figure(7, 4)
    thresholds = [point.threshold for point in curve.points]
    for name in ("precision", "recall", "f1"):
        values = [getattr(point, name) for point in curve.points]
        axes.plot(thresholds, values, label="F1" if name == "f1" else name)
    axes.axvline(curve.best.threshold, color="grey", linestyle=":")
    axes.annotate(
        curve.written, (curve.best.threshold, 0.02), xytext=(4, 0), textcoords="offset points"
    )
    axes.set(xlabel="threshold", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(loc="lower left")
    save_figure(figure, file)
