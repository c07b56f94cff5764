"""Where mentions and long forms may begin and end.

They never include a line break, a tab, a long gap or the end of a passage, because these separate
cells, lines or sections of the text. In the mentions that a recogniser finds, brackets are paired,
and the first and the last character are letters or digits, as in names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from biolink.documents import Document, Mention
from biolink.kb import KnowledgeBase
from biolink.kb.names import fold

__all__ = [
    "HYPHENS",
    "anonymous",
    "balanced",
    "is_written",
    "like_names",
    "names_something",
    "of_a_word",
    "pieces",
    "segments",
    "source_span",
    "tidied",
]

#: Line breaks of any kind, tabs and other control characters, and three or more spaces.
_BREAK = re.compile(r"\s*[\x00-\x1f\x7f\x85\u2028\u2029]\s*|\s{3,}")
_CLOSER = {"(": ")", "[": "]", "{": "}", "（": "）", "［": "］", "｛": "｝"}
_OPENER = {closer: opener for opener, closer in _CLOSER.items()}

#: Marks that join the parts of a word.
HYPHENS = "-‐‑‒–−"

#: A span with more characters than this is not looked up among the names.
_LONGEST = 200

#: A function that tells whether a knowledge base has a name in exactly this form, with the
#: punctuation at its ends.
IsName = Callable[[str], bool]


def anonymous(text: str) -> bool:
    """The function for recognisers without names: no text is a name."""
    return False


def names_something(text: str) -> bool:
    """Whether there is a letter or a digit in a text.

    >>> names_something("β"), names_something("..."), names_something(" ")
    (True, False, False)
    """
    return any(map(str.isalnum, text))


def segments(document: Document) -> list[tuple[int, int]]:
    """The spans of a text that no mention goes beyond: its lines, cells and passages.

    Blank spans are left out.

    >>> segments(Document("", "asthma\\tgout\\n\\nfever"))
    [(0, 6), (7, 11), (13, 18)]
    """
    text = document.text
    cuts = {edge for passage in document.passages for edge in (passage.start, passage.end)}
    breaks = sorted(
        [match.span() for match in _BREAK.finditer(text)] + [(cut, cut) for cut in cuts]
    )
    spans, begin = [], 0
    for start, end in [*breaks, (len(text), len(text))]:
        if begin < start and not text[begin:start].isspace():
            spans.append((begin, start))
        begin = max(begin, end)
    return spans


def is_written(kb: KnowledgeBase, text: str) -> bool:
    """Whether a concept has a name in exactly this form, apart from case and Unicode form."""
    name_id = kb.name_id(text)
    if name_id is None:
        return False
    wanted = fold(text).lower()
    names = (name for row in kb.owners(name_id) for name in kb.concept_at(row).names)
    return any(fold(name).lower() == wanted for name in names)


def like_names(kb: KnowledgeBase, text: str) -> bool:
    """Whether a text is a name of the knowledge base, or has a letter that occurs in its names.

    This is not so for numbers, nor for a text in a script in which the knowledge base has no names.
    """
    folded = fold(text).lower()
    if any("a" <= character <= "z" for character in folded):
        return True
    if any(character.isalpha() and character in kb.letters for character in folded):
        return True
    return kb.name_id(text) is not None


def tidied(
    document: Document,
    mentions: Iterable[Mention],
    is_name: IsName = anonymous,
    whole: bool = False,
) -> list[Mention]:
    """Correct the boundaries of mentions that were found.

    Mentions are extended to whole words and cut into pieces at the boundaries of segments and at
    brackets (see :func:`pieces`). Pieces without letters and digits are left out.

    Parameters
    ----------
    document
        The document.
    mentions
        The mentions that were found in it.
    is_name
        A function that tells whether a knowledge base has a name in exactly this form. Default:
        there are no names.
    whole
        Keep only the longest piece of each mention, because the links of the mention need not be
        right for every piece. Default: False.

    Examples
    --------
    >>> whole = Mention(0, 17, "hepatitis\\t(fever,")
    >>> [m.text for m in tidied(Document("", "hepatitis\\t(fever,"), [whole])]
    ['hepatitis', 'fever']
    """
    text, all_segments = document.text, segments(document)
    given = _whole_words(text, mentions)
    kept: list[Mention] = []
    next_segment = 0
    for index, mention in enumerate(given):
        before = given[index - 1].end if index else 0
        after = given[index + 1].start if index + 1 < len(given) else len(text)
        while next_segment < len(all_segments) and all_segments[next_segment][1] <= mention.start:
            next_segment += 1
        spans: list[tuple[int, int]] = []
        segment = next_segment
        while segment < len(all_segments) and all_segments[segment][0] < mention.end:
            start, end = all_segments[segment]
            segment += 1
            room = (max(start, before), min(end, after))
            inside = (max(start, mention.start), min(end, mention.end))
            spans += pieces(text, *inside, is_name, room)
        if whole and spans:
            spans = [max(spans, key=lambda span: span[1] - span[0])]
        kept += [replace(mention, start=a, end=b, text=text[a:b]) for a, b in spans]
    return kept


def _whole_words(text: str, mentions: Iterable[Mention]) -> list[Mention]:
    """The mentions in order, extended so that none begins or ends between two letters of a word.

    Mentions that share a word are joined. The result has the type of the more probable one.
    """
    whole: list[Mention] = []
    cut = False  # whether the mention before had ended within a word
    for mention in sorted(mentions, key=lambda m: (m.start, m.end)):
        start, end = mention.start, mention.end
        while 0 < start < len(text) and _cased(text[start - 1]) and _cased(text[start]):
            start -= 1
        while 0 < end < len(text) and _cased(text[end - 1]) and _cased(text[end]):
            end += 1
        last = whole[-1] if whole else None
        if last is not None and last.end > start and (cut or start < mention.start):
            first = max(last, mention, key=lambda m: m.probability or 0.0)
            start, end = last.start, max(last.end, end)
            whole[-1] = replace(first, start=start, end=end, text=text[start:end])
        else:
            whole.append(replace(mention, start=start, end=end, text=text[start:end]))
        cut = end > mention.end
    return whole


def _cased(character: str) -> bool:
    """Whether a character has a lower and an upper case.

    Scripts that have both write spaces between words.
    """
    return character.lower() != character.upper()


def pieces(
    text: str, start: int, end: int, is_name: IsName = anonymous, room: tuple[int, int] = (0, 0)
) -> list[tuple[int, int]]:
    """The spans within ``text[start:end]`` that can be mentions.

    Brackets are kept if they are part of a word (``[18F]FDG``, ``iron(III)``) or if the span is a
    name in exactly this form. Any other bracket at an end or without its partner separates spans.

    Parameters
    ----------
    text
        The text.
    start, end
        The span in which mentions may be.
    is_name
        A function that tells whether a knowledge base has a name in exactly this form. Default:
        there are no names.
    room
        The offsets within which the span may be extended by the partner of one of its brackets.
        Default: not at all.

    Examples
    --------
    >>> text = "viral (HBV) infection"
    >>> [text[a:b] for a, b in pieces(text, 6, 21)]
    ['HBV', 'infection']
    """
    if end - start > _LONGEST:  # too long for a name: skip characters without looking names up
        while start < end and not text[start].isalnum():
            start += 1
        while end > start and not of_a_word(text, end - 1):
            end -= 1
    accepted: list[tuple[int, int]] = []
    waiting = [(start, end, room)]
    while waiting:
        start, end, around = waiting.pop()
        if not names_something(text[start:end]):
            continue
        partners, lonely = _brackets(text, start, end)
        first, last = text[start], text[end - 1]
        ends_well = of_a_word(text, end - 1)
        good = not lonely and first.isalnum() and ends_well
        # A partner in the text counts more than a name that lacks it.
        whole = balanced(text, start, end, around) if lonely else None
        if whole is not None:
            waiting.append((*whole, (0, 0)))
        elif good or (end - start <= _LONGEST and is_name(text[start:end])):
            accepted.append((start, end))
        elif not first.isalnum() and first not in _CLOSER:
            waiting.append((start + 1, end, around))
        elif not ends_well and last not in _OPENER:
            waiting.append((start, end - 1, around))
        elif lonely:
            waiting += _between(start, end, lonely)
        elif first in _CLOSER and not _joined(text, partners[start] + 1, end):
            waiting += _between(start, end, [start, partners[start]])
        elif last in _OPENER and not _joined(text, partners[end - 1] - 1, end - 1, start):
            waiting += _between(start, end, [partners[end - 1], end - 1])
        else:
            accepted.append((start, end))
    return sorted(accepted)


def balanced(
    text: str, start: int, end: int, room: tuple[int, int] | None = None
) -> tuple[int, int] | None:
    """The span itself if its brackets are paired, or extended by a missing partner next to it.

    If that does not pair all brackets, the result is None.

    >>> balanced("a poly(A) tail", 2, 8)
    (2, 9)
    """
    low, high = (0, len(text)) if room is None else room
    _, lonely = _brackets(text, start, end)
    if not lonely:
        return start, end
    if len(lonely) > 1:
        return None
    (position,) = lonely
    bracket = text[position]
    if bracket in _CLOSER and end < high and text[end] == _CLOSER[bracket]:
        # A bracket after a space belongs to the text, not to the word.
        return (start, end + 1) if position > start and not text[position - 1].isspace() else None
    if bracket in _OPENER and start > low and text[start - 1] == _OPENER[bracket]:
        return (start - 1, end) if _joined(text, position + 1, end) else None
    return None


def source_span(text: str, source_offsets: Sequence[int], start: int, end: int) -> tuple[int, int]:
    """The span in the original text of a span in the folded text.

    Parameters
    ----------
    text, source_offsets
        The original text, and the offsets that :func:`biolink.kb.names.fold_aligned` gives for it.
    start, end
        The span in the folded text. If it includes a part of what a character was folded to, the
        result includes the whole character.

    Examples
    --------
    >>> from biolink.kb.names import fold_aligned
    >>> folded, places = fold_aligned("a β-cell")
    >>> folded[2:6], source_span("a β-cell", places, 2, 6)
    ('beta', (2, 3))
    """
    if start >= end:
        return source_offsets[start], source_offsets[start]
    begin, last = source_offsets[start], source_offsets[end - 1]
    while source_offsets[end] == last:
        end += 1
    after = source_offsets[end]
    # Invisible characters at the end are left out.
    while after - 1 > last and unicodedata.category(text[after - 1]) == "Cf":
        after -= 1
    return begin, after


def _between(start: int, end: int, cuts: Iterable[int]) -> list[tuple[int, int, tuple[int, int]]]:
    """The spans between the cuts of a span, which may not be extended."""
    edges = [start - 1, *cuts, end]
    return [(before + 1, after, (0, 0)) for before, after in pairwise(edges)]


def _brackets(text: str, start: int, end: int) -> tuple[dict[int, int], list[int]]:
    """The closing partner of each opening bracket and vice versa, and the unpaired brackets.

    All are given by their offsets.
    """
    partners: dict[int, int] = {}
    opened: list[int] = []
    lonely: list[int] = []
    for position in range(start, end):
        character = text[position]
        if character in _CLOSER:
            opened.append(position)
        elif character in _OPENER:
            if opened and text[opened[-1]] == _OPENER[character]:
                partners[position] = opened.pop()
                partners[partners[position]] = position
            else:
                lonely.append(position)
    return partners, sorted(lonely + opened)


def of_a_word(text: str, position: int) -> bool:
    """Whether the character at an offset is a letter, a digit or a combining mark."""
    character = text[position]
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def _joined(text: str, position: int, end: int, start: int = 0) -> bool:
    """Whether the character at an offset continues a word: a letter, a digit or a hyphen."""
    return start <= position < end and (of_a_word(text, position) or text[position] in HYPHENS)
