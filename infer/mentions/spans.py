"""Where a mention, or a long form, may begin and end.

Nothing runs over a line break, a tab, a long gap or the end of a passage: what stands on either
side was put into different cells, lines or parts of the text. What a recogniser finds has its
brackets in pairs, and begins and ends with a letter or a digit, as names do.
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

#: Line breaks of any kind, tabs, and three or more spaces.
_BREAK = re.compile(r"\s*[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*|\s{3,}")
_CLOSER = {"(": ")", "[": "]", "{": "}", "（": "）", "［": "］", "｛": "｝"}
_OPENER = {closer: opener for opener, closer in _CLOSER.items()}

#: Marks that join the parts of a word.
HYPHENS = "-‐‑‒–−"

#: Characters of the longest span that is looked for among the names as it stands.
_LONGEST = 200

#: Whether the knowledge base writes a name so, punctuation at its ends and all.
IsName = Callable[[str], bool]


def anonymous(text: str) -> bool:
    """For recognisers that know of no names."""
    return False


def names_something(text: str) -> bool:
    """Whether there is a letter or a digit in a text.

    >>> names_something("β"), names_something("..."), names_something(" ")
    (True, False, False)
    """
    return any(map(str.isalnum, text))


def segments(document: Document) -> list[tuple[int, int]]:
    """Spans of a text that nothing runs over: its lines, cells and passages, blank ones left out.

    >>> segments(Document("", "asthma\\tgout\\n\\nfever"))
    [(0, 6), (7, 11), (13, 18)]
    """
    text = document.text
    cuts = {edge for passage in document.passages for edge in (passage.start, passage.end)}
    breaks = sorted(
        [match.span() for match in _BREAK.finditer(text)] + [(place, place) for place in cuts]
    )
    found, begin = [], 0
    for start, end in [*breaks, (len(text), len(text))]:
        if begin < start and not text[begin:start].isspace():
            found.append((begin, start))
        begin = max(begin, end)
    return found


def is_written(kb: KnowledgeBase, text: str) -> bool:
    """Whether a concept writes one of its names so, whatever stands at the name's ends."""
    name_id = kb.name_id(text)
    if name_id is None:
        return False
    wanted = fold(text).lower()
    names = (name for row in kb.owners(name_id) for name in kb.concept_at(row).names)
    return any(fold(name).lower() == wanted for name in names)


def like_names(kb: KnowledgeBase, text: str) -> bool:
    """Whether a text is a name of the base, or has a letter that its names have.

    Numbers alone are like no name, and neither is what stands in a script in which the base has
    none.
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
    """Mentions that were found, cut where they may not run on; what names nothing is left out.

    Parameters
    ----------
    is_name
        Whether the knowledge base writes a name so.
    whole
        Of the pieces of a mention the longest alone is kept: what is said of the mention is not
        said of each of them.

    Examples
    --------
    >>> whole = Mention(0, 17, "hepatitis\\t(fever,")
    >>> [m.text for m in tidied(Document("", "hepatitis\\t(fever,"), [whole])]
    ['hepatitis', 'fever']
    """
    text, parts = document.text, segments(document)
    given = _whole_words(text, mentions)
    found: list[Mention] = []
    at = 0
    for place, mention in enumerate(given):
        before = given[place - 1].end if place else 0
        behind = given[place + 1].start if place + 1 < len(given) else len(text)
        while at < len(parts) and parts[at][1] <= mention.start:
            at += 1
        spans: list[tuple[int, int]] = []
        number = at
        while number < len(parts) and parts[number][0] < mention.end:
            start, end = parts[number]
            number += 1
            room = (max(start, before), min(end, behind))
            part = (max(start, mention.start), min(end, mention.end))
            spans += pieces(text, *part, is_name, room)
        if whole and spans:
            spans = [max(spans, key=lambda span: span[1] - span[0])]
        found += [replace(mention, start=a, end=b, text=text[a:b]) for a, b in spans]
    return found


def _whole_words(text: str, mentions: Iterable[Mention]) -> list[Mention]:
    """The mentions in order, none of which begins or ends between two letters of a word.

    Mentions of one word become one; the more probable of them says what it is.
    """
    whole: list[Mention] = []
    cut = False  # whether the last one had ended, or this one begins, within a word
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
    """Whether it is a letter of a script that writes words with spaces between them."""
    return character.lower() != character.upper()


def pieces(
    text: str, start: int, end: int, is_name: IsName = anonymous, room: tuple[int, int] = (0, 0)
) -> list[tuple[int, int]]:
    """Spans within ``text[start:end]`` that can be mentions.

    A bracket that is part of a word stays (``[18F]FDG``, ``iron(III)``), and so does a span that
    is a name as it stands. Any other bracket at an end, or without its partner, parts two spans.

    Parameters
    ----------
    is_name
        Whether the knowledge base writes a name so.
    room
        Between these places the span may grow by the partner of one of its brackets.

    Examples
    --------
    >>> text = "viral (HBV) infection"
    >>> [text[a:b] for a, b in pieces(text, 6, 21)]
    ['HBV', 'infection']
    """
    if end - start > _LONGEST:  # no name: it is not looked at once for each character
        while start < end and not text[start].isalnum():
            start += 1
        while end > start and not of_a_word(text, end - 1):
            end -= 1
    found: list[tuple[int, int]] = []
    waiting = [(start, end, room)]
    while waiting:
        start, end, around = waiting.pop()
        if not names_something(text[start:end]):
            continue
        partners, lonely = _brackets(text, start, end)
        first, last = text[start], text[end - 1]
        ends_well = of_a_word(text, end - 1)
        good = not lonely and first.isalnum() and ends_well
        if good or (end - start <= _LONGEST and is_name(text[start:end])):
            found.append((start, end))
        elif not first.isalnum() and first not in _CLOSER:
            waiting.append((start + 1, end, around))
        elif not ends_well and last not in _OPENER:
            waiting.append((start, end - 1, around))
        elif lonely:
            whole = balanced(text, start, end, around)
            if whole is not None:
                waiting.append((*whole, (0, 0)))
            else:
                waiting += _between(start, end, lonely)
        elif first in _CLOSER and not _joined(text, partners[start] + 1, end):
            waiting += _between(start, end, [start, partners[start]])
        elif last in _OPENER and not _joined(text, partners[end - 1] - 1, end - 1, start):
            waiting += _between(start, end, [partners[end - 1], end - 1])
        else:
            found.append((start, end))
    return sorted(found)


def balanced(
    text: str, start: int, end: int, room: tuple[int, int] | None = None
) -> tuple[int, int] | None:
    """A span whose brackets have their partners, the one beside it taken in; None without.

    >>> balanced("a poly(A) tail", 2, 8)
    (2, 9)
    """
    low, high = (0, len(text)) if room is None else room
    _, lonely = _brackets(text, start, end)
    if not lonely:
        return start, end
    if len(lonely) > 1:
        return None
    (place,) = lonely
    bracket = text[place]
    if bracket in _CLOSER and end < high and text[end] == _CLOSER[bracket]:
        # A bracket behind a space belongs to the text, not to the word.
        return (start, end + 1) if place > start and not text[place - 1].isspace() else None
    if bracket in _OPENER and start > low and text[start - 1] == _OPENER[bracket]:
        return (start - 1, end) if _joined(text, place + 1, end) else None
    return None


def source_span(text: str, places: Sequence[int], start: int, end: int) -> tuple[int, int]:
    """Where a span of a folded text stands in the text as it is written.

    Parameters
    ----------
    text, places
        The text as written, and what :func:`biolink.kb.names.fold_aligned` says of it.
    start, end
        Of the folded text. A character that became several belongs to the span whole.

    Examples
    --------
    >>> from biolink.kb.names import fold_aligned
    >>> folded, places = fold_aligned("a β-cell")
    >>> folded[2:6], source_span("a β-cell", places, 2, 6)
    ('beta', (2, 3))
    """
    if start >= end:
        return places[start], places[start]
    begin, last = places[start], places[end - 1]
    while places[end] == last:
        end += 1
    behind = places[end]
    # Characters that cannot be seen are left outside.
    while behind - 1 > last and unicodedata.category(text[behind - 1]) == "Cf":
        behind -= 1
    return begin, behind


def _between(start: int, end: int, cuts: Iterable[int]) -> list[tuple[int, int, tuple[int, int]]]:
    """What stands between the places of a span, with no room to grow."""
    edges = [start - 1, *cuts, end]
    return [(before + 1, behind, (0, 0)) for before, behind in pairwise(edges)]


def _brackets(text: str, start: int, end: int) -> tuple[dict[int, int], list[int]]:
    """Place of each bracket -> place of its partner, and places of those that have none."""
    partners: dict[int, int] = {}
    opened: list[int] = []
    lonely: list[int] = []
    for place in range(start, end):
        character = text[place]
        if character in _CLOSER:
            opened.append(place)
        elif character in _OPENER:
            if opened and text[opened[-1]] == _OPENER[character]:
                partners[place] = opened.pop()
                partners[partners[place]] = place
            else:
                lonely.append(place)
    return partners, sorted(lonely + opened)


def of_a_word(text: str, place: int) -> bool:
    """Whether a letter, a digit or a mark that combines with one stands at a place."""
    character = text[place]
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def _joined(text: str, place: int, end: int, start: int = 0) -> bool:
    """Whether the character at a place goes on with a word: a letter, a digit or a hyphen."""
    return start <= place < end and (of_a_word(text, place) or text[place] in HYPHENS)
