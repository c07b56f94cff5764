"""Concepts before mentions: retrieve what a passage talks about, then read where.

Source: EntQA (Zhang et al., ICLR 2022). A bi-encoder finds concepts for a passage; a reader takes
the passage with one concept at a time and marks the concept's mentions, or none; what is surer
than a threshold stands. Here both are small: the passage's side of the bi-encoder gives a vector
for every token, the concepts' side is the linking model's embeddings of their names, and a concept
is as near as its nearest name is to the nearest token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch

from biolink.documents import Document, Mention
from biolink.infer.decide.nil import NilPolicy
from biolink.infer.linkers.text_linker import TextLinker
from biolink.infer.mentions.tagger import (
    Pieces,
    Tagger,
    collate,
    spans_of_labels,
)
from biolink.infer.network.model import LinkingModel
from biolink.infer.network.precision import Precision, in_precision
from biolink.infer.rank.candidates import RankedConcept
from biolink.infer.retrieve.indexes import Progress
from biolink.infer.retrieve.passages import Candidate, PassageEncoder, Retriever, passages
from biolink.kb import KnowledgeBase
from biolink.kb.arguments import need, need_natural, need_number, need_probability
from biolink.kb.model_files import READER, RETRIEVER

__all__ = [
    "READER_TYPES",
    "RetrieveReadLinker",
    "RetrieveReadOptions",
    "reader_row",
]

#: The reader is a token classifier with one type: a mention of the concept it is asked about.
READER_TYPES = ("Concept",)
#: What the reader is told of a token: of the passage, of the concept's names, or of the passage and
#: near to the concept.
_PASSAGE, _NAME, _NEAR = range(3)
_NAME_TOKENS = 24


@dataclass(frozen=True, slots=True)
class RetrieveReadOptions:
    """How much is retrieved, and what is kept.

    Attributes
    ----------
    passage_words
        Most white-space words of a passage.
    concepts
        Concepts that are retrieved for each passage and read.
    least
        Cosine that a retrieved concept must have to be read.
    threshold
        Mentions that the reader is less sure of are dropped.
    batch_size
        Pairs of passage and concept that are read together.
    """

    passage_words: int = 50
    concepts: int = 12
    least: float = 0.0
    threshold: float = 0.5
    batch_size: int = 64

    def __post_init__(self) -> None:
        for name in ("passage_words", "concepts", "batch_size"):
            need_natural(name, getattr(self, name))
        need_number("least", self.least)
        need_probability("threshold", self.threshold)


def reader_row(
    pieces: Pieces,
    names: Sequence[int],
    near: Sequence[int],
    special: Sequence[int],
    positions: int,
) -> tuple[np.ndarray, ...]:
    """What the reader reads: ``[CLS] passage [SEP] names of the concept [SEP]``.

    Parameters
    ----------
    names
        Tokens of the concept's names.
    near
        Tokens of the passage that the retriever found near.
    special, positions
        Of the model; a passage that is too long is cut, the names are not.
    """
    first, last, _ = special
    names = list(names)[: 2 * _NAME_TOKENS]
    size = min(len(pieces.ids), positions - 3 - len(names))
    told = np.full(size, _PASSAGE, dtype=np.int64)
    told[[token for token in near if token < size]] = _NEAR
    behind = 2 + len(names)
    ids = np.concatenate([[first], pieces.ids[:size], [last], names, [last]]).astype(np.int64)
    shapes = np.concatenate([[5], pieces.shapes[:size], np.full(behind, 5)])
    return ids, shapes, np.concatenate([[_PASSAGE], told, np.full(behind, _NAME)])


class RetrieveReadLinker(TextLinker):
    """Finds and links mentions, concepts first.

    Parameters
    ----------
    model
        The linking model that the retriever and the reader were trained on.
    kb, nil, progress
        See :class:`biolink.infer.linkers.text_linker.TextLinker`.
    encoder, reader
        Trained by :mod:`biolink.finetune.retrieve_read`.
    options
        See :class:`RetrieveReadOptions`.
    """

    paradigm = "NED-NER"

    def __init__(
        self,
        model: LinkingModel,
        kb: KnowledgeBase,
        encoder: PassageEncoder,
        reader: Tagger,
        options: RetrieveReadOptions | None = None,
        nil: NilPolicy | str | float | None = None,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(model, kb, nil, progress)
        self.encoder, self.reader = encoder, reader
        self.options = RetrieveReadOptions() if options is None else options
        need("options", self.options, RetrieveReadOptions, "RetrieveReadOptions")
        self._retriever: Retriever | None = None

    @classmethod
    def from_model(
        cls,
        model: LinkingModel,
        kb: KnowledgeBase,
        options: RetrieveReadOptions,
        nil: NilPolicy | None,
        progress: Progress | None,
        precision: Precision,
    ) -> Self:
        """A linker of a loaded model, in a precision; retriever and reader lie beside it.

        Raises
        ------
        ModelError
            When one of them is damaged or missing.
        """
        assert model.folder is not None
        encoder = PassageEncoder.load(model.folder / RETRIEVER, model.backbone.model)
        reader = Tagger.load(model.folder / READER, model.backbone.model)
        return cls(
            model.in_precision(precision),
            kb,
            in_precision(encoder, precision),
            in_precision(reader, precision),
            options,
            nil,
            progress,
        )

    def state(self) -> dict[str, Any]:
        """See :meth:`Piping.state`."""
        return super().state() | {"_retriever": None}

    def prepare(self) -> None:
        """Build, or map, what linking looks names up in."""
        _ = self.indexes.dense

    @property
    def retriever(self) -> Retriever:
        """Over the concepts that are looked for."""
        kb = self.searched
        if self._retriever is None or self._retriever.kb is not kb:
            self._retriever = Retriever(self.encoder, self.indexes, kb)
        return self._retriever

    def name_tokens(self, candidate: Candidate) -> list[int]:
        """Tokens of what the reader is told of a concept: the name found, and the preferred one."""
        base = self.kb.base
        names = [base.name_at(candidate.name_id)]
        preferred = base.concept_at(candidate.row).name
        if preferred.lower() != names[0]:
            names.append(preferred)
        encoded = self.model.tokenizer(names, add_special_tokens=False)["input_ids"]
        last = int(self.reader.special[1])
        return [token for ids in encoded for token in (*ids[: _NAME_TOKENS - 1], last)][:-1]

    def _linked(self, documents: Sequence[Document]) -> list[Document]:
        found = [
            (number, begin, pieces)
            for number, document in enumerate(documents)
            for begin, pieces in passages(
                document, self.options.passage_words, self.model.tokenizer
            )
        ]
        if not found:
            return [document.with_mentions(()) for document in documents]
        retrieved = self.retriever([pieces for *_, pieces in found], self.options.concepts)
        pairs = [
            (place, candidate)
            for place, candidates in enumerate(retrieved)
            for candidate in candidates
            if candidate.score >= self.options.least
        ]
        read = self.read([(found[place][2], candidate) for place, candidate in pairs])
        proposals: list[list[tuple[float, int, int, Candidate]]] = [[] for _ in documents]
        for (place, candidate), scores in zip(pairs, read, strict=True):
            number, begin, pieces = found[place]
            text = documents[number].text[begin:]
            offsets = pieces.offsets[: len(scores)]
            labels = scores.argmax(1).tolist()
            for start, end, _ in spans_of_labels(labels, offsets, text, READER_TYPES):
                inside = (offsets[:, 0] < end) & (offsets[:, 1] > start)
                sure = float(np.exp(scores[inside].max(1).min()))
                if sure >= self.options.threshold:
                    proposals[number].append((sure, begin + start, begin + end, candidate))
        return [
            document.with_mentions(self._mentions(document.text, of_document))
            for document, of_document in zip(documents, proposals, strict=True)
        ]

    @torch.inference_mode()
    def read(self, pairs: Sequence[tuple[Pieces, Candidate]]) -> list[np.ndarray]:
        """Log-probabilities float32 [tokens of the passage, labels] for pairs with a concept."""
        results: list[np.ndarray] = [np.empty(0)] * len(pairs)
        special, positions = self.reader.special, self.encoder.positions
        rows = [
            reader_row(pieces, self.name_tokens(candidate), candidate.near, special, positions)
            for pieces, candidate in pairs
        ]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]))
        for at in range(0, len(order), self.options.batch_size):
            part = order[at : at + self.options.batch_size]
            batch = collate([rows[i] for i in part], special[2], self.reader.head.weight.device)
            scores = torch.log_softmax(self.reader(*batch).float(), -1).cpu().numpy()
            for i, row in zip(part, scores, strict=True):
                told = rows[i][2]
                size = int((told != _NAME).sum()) - 1
                results[i] = row[1 : 1 + size]
        return results

    def _mentions(
        self, text: str, proposals: Sequence[tuple[float, int, int, Candidate]]
    ) -> list[Mention]:
        """The surest proposals that do not overlap; other concepts of a span are further links."""
        spans: dict[tuple[int, int], list[tuple[float, Candidate]]] = {}
        for sure, start, end, candidate in sorted(
            proposals, key=lambda p: (-p[0], p[1] - p[2], p[1], -p[3].score, p[3].row)
        ):
            span = (start, end)
            if span in spans:
                spans[span].append((sure, candidate))
            elif all(end <= s or e <= start for s, e in spans):
                spans[span] = [(sure, candidate)]
        return [
            self._mention(
                text,
                *span,
                [
                    RankedConcept(c.row, c.name_id, float(np.log(max(sure, 1e-9))), sure)
                    for sure, c in found
                ],
            )
            for span, found in sorted(spans.items())
        ]
