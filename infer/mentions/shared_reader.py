"""Reading a text once, with the encoder of a recogniser, to find its mentions and to link them.

The states of a text are kept until the memory for them is used up, so linking a text whose mentions
have just been found runs no encoder.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
from biolink.infer.network.reading_heads import around, span_means
from biolink.kb.model_files import CURE, TAGGER, has_file

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
    windows
        The states of each window, float [tokens, d], with those of the special tokens.
    """

    pieces: Pieces
    windows: list[Tensor]

    @property
    def size(self) -> int:
        """The number of bytes of the states."""
        return sum(states.numel() * states.element_size() for states in self.windows)

    @property
    def begins(self) -> list[int]:
        """The first piece of each window."""
        return window_begins(len(self.pieces.ids))

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
        tokens = len(self.windows[number])
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

    @property
    def reads_for_linking(self) -> bool:
        """Whether the classifier was trained to read for a linking model."""
        return self.tagger.reading is not None

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
    def read(
        self, texts: Sequence[str], spans: Sequence[tuple[int, int]], alone: np.ndarray
    ) -> tuple[Tensor, Tensor, np.ndarray]:
        """What a linking model needs of mentions.

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
        states, mask
            The states that the decoder attends to, [mentions, states, d], and their mask.
        vectors
            float32 [mentions, d]: the vectors of the mentions in context, of unit length.

        Raises
        ------
        ModelError
            If the classifier was not trained to read for a linking model.
        """
        heads = self.tagger.reading
        if heads is None:
            raise ModelError("this recogniser was not trained to read for linking")
        readings = dict(
            zip(distinct := list(dict.fromkeys(texts)), self._read(distinct), strict=True)
        )
        results = [self._of_mention(readings[t], *s) for t, s in zip(texts, spans, strict=True)]
        means, states, real = (torch.stack(parts) for parts in zip(*results, strict=True))
        of_mentions = torch.from_numpy(alone).to(means.device)
        vectors = check_scores(heads.vectors(means, of_mentions).cpu().numpy(), "embeddings")
        return *heads.memory(means, of_mentions, states, real), vectors

    def _of_mention(self, reading: _Reading, start: int, end: int) -> tuple[Tensor, ...]:
        """The mean of a mention's states, the states around it, and which are not padding."""
        number, begin, after = reading.place(start, end)
        states = reading.windows[number][None]
        device = states.device
        row, span = torch.zeros(1, dtype=torch.long), torch.tensor([[begin, after]])
        arguments = states, row.to(device)
        means = span_means(*arguments, span.to(device))
        lengths = torch.tensor([states.shape[1]], device=device)
        near, real = around(*arguments, lengths, span.to(device))
        return means[0].to(near.dtype), near[0], real[0]

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
        for begin, states in zip(reading.begins, reading.windows, strict=True):
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
    def _read(self, texts: Sequence[str]) -> list[_Reading]:
        """Read texts, or look up what was read before."""
        readings = {text: kept for text in texts if (kept := self._kept.get(text)) is not None}
        new = [text for text in dict.fromkeys(texts) if text not in readings]
        pieces = [
            pieces_of(Document("", text), self.tokenizer, self.dictionaries, self.tagger.types)
            for text in new
        ]
        windows = [
            (number, begin)
            for number, p in enumerate(pieces)
            for begin in window_begins(len(p.ids))
        ]
        states: dict[tuple[int, int], Tensor] = {}
        windows.sort(key=lambda w: min(WINDOW, len(pieces[w[0]].ids) - w[1]))
        device = self.tagger.head.weight.device
        for at in range(0, len(windows), _BATCH):
            batch = windows[at : at + _BATCH]
            rows = [
                window_of(pieces[number], begin, self.tagger.special) for number, begin in batch
            ]
            encoded = self.tagger.states(*collate(rows, self.tagger.special[2], device))
            for window, row, one in zip(batch, rows, encoded, strict=True):
                states[window] = one[: len(row[0])].clone()
        for number, (text, of_text) in enumerate(zip(new, pieces, strict=True)):
            begins = window_begins(len(of_text.ids))
            readings[text] = _Reading(of_text, [states[number, begin] for begin in begins])
        self._keep(readings)
        return [readings[text] for text in texts]

    def _keep(self, readings: dict[str, _Reading]) -> None:
        if not self.reads_for_linking:
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


def reader_of(model: LinkingModel) -> SharedReader:
    """The reader of a model that is read by its recogniser, without dictionaries.

    Raises
    ------
    ModelError
        If the model has no folder, or its folder has no recogniser that reads for linking.
    """
    file = None if model.folder is None else model.folder / TAGGER
    if file is None or not has_file(file):
        raise ModelError(
            f"{file or 'this model'} is missing; expected the recogniser that reads for the model"
        )
    tagger = load_tagger(file, str(model.backbone.device), model.precision)
    if tagger.reading is None:
        raise ModelError(f"{file} was not trained to read for linking; {CURE}")
    return SharedReader(tagger, model.tokenizer)


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
