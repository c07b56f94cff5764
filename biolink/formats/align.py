"""Fitting an annotation to the text when its offsets and its words disagree."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = ["align"]

_REACH = 40

#: Greek letters as tools write them that know ASCII alone: the letter that sounds or looks alike.
_GREEK = dict(zip("αβγδεζηθικλμνξοπρσςτυφχψω", "abgdezetiklmnxoprsstufxpo", strict=True))
_OTHERWISE = {"β": "s", "η": "hn", "θ": "q", "μ": "u", "ν": "v", "ρ": "p", "υ": "uy", "φ": "p"} | {
    "χ": "c",
    "ψ": "y",
    "ω": "w",
}


def align(text: str, start: int, end: int, words: str) -> tuple[int, int] | None:
    """Offsets at which ``text`` has ``words``: as given, trimmed, or the nearest close by.

    Published corpora have a few annotations whose offsets are off by some characters. Words that
    a tool has folded, one character for one, are those of the text: Greek letters, dashes,
    quotes, accents, case, width, white space.

    >>> align("Raised TNF-α here", 7, 12, "TNF-a"), align("the fever", 3, 8, "fever")
    ((7, 12), (4, 9))

    Returns
    -------
    (start, end), or None when the words do not occur within 40 characters.
    """
    if 0 <= start < end <= len(text):
        found = text[start:end]
        if _alike(found, words):
            return start, end
        if found.split() == words.split() and found.strip():
            lead = len(found) - len(found.lstrip())
            return start + lead, start + lead + len(found.strip())
    wanted = words.strip()
    if not wanted:
        return None
    low, high = max(0, start - _REACH), max(end, start) + _REACH
    near = text[low : max(0, high)]
    for window, pattern in ((near, wanted), (_folded(near), _folded(wanted))):
        places = [low + m.start() for m in re.finditer(f"(?={re.escape(pattern)})", window)]
        if places:
            best = min(places, key=lambda p: abs(p - start))
            return best, best + len(wanted)
    return None


def _alike(found: str, words: str) -> bool:
    """Whether the words are those found, but for what tools fold one character for one."""
    if found == words:
        return True
    return len(found) == len(words) and all(
        a == b or _fold(a) == _fold(b) or b.lower() in _others(a) or a.lower() in _others(b)
        for a, b in zip(found, words, strict=True)
    )


def _folded(text: str) -> str:
    return "".join(map(_fold, text))


@lru_cache(maxsize=4096)
def _fold(character: str) -> str:
    """One character for one that is written in several ways."""
    if character.isspace():
        return " "
    plain = unicodedata.normalize("NFKD", character)
    plain = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    if len(plain) != 1:
        return character
    if plain in _GREEK:
        return _GREEK[plain]
    kind = unicodedata.category(plain)
    if kind == "Pd" or plain in "\u2212\u00ad":
        return "-"
    if kind in ("Pi", "Pf") or plain in "\"'`\u00b4\u2032\u2033\u02b9\u02bc":
        return "'"
    return plain


@lru_cache(maxsize=4096)
def _others(character: str) -> str:
    """Further characters as which a tool may write one; a question mark for any but ASCII."""
    if character.isascii():
        return ""
    plain = unicodedata.normalize("NFKD", character).casefold()
    return _OTHERWISE.get(plain[:1], "") + "?\ufffd"
