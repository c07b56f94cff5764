"""Texts for training a recogniser's encoder to read for the linking model as well.

See :mod:`biolink.finetune.reading.training`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from biolink.documents import Document
from biolink.finetune.tagging import Tagged
from biolink.infer.linkers.mention_linker import Linker
from biolink.infer.mentions.abbreviations import expand_document, find_abbreviations
from biolink.infer.mentions.word_pieces import Pieces
from biolink.infer.rank.retrieve import DENSE_SHARE
from biolink.infer.rank.task import batches, sources_of
from biolink.infer.retrieve.highest import highest
from biolink.kb import normalise_name

__all__ = ["NameTable", "ReadMention", "ReadText", "read_texts"]

_OWNERS = 3  # The most owners of a name that are told apart.
_NEAREST = 16  # The number of names that n-grams and embeddings each find for a mention.
_SURE = 0.9  # The least probability of a link that counts as gold in plain texts.


@dataclass(frozen=True, slots=True)
class ReadMention:
    """A mention that is linked, with what is known about it.

    Attributes
    ----------
    prompt
        The decoder prompt.
    name
        The normalised mention.
    rows
        The rows of the gold concepts; empty if they are not known.
    alone
        float16 [d]: its vector without context.
    vector
        float16 [d]: its vector in a window of its own, by the linking model's encoder.
    near
        The positions of the nearest names in the indexes.
    plain
        Whether it is of a plain text. Its own text is then never the name to generate.
    """

    prompt: list[int]
    name: str
    rows: tuple[int, ...]
    alone: np.ndarray
    vector: np.ndarray
    near: np.ndarray
    plain: bool


@dataclass(frozen=True, slots=True)
class ReadText:
    """A text with its mentions.

    Attributes
    ----------
    pieces
        Its word pieces.
    allowed
        The labels that each piece may have (see :class:`biolink.finetune.tagging.Tagged`), or None
        if nothing is known.
    mentions
        The first piece of each mention, the piece after its last, and the mention.
    """

    pieces: Pieces
    allowed: np.ndarray | None
    mentions: tuple[tuple[int, int, ReadMention], ...]

    @classmethod
    def of(cls, text: Tagged) -> ReadText:
        """A text whose mentions are not linked."""
        return cls(text.pieces, text.allowed, ())


class NameTable:
    """The names of a linker's knowledge base, by their positions in the indexes."""

    def __init__(self, linker: Linker) -> None:
        dense, kb = linker.indexes.dense, linker.kb
        self.projection = torch.from_numpy(np.array(dense.projection))
        vectors = np.asarray(dense.codes).astype(np.float32) * np.asarray(dense.scale)
        self.vectors = F.normalize(torch.from_numpy(vectors), dim=1)
        ids = list(map(int, dense.name_ids))
        self.texts = [kb.name_at(name_id) for name_id in ids]
        self.tokens = linker.model.name_tokens(self.texts)
        self.owners = np.full((len(ids), _OWNERS), -1, dtype=np.int64)
        self.of_row: dict[int, list[int]] = {}
        for place, name_id in enumerate(ids):
            rows = kb.owners(name_id)[:_OWNERS]
            self.owners[place, : len(rows)] = rows
            for row in rows:
                self.of_row.setdefault(int(row), []).append(place)

    def nearest(
        self, linker: Linker, mentions: Sequence[str], alone: np.ndarray
    ) -> list[np.ndarray]:
        """The positions of the names that are nearest to each mention, by n-grams and embeddings.

        ``alone`` are the vectors of the mentions, float32 [mentions, d]. The positions are in
        descending order of the sum of both cosines, that of embeddings with the weight of
        :data:`biolink.infer.rank.retrieve.DENSE_SHARE`.
        """
        indexes = linker.indexes
        queries = indexes.dense.queries(alone)
        (by_vectors,) = indexes.dense.search(queries, _NEAREST)
        ngrams = indexes.lexical.similarities(mentions)
        result = []
        for number, (query, near) in enumerate(zip(queries, by_vectors, strict=True)):
            entries = slice(ngrams.indptr[number], ngrams.indptr[number + 1])
            cosines = np.zeros(len(self.texts), dtype=np.float32)
            cosines[ngrams.indices[entries]] = ngrams.data[entries]
            places = np.union1d(near, highest(cosines, min(_NEAREST, len(cosines))))
            scores = cosines[places] + DENSE_SHARE * indexes.dense.cosines(query, places)
            result.append(places[np.lexsort((places, -scores))].astype(np.int64))
        return result

    def owned(self, places: np.ndarray, rows: Sequence[int]) -> np.ndarray:
        """bool [places]: which of these names belong to one of the concepts."""
        return np.asarray(np.isin(self.owners[places], rows).any(1))


def read_texts(
    linker: Linker,
    names: NameTable,
    documents: Sequence[Document],
    texts: Sequence[Tagged | Pieces],
) -> list[ReadText]:
    """Return documents with the mentions that the training links.

    Parameters
    ----------
    linker
        The linker whose model is taught; it reads each mention in a window of its own.
    names
        Its names.
    documents
        Documents with mentions. If a document has no gold ids at all, its mentions count as those
        of a plain text: their concepts are those that the linker is sure of.
    texts
        The same documents as :class:`~biolink.finetune.tagging.Tagged` texts; for plain texts,
        :class:`~biolink.infer.mentions.word_pieces.Pieces`.
    """
    linker = linker.with_settings(reading="window", recogniser=None)
    found: dict[Any, ReadMention | None] = {}
    keys = []
    for document in documents:
        expanded = expand_document(document, find_abbreviations)
        plain = not any(mention.concept_ids for mention in document.mentions)
        of_document = []
        for task, mention in zip(linker.tasks(expanded), expanded.mentions, strict=True):
            known = (linker.kb.row_of(concept_id) for concept_id in mention.concept_ids)
            key = (task, tuple(sorted({row for row in known if row is not None})), plain)
            found[key] = None
            of_document.append((mention.start, mention.end, key))
        keys.append(of_document)
    distinct = list(found)
    for chosen in batches([task for task, *_ in distinct], linker.options.batch_size):
        some = [distinct[i] for i in chosen]
        tasks = [task for task, *_ in some]
        _, vectors = linker.model.read(*sources_of(tasks))
        prompts = linker.model.prompts([task.mention for task in tasks])
        alone = linker.model.embed([task.mention for task in tasks])
        near = names.nearest(linker, [task.mention for task in tasks], alone)
        ranked = linker.link_tasks(tasks) if any(plain for *_, plain in some) else [()] * len(tasks)
        halves = alone.astype(np.float16), vectors.astype(np.float16)
        for key, prompt, places, concepts, by_itself, vector in zip(
            some, prompts, near, ranked, *halves, strict=True
        ):
            task, rows, plain = key
            if plain:
                rows = tuple(c.row for c in concepts[:1] if c.probability >= _SURE)
            name = normalise_name(task.mention)
            found[key] = ReadMention(prompt, name, rows, by_itself, vector, places, plain)
    return [
        _with_mentions(text, [(start, end, found[key]) for start, end, key in of_document])
        for text, of_document in zip(texts, keys, strict=True)
    ]


def _with_mentions(
    text: Tagged | Pieces, mentions: Sequence[tuple[int, int, ReadMention | None]]
) -> ReadText:
    """A text with its mentions, whose offsets in characters are given."""
    pieces = text.pieces if isinstance(text, Tagged) else text
    placed = []
    for start, end, mention in mentions:
        inside = np.flatnonzero((pieces.offsets[:, 0] < end) & (pieces.offsets[:, 1] > start))
        if len(inside) and mention is not None:
            placed.append((int(inside[0]), int(inside[-1]) + 1, mention))
    return ReadText(pieces, text.allowed if isinstance(text, Tagged) else None, tuple(placed))
