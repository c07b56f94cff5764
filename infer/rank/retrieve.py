"""The names that are most similar to a mention, by character n-grams and by embeddings.

Everything here depends only on the text of a mention and on its hints, not on its context, so it is
computed once for mentions that come again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from biolink.infer.mentions.hints import HINTS
from biolink.infer.rank.scope import Scope
from biolink.infer.rank.task import Meaning
from biolink.infer.retrieve.highest import highest
from biolink.kb.lexical import LexicalIndex

__all__ = ["DENSE_SHARE", "NameHits", "compared", "hits_of", "joined"]

#: When retrieved names are put in order, the cosine of embeddings has this weight relative to that
#: of n-grams. It was chosen on development documents so that the right names are among the best 16.
DENSE_SHARE = 2.0

#: The number of names that each hint adds.
_PER_HINT = 3

#: Among names with nearly equal cosines of n-grams, embeddings decide with this weight.
_TIE = 1e-3


@dataclass(frozen=True, slots=True)
class Compared:
    """A text that was compared with all indexed names.

    Attributes
    ----------
    text
        The text.
    rows, ngrams
        The positions of the names that share n-grams with the text, and their cosines.
    query
        float32 [d]: its embedding, as :meth:`biolink.infer.retrieve.dense.DenseIndex.queries`
        gives it.
    nearest
        For each subset, the positions of the names with the nearest embeddings.
    """

    text: str
    rows: np.ndarray
    ngrams: np.ndarray
    query: np.ndarray
    nearest: Sequence[np.ndarray]


@dataclass(frozen=True, slots=True)
class NameHits:
    """Names retrieved for a mention, with their similarities, as parallel arrays over the names.

    Attributes
    ----------
    positions
        The positions of the names in the indexes.
    ngrams, vectors
        Cosines of each name with the mention, by character n-grams and by embeddings.
    context
        Cosines with the embedding of the mention in its context; 0 if they are not known yet.
    hints
        float [names, kinds of hints]: similarities to the hints of the mention, weighted.
    scored
        The first ``scored`` names are candidates because they are the most similar to the mention.
    pooled
        The names from there up to ``pooled`` are candidates only if they turn out to be similar in
        context. The names after them are candidates because of training documents or hints.
    """

    positions: np.ndarray
    ngrams: np.ndarray
    vectors: np.ndarray
    context: np.ndarray
    hints: np.ndarray
    scored: int
    pooled: int

    def taken(self, order: np.ndarray, scored: int, pooled: int) -> NameHits:
        """The names with these indices, in this order."""
        arrays = (self.positions, self.ngrams, self.vectors, self.context, self.hints)
        positions, ngrams, vectors, context, hints = (array[order] for array in arrays)
        return NameHits(positions, ngrams, vectors, context, hints, scored, pooled)

    def candidates(self) -> NameHits:
        """Only the names that are candidates."""
        count = len(self.positions)
        order = np.append(np.arange(self.scored), np.arange(self.pooled, count))
        return self.taken(order, self.scored, self.scored)


def compared(scopes: Sequence[Scope], texts: Sequence[str], size: int) -> dict[str, Compared]:
    """Compare texts with all names, for several subsets of one knowledge base.

    ``size`` texts are compared at a time.
    """
    first = scopes[0]
    dense, count = first.indexes.dense, first.options.candidates
    masks = [scope.index_mask for scope in scopes]
    results = {}
    for begin in range(0, len(texts), size):
        batch = texts[begin : begin + size]
        ngrams = first.indexes.lexical.similarities(batch)
        queries = dense.queries(first.model.embed(batch))
        nearest = dense.search(queries, count, masks)
        for i, text in enumerate(batch):
            entries = slice(ngrams.indptr[i], ngrams.indptr[i + 1])
            rows, values = ngrams.indices[entries], ngrams.data[entries]
            results[text] = Compared(text, rows, values, queries[i], [n[i] for n in nearest])
    return results


def hits_of(scope: Scope, number: int, meaning: Meaning, texts: dict[str, Compared]) -> NameHits:
    """The names of a subset that are most similar to a mention and its hints.

    Parameters
    ----------
    scope
        The subset.
    number
        The number of the subset among those that the texts were compared for.
    meaning
        The mention.
    texts
        The mention and the texts of its hints after comparison with the names.
    """
    mention = texts[meaning.mention]
    similar = _Similarities(scope, mention)
    pool = np.union1d(similar.by_ngrams(scope.options.candidates), mention.nearest[number])
    ngrams, vectors = similar.at(pool)
    names = scope.indexes.lexical.name_ids
    order = np.lexsort((names[pool], -(ngrams + DENSE_SHARE * vectors)))
    scored = min(len(order), scope.options.scored)
    positions = pool[order]
    added = list(_remembered(scope, meaning.mention, positions[:scored], similar))
    hints = [_Similarities(scope, texts[hint.text]) for hint in meaning.hints]
    for hint in hints:
        near = np.union1d(hint.by_ngrams(scope.options.candidates), hint.compared.nearest[number])
        best = near[highest(hint.mean(near), _PER_HINT)]
        known = {*positions[:scored].tolist(), *added}
        added += [position for position in best.tolist() if position not in known]
    # A name of the pool that is a candidate for another reason leaves the pool.
    extra = np.array(added, dtype=np.int64)
    rest = positions[scored:]
    positions = np.concatenate([positions[:scored], rest[~np.isin(rest, extra)], extra])
    ngrams, vectors = similar.at(positions)
    of_hints = np.zeros((len(positions), len(HINTS)), dtype=np.float32)
    for written, hint in zip(meaning.hints, hints, strict=True):
        column = HINTS.index(written.kind)
        values = written.weight * hint.mean(positions)
        of_hints[:, column] = np.maximum(of_hints[:, column], values)
    context = np.zeros(len(positions), dtype=np.float32)
    pooled = len(positions) - len(extra)
    return NameHits(positions, ngrams, vectors, context, of_hints, scored, pooled)


def joined(
    scope: Scope,
    meaning: Meaning,
    hits: NameHits,
    queries: dict[str, np.ndarray],
    further: np.ndarray,
) -> NameHits:
    """Retrieved names with further ones in their pool.

    Parameters
    ----------
    scope, meaning
        The subset and the mention.
    hits
        The names that :func:`hits_of` retrieved.
    queries
        The embeddings of the mention and of its hints, by text.
    further
        The positions of names to add.
    """
    new = further[~np.isin(further, hits.positions)]
    if not len(new):
        return hits
    dense, lexical = scope.indexes.dense, scope.indexes.lexical
    texts = [meaning.mention, *(hint.text for hint in meaning.hints)]
    ngrams = _ngrams_between(
        lexical, texts, [scope.kb.name_at(int(lexical.name_ids[i])) for i in new]
    )
    of_hints = np.zeros((len(new), len(HINTS)), dtype=np.float32)
    for hint, of_hint in zip(meaning.hints, ngrams[1:], strict=True):
        column = HINTS.index(hint.kind)
        mean = (of_hint + dense.cosines(queries[hint.text], new)) / 2
        of_hints[:, column] = np.maximum(of_hints[:, column], hint.weight * mean)
    at = hits.pooled
    columns = (
        (hits.positions, new),
        (hits.ngrams, ngrams[0]),
        (hits.vectors, dense.cosines(queries[meaning.mention], new)),
        (hits.context, np.zeros(len(new), dtype=np.float32)),
        (hits.hints, of_hints),
    )
    positions, all_ngrams, vectors, context, all_hints = (
        np.concatenate([old[:at], added, old[at:]]) for old, added in columns
    )
    pooled = at + len(new)
    return NameHits(positions, all_ngrams, vectors, context, all_hints, hits.scored, pooled)


class _Similarities:
    """The similarities of one text to the names of a subset.

    Attributes
    ----------
    all_ngrams
        float32 [indexed names]: the cosines of n-grams with all names.
    """

    def __init__(self, scope: Scope, text: Compared) -> None:
        self.scope, self.compared = scope, text
        self.all_ngrams = np.zeros(len(scope.indexes.lexical.name_ids), dtype=np.float32)
        self.all_ngrams[text.rows] = text.ngrams

    def at(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The cosines of n-grams and of embeddings with the names at these positions."""
        vectors = self.scope.indexes.dense.cosines(self.compared.query, positions)
        return self.all_ngrams[positions], vectors

    def mean(self, positions: np.ndarray) -> np.ndarray:
        """The means of the two cosines."""
        ngrams, vectors = self.at(positions)
        mean: np.ndarray = (ngrams + vectors) / 2
        return mean

    def by_ngrams(self, count: int) -> np.ndarray:
        """The positions of the names that are nearest by n-grams.

        Equal cosines are common (plurals, word order). Embeddings break these ties, so that names
        with equal cosines do not crowd out others.
        """
        rows, ngrams = self.compared.rows, self.compared.ngrams
        mask = self.scope.index_mask
        if mask is not None:
            inside = mask[rows]
            rows, ngrams = rows[inside], ngrams[inside]
        if len(rows) <= count:
            return rows.astype(np.int64)
        limit = np.partition(ngrams, len(ngrams) - count)[len(ngrams) - count]
        # The weighted cosine of embeddings lies within one weight above or below 0.
        near = rows[ngrams >= limit - 2 * _TIE].astype(np.int64)
        ngrams, vectors = self.at(near)
        order = np.lexsort((near, -(ngrams + _TIE * vectors)))
        return near[order[:count]]


def _ngrams_between(
    lexical: LexicalIndex, texts: Sequence[str], names: Sequence[str]
) -> np.ndarray:
    """The cosines of n-grams, float32 [texts, names], as the index has them."""
    of_names: Any = lexical.vectors(names)
    of_names.data = of_names.data.astype(np.float16).astype(np.float32)
    cosines: np.ndarray = (lexical.vectors(texts) @ of_names.T).toarray()
    return cosines


def _remembered(
    scope: Scope, mention: str, positions: np.ndarray, similar: _Similarities
) -> list[int]:
    """The concepts that training documents link the mention to and that were not retrieved.

    Each is represented by the most similar of its names.

    Returns
    -------
    The positions of these names in the index.
    """
    annotated = scope.annotated(mention)
    if not annotated:
        return []
    kb = scope.kb
    name_ids = scope.indexes.lexical.name_ids
    present = {row for i in positions for row in kb.owners(int(name_ids[i]))}
    added = []
    for row in annotated:
        if row not in present and (kb.row_mask is None or kb.row_mask[row]):
            names = (kb.name_id(name) for name in kb.concept_at(row).names)
            of_names = np.array([scope.index_rows[i] for i in names if i is not None], dtype=int)
            of_names = of_names[of_names >= 0]
            if len(of_names):
                ngrams, vectors = similar.at(of_names)
                added.append(int(of_names[(ngrams + DENSE_SHARE * vectors).argmax()]))
    return added
