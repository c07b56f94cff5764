"""The mentions on which the weights of the shipped model are fitted, with their candidates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from biolink.documents import Document
from biolink.infer.linkers.mention_linker import Linker
from biolink.infer.mentions.abbreviations import expand_document, find_abbreviations
from biolink.infer.rank.features import FEATURES, Candidates
from biolink.infer.rank.task import Task


@dataclass(frozen=True, slots=True)
class Examples:
    """Mentions with their candidates, as parallel lists for :func:`fit_weights`.

    Attributes
    ----------
    candidates, early, in_context
        The candidates with all features, those with only the features that need no context, and
        those with the features that need no generation.
    gold, folds, counts
        See :func:`biolink.finetune.fit.fit_weights`. A mention without a concept in the knowledge
        base has no gold rows.
    sets
        The name of the set from which each mention comes.
    """

    candidates: list[Candidates]
    early: list[Candidates]
    in_context: list[Candidates]
    gold: list[tuple[int, ...]]
    folds: list[int]
    counts: list[float]
    sets: list[str]

    def save(self, file: Path) -> None:
        """Write the examples, so that a further fit need not run the model."""
        np.savez_compressed(
            file,
            **_flat("all", self.candidates),
            **_flat("early", self.early),
            **_flat("in_context", self.in_context),
            feature_names=FEATURES,
            gold_sizes=[len(rows) for rows in self.gold],
            gold=[row for rows in self.gold for row in rows],
            folds=self.folds,
            counts=self.counts,
            sets=self.sets,
        )

    @classmethod
    def load(cls, file: Path) -> Examples:
        """Read what :meth:`save` wrote."""
        with np.load(file, allow_pickle=False) as stored:
            if tuple(stored.get("feature_names", ())) != FEATURES:
                raise SystemExit(f"{file} was made with other features; remove it")
            gold = np.split(stored["gold"].astype(int), np.cumsum(stored["gold_sizes"])[:-1])
            return cls(
                _unflat("all", stored),
                _unflat("early", stored),
                _unflat("in_context", stored),
                [tuple(rows.tolist()) for rows in gold],
                stored["folds"].tolist(),
                stored["counts"].tolist(),
                stored["sets"].tolist(),
            )


def _flat(kind: str, candidates: Sequence[Candidates]) -> dict[str, Any]:
    """Candidates as arrays; :func:`_unflat` turns them back."""
    arrays = {
        "sizes": [len(c.rows) for c in candidates],
        "name_ids": np.concatenate([c.name_ids for c in candidates]),
        "rows": np.concatenate([c.rows for c in candidates]),
        "features": np.concatenate([c.features for c in candidates]),
        "short": [c.short for c in candidates],
        "unmarked": [c.unmarked for c in candidates],
    }
    return {f"{kind}_{name}": array for name, array in arrays.items()}


def _unflat(kind: str, stored: Mapping[str, np.ndarray]) -> list[Candidates]:
    ends = np.cumsum(stored[f"{kind}_sizes"])[:-1]
    arrays = ("name_ids", "rows", "features")
    pieces = [np.split(stored[f"{kind}_{name}"], ends) for name in arrays]
    flags = (map(bool, stored[f"{kind}_{name}"]) for name in ("short", "unmarked"))
    return [Candidates(*values) for values in zip(*pieces, *flags, strict=True)]


def examples(linker: Linker, sets: Mapping[str, Sequence[Document]]) -> Examples:
    """Return candidates for the annotated mentions of each set; the counts of a set add up to 1."""
    result = Examples([], [], [], [], [], [], [])
    for label, documents in sets.items():
        counts: Counter[tuple[Task, tuple[int, ...], int]] = Counter()
        for number, document in enumerate(documents):
            expanded = expand_document(document, find_abbreviations)
            for task, mention in zip(linker.tasks(expanded), expanded.mentions, strict=True):
                if mention.concept_ids:
                    found = (linker.kb.row_of(i) for i in mention.concept_ids)
                    rows = tuple(sorted({row for row in found if row is not None}))
                    counts[task, rows, number % 2] += 1
        tasks = list(counts)
        order = sorted(range(len(tasks)), key=lambda i: len(tasks[i][0].source))
        by_number: dict[int, tuple[Candidates, ...]] = {}
        for begin in range(0, len(order), 32):
            numbers = order[begin : begin + 32]
            batch = [tasks[i][0] for i in numbers]
            stages = [linker.candidates(batch, stage) for stage in ("last", "early", "in_context")]
            by_number |= dict(zip(numbers, zip(*stages, strict=True), strict=True))
        total = sum(counts.values())
        for number, (key, count) in enumerate(counts.items()):
            every, early, in_context = by_number[number]
            result.candidates.append(every)
            result.early.append(early)
            result.in_context.append(in_context)
            result.gold.append(key[1])
            result.folds.append(key[2])
            result.counts.append(count / total)
            result.sets.append(label)
        print(f"{label}: {total:,} mentions in {len(documents):,} documents", flush=True)
    return result
