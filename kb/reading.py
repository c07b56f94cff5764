"""The encoder's input for the mentions of a document, in each way of reading.

If a document is read once for all of its mentions, its text is cut into overlapping passages, and
each mention is read in the passage in whose middle it stands. Mentions are not marked, so those
that are close to each other share a passage. If the recogniser's encoder reads for linking as well,
it takes the text as it is.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate

from biolink.kb.names import fold, fold_aligned
from biolink.kb.prompt import BY_RECOGNISER, PromptForm, source_text

__all__ = ["Source", "passages", "sources"]

#: What the encoder reads, and the offsets of the mention in it in characters, or None if the
#: mention is marked.
Source = tuple[str, tuple[int, int] | None]


def sources(
    text: str, mentions: Sequence[tuple[int, int, str]], form: PromptForm
) -> Sequence[Source]:
    """Return what the encoder reads for each mention of a document.

    Parameters
    ----------
    text, mentions
        See :func:`passages`.
    form
        The form of the model; ``reading`` says how mentions are read.

    Examples
    --------
    >>> mentions = [(9, 14, "fever"), (16, 19, "ill")]
    >>> sources("A severe fever. Ill.", mentions, PromptForm(window=3))
    [('severe START fever END .', None), ('fever. START ill END .', None)]
    >>> sources("A severe fever. Ill.", mentions, PromptForm(reading="document"))
    [('a severe fever. ill.', (9, 14)), ('a severe fever. ill.', (16, 19))]
    """
    if form.reading == "document":
        return passages(text, mentions, form)
    if form.reading in BY_RECOGNISER:
        return [(text, (start, end)) for start, end, _ in mentions]
    return [
        (source_text(text, start, end, form, written), None) for start, end, written in mentions
    ]


def passages(
    text: str, mentions: Sequence[tuple[int, int, str]], form: PromptForm
) -> list[tuple[str, tuple[int, int]]]:
    """Return the passage in which each mention of a document is read.

    Text and mentions are folded (:func:`biolink.kb.names.fold`), as names are. A passage begins
    half a passage after the one before it, so a mention has at least a quarter of a passage on
    either side, unless the text begins or ends there.

    Parameters
    ----------
    text
        The text of the document.
    mentions
        The offsets of each mention in characters, and the text to write in its place, such as the
        long form of an abbreviation. If mentions overlap, only the first is replaced, and if
        several begin there, the longest of them.
    form
        The number of words of a passage, their case, and the prefix of every passage.

    Returns
    -------
    For each mention, the text that the encoder reads, and the offsets of the mention in it.

    Examples
    --------
    >>> text = "SBMA is a rare disease of the nerves."
    >>> mentions = [(0, 4, "muscular atrophy"), (15, 22, "disease")]
    >>> for passage in passages(text, mentions, PromptForm(passage=6)):
    ...     print(passage)
    ('muscular atrophy is a rare disease', (0, 16))
    ('a rare disease of the nerves.', (7, 14))
    """
    written, spans = _rewritten(text, mentions)
    found = list(re.finditer(r"\S+", written))
    starts, ends = [word.start() for word in found], [word.end() for word in found]
    lower = str.lower if form.lower else str
    words = [lower(word.group()) for word in found]
    # Where each word begins when all words are separated by single spaces.
    places = list(accumulate((len(word) + 1 for word in words), initial=0))
    joined = form.source_prefix + " ".join(words)
    prefix = len(form.source_prefix)

    def place_of(word: int, offset: int) -> int:
        return places[word] + len(lower(written[starts[word] : offset]))

    result = []
    for start, end in spans:
        first, last = bisect_right(ends, start), bisect_left(starts, end) - 1
        if first > last:  # nothing of the mention is left
            result.append((form.source_prefix, (prefix, prefix)))
            continue
        begin = _begin((first + last) // 2, len(words), form.passage)
        behind = min(begin + form.passage, len(words))
        passage = joined[prefix + places[begin] : prefix + places[behind] - 1]
        length = len(passage)
        span = (
            place_of(first, max(start, starts[first])),
            place_of(last, min(end, ends[last])),
        )
        start, end = (prefix + min(max(at - places[begin], 0), length) for at in span)
        result.append((form.source_prefix + passage, (start, end)))
    return result


def _begin(middle: int, words: int, size: int) -> int:
    """The first word of the passage for a mention around the word ``middle``."""
    if words <= size:
        return 0
    step = max(1, size // 2)
    number = max(0, (middle - size // 4) // step)
    return min(number * step, words - size)


def _rewritten(
    text: str, mentions: Sequence[tuple[int, int, str]]
) -> tuple[str, list[tuple[int, int]]]:
    """The folded text with the mentions as they are to be written, and the span of each."""
    pieces: list[str] = []
    # Offsets in the text, in ascending order, and where they come to be.
    borders: list[int] = []
    places: list[int] = []
    # Where the replaced mention stands that surrounds an offset.
    around: dict[int, tuple[int, int]] = {}
    length = at = 0

    def copy(end: int) -> None:
        nonlocal length
        folded, offsets = fold_aligned(text[at:end])
        borders.extend(at + offset for offset in offsets[:-1])
        places.extend(range(length, length + len(folded)))
        pieces.append(folded)
        length += len(folded)

    for start, end, written in sorted(mentions, key=lambda mention: (mention[0], -mention[1])):
        if start < at or written == text[start:end]:
            continue
        copy(start)
        borders.append(start)
        places.append(length)
        pieces.append(fold(written))
        around |= dict.fromkeys(range(start + 1, end), (length, length + len(pieces[-1])))
        length += len(pieces[-1])
        at = end
    copy(len(text))
    borders.append(len(text))
    places.append(length)

    def place(offset: int) -> tuple[int, int]:
        at = places[bisect_left(borders, offset)]
        return around.get(offset, (at, at))

    return "".join(pieces), [(place(start)[0], place(end)[1]) for start, end, _ in mentions]
