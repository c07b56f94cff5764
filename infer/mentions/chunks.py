"""Cutting a text into pieces that a model can read: at sentence ends, and nothing is lost."""

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
    """Spans of the sentences (spaCy's sentencizer), without the white space between them.

    A line's end is a sentence's end.
    """
    found = []
    for line in re.finditer(r"[^\n]+", text):
        for sentence in _sentencizer()(line.group()).sents:
            begin, end = line.start() + sentence.start_char, line.start() + sentence.end_char
            while begin < end and text[begin].isspace():
                begin += 1
            while end > begin and text[end - 1].isspace():
                end -= 1
            if begin < end:
                found.append((begin, end))
    return found


def chunks(text: str, most_words: int) -> list[tuple[int, int]]:
    """Spans of whole sentences with at most so many white-space words together.

    A sentence that is longer by itself is cut between words. What lies between two spans is white
    space: every other character of the text is in exactly one span.

    >>> chunks("One two. Three four five six.", 3)
    [(0, 8), (9, 24), (25, 29)]
    """
    pieces: list[tuple[int, int, int]] = []  # begin, end, words
    for begin, end in sentences(text):
        words = [(begin + m.start(), begin + m.end()) for m in _WORD.finditer(text[begin:end])]
        for at in range(0, len(words), most_words):
            part = words[at : at + most_words]
            pieces.append((part[0][0], part[-1][1], len(part)))
    result: list[tuple[int, int, int]] = []
    for piece in pieces:
        if result and result[-1][2] + piece[2] <= most_words:
            result[-1] = (result[-1][0], piece[1], result[-1][2] + piece[2])
        else:
            result.append(piece)
    return [(begin, end) for begin, end, _ in result]
