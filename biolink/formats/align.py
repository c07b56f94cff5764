"""Fitting an annotation to the text when its offsets and its words disagree."""

from __future__ import annotations

import re

__all__ = ["align"]

_REACH = 40


def align(text: str, start: int, end: int, words: str) -> tuple[int, int] | None:
    """Offsets at which ``text`` has ``words``: as given, trimmed, or the nearest close by.

    Published corpora have a few annotations whose offsets are off by some characters.

    Returns
    -------
    (start, end), or None when the words do not occur within 40 characters.
    """
    if 0 <= start < end <= len(text):
        found = text[start:end]
        # A line break may have become a space on the way, one for one.
        if _blanked(found) == _blanked(words):
            return start, end
        if found.split() == words.split() and found.strip():
            lead = len(found) - len(found.lstrip())
            return start + lead, start + lead + len(found.strip())
    wanted = words.strip()
    if not wanted:
        return None
    low = max(0, start - _REACH)
    places = []
    place = text.find(wanted, low, max(end, start) + _REACH)
    while place >= 0:
        places.append(place)
        place = text.find(wanted, place + 1, max(end, start) + _REACH)
    if not places:
        return None
    best = min(places, key=lambda p: abs(p - start))
    return best, best + len(wanted)


def _blanked(text: str) -> str:
    return re.sub(r"\s", " ", text).casefold()
