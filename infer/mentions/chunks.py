"""Cutting a text at the ends of sentences into chunks that a model can read."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

__all__ = ["chunks", "sentences"]

_WORD = re.compile(r"\S+")


@lru_cache(maxsize=1)
def _sentencizer() -> Any:
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.max_length = 1 << 31
    return nlp


def sentences(text: str) -> list[tuple[int, int]]:
    """The spans of the sentences of a text, by spaCy's sentencizer.

    A sentence also ends at the end of a line. The white space between sentences is left out.

    >>> sentences("One two.  Three.")
    [(0, 8), (10, 16)]
    """
    spans = []
    for line in re.finditer(r"[^\n]+", text):
        for sentence in _sentencizer()(line.group()).sents:
            begin, end = line.start() + sentence.start_char, line.start() + sentence.end_char
            while begin < end and text[begin].isspace():
                begin += 1
            while end > begin and text[end - 1].isspace():
                end -= 1
            if begin < end:
                spans.append((begin, end))
    return spans


def chunks(text: str, most_words: int) -> list[tuple[int, int]]:
    """The spans of chunks of whole sentences with at most ``most_words`` words.

    Words are separated by white space. A sentence that is too long is cut between words. Every
    character of the text is in exactly one span, except white space between the spans.

    >>> chunks("One two. Three four five six.", 3)
    [(0, 8), (9, 24), (25, 29)]
    """
    pieces: list[tuple[int, int, int]] = []  # begin, end, number of words
    for begin, end in sentences(text):
        words = [(begin + m.start(), begin + m.end()) for m in _WORD.finditer(text[begin:end])]
        for first in range(0, len(words), most_words):
            group = words[first : first + most_words]
            pieces.append((group[0][0], group[-1][1], len(group)))
    merged: list[tuple[int, int, int]] = []
    for piece in pieces:
        if merged and merged[-1][2] + piece[2] <= most_words:
            merged[-1] = (merged[-1][0], piece[1], merged[-1][2] + piece[2])
        else:
            merged.append(piece)
    return [(begin, end) for begin, end, _ in merged]
