"""``method="combined"``: retrieve names, compute their features, and weigh the features."""

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

#: When retrieved names are put in order, the cosine of embeddings has this weight relative to that
#: of n-grams. It was chosen on development documents so that the right names are among the best 16.
DENSE_SHARE = 2.0
#: The weight, in the same order, of the cosine with the embedding of the mention in its context.
CONTEXT_SHARE = 1.0

#: A name is not scored by generation if its score without generation is more than this many nats
#: below the best: generation could hardly bring it to the top (``benchmarks/linking.py``).
GENERATION_MARGIN = 4.0

#: The number of names that each hint adds.
_PER_HINT = 3


def ranked_combined(scope: Scope, tasks: Sequence[Task]) -> list[list[RankedConcept]]:
    """The concepts of each task, ranked by the combined score, best first."""
    (of_tasks,) = candidates_under([scope], tasks, score_all=False)
    return [ranked_by_features(scope, candidates) for candidates in of_tasks]


def ranked_by_features(scope: Scope, candidates: Candidates) -> list[RankedConcept]:
    """The concepts of the candidates of one task, best first."""
    if not len(candidates.rows):
        return []
    ranker = _ranker(scope)
    scores = ranker.scores(candidates.features)
    nil = ranker.nil_score(nil_features(candidates))
    return by_concept(candidates, scores, nil)


def candidates_under(
    scopes: Sequence[Scope], tasks: Sequence[Task], score_all: bool
) -> list[list[Candidates]]:
    """The candidates of each task for several subsets of one knowledge base.

    What does not depend on the subset is computed only once, and each name is scored by generation
    only once.

    Parameters
    ----------
    scopes
        One scope for each subset; they share the model and the indexes.
    tasks
        The mentions.
    score_all
        Score all names by generation. If False, score only the names that generation can still
        bring to the top.

    Returns
    -------
    For each scope, the candidates of each task, in the order in which they were retrieved.
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
    assert ranker is not None  # Linker refuses this method for a model without a ranker
    return ranker


def _encoded(scope: Scope, tasks: Sequence[Task]) -> BatchEncoding:
    """Encode the tasks and compare them with all names, whatever the subset of the base."""
    count = len(tasks)
    hints = list(dict.fromkeys(hint.text for task in tasks for hint in task.hints))
    texts = [*(task.mention for task in tasks), *hints]
    memory, in_context = scope.model.read([task.source for task in tasks])
    ngrams = scope.indexes.lexical.similarities(texts)
    # There is one call for all, because each call reads the whole index.
    vectors = np.concatenate([scope.model.embed(texts), in_context])
    cosines = scope.indexes.dense.similarities(vectors)
    of_mentions, of_hints, context = np.split(cosines, [count, len(texts)])
    hinted = dict(zip(hints, (ngrams[count:].toarray() + of_hints) / 2, strict=True))
    return BatchEncoding(memory, ngrams, of_mentions, context, hinted)


def _retrieved(scope: Scope, tasks: Sequence[Task], encoding: BatchEncoding) -> list[NameHits]:
    """The names of the scope's subset that are most similar to each task."""
    lexical = scope.indexes.lexical
    mask = scope.index_mask
    count = scope.options.candidates
    hits: list[NameHits] = []
    for index, task in enumerate(tasks):
        entries = slice(encoding.ngrams.indptr[index], encoding.ngrams.indptr[index + 1])
        ngrams = np.zeros(len(lexical.name_ids), dtype=np.float32)
        ngrams[encoding.ngrams.indices[entries]] = encoding.ngrams.data[entries]
        vectors, context = encoding.vectors[index], encoding.context[index]
        if mask is not None:
            ngrams[~mask] = -1.0
            vectors = np.where(mask, vectors, np.float32(-2.0))
            context = np.where(mask, context, np.float32(-2.0))
        # Equal n-gram scores are common (plurals, word order). Embeddings break these ties, so that
        # names with equal scores do not crowd out others.
        combined = ngrams + DENSE_SHARE * vectors + CONTEXT_SHARE * context
        best = np.union1d(highest(ngrams + 1e-3 * vectors, count), highest(vectors, count))
        best = np.union1d(best, highest(context, count))
        if mask is not None:
            best = best[mask[best]]
        order = best[np.lexsort((lexical.name_ids[best], -combined[best]))][: scope.options.scored]
        order = np.append(order, _remembered(scope, task.mention, order, combined))
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
    """Add the names that are most similar to the hints of a task.

    Returns
    -------
    The positions in the index with the added ones, and the similarities to hints [names, kinds of
    hints].
    """
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
    """The concepts that training documents link the mention to and that were not retrieved.

    Each is represented by the most similar of its names.

    Returns
    -------
    int64: the positions of these names in the index.
    """
    annotated = scope.annotated(mention)
    if not annotated:
        return np.empty(0, dtype=np.int64)
    kb = scope.kb
    name_ids = scope.indexes.lexical.name_ids
    present = {row for i in index_rows for row in kb.owners(int(name_ids[i]))}
    added = []
    for row in annotated:
        if row not in present and (kb.row_mask is None or kb.row_mask[row]):
            names = (kb.name_id(name) for name in kb.concept_at(row).names)
            of_names = [scope.index_rows[i] for i in names if i is not None]
            of_names = [i for i in of_names if i >= 0]
            if of_names:
                added.append(max(of_names, key=lambda i: scores[i]))
    return np.array(added, dtype=np.int64)


def _with_features(scope: Scope, task: Task, hits: NameHits) -> Candidates:
    """The candidates with all features except those of generation, which are 0."""
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
    flags = may_be_short(task.mention), mention in _ranker(scope).stop_names
    if not pairs:
        return Candidates(np.empty(0, int), np.empty(0, int), np.empty((0, len(FEATURES))), *flags)
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
    return Candidates(name_ids, rows, candidate_features(evidence), *flags)


def _undecided(scope: Scope, candidates: Candidates) -> np.ndarray:
    """The ids of the names that generation may still bring to the top."""
    if not len(candidates.rows):
        return candidates.name_ids
    scores = _ranker(scope).scores(candidates.features)
    return candidates.name_ids[scores >= scores.max() - GENERATION_MARGIN]
