"""Reading a text once, with the encoder of a recogniser, to find its mentions and to link them.

The states of a text are kept until the memory for them is used up, so linking a text whose mentions
have just been found runs no encoder.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from biolink.documents import Document, Mention
from biolink.errors import ModelError
from biolink.infer.mentions.tagger import (
    OVERLAP,
    WINDOW,
    Kinds,
    Tagger,
    collate,
    load_tagger,
    window_begins,
    window_of,
)
from biolink.infer.mentions.word_pieces import (
    CONCEPT,
    Dictionary,
    Pieces,
    joined_labels,
    pieces_of,
    span_probability,
    spans_of_labels,
)
from biolink.infer.network.finite import check_scores
from biolink.infer.network.model import LinkingModel
from biolink.infer.network.reading_heads import ReadingHeads, around, span_means
from biolink.kb.model_files import CURE, TAGGER, has_file
from biolink.kb.prompt import Reading

__all__ = ["SharedReader", "reader_of"]

#: The least probability of a mention that has a type, chosen on development documents.
_LEAST = 0.7
#: The number of windows that are encoded together.
_BATCH = 16
#: The most bytes of states that are kept.
_KEPT = 256 * 2**20
#: The texts that are read together to find mentions have at most this many characters, unless a
#: single one is longer.
_TOGETHER = 2**17


@dataclass(frozen=True, slots=True)
class _Reading:
    """A text after the encoder.

    Attributes
    ----------
    pieces
        Its word pieces.
    states
        The states of the windows that were read, by their numbers: float [tokens, d], with those of
        the special tokens.
    """

    pieces: Pieces
    states: dict[int, Tensor] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of bytes of the states."""
        return sum(states.numel() * states.element_size() for states in self.states.values())

    @property
    def begins(self) -> list[int]:
        """The first piece of each window."""
        return window_begins(len(self.pieces.ids))

    def tokens(self, number: int) -> int:
        """The number of tokens of a window, with the special tokens."""
        return min(WINDOW, len(self.pieces.ids) - self.begins[number]) + 2

    def place(self, start: int, end: int) -> tuple[int, int, int]:
        """The window in which a span of the text is farthest from the border, and its tokens.

        A span without a piece of its own has the place of the piece before it.
        """
        offsets = self.pieces.offsets
        inside = np.flatnonzero((offsets[:, 0] < end) & (offsets[:, 1] > start))
        if not len(inside):
            inside = np.array([max(0, int(np.searchsorted(offsets[:, 0], start)) - 1)])
        first, last = int(inside[0]), int(inside[-1]) + 1
        begins = self.begins
        number = max(
            range(len(begins)), key=lambda i: min(first - begins[i], begins[i] + WINDOW - last)
        )
        # A mention that is longer than a window is read as far as the window goes.
        tokens = self.tokens(number)
        begin = min(max(first - begins[number], 0) + 1, tokens - 1)
        return number, begin, min(max(last - begins[number] + 1, begin + 1), tokens)


class SharedReader:
    """A recogniser's encoder with what it needs to read texts.

    Parameters
    ----------
    tagger, tokenizer
        The classifier whose encoder reads, and the tokeniser of its linking model.
    dictionaries
        The dictionaries that the classifier was trained with, or some of them. Default: none.
    """

    def __init__(
        self, tagger: Tagger, tokenizer: Any, dictionaries: Sequence[Dictionary] = ()
    ) -> None:
        self.tagger, self.tokenizer = tagger, tokenizer
        self.dictionaries = tuple(dictionaries)
        self._kept: OrderedDict[str, _Reading] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_kept": OrderedDict()}

    @property
    def finds_concepts(self) -> bool:
        """Whether the classifier has a head for concepts."""
        return self.tagger.concept_head is not None

    def reads_for(self, reading: Reading) -> bool:
        """Whether the classifier was trained to read in this way for a linking model."""
        return self.tagger.reads == reading

    def recognise(self, documents: Sequence[Document]) -> list[Document]:
        """The documents with the mentions that are found in them, which replace earlier ones."""
        return self._found(documents, "types", self.tagger.types)

    def concepts(self, documents: Sequence[Document]) -> list[Document]:
        """The documents with the concepts that are found in them, as mentions of type "".

        Raises
        ------
        ModelError
            If the classifier has no head for concepts.
        """
        if not self.finds_concepts:
            raise ModelError("this recogniser was not trained to find concepts")
        return self._found(documents, "concepts", CONCEPT)

    @torch.inference_mode()
    def vectors(
        self, texts: Sequence[str], spans: Sequence[tuple[int, int]], alone: np.ndarray
    ) -> np.ndarray:
        """The vectors of mentions in context.

        Parameters
        ----------
        texts
            The text of each mention.
        spans
            The offsets of each mention in its text, in code points.
        alone
            float32 [mentions, d]: the vector of each mention without context, of unit length.

        Returns
        -------
        float32 [mentions, d], of unit length.

        Raises
        ------
        ModelError
            If the classifier was not trained to read for a linking model.
        """
        heads = self._heads()
        means = torch.cat([span_means(*place) for place in self._places(texts, spans)])
        vectors = heads.vectors(means, torch.from_numpy(alone).to(means.device))
        return check_scores(vectors.cpu().numpy(), "embeddings")

    @torch.inference_mode()
    def attended(
        self, texts: Sequence[str], spans: Sequence[tuple[int, int]], alone: np.ndarray
    ) -> tuple[Tensor, Tensor]:
        """What the decoder attends to for mentions; the arguments are those of :meth:`vectors`.

        Returns
        -------
        The states [mentions, states, d], and their mask.
        """
        heads = self._heads()
        parts = []
        for states, row, span in self._places(texts, spans):
            lengths = torch.tensor([states.shape[1]], device=states.device)
            near, real = around(states, row, lengths, span)
            parts.append((span_means(states, row, span).to(near.dtype), near, real))
        means, near, real = (torch.cat(of_part) for of_part in zip(*parts, strict=True))
        return heads.memory(means, torch.from_numpy(alone).to(means.device), near, real)

    def _heads(self) -> ReadingHeads:
        heads = self.tagger.reading
        if heads is None:
            raise ModelError("this recogniser was not trained to read for linking")
        return heads

    def _places(
        self, texts: Sequence[str], spans: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """The states [1, tokens, d] in which each mention is read, their row, and its tokens.

        Only the windows are read in which mentions are.
        """
        wanted: dict[str, list[tuple[int, int]]] = {}
        for text, span in zip(texts, spans, strict=True):
            wanted.setdefault(text, []).append(span)
        readings = dict(zip(wanted, self._read(list(wanted), list(wanted.values())), strict=True))
        for text, span in zip(texts, spans, strict=True):
            number, begin, after = readings[text].place(*span)
            states = readings[text].states[number][None]
            device = states.device
            row = torch.zeros(1, dtype=torch.long, device=device)
            yield states, row, torch.tensor([[begin, after]], device=device)

    def _found(
        self, documents: Sequence[Document], kinds: Kinds, types: Sequence[str]
    ) -> list[Document]:
        found: list[Document] = []
        for group in _in_groups(documents):
            readings = self._read([document.text for document in group])
            found += [
                document.with_mentions(
                    _mentions(document.text, reading.pieces, self._scores(reading, kinds), types)
                )
                for document, reading in zip(group, readings, strict=True)
            ]
        return found

    def label_log_probs(self, texts: Sequence[str], kinds: Kinds = "types") -> list[np.ndarray]:
        """The log-probabilities of the labels of each text's pieces: float32 [pieces, labels].

        A text that is longer than a window is read in overlapping windows. The result for a piece
        comes from the window in which it is farthest from the border.

        Raises
        ------
        ModelError
            If a score is not finite.
        """
        return [self._scores(reading, kinds) for reading in self._read(texts)]

    @torch.inference_mode()
    def _scores(self, reading: _Reading, kinds: Kinds) -> np.ndarray:
        """See :meth:`label_log_probs`."""
        size, columns = len(reading.pieces.ids), self.tagger.columns[kinds]
        result: np.ndarray | None = None
        for number, begin in enumerate(reading.begins):
            states = reading.states[number]
            scores = torch.log_softmax(self.tagger.scores(states)[:, columns].float(), -1)
            row = check_scores(scores.cpu().numpy(), "labels of words")
            if result is None:
                result = np.zeros((size, row.shape[1]), dtype=np.float32)
            end = min(begin + WINDOW, size)
            # The first half of an overlap belongs to the earlier window.
            first = begin + (OVERLAP // 2 if begin else 0)
            result[first:end] = row[1 + first - begin : 1 + end - begin]
        assert result is not None  # a text has a window even if it is empty
        return result

    @torch.inference_mode()
    def _read(
        self, texts: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]] | None = None
    ) -> list[_Reading]:
        """Read texts, or look up what was read before.

        If the spans of each text are given, only the windows are read in which they are.
        """
        by_text: dict[str, _Reading] = {}
        windows: dict[tuple[str, int], None] = {}
        for row, text in enumerate(texts):
            reading = by_text.get(text) or self._kept.get(text) or self._unread(text)
            by_text[text] = reading
            needed: Iterable[int] = range(len(reading.begins))
            if spans is not None:
                needed = (reading.place(*span)[0] for span in spans[row])
            windows |= {(text, number): None for number in needed if number not in reading.states}
        order = sorted(windows, key=lambda window: by_text[window[0]].tokens(window[1]))
        pad, device = self.tagger.special[2], self.tagger.head.weight.device
        for at in range(0, len(order), _BATCH):
            batch = order[at : at + _BATCH]
            rows = [
                window_of(by_text[text].pieces, by_text[text].begins[number], self.tagger.special)
                for text, number in batch
            ]
            encoded = self.tagger.states(*collate(rows, pad, device))
            for (text, number), states in zip(batch, encoded, strict=True):
                reading = by_text[text]
                reading.states[number] = states[: reading.tokens(number)].clone()
        self._keep(by_text)
        return [by_text[text] for text in texts]

    def _unread(self, text: str) -> _Reading:
        document = Document("", text)
        return _Reading(pieces_of(document, self.tokenizer, self.dictionaries, self.tagger.types))

    def _keep(self, readings: dict[str, _Reading]) -> None:
        if self.tagger.reads is None:
            return  # no one asks for the states again
        for text, reading in readings.items():
            self._kept.pop(text, None)
            self._kept[text] = reading  # the last of those that are kept
        while sum(reading.size for reading in self._kept.values()) > _KEPT:
            self._kept.popitem(last=False)


def _in_groups(documents: Sequence[Document]) -> Iterator[list[Document]]:
    """The documents in groups, in order, so that the states of a group fit into memory."""
    group: list[Document] = []
    size = 0
    for document in documents:
        if group and size + len(document.text) > _TOGETHER:
            yield group
            group, size = [], 0
        group.append(document)
        size += len(document.text)
    if group:
        yield group


def reader_of(model: LinkingModel, reading: Reading) -> SharedReader:
    """The reader of a model whose recogniser reads in this way, without dictionaries.

    Raises
    ------
    ModelError
        If the model has no folder, or its folder has no recogniser that reads in this way.
    """
    file = None if model.folder is None else model.folder / TAGGER
    if file is None or not has_file(file):
        raise ModelError(
            f"{file or 'this model'} is missing; expected the recogniser that reads for the model"
        )
    tagger = load_tagger(file, str(model.backbone.device), model.precision)
    reader = SharedReader(tagger, model.tokenizer)
    if not reader.reads_for(reading):
        raise ModelError(f"{file} was not trained for the reading {reading!r}; {CURE}")
    return reader


def _mentions(text: str, pieces: Pieces, scores: np.ndarray, types: Sequence[str]) -> list[Mention]:
    labels = joined_labels(scores.argmax(1).tolist(), pieces.offsets, text, types)
    mentions = [
        Mention(
            start,
            end,
            text[start:end],
            type=kind,
            probability=span_probability(pieces.offsets, scores, start, end),
        )
        for start, end, kind in spans_of_labels(labels, pieces.offsets, text, types)
    ]
    if types == CONCEPT:
        return mentions
    return [m for m in mentions if m.probability is None or m.probability >= _LEAST]
