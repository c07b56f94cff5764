"""Fitting the weights of a linker's combined score again on corrections, near those that it has.

The new weights are kept only if they link held-out corrections better: in two halves of the
documents, each half is linked with weights that were fitted on the other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from biolink.documents import Document
from biolink.finetune.fit import likeliest_weights
from biolink.infer.linkers.mention_linker import Linker
from biolink.infer.mentions.abbreviations import expand_document, finder
from biolink.infer.rank.combined import Ranking, decided, ranked
from biolink.infer.rank.features import CONTEXTUAL, FEATURES, GENERATED, Candidates, nil_features
from biolink.infer.rank.ranker import Ranker, Stage, Weights
from biolink.kb.bases import takes

__all__ = ["LEAST", "Refit", "is_right", "refit"]

#: The least number of decided mentions on which weights are fitted again.
LEAST = 200
#: The weight of the squared distance from the weights that the model has, as a share of the mean
#: loss of a mention; it is as strong as that of ``1 / _NEAR`` mentions.
_NEAR = 0.01


@dataclass(frozen=True, slots=True)
class Refit:
    """What fitting on corrections came to.

    Attributes
    ----------
    mentions
        The number of decided mentions that the combined score ranks.
    before, after
        How many of them are right with the weights of the model, and with weights that were fitted
        on the other half of the documents.
    ranker
        The ranker with weights that were fitted on all of them, or None if they are not kept.
    """

    mentions: int
    before: int = 0
    after: int = 0
    ranker: Ranker | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    """A decided mention: the candidates of each stage, and the gold rows."""

    full: Candidates
    early: Candidates
    in_context: Candidates
    gold: frozenset[int]
    fold: int


def refit(
    linker: Linker, documents: Sequence[Document], decided: Sequence[Sequence[int]],
    least: int = LEAST,
) -> Refit:  # fmt: skip
    """Fit the weights of the combined score on mentions that people decided.

    Parameters
    ----------
    linker
        The linker of the model, with the method ``combined``.
    documents
        The documents after the corrections; ``concept_ids`` is what a mention means.
    decided
        For each document the numbers of the mentions that were decided.
    least
        The least number of decided mentions. Default: 200.
    """
    ranker = linker.model.ranker
    chosen = [
        [number for number in numbers if _is_ranked(linker, document, number)]
        for document, numbers in zip(documents, decided, strict=True)
    ]
    count = sum(map(len, chosen))
    halves = sum(map(bool, chosen))
    if ranker is None or count < max(1, least) or halves < 2:
        return Refit(count)
    cases = _cases(linker, documents, chosen)
    before = sum(_is_right(case, ranker) for case in cases)
    after = 0
    for fold in (0, 1):
        fitted = _fitted(ranker, [case for case in cases if case.fold != fold])
        after += sum(_is_right(case, fitted) for case in cases if case.fold == fold)
    return Refit(count, before, after, _fitted(ranker, cases) if after > before else None)


def _is_ranked(linker: Linker, document: Document, number: int) -> bool:
    """Whether the linker ranks a mention, and its base has what the mention means."""
    mention = document.mentions[number]
    known = all(linker.kb.row_of(i) is not None for i in mention.concept_ids)
    return known and takes(linker.kb, mention.type)


def _cases(
    linker: Linker, documents: Sequence[Document], chosen: Sequence[Sequence[int]]
) -> list[_Case]:
    find = finder(linker.options.abbreviations)
    tasks, gold, folds, half = [], [], [], 0
    for document, numbers in zip(documents, chosen, strict=True):
        if not numbers:
            continue
        expanded = document if find is None else expand_document(document, find)
        of_document = linker.tasks(expanded)
        for number in numbers:
            rows = map(linker.kb.row_of, document.mentions[number].concept_ids)
            tasks.append(of_document[number])
            gold.append(frozenset(row for row in rows if row is not None))
            folds.append(half)
        half = 1 - half
    every, early = linker.candidates(tasks), linker.candidates(tasks, "early")
    in_context = linker.candidates(tasks, "in_context")
    return [_Case(*case) for case in zip(every, early, in_context, gold, folds, strict=True)]


def _is_right(case: _Case, ranker: Ranker) -> bool:
    """Whether a mention is linked to a gold concept, or to none if it means none."""
    ranking = (
        decided(case.early, ranker.early)
        or decided(case.in_context, ranker.in_context)
        or ranked(case.full, ranker.weights)
    )
    return is_right(ranking, case.gold)


def is_right(ranking: Ranking, gold: Collection[int]) -> bool:
    """Whether the best concept of a ranking is gold, or NIL is best and there is no gold."""
    if not ranking.concepts:
        return not gold
    best = ranking.concepts[0]
    if 1 - sum(concept.probability for concept in ranking.concepts) > best.probability:
        return not gold
    return best.row in gold


def _fitted(ranker: Ranker, cases: Sequence[_Case]) -> Ranker:
    early, in_context = [case.early for case in cases], [case.in_context for case in cases]
    return replace(
        ranker,
        weights=_near(ranker.weights, [case.full for case in cases], cases),
        early=_stage_near(ranker.early, early, cases, CONTEXTUAL),
        in_context=_stage_near(ranker.in_context, in_context, cases, GENERATED),
    )


def _stage_near(
    stage: Stage | None,
    candidates: Sequence[Candidates],
    cases: Sequence[_Case],
    unknown: Sequence[str],
) -> Stage | None:
    """A stage with the likeliest weights near its own; some features are not known by then."""
    if stage is None:
        return None
    known = np.array([name not in unknown for name in FEATURES])
    return Stage(_near(stage.weights, candidates, cases, known), stage.margin)


def _near(
    weights: Weights, candidates: Sequence[Candidates], cases: Sequence[_Case],
    used: np.ndarray | None = None,
) -> Weights:  # fmt: skip
    """The likeliest weights near those that are there."""
    right = [
        np.isin(of_mention.rows, list(case.gold))
        for of_mention, case in zip(candidates, cases, strict=True)
    ]
    # A mention whose concept was not retrieved says nothing about the weights: NIL is not right.
    kept = [i for i, case in enumerate(cases) if right[i].any() or not case.gold]
    if not kept:
        return weights
    fitted = likeliest_weights(
        [candidates[i].features for i in kept],
        [right[i] for i in kept],
        np.stack([nil_features(candidates[i]) for i in kept]),
        np.ones(len(kept)),
        used,
        _NEAR,
        around=(weights.candidates.astype(float), weights.nil.astype(float)),
    )
    return Weights(*fitted)
