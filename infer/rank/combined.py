"""``method="combined"``: retrieve names, compute their features, and weigh these together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from biolink.infer.mentions.abbreviations import may_be_short
from biolink.infer.mentions.exact_names import is_name_of
from biolink.infer.mentions.hints import HINTS
from biolink.infer.rank.candidates import (
    BatchEncoding,
    NameHits,
    RankedConcept,
    by_concept,
    fill_in,
    highest,
)
from biolink.infer.rank.features import (
    FEATURES,
    CandidateEvidence,
    Candidates,
    candidate_features,
    nil_features,
)
from biolink.infer.rank.ranker import Ranker
from biolink.infer.rank.rescore import score_names
from biolink.infer.rank.scope import Scope
from biolink.infer.rank.task import Task
from biolink.kb import normalise_name

__all__ = [
    "CONTEXT_SHARE",
    "DENSE_SHARE",
    "GENERATION_MARGIN",
    "candidates_under",
    "ranked_by_features",
    "ranked_combined",
]

#: What the cosine of embeddings counts beside that of n-grams where candidates are put in order;
#: chosen on development documents for what it leaves among the best 16.
DENSE_SHARE = 2.0
#: What that of the embedding of the mention in its context counts there.
CONTEXT_SHARE = 1.0

#: Names whose score without generation is this many nats below the best are not scored by
#: generation: it weighs too little to bring them to the top (``benchmarks/linking.py``).
GENERATION_MARGIN = 4.0

#: Names that each hint adds.
_PER_HINT = 3


def ranked_combined(scope: Scope, tasks: Sequence[Task]) -> list[list[RankedConcept]]:
    """Concepts of each task by the combined score, best first."""
    (of_tasks,) = candidates_under([scope], tasks, score_all=False)
    return [ranked_by_features(scope, candidates) for candidates in of_tasks]


def ranked_by_features(scope: Scope, candidates: Candidates) -> list[RankedConcept]:
    """Concepts of a task's candidates, best first."""
    if not len(candidates.rows):
        return []
    ranker = _ranker(scope)
    scores = ranker.scores(candidates.features)
    nil = ranker.nil_score(nil_features(candidates))
    return by_concept(candidates, scores, nil)


def candidates_under(
    scopes: Sequence[Scope], tasks: Sequence[Task], score_all: bool
) -> list[list[Candidates]]:
    """Candidates of each task, best retrieved first, for parts of one base.

    What does not depend on the part is computed once, and a name is scored by generation once.

    Parameters
    ----------
    score_all
        Score all names by generation; otherwise only those that it can still bring to the top.

    Returns
    -------
    For each scope a list over the tasks.
    """
    first = scopes[0]
    encoding = _encoded(first, tasks)
    under_scopes = [
        [
            _with_features(scope, task, hits)
            for task, hits in zip(tasks, _retrieved(scope, tasks, encoding), strict=True)
        ]
        for scope in scopes
    ]
    wanted = [
        [c.name_ids if score_all else _undecided(scope, c) for c in of_tasks]
        for scope, of_tasks in zip(scopes, under_scopes, strict=True)
    ]
    name_ids = [
        np.unique(np.concatenate([of_scope[i] for of_scope in wanted])) for i in range(len(tasks))
    ]
    for i, (sums, lengths) in enumerate(score_names(first, tasks, encoding.memory, name_ids)):
        for of_tasks in under_scopes:
            fill_in(of_tasks[i], name_ids[i], sums, lengths)
    return under_scopes


def _ranker(scope: Scope) -> Ranker:
    ranker = scope.model.ranker
    assert ranker is not None  # Linker refuses this method for a model without one
    return ranker


def _encoded(scope: Scope, tasks: Sequence[Task]) -> BatchEncoding:
    """The part of the work that is the same for every part of the base."""
    count = len(tasks)
    hints = list(dict.fromkeys(hint.text for task in tasks for hint in task.hints))
    texts = [*(task.mention for task in tasks), *hints]
    memory, in_context = scope.model.read([task.source for task in tasks])
    ngrams = scope.indexes.lexical.similarities(texts)
    # In one call, since it reads all of the index.
    vectors = np.concatenate([scope.model.embed(texts), in_context])
    cosines = scope.indexes.dense.similarities(vectors)
    of_mentions, of_hints, context = np.split(cosines, [count, len(texts)])
    hinted = dict(zip(hints, (ngrams[count:].toarray() + of_hints) / 2, strict=True))
    return BatchEncoding(memory, ngrams, of_mentions, context, hinted)


def _retrieved(scope: Scope, tasks: Sequence[Task], encoding: BatchEncoding) -> list[NameHits]:
    """The names of the scope's part that are most similar to each task."""
    lexical = scope.indexes.lexical
    mask = scope.index_mask
    count = scope.options.candidates
    hits: list[NameHits] = []
    for number, task in enumerate(tasks):
        span = slice(encoding.ngrams.indptr[number], encoding.ngrams.indptr[number + 1])
        ngrams = np.zeros(len(lexical.name_ids), dtype=np.float32)
        ngrams[encoding.ngrams.indices[span]] = encoding.ngrams.data[span]
        vectors, context = encoding.vectors[number], encoding.context[number]
        if mask is not None:
            ngrams[~mask] = -1.0
            vectors = np.where(mask, vectors, np.float32(-2.0))
            context = np.where(mask, context, np.float32(-2.0))
        # Equal scores are common (plurals, word order): all of them would push others out, so
        # the n-grams' ties are broken by the embeddings.
        together = ngrams + DENSE_SHARE * vectors + CONTEXT_SHARE * context
        best = np.union1d(highest(ngrams + 1e-3 * vectors, count), highest(vectors, count))
        best = np.union1d(best, highest(context, count))
        if mask is not None:
            best = best[mask[best]]
        order = best[np.lexsort((lexical.name_ids[best], -together[best]))][: scope.options.scored]
        order = np.append(order, _remembered(scope, task.mention, order, together))
        order, of_hints = _with_hints(task, order, encoding, mask)
        hits.append(
            NameHits(
                lexical.name_ids[order], ngrams[order], vectors[order], context[order], of_hints
            )
        )
    return hits


def _with_hints(
    task: Task, order: np.ndarray, encoding: BatchEncoding, mask: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Index rows with those that hints add, and similarities to hints [names, kinds of hints]."""
    similar: list[np.ndarray] = []
    for hint in task.hints:
        to_hint = encoding.hinted[hint.text]
        if mask is not None:
            to_hint = np.where(mask, to_hint, -1.0)
        known = set(order.tolist())
        order = np.append(order, [i for i in highest(to_hint, _PER_HINT) if i not in known])
        order = order.astype(np.int64)
        similar.append(to_hint)
    of_hints = np.zeros((len(order), len(HINTS)))
    for hint, to_hint in zip(task.hints, similar, strict=True):
        column = HINTS.index(hint.kind)
        of_hints[:, column] = np.maximum(of_hints[:, column], hint.weight * to_hint[order])
    return order, of_hints


def _remembered(
    scope: Scope, mention: str, index_rows: np.ndarray, scores: np.ndarray
) -> np.ndarray:
    """Index rows for concepts that training documents link the mention to, if still missing.

    Each concept comes with the most similar of its names.
    """
    annotated = scope.annotated(mention)
    if not annotated:
        return np.empty(0, dtype=np.int64)
    kb = scope.kb
    name_ids = scope.indexes.lexical.name_ids
    present = {row for i in index_rows for row in kb.owners(int(name_ids[i]))}
    extra = []
    for row in annotated:
        if row not in present and (kb.row_mask is None or kb.row_mask[row]):
            names = (kb.name_id(name) for name in kb.concept_at(row).names)
            of_names = [scope.index_rows[i] for i in names if i is not None]
            of_names = [i for i in of_names if i >= 0]
            if of_names:
                extra.append(max(of_names, key=lambda i: scores[i]))
    return np.array(extra, dtype=np.int64)


def _with_features(scope: Scope, task: Task, hits: NameHits) -> Candidates:
    """Candidates with all features but those of generation, which are 0."""
    kb, match_types = scope.kb, scope.options.match_types
    pairs: list[tuple[int, int]] = []  # index of the name among the hits, row of an owner
    agreement: list[float] = []
    sole: list[bool] = []
    for i, name_id in enumerate(map(int, hits.name_ids)):
        owners = kb.owners(name_id)
        for row in owners:
            agrees = scope.type_agreement(task.type, row)
            if not (match_types and agrees < 0):
                pairs.append((i, row))
                agreement.append(agrees)
                sole.append(len(owners) == 1)
    mention = normalise_name(task.mention)
    about = may_be_short(task.mention), mention in _ranker(scope).stop_names
    if not pairs:
        return Candidates(np.empty(0, int), np.empty(0, int), np.empty((0, len(FEATURES))), *about)
    index, rows = (np.array(column) for column in zip(*pairs, strict=True))
    name_ids = hits.name_ids[index].astype(int)
    annotated = scope.annotated(task.mention)
    names = list(zip(name_ids.tolist(), rows.tolist(), strict=True))
    of_hints = dict(zip(HINTS, hits.hints[index].T, strict=True))
    spelt_alike = np.array([kb.name_at(name_id) == mention for name_id in name_ids.tolist()])
    exact = np.array([is_name_of(kb, task.mention, *pair) for pair in names])
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
    return Candidates(name_ids, rows, candidate_features(evidence), *about)


def _undecided(scope: Scope, candidates: Candidates) -> np.ndarray:
    """Ids of the names that generation may still bring to the top."""
    if not len(candidates.rows):
        return candidates.name_ids
    scores = _ranker(scope).scores(candidates.features)
    return candidates.name_ids[scores >= scores.max() - GENERATION_MARGIN]
