"""Where mentions of variants begin and end; signs that other mentions lose belong to them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from biolink.documents import Document, Mention

__all__ = ["whole_variants"]

_PARTNERS = {")": "(", "]": "["}
_BEFORE, _AFTER = " \t\r\n,;:/.)]", " \t\r\n,;:/.-+(["
# A letter, a word or a number alone says of no change.
_NO_CHANGE = re.compile(r"[A-Z]?[a-z]*|\W*\d*")


def whole_variants(document: Document, mentions: Iterable[Mention]) -> list[Mention]:
    """Cut mentions of variants at brackets without a partner, and at marks at their ends.

    What remains is left out if it is a single word or number.

    Parameters
    ----------
    document
        The document.
    mentions
        The variants that were found in it.

    Examples
    --------
    >>> found = Mention(0, 9, "-509C>T (")
    >>> [m.text for m in whole_variants(Document("", "-509C>T (SNP)"), [found])]
    ['-509C>T']
    """
    kept = []
    for mention in mentions:
        begin = mention.start
        for cut in (*_lonely(mention.text), len(mention.text)):
            end = mention.start + cut
            part = document.text[begin:end]
            start = begin + len(part) - len(part.lstrip(_BEFORE))
            text = part.lstrip(_BEFORE).rstrip(_AFTER)
            if text and not _NO_CHANGE.fullmatch(text):
                kept.append(replace(mention, start=start, end=start + len(text), text=text))
            begin = end + 1
    return kept


def _lonely(text: str) -> list[int]:
    """The places of brackets without a partner."""
    waiting: list[int] = []
    lonely = []
    for place, character in enumerate(text):
        if character in _PARTNERS.values():
            waiting.append(place)
        elif character in _PARTNERS:
            if waiting and text[waiting[-1]] == _PARTNERS[character]:
                waiting.pop()
            else:
                lonely.append(place)
    return sorted((*lonely, *waiting))
