"""Moving an annotation to its words in the text when its offsets are wrong."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = ["align"]

#: The distance in characters within which the words of an annotation are looked for.
_REACH = 40

#: Greek letters -> the ASCII letters of similar sound or look with which some tools replace them.
_GREEK = dict(zip("αβγδεζηθικλμνξοπρσςτυφχψω", "abgdezetiklmnxoprsstufxpo", strict=True))
#: Greek letters -> further ASCII letters with which some tools replace them.
_OTHERWISE = {"β": "s", "η": "hn", "θ": "q", "μ": "u", "ν": "v", "ρ": "p", "υ": "uy", "φ": "p"} | {
    "χ": "c",
    "ψ": "y",
    "ω": "w",
}


def align(text: str, start: int, end: int, words: str) -> tuple[int, int] | None:
    """Return the offsets at which ``text`` has ``words``: those given, or else the nearest ones.

    Published corpora have a few annotations whose offsets are wrong by some characters. Words count
    as those of the text if they differ only in characters that tools replace one for one: Greek
    letters, dashes, quotes, accents, case, width and white space.

    >>> align("Raised TNF-α here", 7, 12, "TNF-a"), align("the fever", 3, 8, "fever")
    ((7, 12), (4, 9))

    Returns
    -------
    (start, end), or None when the words do not occur within 40 characters.
    """
    if 0 <= start < end <= len(text):
        there = text[start:end]
        if _alike(there, words):
            return start, end
        if there.split() == words.split() and there.strip():
            lead = len(there) - len(there.lstrip())
            return start + lead, start + lead + len(there.strip())
    wanted = words.strip()
    if not wanted:
        return None
    low, high = max(0, start - _REACH), max(end, start) + _REACH
    near = text[low : max(0, high)]
    for window, pattern in ((near, wanted), (_folded(near), _folded(wanted))):
        starts = [low + m.start() for m in re.finditer(f"(?={re.escape(pattern)})", window)]
        if starts:
            nearest = min(starts, key=lambda other: abs(other - start))
            return nearest, nearest + len(wanted)
    return None


def _alike(there: str, words: str) -> bool:
    """Whether the text has the words, apart from characters that tools replace one for one."""
    if there == words:
        return True
    return len(there) == len(words) and all(
        a == b or _fold(a) == _fold(b) or b.lower() in _others(a) or a.lower() in _others(b)
        for a, b in zip(there, words, strict=True)
    )


def _folded(text: str) -> str:
    return "".join(map(_fold, text))


@lru_cache(maxsize=4096)
def _fold(character: str) -> str:
    """The common form of characters that tools replace with one another."""
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
    """Further characters with which tools replace a character; for non-ASCII also "?"."""
    if character.isascii():
        return ""
    plain = unicodedata.normalize("NFKD", character).casefold()
    return _OTHERWISE.get(plain[:1], "") + "?\ufffd"
