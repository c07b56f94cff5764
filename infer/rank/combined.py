"""``method="combined"``: retrieve names, compute their features, and weigh the features.

This is done in three stages. First, a mention is ranked by what does not depend on its context; the
result is kept for mentions that come again. If the best concept then leads by far, that is all.
Otherwise the mention is read in its context, and ranked by that as well. If no concept leads by far
even then, its names are scored by generation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import torch

from biolink.infer.mentions.abbreviations import may_be_short
from biolink.infer.mentions.exact_names import is_name_of
from biolink.infer.mentions.hints import HINTS
from biolink.infer.network.backbone import Memory
from biolink.infer.rank.candidates import RankedConcept, by_concept, fill_in
from biolink.infer.rank.features import (
    FEATURES,
    CandidateEvidence,
    Candidates,
    candidate_features,
    nil_features,
)
from biolink.infer.rank.ranker import Ranker, Stage, Weights
from biolink.infer.rank.rescore import score_names
from biolink.infer.rank.retrieve import DENSE_SHARE, NameHits, compared, hits_of, joined
from biolink.infer.rank.scope import Scope
from biolink.infer.rank.task import Meaning, Task, batches
from biolink.kb import normalise_name

__all__ = [
    "CONTEXT_SHARE",
    "GENERATION_MARGIN",
    "Ranking",
    "decided",
    "early_candidates",
    "leads",
    "ranked",
    "rankings_under",
    "with_features",
]

#: When names are put in order before their features are weighed, the cosine with the embedding of
#: the mention in its context has this weight relative to that of n-grams.
CONTEXT_SHARE = 1.0

#: A name is not scored by generation if its score without generation is more than this many nats
#: below the best: generation could hardly bring it to the top (``benchmarks/linking.py``).
GENERATION_MARGIN = 4.0

#: The number of batches of mentions that are ranked without context before those that need it are
#: read in their context.
_TOGETHER = 32

#: The number of mentions whose ranking without context is kept.
_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Ranking:
    """The ranked concepts of a task.

    Attributes
    ----------
    concepts
        The concepts, best first.
    candidates
        What they were ranked by.
    """

    concepts: list[RankedConcept]
    candidates: Candidates


@dataclass(frozen=True, slots=True)
class _ByMeaning:
    """What is known about a mention without its context.

    Attributes
    ----------
    hits
        The retrieved names.
    queries
        The embeddings of the mention and of its hints, by text.
    ranking
        The ranking if it is final, otherwise None.
    """

    hits: NameHits
    queries: dict[str, np.ndarray]
    ranking: Ranking | None


def rankings_under(
    scopes: Sequence[Scope], tasks: Sequence[Task], score_all: bool = False
) -> list[list[Ranking]]:
    """Rank the concepts of tasks for several subsets of one knowledge base.

    What does not depend on the subset is computed only once. The result for a task does not depend
    on the other tasks.

    Parameters
    ----------
    scopes
        One scope for each subset; they share the model and the indexes.
    tasks
        The mentions.
    score_all
        Rank every task with all features, and score all names by generation, as fitting needs it.
        Default: False, which is to score only the names that generation can still bring to the
        top.

    Returns
    -------
    For each scope, the ranking of each task.
    """
    size = scopes[0].options.batch_size
    if len(tasks) > _TOGETHER * size:
        parts = [
            rankings_under(scopes, tasks[i : i + _TOGETHER * size], score_all)
            for i in range(0, len(tasks), _TOGETHER * size)
        ]
        return [list(chain.from_iterable(of_scope)) for of_scope in zip(*parts, strict=True)]
    by_meaning = _by_meaning(scopes, [task.meaning for task in tasks])
    rankings: list[dict[int, Ranking]] = [
        {
            i: ranking
            for i, task in enumerate(tasks)
            if not score_all and (ranking := of_scope[task.meaning].ranking) is not None
        }
        for of_scope in by_meaning
    ]
    rest = [i for i in range(len(tasks)) if any(i not in of_scope for of_scope in rankings)]
    for batch in batches([tasks[i] for i in rest], size):
        chosen = [rest[i] for i in batch]
        doubtful = [tasks[i] for i in chosen]
        known = [[of_scope[task.meaning] for task in doubtful] for of_scope in by_meaning]
        late = _with_context(scopes, doubtful, known, score_all)
        for of_scope, of_tasks in zip(rankings, late, strict=True):
            for i, of_task in zip(chosen, of_tasks, strict=True):
                of_scope.setdefault(i, of_task)
    return [[of_scope[i] for i in range(len(tasks))] for of_scope in rankings]


def early_candidates(scope: Scope, tasks: Sequence[Task]) -> list[Candidates]:
    """The candidates of tasks with the features that do not depend on context."""
    (known,) = _by_meaning([scope], [task.meaning for task in tasks])
    return [
        with_features(scope, task.meaning, known[task.meaning].hits.candidates()) for task in tasks
    ]


def _ranker(scope: Scope) -> Ranker:
    ranker = scope.model.ranker
    assert ranker is not None  # Linker refuses this method for a model without a ranker
    return ranker


def ranked(candidates: Candidates, weights: Weights) -> Ranking:
    """The ranking of a task by the weights."""
    if not len(candidates.rows):
        return Ranking([], candidates)
    scores = weights.scores(candidates.features)
    nil = weights.nil_score(nil_features(candidates))
    return Ranking(by_concept(candidates, scores, nil), candidates)


def decided(candidates: Candidates, stage: Stage | None) -> Ranking | None:
    """The ranking of a task at a stage, if its best concept leads by the margin of the stage."""
    if stage is None:
        return None
    ranking = ranked(candidates, stage.weights)
    return ranking if leads(ranking, stage.margin) else None


def _by_meaning(
    scopes: Sequence[Scope], meanings: Sequence[Meaning]
) -> list[dict[Meaning, _ByMeaning]]:
    """What is known about mentions without their context, for each scope."""
    # Threads may share a scope, so what it keeps is looked up once.
    results = [
        {m: known for m in meanings if (known := scope.by_meaning.get(m)) is not None}
        for scope in scopes
    ]
    new = [m for m in dict.fromkeys(meanings) if any(m not in known for known in results)]
    texts = [text for meaning in new for text in _texts(meaning)]
    of_texts = compared(scopes, list(dict.fromkeys(texts)), scopes[0].options.batch_size)
    for number, (scope, result) in enumerate(zip(scopes, results, strict=True)):
        for meaning in new:
            hits = hits_of(scope, number, meaning, of_texts)
            queries = {text: of_texts[text].query for text in _texts(meaning)}
            result[meaning] = _ByMeaning(hits, queries, _early_ranking(scope, meaning, hits))
        for meaning, known in result.items():
            scope.by_meaning.pop(meaning, None)
            scope.by_meaning[meaning] = known  # the last of those that are kept
        while len(scope.by_meaning) > _KEPT:
            scope.by_meaning.popitem(last=False)
    return results


def _texts(meaning: Meaning) -> list[str]:
    return [meaning.mention, *(hint.text for hint in meaning.hints)]


def _early_ranking(scope: Scope, meaning: Meaning, hits: NameHits) -> Ranking | None:
    """The ranking without context and generation, if its best concept leads by the margin."""
    early = _ranker(scope).early
    if early is None or not scope.options.cascade:
        return None
    return decided(with_features(scope, meaning, hits.candidates()), early)


def leads(ranking: Ranking, margin: float) -> bool:
    """Whether the best concept leads by a margin, in nats, before the second and before NIL."""
    if not ranking.concepts:
        return False
    best, *others = (concept.probability for concept in ranking.concepts)
    nil = 1 - sum(others, best)
    return bool(max([nil, *others]) <= best * math.exp(-margin))


def _with_context(
    scopes: Sequence[Scope],
    tasks: Sequence[Task],
    known: Sequence[Sequence[_ByMeaning]],
    score_all: bool,
) -> list[list[Ranking]]:
    """The rankings of tasks for each scope, in their context and by generation where needed."""
    first = scopes[0]
    vectors, memory = first.read(tasks)
    dense = first.indexes.dense
    queries = dense.queries(vectors)
    masks = [scope.index_mask for scope in scopes]
    nearest = dense.search(queries, first.options.candidates, masks)
    of_scopes = [
        [
            with_features(scope, task.meaning, _in_context(scope, task, one, query, near))
            for task, one, query, near in zip(tasks, of_tasks, queries, of_scope, strict=True)
        ]
        for scope, of_tasks, of_scope in zip(scopes, known, nearest, strict=True)
    ]
    in_context = [
        [
            decided(c, _ranker(scope).in_context)
            if scope.options.cascade and not score_all
            else None
            for c in of_scope
        ]
        for scope, of_scope in zip(scopes, of_scopes, strict=True)
    ]
    wanted = [
        [
            c.name_ids if score_all else c.name_ids[:0] if early else _undecided(scope, c)
            for c, early in zip(of_scope, of_stage, strict=True)
        ]
        for scope, of_scope, of_stage in zip(scopes, of_scopes, in_context, strict=True)
    ]
    _generate(scopes, tasks, memory, of_scopes, wanted)
    return [
        [
            early or ranked(c, _ranker(scope).weights)
            for c, early in zip(of_scope, of_stage, strict=True)
        ]
        for scope, of_scope, of_stage in zip(scopes, of_scopes, in_context, strict=True)
    ]


def _in_context(
    scope: Scope, task: Task, known: _ByMeaning, query: np.ndarray, near: np.ndarray
) -> NameHits:
    """The candidates among the retrieved names and those that are near to the mention in context.

    Parameters
    ----------
    scope, task, known
        The subset, the mention, and what is known without its context.
    query
        The embedding of the mention in its context.
    near
        The positions of the names that are nearest to it.
    """
    hits = joined(scope, task.meaning, known.hits, known.queries, near)
    context = scope.indexes.dense.cosines(query, hits.positions)
    hits = replace(hits, context=context)
    pool = np.arange(hits.pooled)
    combined = hits.ngrams + DENSE_SHARE * hits.vectors + CONTEXT_SHARE * context
    name_ids = scope.indexes.lexical.name_ids[hits.positions]
    best = np.lexsort((name_ids[pool], -combined[pool]))[: scope.options.scored]
    extra = np.arange(hits.pooled, len(hits.positions))
    return hits.taken(np.append(best, extra), len(best), len(best))


def _generate(
    scopes: Sequence[Scope],
    tasks: Sequence[Task],
    memory: Memory | None,
    of_scopes: Sequence[Sequence[Candidates]],
    wanted: Sequence[Sequence[np.ndarray]],
) -> None:
    """Fill in the features of generation; each name is scored only once.

    Parameters
    ----------
    scopes, tasks
        The subsets and the mentions.
    memory
        What the decoder reads of the mentions, or None if they are to be read first.
    of_scopes, wanted
        For each subset, the candidates of each mention, and the ids of the names to score.
    """
    every = [np.unique(np.concatenate(of_task)) for of_task in zip(*wanted, strict=True)]
    chosen = [i for i, name_ids in enumerate(every) if len(name_ids)]
    if not chosen:
        return
    some, first = [tasks[i] for i in chosen], scopes[0]
    if memory is None:
        memory = first.memory(some)
    else:
        memory = memory.select(torch.tensor(chosen, device=first.model.backbone.device))
    scores = score_names(first, some, memory, [every[i] for i in chosen])
    for i, (sums, lengths) in zip(chosen, scores, strict=True):
        for of_scope, of_tasks in zip(wanted, of_scopes, strict=True):
            # A subset does not profit from names that were scored for another one.
            scored = np.unique(of_scope[i])
            at = np.searchsorted(every[i], scored)
            fill_in(of_tasks[i], scored, sums[at], lengths[at])


def with_features(scope: Scope, meaning: Meaning, hits: NameHits) -> Candidates:
    """Return the candidates with all features; those that are filled in later are 0."""
    kb, match_types = scope.kb, scope.options.match_types
    pairs: list[tuple[int, int]] = []  # index of the name among the hits, row of an owner
    agreement: list[float] = []
    sole: list[bool] = []
    hit_ids = scope.indexes.lexical.name_ids[hits.positions]
    for i, name_id in enumerate(map(int, hit_ids)):
        owners = kb.owners(name_id)
        for row in owners:
            agrees = scope.type_agreement(meaning.type, row)
            if not (match_types and agrees < 0):
                pairs.append((i, row))
                agreement.append(agrees)
                sole.append(len(owners) == 1)
    mention = normalise_name(meaning.mention)
    flags = may_be_short(meaning.mention), mention in _ranker(scope).stop_names
    if not pairs:
        return Candidates(np.empty(0, int), np.empty(0, int), np.empty((0, len(FEATURES))), *flags)
    index, rows = (np.array(column) for column in zip(*pairs, strict=True))
    name_ids = hit_ids[index].astype(int)
    annotated = scope.annotated(meaning.mention)
    names = list(zip(name_ids.tolist(), rows.tolist(), strict=True))
    of_hints = dict(zip(HINTS, hits.hints[index].T, strict=True))
    spelt_alike = np.array([kb.name_at(name_id) == mention for name_id in name_ids.tolist()])
    exact = np.array([is_name_of(kb, meaning.mention, *pair) for pair in names])
    evidence = CandidateEvidence(
        dense=hits.vectors[index],
        context=hits.context[index],
        lexical=hits.ngrams[index],
        nearest=hits.ngrams[index] >= hits.ngrams.max(initial=0.0) - 1e-6,
        exact=exact,
        miscased=spelt_alike & ~exact,
        sole=np.array(sole),
        preferred=np.array([kb.is_preferred(name_id, row) for name_id, row in names]),
        prior=np.array([scope.priors.get(row, 0) for row in rows.tolist()]),
        type_agreement=np.array(agreement),
        annotated=np.array([annotated.get(row, 0) for row in rows.tolist()]),
        links=sum(annotated.values()),
        **of_hints,
    )
    return Candidates(name_ids, rows, candidate_features(evidence), *flags)


def _undecided(scope: Scope, candidates: Candidates) -> np.ndarray:
    """The ids of the names that generation may still bring to the top."""
    if not len(candidates.rows):
        return candidates.name_ids
    scores = _ranker(scope).weights.scores(candidates.features)
    return candidates.name_ids[scores >= scores.max() - GENERATION_MARGIN]
