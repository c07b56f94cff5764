"""Comparing two systems over the same mentions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import numpy as np

from biolink.evaluation.cases import Case
from biolink.evaluation.measures import Report, resampled_means
from biolink.evaluation.statistics import RESAMPLES, interval
from biolink.kb.arguments import need

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two systems over the same mentions.

    Attributes
    ----------
    mentions
        Number of mentions that both reports have.
    difference
        Strict Recall@1 of the second minus that of the first.
    interval
        95 % interval of the difference, by a paired bootstrap over documents.
    p_value
        Two-sided: twice the share of resamples in which the difference is zero or has the other
        sign, and at least 2/1000.
    only_first, only_second
        Number of mentions that only the first, or only the second, gets right.
    """

    mentions: int
    difference: float
    interval: tuple[float, float]
    p_value: float
    only_first: int
    only_second: int


def compare(first: Report, second: Report, seed: int = 0) -> Comparison:
    """Compare two reports on the same documents by a paired bootstrap test (Koehn, EMNLP 2004).

    Mentions are matched by document, offsets and text.
    """
    for report in (first, second):
        need("what is compared", report, Report, "a Report, which evaluate gives")
    rights = {key: case.strict for key, case in _keyed(first)}
    pairs = [
        (case.document, rights[key], case.strict) for key, case in _keyed(second) if key in rights
    ]
    if not pairs:
        return Comparison(0, 0.0, (0.0, 0.0), 1.0, 0, 0)
    documents, by_first, by_second = (np.array(column) for column in zip(*pairs, strict=True))
    changes = by_second.astype(float) - by_first.astype(float)
    _, owners = np.unique(documents, return_inverse=True)
    means = resampled_means(changes, owners, seed)
    reversed_share = min(float((means <= 0).mean()), float((means >= 0).mean()))
    return Comparison(
        len(pairs),
        float(changes.mean()),
        interval(means),
        min(1.0, 2 * max(reversed_share, 1 / RESAMPLES)),
        int((by_first & ~by_second).sum()),
        int((by_second & ~by_first).sum()),
    )


def _keyed(report: Report) -> Iterator[tuple[Hashable, Case]]:
    """The cases, each with its document, offsets and text, and a number if it has equals."""
    equals: Counter[Hashable] = Counter()
    for case in report.cases:
        key = (case.document, case.start, case.end, case.text)
        equals[key] += 1
        yield (*key, equals[key]), case
