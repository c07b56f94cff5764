"""Mentions that are part of a token with hyphens, such as ``COVID`` in ``COVID-19``.

A hyphen joins a name to a word, which only adds to it (``aspirin-induced``), or to a code, which
can make it the name of something else (``COVID-19``, ``SARS-CoV-2``, ``α-tocopherol``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from biolink.documents import Document, Mention
from biolink.infer.mentions.spans import HYPHENS
from biolink.kb.names import fold

__all__ = ["BEFORE", "Names", "is_code", "is_fragment", "with_codes"]

_BEHIND = re.compile(rf"[{HYPHENS}]([^\W_]+)")
#: The part of a token that a hyphen ends.
BEFORE = re.compile(rf"(?<![^\W_])([^\W_]+)[{HYPHENS}]\Z")
_LONGEST_PART = 40
_LONGEST_CODE = 5
#: The most parts that a mention can gain on either side.
_MOST_PARTS = 8
_GREEK = frozenset(map(fold, "αβγδεζηθικλμνξοπρστυφχψω"))
_NUMBER = re.compile(r"\d+[^\W\d_]?")
_ROMAN = re.compile(r"[IVX]+")
_AFTER_GREEK = re.compile(r"(?<=[a-z]{2})[a-z]?\d*\Z")
# A short form that is a single word.
_SHORT_FORM = re.compile(r"[A-Z][A-Z0-9]{1,7}")

#: A function that tells whether a text is a name of a type.
Names = Callable[[str, str], bool]


def with_codes(document: Document, mentions: Iterable[Mention], names: Names) -> list[Mention]:
    """Extend mentions by the codes that belong to them; the result does not overlap.

    A mention is extended to the longest name in its token, and so replaces the mentions that this
    name covers. A short form before a number (``SARS`` in ``SARS-CoV-2``) means something else than
    the whole token, so the mention is extended to the number even if the result is not a known
    name. All other mentions stay as they are.

    Parameters
    ----------
    document
        The document.
    mentions
        The mentions that were found in it.
    names
        A function that tells whether a text is a name of a type.

    Examples
    --------
    >>> document = Document("", "SARS-CoV-2 and aspirin-induced asthma")
    >>> mentions = [Mention(0, 4, "SARS"), Mention(9, 10, "2"), Mention(15, 22, "aspirin")]
    >>> [m.text for m in with_codes(document, mentions, lambda text, kind: False)]
    ['SARS-CoV-2', 'aspirin']
    """
    text = document.text
    grown: list[Mention] = []
    for mention in sorted(mentions, key=lambda m: (m.start, m.end)):
        start, end = _with_its_codes(text, mention, names)
        best = mention
        while grown and grown[-1].end > start:
            last = grown.pop()
            start, end = min(start, last.start), max(end, last.end)
            best = max(last, best, key=lambda m: m.probability or 0.0)
        grown.append(replace(best, start=start, end=end, text=text[start:end]))
    return grown


def _with_its_codes(text: str, mention: Mention, names: Names) -> tuple[int, int]:
    starts, ends = _begins(text, mention), _ends(text, mention)
    spans = sorted(((a, b) for a in starts for b in ends), key=lambda span: span[0] - span[1])
    for start, end in spans[:-1]:
        if names(text[start:end], mention.type):
            return start, end
    if _SHORT_FORM.fullmatch(mention.text):
        numbers = [end for end, part in ends.items() if _NUMBER.fullmatch(part)]
        return mention.start, max(numbers, default=mention.end)
    return mention.start, mention.end


def _begins(text: str, mention: Mention) -> dict[int, str]:
    """The offsets at which a mention may begin, each with the part of the token that begins there.

    For the mention's own beginning, the part is the empty string.
    """
    start, begins = mention.start, {mention.start: ""}
    while len(begins) <= _MOST_PARTS:
        match = BEFORE.search(text, max(0, start - _LONGEST_PART), start)
        if match is None or not _joins(match.group(1), mention.text):
            break
        start = match.start()
        begins[start] = match.group(1)
    return begins


def _ends(text: str, mention: Mention) -> dict[int, str]:
    """The offsets at which a mention may end, each with the part of the token that ends there.

    For the mention's own end, the part is the empty string.
    """
    end, ends = mention.end, {mention.end: ""}
    while len(ends) <= _MOST_PARTS:
        match = _BEHIND.match(text, end)
        if match is None or not _joins(match.group(1), mention.text):
            break
        end = match.end()
        ends[end] = match.group(1)
    return ends


def is_fragment(text: str, start: int, end: int) -> bool:
    """Whether a span is a Greek letter, a numeral, or only a piece of a hyphenated code.

    >>> text = "SK-MEL-28 and IL-6-induced TNF-alpha, α, type II, NF-kappaB2, BCR-ABL and D-glucose"
    >>> def fragment(piece):
    ...     return is_fragment(text, text.index(piece), text.index(piece) + len(piece))
    >>> [piece for piece in ("MEL", "SK", "IL", "TNF", "α", "II", "NF") if fragment(piece)]
    ['MEL', 'SK', 'IL', 'TNF', 'α', 'II', 'NF']
    >>> [piece for piece in ("IL-6", "BCR", "ABL", "glucose", "SK-MEL-28") if fragment(piece)]
    []
    """
    written = text[start:end]
    if fold(written).lower() in _GREEK or written.isdigit() or _ROMAN.fullmatch(written):
        return True
    around = []
    while (match := _BEHIND.match(text, end)) and (is_code(match[1]) or _is_mark(match[1])):
        around.append(match[1])
        end = match.end()
    while is_code(written) and (match := BEFORE.search(text, 0, start)) and is_code(match[1]):
        around.append(match[1])
        start = match.start()
    # Two codes with a hyphen between them may be two names, such as BCR-ABL.
    return any(map(_is_mark, around))


def _is_mark(part: str) -> bool:
    """Whether a part of a token only tells names apart: a number, a letter, ``kappaB2``."""
    written = fold(part).lower()
    greek = written in _GREEK or _AFTER_GREEK.sub("", written) in _GREEK
    return len(part) == 1 or greek or _NUMBER.fullmatch(part) is not None


def _joins(part: str, written: str) -> bool:
    """Whether a part of a token may belong to a mention, because one of the two is a code."""
    return is_code(part) or is_code(written)


def is_code(part: str) -> bool:
    """Whether a part of a token is not a word: a number, a single letter, or some capitals.

    >>> [part for part in ("19", "CoV", "β", "beta", "1A", "induced", "like") if is_code(part)]
    ['19', 'CoV', 'β', 'beta', '1A']
    """
    if len(part) == 1 or fold(part).lower() in _GREEK:
        return True
    return len(part) <= _LONGEST_CODE and any(c.isdigit() or c.isupper() for c in part)
