"""Mentions that are a part of a token with hyphens: ``COVID`` of ``COVID-19``.

A hyphen joins a name to a word, which says something about it (``aspirin-induced``), or to a code,
which can make it the name of something else (``COVID-19``, ``SARS-CoV-2``, ``α-tocopherol``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from biolink.documents import Document, Mention
from biolink.infer.mentions.spans import HYPHENS
from biolink.kb.names import fold

__all__ = ["Names", "with_codes"]

_BEHIND = re.compile(rf"[{HYPHENS}]([^\W_]+)")
_BEFORE = re.compile(rf"(?<![^\W_])([^\W_]+)[{HYPHENS}]\Z")
_LONGEST_PART = 40
_LONGEST_CODE = 5
_MOST_PARTS = 8  # on either side
_GREEK = frozenset(map(fold, "αβγδεζηθικλμνξοπρστυφχψω"))
_NUMBER = re.compile(r"\d+[^\W\d_]?")
# A single word, as short forms are written.
_SHORT_FORM = re.compile(r"[A-Z][A-Z0-9]{1,7}")

#: Whether a text of a type, both given, is the name of something.
Names = Callable[[str, str], bool]


def with_codes(document: Document, mentions: Iterable[Mention], names: Names) -> list[Mention]:
    """Mentions that do not overlap, each with the codes that belong to it.

    The longest name in the token takes the place of a mention, and of others that it covers. A
    short form before a number (``SARS`` in ``SARS-CoV-2``) is not what the whole names, so the
    mention goes on to the number even where that is no name. Anything else stays as it is.

    Parameters
    ----------
    names
        Whether a text is a name of that type.

    Examples
    --------
    >>> document = Document("", "SARS-CoV-2 and aspirin-induced asthma")
    >>> found = [Mention(0, 4, "SARS"), Mention(9, 10, "2"), Mention(15, 22, "aspirin")]
    >>> [m.text for m in with_codes(document, found, lambda text, kind: False)]
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
    """Where a mention may begin -> the part of the token that begins there, "" for its own."""
    start, begins = mention.start, {mention.start: ""}
    while len(begins) <= _MOST_PARTS:
        part = _BEFORE.search(text, max(0, start - _LONGEST_PART), start)
        if part is None or not _joins(part.group(1), mention.text):
            break
        start = part.start()
        begins[start] = part.group(1)
    return begins


def _ends(text: str, mention: Mention) -> dict[int, str]:
    """Where a mention may end -> the part of the token that ends there, "" for its own."""
    end, ends = mention.end, {mention.end: ""}
    while len(ends) <= _MOST_PARTS:
        part = _BEHIND.match(text, end)
        if part is None or not _joins(part.group(1), mention.text):
            break
        end = part.end()
        ends[end] = part.group(1)
    return ends


def _joins(part: str, written: str) -> bool:
    """Whether a part of a token may belong to a mention: one of the two is a code."""
    return _is_code(part) or _is_code(written)


def _is_code(part: str) -> bool:
    """Whether a part of a token is no word: a number, a letter, some capitals.

    >>> [part for part in ("19", "CoV", "β", "beta", "1A", "induced", "like") if _is_code(part)]
    ['19', 'CoV', 'β', 'beta', '1A']
    """
    if len(part) == 1 or fold(part).lower() in _GREEK:
        return True
    return len(part) <= _LONGEST_CODE and any(c.isdigit() or c.isupper() for c in part)
