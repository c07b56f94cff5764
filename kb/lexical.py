"""Lexical retrieval: TF-IDF of character n-grams over the names of a knowledge base.

The features and weights are those of scikit-learn's ``TfidfVectorizer(analyzer="char_wb",
ngram_range=(3, 3))``; the tests compare them. They are computed here, because importing
scikit-learn takes as long as linking an abstract, and because counting n-grams with arrays is
several times as fast as in Python. The rows of the matrix are the features, so a query reads only
the names that share an n-gram with it. Names that consist of the same words in another order have
the same features; if they also have the same owners, only one of them is kept.

Only which name has which n-gram, and how often, is stored, as one ascending list of cells of the
matrix. The weights follow from it and are computed when an index is opened.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from biolink.errors import KnowledgeBaseError
from biolink.kb.arrays import check_range, mapped_array
from biolink.kb.gaps import blocks_of_gaps, from_gaps, to_gaps
from biolink.kb.index_cache import cached
from biolink.kb.knowledge_base import KnowledgeBase
from biolink.kb.names import normalise_name
from biolink.kb.sealed import Kind, checked_manifest, seal

__all__ = ["LexicalIndex", "distinct_names", "lexical_index", "near_misses"]

_TERMS, _CELLS, _NAME_IDS = "terms.json", "cells.npy", "name_ids.npy"
KIND = Kind("biolink-lexical", 2, "n-gram index", (_TERMS, _CELLS, _NAME_IDS), "build it again")
_BLOCK = 100_000  # the number of names whose n-grams are found together
_BITS = 21  # the number of bits of a code point


def distinct_names(kb: KnowledgeBase, names: Sequence[str]) -> np.ndarray:
    """Return the name ids (int32) of all names that differ in their words or their owners.

    Of names with the same words in another order and the same owners, only the first is kept.
    """
    indptr, rows, _ = kb.ownership
    known: set[tuple[str, bytes]] = set()
    kept = []
    for name_id, name in enumerate(names):
        owners = np.sort(rows[indptr[name_id] : indptr[name_id + 1]]).tobytes()
        key = (" ".join(sorted(name.split())), owners)
        if key not in known:
            known.add(key)
            kept.append(name_id)
    return np.array(kept, dtype=np.int32)


class LexicalIndex:
    """TF-IDF vectors of names, searched by cosine similarity.

    Attributes
    ----------
    name_ids
        int32 [n]: the name id of each vector of the index.

    >>> from biolink.kb import Concept
    >>> kb = KnowledgeBase.from_concepts([Concept("1", "fever"), Concept("2", "asthma")])
    >>> ((name_ids, cosines),) = LexicalIndex.build(kb).search(["fevers"], k=5)
    >>> [(kb.name_at(int(i)), f"{cosine:.2f}") for i, cosine in zip(name_ids, cosines)]
    [('fever', '0.89')]
    """

    def __init__(self, terms: Sequence[str], cells: np.ndarray, name_ids: np.ndarray) -> None:
        self._terms = {term: feature for feature, term in enumerate(terms)}
        self._cells = cells
        self._idf, self._by_feature = _weighted(_counts(cells, len(terms), len(name_ids)))
        self.name_ids = name_ids

    @classmethod
    def build(cls, kb: KnowledgeBase) -> LexicalIndex:
        """Index all names of the base, also if a subset is given.

        Raises
        ------
        KnowledgeBaseError
            If the base has no names.
        """
        names = kb.normalised_names()
        name_ids = distinct_names(kb, names)
        if not len(name_ids):
            raise KnowledgeBaseError("a knowledge base without names cannot be searched")
        keys, cells = _occurrences([names[i] for i in name_ids])
        return cls([_trigram_of(key) for key in keys.tolist()], to_gaps(cells), name_ids)

    def vectors(self, texts: Sequence[str]) -> sp.csr_matrix:
        """Return the TF-IDF vectors of texts: a sparse matrix [texts, features] of unit rows."""
        indptr, indices, data = [0], [], []
        for text in texts:
            counts = Counter(
                feature
                for trigram in _trigrams(normalise_name(text))
                if (feature := self._terms.get(trigram)) is not None
            )
            features = np.fromiter(counts, np.int32, len(counts))
            weights = np.fromiter(counts.values(), np.float32, len(counts)) * self._idf[features]
            indices.append(features)
            data.append(weights / max(float(np.linalg.norm(weights)), 1e-12))
            indptr.append(indptr[-1] + len(features))
        shape = (len(texts), len(self._terms))
        if not texts:
            return sp.csr_matrix(shape, dtype=np.float32)
        return sp.csr_matrix((np.concatenate(data), np.concatenate(indices), indptr), shape=shape)

    @property
    def nbytes(self) -> int:
        """The size of the matrix in bytes."""
        matrix = self._by_feature
        return int(matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes)

    def similarities(self, texts: Sequence[str]) -> sp.csr_matrix:
        """Return the cosine similarities of texts and names: a sparse matrix [texts, n]."""
        return (self.vectors(texts) @ self._by_feature).tocsr()

    def search(
        self, texts: Sequence[str], k: int, name_mask: np.ndarray | None = None
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the names that are most similar to each text.

        Parameters
        ----------
        texts
            The mentions.
        k
            The greatest number of names for each text.
        name_mask
            bool [name ids]: the names that may be returned. Default: None, for all names.

        Returns
        -------
        For each text (name ids, cosine similarities), the most similar first; names that are
        equally similar are in the order of their ids. Names that share no n-gram are left out.
        """
        results = []
        scores = self.similarities(texts)
        for row in range(len(texts)):
            span = slice(scores.indptr[row], scores.indptr[row + 1])
            columns, values = scores.indices[span], scores.data[span]
            ids = self.name_ids[columns]
            if name_mask is not None:
                kept = name_mask[ids]
                ids, values = ids[kept], values[kept]
            if len(ids) > k:
                limit = np.partition(values, len(values) - k)[len(values) - k]
                kept = values >= limit
                ids, values = ids[kept], values[kept]
            order = np.lexsort((ids, -values))[:k]
            results.append((ids[order], values[order]))
        return results

    def save(self, folder: str | Path, fingerprint: str = "") -> None:
        """Write ``.npy`` arrays, the n-grams as JSON and a manifest into an existing folder.

        Parameters
        ----------
        folder
            The folder.
        fingerprint
            The fingerprint of the names that the index was built from; :meth:`load` can check it.
        """
        folder = Path(folder)
        np.save(folder / _CELLS, self._cells)
        np.save(folder / _NAME_IDS, to_gaps(self.name_ids))
        terms = json.dumps(list(self._terms), ensure_ascii=False)
        (folder / _TERMS).write_text(terms, encoding="utf-8")
        seal(folder, KIND, {"fingerprint": fingerprint})

    @classmethod
    def load(
        cls, folder: str | Path, fingerprint: str | None = None, names: int | None = None
    ) -> LexicalIndex:
        """Read an index that :meth:`save` wrote.

        Parameters
        ----------
        folder
            The folder.
        fingerprint
            The fingerprint that the index must have. Default: None, which accepts any.
        names
            The number of name ids of the base. Default: None, if it is not known.

        Raises
        ------
        KnowledgeBaseError
            If the index is damaged, or was built from other names.
        """
        folder = Path(folder)
        checked_manifest(folder, KIND, fingerprint)
        try:
            terms = json.loads((folder / _TERMS).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise KIND.damage(folder / _TERMS, f"cannot be read ({error})") from None
        if not isinstance(terms, list) or not all(isinstance(term, str) for term in terms):
            raise KIND.damage(folder / _TERMS, "is not a list of strings")
        cells = mapped_array(folder / _CELLS, np.uint8, dimensions=2)
        name_ids = from_gaps(mapped_array(folder / _NAME_IDS, np.uint8, dimensions=2))
        limit = 2**31 if names is None else names
        check_range(folder / _NAME_IDS, name_ids, limit, distinct=True)
        try:
            return cls(terms, cells, name_ids.astype(np.int32))
        except ValueError as error:
            raise KIND.damage(folder / _CELLS, str(error)) from None


def _counts(cells: np.ndarray, features: int, names: int) -> sp.csr_matrix:
    """Return how often each name has each feature: a sparse matrix [features, names], float32.

    Parameters
    ----------
    cells
        uint8 [bytes, occurrences]: the cell of each occurrence (see :func:`_occurrences`), encoded
        by :func:`biolink.kb.gaps.to_gaps`.
    features, names
        The numbers of rows and columns.

    Raises
    ------
    ValueError
        If a cell is not in a matrix of this size; the message begins with a verb.
    """
    columns = np.empty(cells.shape[1], dtype=np.int32)
    lengths = np.zeros(features, dtype=np.int64)
    begin = 0
    for block in blocks_of_gaps(cells):
        if not 0 <= block[0] <= block[-1] < features * names:
            raise ValueError(f"has cells beyond {features:,} n-grams of {names:,} names")
        rows = block // names
        columns[begin : begin + len(block)] = block - rows * names
        lengths += np.bincount(rows, minlength=features)
        begin += len(block)
    indptr = np.append(0, np.cumsum(lengths))
    once = np.ones(len(columns), dtype=np.float32)
    counts = sp.csr_matrix((once, columns, indptr), shape=(features, names))
    counts.sum_duplicates()
    return counts


def _weighted(counts: sp.csr_matrix) -> tuple[np.ndarray, sp.csr_matrix]:
    """Turn counts into weights, in place.

    Returns
    -------
    The inverse document frequency, float32 [features], and TF-IDF as a sparse matrix [features,
    names] whose columns have unit length.
    """
    features, names = counts.shape
    owners = np.diff(counts.indptr)
    idf = np.log((1 + names) / (1 + owners)).astype(np.float32) + 1
    counts.data *= np.repeat(idf, owners)
    squares = sp.csr_matrix((counts.data**2, counts.indices, counts.indptr), shape=counts.shape)
    lengths = np.sqrt(squares.T @ np.ones(features, dtype=np.float32))
    counts.data /= lengths[counts.indices]
    return idf, counts


def lexical_index(kb: KnowledgeBase) -> tuple[LexicalIndex, bool]:
    """Return the index of a base, and whether it is now stored in the base's folder.

    The index is loaded from that folder if it is there, and built if it is not.
    """
    key = kb.base.fingerprint
    return cached(
        kb.base,
        "lexical",
        key,
        LexicalIndex.load,
        lambda: LexicalIndex.build(kb.base),
        lambda index, folder: index.save(folder, key),
    )


def _occurrences(names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Find all trigrams of names.

    Returns
    -------
    The keys of all trigrams in ascending order, and for each occurrence its cell in a matrix
    [trigrams, names], int64 in ascending order. The number of a cell is its row times the number of
    names, plus its column.
    """
    begins = range(0, len(names), _BLOCK)
    found = [np.unique(_keys(names[begin : begin + _BLOCK])[0]) for begin in begins]
    keys = np.unique(np.concatenate(found))
    cells = []
    for begin in begins:
        keys_of_block, names_of_keys = _keys(names[begin : begin + _BLOCK])
        rows = np.searchsorted(keys, keys_of_block)
        cells.append(rows * len(names) + begin + names_of_keys)
    return keys, np.sort(np.concatenate(cells))


def _keys(names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the key of each trigram of each name's words, and the index of the name that has it.

    A key is a number that encodes the three characters. Each word has a space on either side, so
    there are two spaces between words, and a trigram with two adjacent spaces belongs to no word.
    """
    padded = [f" {name.lower().replace(' ', '  ')} " for name in names]
    text = np.frombuffer("".join(padded).encode("utf-32-le"), np.uint32).astype(np.int64)
    name_of = np.repeat(np.arange(len(names)), [len(name) for name in padded])
    first, second, third = text[:-2], text[1:-1], text[2:]
    space = text == ord(" ")
    inside = ~((space[:-2] & space[1:-1]) | (space[1:-1] & space[2:]))
    return ((first << 2 * _BITS) | (second << _BITS) | third)[inside], name_of[:-2][inside]


def _trigram_of(key: int) -> str:
    """Return the trigram that a key encodes."""
    mask = (1 << _BITS) - 1
    return "".join(map(chr, (key >> 2 * _BITS, key >> _BITS & mask, key & mask)))


def _trigrams(text: str) -> Iterator[str]:
    """Yield the trigrams of each word, padded with spaces, like scikit-learn's ``char_wb``."""
    for word in text.lower().split():
        padded = f" {word} "
        for begin in range(len(padded) - 2):
            yield padded[begin : begin + 3]


def near_misses(
    mentions: Sequence[str],
    rows: Sequence[Sequence[int]],
    kb: KnowledgeBase,
    index: LexicalIndex,
    k: int,
    batch: int = 512,
) -> list[list[int]]:
    """Return the names that are most similar to each mention but wrong.

    Parameters
    ----------
    mentions
        The mentions.
    rows
        The rows of each mention's gold concepts.
    kb
        The knowledge base.
    index
        Its index.
    k
        The greatest number of names for each mention.
    batch
        The number of mentions that are searched at once. Default: 512.

    Returns
    -------
    For each mention the ids of names that no gold concept owns, the most similar first.
    """
    result = []
    for begin in range(0, len(mentions), batch):
        similar_names = index.search(mentions[begin : begin + batch], 3 * k)
        for (ids, _), gold in zip(similar_names, rows[begin : begin + batch], strict=True):
            wrong = [int(i) for i in ids if not set(kb.owners(int(i))) & set(gold)]
            result.append(wrong[:k])
    return result
