"""Names in one form: the key under which a knowledge base finds a name.

:func:`fold` gives one spelling to what Unicode can write in several ways; :func:`normalise_name`
adds GenBioEL's rule (Yuan, Yuan, Yu; NAACL 2022, preprocessing of the knowledge base's names).
Names, mentions and the texts that a model reads all go through :func:`fold`, so ``CO₂``, ``β`` and
``ﬁbrosis`` are found however they are written.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from biolink.errors import ConfigError, shown

__all__ = ["NORMALISATION", "fold", "fold_aligned", "normalise_name"]

#: Names this normalisation in stored fingerprints; change it whenever the result changes.
NORMALISATION = "genbioel-2"

_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξοπρστυφχψω",
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho "
        "sigma tau upsilon phi chi psi omega".split(),
        strict=True,
    )
) | {"ς": "sigma"}
_GREEK |= {letter.upper(): name.capitalize() for letter, name in _GREEK.items() if letter != "ς"}
#: Letters in a row that are a word of the Greek language, not letters that name something.
_GREEK_WORD = 3

#: What stands for a cluster that compatibility would spell otherwise or not at all.
_SIGNS = dict.fromkeys("™℠®©", " ")
#: Latin letters that have no decomposition, and dashes and quotes, as a keyboard has them.
_AS_TYPED = str.maketrans(
    {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O"}
    | {"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i"}
    | dict.fromkeys("‐‑‒–—―−⁃", "-")
    | dict.fromkeys("‘’‚‛′‵", "'")
    | dict.fromkeys("“”„‟", '"')
)

# NUL is no character of any name, and a marisa-trie cannot hold it.
_TO_SPACE = str.maketrans(dict.fromkeys(",.;{}[]()+-_*/?!`\"'=%><\0", " "))


@lru_cache(maxsize=65_536)
def _folded_cluster(cluster: str) -> str:
    if cluster in _SIGNS:
        return _SIGNS[cluster]
    if len(cluster) == 1 and unicodedata.category(cluster) == "Cf":
        return ""
    parts = unicodedata.normalize("NFKD", cluster)
    plain = "".join(c for c in parts if not unicodedata.combining(c)).translate(_AS_TYPED)
    if len(plain) > 1:  # a unit in one character, such as ㎍
        plain = plain.replace("μ", "u")
    # Marks on Latin and Greek letters go (Ménière, Meniere), and those on what is no letter; in
    # other scripts they are parts of the letters.
    simple = all(c.isascii() or c in _GREEK or not c.isalnum() for c in plain)
    return plain if simple else unicodedata.normalize("NFKC", cluster)


def _clusters(text: str) -> Iterator[tuple[int, str]]:
    """(place, characters) of each character with the marks that combine with it."""
    start = 0
    for place in range(1, len(text) + 1):
        if place == len(text) or unicodedata.category(text[place])[0] != "M":
            if place > start:
                yield start, text[start:place]
            start = place


def _pieces(text: str) -> list[tuple[int, str]]:
    """(place in the text, folded) of every cluster of characters."""
    folded = [(start, _folded_cluster(cluster)) for start, cluster in _clusters(text)]
    place = 0
    while place < len(folded):
        end = place
        while end < len(folded) and folded[end][1] in _GREEK:
            end += 1
        if 0 < end - place < _GREEK_WORD:
            for i in range(place, end):
                start, letter = folded[i]
                behind = folded[i + 1][1][:1] if i + 1 < len(folded) else ""
                # In front of a Latin letter mu is micro, as in "μg".
                micro = letter == "μ" and behind.isascii() and behind.isalpha()
                folded[i] = (start, "u" if micro else _GREEK[letter])
        place = max(end, place + 1)
    return folded


def fold(text: str) -> str:
    """One spelling for what Unicode writes in several ways; the case stays.

    Compatibility forms (NFKC: ligatures, full width, sub- and superscripts), marks on Latin and
    Greek letters, letters such as sharp s, Greek letters (written as their names, unless they
    stand in a word of the Greek language), dashes and quotes, trade marks, and characters that
    cannot be seen.

    >>> fold("H₂O₂ and β‑carotene in ﬁbrosis, Ménière’s"), fold("5 µg of TNF–α")
    ("H2O2 and beta-carotene in fibrosis, Meniere's", '5 ug of TNF-alpha')
    """
    return text if text.isascii() else "".join(folded for _, folded in _pieces(text))


def fold_aligned(text: str) -> tuple[str, list[int]]:
    """:func:`fold`, and for each character of the result its place in the text.

    The list has one entry more than the result has characters: the length of the text. So the
    characters ``i`` to ``j`` (exclusive) of the result come from ``text[places[i]:places[j]]``,
    where ``j`` is not within what one character became.

    >>> fold_aligned("aβ")
    ('abeta', [0, 1, 1, 1, 1, 2])
    """
    if text.isascii():
        return text, list(range(len(text) + 1))
    pieces = _pieces(text)
    places = [start for start, folded in pieces for _ in folded]
    return "".join(folded for _, folded in pieces), [*places, len(text)]


@lru_cache(maxsize=4096)
def _space_or_itself(character: str) -> str:
    if character.isascii():
        return character
    # Dashes, quotes, primes, the minus sign and the like, as GenBioEL's rule treats ASCII's.
    kind = unicodedata.category(character)
    return " " if kind[0] in "PZ" or kind == "Sm" else character


def normalise_name(name: str) -> str:
    """Fold, lower-case, turn punctuation into spaces, collapse runs of white space.

    >>> normalise_name("Diabetes Mellitus, Type-2"), normalise_name("β‑Carotene")
    ('diabetes mellitus type 2', 'beta carotene')
    >>> normalise_name("(+)")
    ''
    """
    try:
        ascii_only = name.isascii()
    except AttributeError:
        raise ConfigError(f"{shown(name)} cannot be normalised; expected a name") from None
    if not ascii_only:
        folded = unicodedata.normalize("NFC", fold(name).casefold())
        name = "".join(map(_space_or_itself, folded))
    return " ".join(name.lower().translate(_TO_SPACE).split())
