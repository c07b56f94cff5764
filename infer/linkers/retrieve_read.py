"""Concepts before mentions: retrieve the concepts of a passage, then find their mentions in it.

Source: EntQA (Zhang et al., ICLR 2022). A bi-encoder retrieves concepts for a passage. A reader
then reads the passage with one concept at a time and marks the mentions of that concept, if any;
those of which it is certain enough are kept. For the bi-encoder, see
:mod:`biolink.infer.retrieve.passages`.
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
from biolink.infer.mentions.tagger import Tagger, collate
from biolink.infer.mentions.word_pieces import Pieces, spans_of_labels
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

#: The reader is a token classifier with one type: mentions of the concept that it reads.
READER_TYPES = ("Concept",)
#: The role of a token, which is an input of the reader: a token of the passage, of the concept's
#: names, or of the passage and near the concept.
_PASSAGE, _NAME, _NEAR = range(3)
#: The most tokens of each name that the reader reads, separator included.
_NAME_TOKENS = 24


@dataclass(frozen=True, slots=True)
class RetrieveReadOptions:
    """How much is retrieved, and what is kept.

    Attributes
    ----------
    passage_words
        The most words of a passage, separated by white space. Default: 50.
    concepts
        The number of concepts that are retrieved for each passage. Default: 12.
    least
        The least cosine of a retrieved concept that is read. Default: 0.
    threshold
        The least probability of a mention that is kept, in [0, 1]. Default: 0.5.
    batch_size
        The number of pairs of a passage and a concept that are read together. Default: 64.

    Raises
    ------
    ConfigError
        If a value is out of range.
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
    """The input of the reader: ``[CLS] passage [SEP] names of the concept [SEP]``.

    A passage that is too long is cut at its end; the names are kept.

    Parameters
    ----------
    pieces
        The word pieces of the passage.
    names
        The token ids of the concept's names.
    near
        The indices of the word pieces that are near the concept.
    special, positions
        The ids of the special tokens (first, last, padding) and the number of positions of the
        model.

    Returns
    -------
    The token ids and the shapes, int64 [tokens] each, and the roles of the tokens, int64
    [tokens, 1].
    """
    first, last, _ = special
    names = list(names)[: 2 * _NAME_TOKENS]
    size = min(len(pieces.ids), positions - 3 - len(names))
    roles = np.full(size, _PASSAGE, dtype=np.int64)
    roles[[token for token in near if token < size]] = _NEAR
    after = 2 + len(names)
    ids = np.concatenate([[first], pieces.ids[:size], [last], names, [last]]).astype(np.int64)
    shapes = np.concatenate([[5], pieces.shapes[:size], np.full(after, 5)])
    return ids, shapes, np.concatenate([[_PASSAGE], roles, np.full(after, _NAME)])[:, None]


class RetrieveReadLinker(TextLinker):
    """A linker that retrieves concepts first and then finds their mentions.

    Parameters
    ----------
    model
        The linking model that the retriever and the reader were trained on.
    kb, nil, progress
        See :class:`biolink.infer.linkers.text_linker.TextLinker`.
    encoder, reader
        The encoder of passages, and the reader; :mod:`biolink.finetune.retrieve_read` trains both.
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
        """A linker with a loaded model, converted to a precision.

        The retriever and the reader are loaded from the folder of the model.

        Raises
        ------
        ModelError
            If one of them is damaged or missing.
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
        """Build the embeddings that linking needs, or map stored ones into memory."""
        _ = self.indexes.dense

    @property
    def retriever(self) -> Retriever:
        """The retriever over the concepts that are searched for."""
        kb = self.searched
        if self._retriever is None or self._retriever.kb is not kb:
            self._retriever = Retriever(self.encoder, self.indexes, kb)
        return self._retriever

    def name_tokens(self, candidate: Candidate) -> list[int]:
        """The tokens of the names that the reader reads: the retrieved and the preferred name."""
        base = self.kb.base
        names = [base.name_at(candidate.name_id)]
        preferred = base.concept_at(candidate.row).name
        if preferred.lower() != names[0]:
            names.append(preferred)
        encoded = self.model.tokenizer(names, add_special_tokens=False)["input_ids"]
        last = int(self.reader.special[1])
        return [token for ids in encoded for token in (*ids[: _NAME_TOKENS - 1], last)][:-1]

    def _linked(self, documents: Sequence[Document]) -> list[Document]:
        all_passages = [
            (number, begin, pieces)
            for number, document in enumerate(documents)
            for begin, pieces in passages(
                document, self.options.passage_words, self.model.tokenizer
            )
        ]
        if not all_passages:
            return [document.with_mentions(()) for document in documents]
        retrieved = self.retriever([pieces for *_, pieces in all_passages], self.options.concepts)
        pairs = [
            (passage_number, candidate)
            for passage_number, candidates in enumerate(retrieved)
            for candidate in candidates
            if candidate.score >= self.options.least
        ]
        scores_of_pairs = self.read(
            [(all_passages[passage_number][2], candidate) for passage_number, candidate in pairs]
        )
        proposals: list[list[tuple[float, int, int, Candidate]]] = [[] for _ in documents]
        for (passage_number, candidate), scores in zip(pairs, scores_of_pairs, strict=True):
            number, begin, pieces = all_passages[passage_number]
            text = documents[number].text[begin:]
            offsets = pieces.offsets[: len(scores)]
            labels = scores.argmax(1).tolist()
            for start, end, _ in spans_of_labels(labels, offsets, text, READER_TYPES):
                inside = (offsets[:, 0] < end) & (offsets[:, 1] > start)
                certainty = float(np.exp(scores[inside].max(1).min()))
                if certainty >= self.options.threshold:
                    proposals[number].append((certainty, begin + start, begin + end, candidate))
        return [
            document.with_mentions(self._mentions(document.text, of_document))
            for document, of_document in zip(documents, proposals, strict=True)
        ]

    @torch.inference_mode()
    def read(self, pairs: Sequence[tuple[Pieces, Candidate]]) -> list[np.ndarray]:
        """Run the reader on pairs of a passage and a concept.

        Returns
        -------
        For each pair, the log-probabilities of the labels: float32 [word pieces, labels]. A passage
        that is too long has fewer rows than word pieces.
        """
        results: list[np.ndarray] = [np.empty(0)] * len(pairs)
        special, positions = self.reader.special, self.encoder.positions
        inputs = [
            reader_row(pieces, self.name_tokens(candidate), candidate.near, special, positions)
            for pieces, candidate in pairs
        ]
        order = sorted(range(len(inputs)), key=lambda i: len(inputs[i][0]))
        for at in range(0, len(order), self.options.batch_size):
            indices = order[at : at + self.options.batch_size]
            batch = collate(
                [inputs[i] for i in indices], special[2], self.reader.head.weight.device
            )
            scores = torch.log_softmax(self.reader(*batch).float(), -1).cpu().numpy()
            for i, row in zip(indices, scores, strict=True):
                roles = inputs[i][2]
                size = int((roles != _NAME).sum()) - 1
                results[i] = row[1 : 1 + size]
        return results

    def _mentions(
        self, text: str, proposals: Sequence[tuple[float, int, int, Candidate]]
    ) -> list[Mention]:
        """The most certain proposals that do not overlap.

        Other concepts that were proposed for the same span become further links.
        """
        spans: dict[tuple[int, int], list[tuple[float, Candidate]]] = {}
        for certainty, start, end, candidate in sorted(
            proposals, key=lambda p: (-p[0], p[1] - p[2], p[1], -p[3].score, p[3].row)
        ):
            span = (start, end)
            if span in spans:
                spans[span].append((certainty, candidate))
            elif all(end <= s or e <= start for s, e in spans):
                spans[span] = [(certainty, candidate)]
        return [
            self._mention(
                text,
                *span,
                [
                    RankedConcept(c.row, c.name_id, float(np.log(max(certainty, 1e-9))), certainty)
                    for certainty, c in candidates
                ],
            )
            for span, candidates in sorted(spans.items())
        ]
