"""A text as the word pieces that a tagger reads, and labels of word pieces as spans and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from biolink.documents import Document, Mention
from biolink.infer.mentions.spans import of_a_word, source_span
from biolink.kb.names import fold_aligned
from biolink.kb.types import type_name

__all__ = [
    "CONCEPT",
    "TYPES",
    "Dictionary",
    "Pieces",
    "Span",
    "joined_labels",
    "label_spans",
    "labels_of",
    "pieces_of",
    "span_probability",
    "spans_of_labels",
    "typed_spans",
]

#: The semantic types that are recognised by default.
TYPES = ("Disease", "Chemical")
#: The kinds whose mentions are never written one after the other with a space between them.
_JOINED = ("disease", "chemical")
#: The type of the spans that some biomedical ontology would name: none.
CONCEPT = ("",)
#: A function that gives a document the mentions that a dictionary finds in it.
Dictionary = Callable[[Document], Document]
#: The start, end and type of a mention.
Span = tuple[int, int, str]


def labels_of(types: Sequence[str]) -> tuple[str, ...]:
    """The labels of tokens: outside, and the beginning and the inside of each type.

    >>> labels_of(["Disease"])
    ('O', 'B-Disease', 'I-Disease')
    """
    return ("O", *(f"{mark}-{kind}" for kind in types for mark in "BI"))


@dataclass(frozen=True, slots=True)
class Pieces:
    """A text as the tagger reads it, as parallel arrays over its word pieces.

    Attributes
    ----------
    ids
        int64 [pieces]: the ids of the word pieces, without special tokens.
    offsets
        int32 [pieces, 2]: the start and end of each piece, in code points of the text.
    shapes
        int8 [pieces]: how each piece is written: 0 lower case, 1 capitalised, 2 all capitals,
        3 mixed case, 4 with a digit, 5 without letters and digits.
    covered
        int8 [pieces, dictionaries]: the label that each dictionary gives to each piece.
    """

    ids: np.ndarray
    offsets: np.ndarray
    shapes: np.ndarray
    covered: np.ndarray


def _shape(written: str) -> int:
    if any(c.isdigit() for c in written):
        return 4
    if not any(c.isalpha() for c in written):
        return 5
    if written.islower():
        return 0
    if written.isupper():
        return 2
    return 1 if written[0].isupper() and written[1:].islower() else 3


def pieces_of(
    document: Document,
    tokenizer: Any,
    dictionaries: Sequence[Dictionary],
    types: Sequence[str] = TYPES,
) -> Pieces:
    """The word pieces of a document with the tagger's other inputs.

    The text is folded to the Unicode form of names (see :func:`biolink.kb.names.fold`), but offsets
    refer to the original text.

    Parameters
    ----------
    document
        The document; its mentions are not used.
    tokenizer
        The tokeniser of the linking model.
    dictionaries
        Dictionary recognisers.
    types
        The types that are recognised. If there is only one, everything that a dictionary finds
        counts as that type. Default: :data:`TYPES`.
    """
    text = document.text
    folded, source_offsets = fold_aligned(text)
    encoded = tokenizer(
        folded, add_special_tokens=False, return_offsets_mapping=True, verbose=False
    )
    spans = [source_span(text, source_offsets, *span) for span in encoded["offset_mapping"]]
    offsets = np.array(spans, dtype=np.int32).reshape(-1, 2)
    shapes = np.array([_shape(text[begin:end]) for begin, end in offsets.tolist()], dtype=np.int8)
    covered = np.zeros((len(offsets), len(dictionaries)), dtype=np.int8)
    for column, dictionary in enumerate(dictionaries):
        found = typed_spans(dictionary(document).mentions, types)
        covered[:, column] = label_spans(offsets, found, types)
    return Pieces(np.array(encoded["input_ids"], dtype=np.int64), offsets, shapes, covered)


def typed_spans(mentions: Iterable[Mention], types: Sequence[str]) -> list[Span]:
    """The spans of the mentions of these types, or of all mentions if there is only one type."""
    names = {type_name(kind): kind for kind in types}
    single = types[0] if len(types) == 1 else None
    return [
        (m.start, m.end, kind)
        for m in mentions
        if (kind := single or names.get(type_name(m.type))) is not None
    ]


def label_spans(
    offsets: np.ndarray, spans: Sequence[Span], types: Sequence[str] = TYPES
) -> np.ndarray:
    """The labels of word pieces for given spans.

    Where spans overlap, the longest counts; of nested mentions, that is the outermost.

    Parameters
    ----------
    offsets
        [pieces, 2]: the start and end of each piece.
    spans
        The spans with their types.
    types
        The types that the labels are made of. Default: :data:`TYPES`.

    Returns
    -------
    int8 [pieces]: indices into :func:`labels_of`.
    """
    labels = np.zeros(len(offsets), dtype=np.int8)
    for start, end, kind in sorted(spans, key=lambda s: s[1] - s[0]):
        inside = np.flatnonzero((offsets[:, 0] < end) & (offsets[:, 1] > start))
        if len(inside):
            begin = 1 + 2 * types.index(kind)
            after = inside[-1] + 1
            if after < len(labels) and labels[after] and labels[after] % 2 == 0:
                labels[after] -= 1  # the rest of a covered span becomes a span of its own
            labels[inside] = begin + 1
            labels[inside[0]] = begin
    return labels


def spans_of_labels(
    labels: Sequence[int], offsets: np.ndarray, text: str, types: Sequence[str] = TYPES
) -> list[Span]:
    """The spans that a sequence of labels stands for. They do not overlap.

    A mention never ends within a run of letters and digits, because all word pieces of such a run
    take the label of its first piece.

    Parameters
    ----------
    labels
        The label of each piece, as an index into :func:`labels_of`.
    offsets
        [pieces, 2]: the start and end of each piece.
    text
        The text.
    types
        The types that the labels are made of. Default: :data:`TYPES`.

    Examples
    --------
    >>> spans_of_labels([0, 1, 2], np.array([(0, 6), (7, 13), (14, 20)]), "severe asthma attack")
    [(7, 20, 'Disease')]
    """
    labels = list(labels)
    for index, ((_, end), (start, _)) in enumerate(pairwise(offsets.tolist())):
        # Pieces of the same character overlap, for a Greek letter is read as its name.
        joined = start < end or (end == start and of_a_word(text, end - 1) and of_a_word(text, end))
        if joined and labels[index] != labels[index + 1]:
            labels[index + 1] = 0 if labels[index] == 0 else labels[index] + labels[index] % 2
    spans: list[Span] = []
    for index, label in enumerate(labels):
        if label == 0:
            continue
        kind = types[(label - 1) // 2]
        begin, end = (int(x) for x in offsets[index])
        goes_on = label % 2 == 0 and index and labels[index - 1] in (label, label - 1)
        if goes_on and spans:
            spans[-1] = (spans[-1][0], end, kind)
        else:
            spans.append((begin, end, kind))
    return spans


def joined_labels(
    labels: Sequence[int], offsets: np.ndarray, text: str, types: Sequence[str]
) -> list[int]:
    """Labels in which two diseases, or two chemicals, with a space between them are one mention.

    "Sporadic tumours" is one disease; two of them are not written one after the other. Genes are.

    >>> joined_labels([1, 1], np.array([(0, 8), (9, 16)]), "sporadic tumours", ["Disease"])
    [1, 2]
    """
    labels = list(labels)
    joined = {1 + 2 * i for i, kind in enumerate(types) if type_name(kind) in _JOINED}
    for index, (before, label) in enumerate(pairwise(tuple(labels)), 1):
        between = text[offsets[index - 1, 1] : offsets[index, 0]]
        if label in joined and before in (label, label + 1) and not between.strip():
            labels[index] = label + 1
    return labels


def span_probability(offsets: np.ndarray, scores: np.ndarray, start: int, end: int) -> float:
    """The probability of a span: the geometric mean of the probabilities of its labels.

    The pieces on either side of the span are included, because their labels decide where the span
    ends.

    Parameters
    ----------
    offsets
        [pieces, 2]: the start and end of each piece.
    scores
        [pieces, labels]: log-probabilities.
    start, end
        The span.
    """
    inside = np.flatnonzero((offsets[:, 0] < end) & (offsets[:, 1] > start))
    first, last = max(0, inside[0] - 1), inside[-1] + 2
    return float(np.exp(scores[first:last].max(1).mean()))
