"""Normalising names, so that a knowledge base finds a name in any of its spellings.

:func:`fold` replaces characters that Unicode can write in several ways by one spelling.
:func:`normalise_name` also applies GenBioEL's rule (Yuan, Yuan, Yu; NAACL 2022, preprocessing of
the names of the knowledge base). Names, mentions and the texts that a model reads all go through
:func:`fold`, so ``CO₂``, ``β`` and ``ﬁbrosis`` match however they are written.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from biolink.errors import ConfigError, shown

__all__ = ["NORMALISATION", "fold", "fold_aligned", "normalise_name"]

#: The name of this normalisation in stored fingerprints. Change it whenever the result changes.
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
#: From this number of adjacent Greek letters on, they are a word of the Greek language. Fewer
#: are symbols, such as the alpha in a protein's name.
_GREEK_WORD = 3

#: Signs that become a space. Unicode's compatibility forms would spell some of them as letters.
_SIGNS = dict.fromkeys("™℠®©", " ")
#: Replacements by the characters of a keyboard: Latin letters that Unicode does not decompose,
#: dashes and quotes.
_AS_TYPED = str.maketrans(
    {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O"}
    | {"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i"}
    | dict.fromkeys("‐‑‒–—―−⁃", "-")
    | dict.fromkeys("‘’‚‛′‵", "'")
    | dict.fromkeys("“”„‟", '"')
)

# NUL is in no name, and a marisa-trie cannot store it.
_TO_SPACE = str.maketrans(dict.fromkeys(",.;{}[]()+-_*/?!`\"'=%><\0", " "))


@lru_cache(maxsize=65_536)
def _folded_cluster(cluster: str) -> str:
    """Fold a character with its combining marks."""
    if cluster in _SIGNS:
        return _SIGNS[cluster]
    if len(cluster) == 1 and unicodedata.category(cluster) == "Cf":
        return ""
    decomposed = unicodedata.normalize("NFKD", cluster)
    plain = "".join(c for c in decomposed if not unicodedata.combining(c)).translate(_AS_TYPED)
    if len(plain) > 1:  # a unit that is a single character, such as ㎍
        plain = plain.replace("μ", "u")
    # Marks are removed from Latin and Greek letters (Ménière becomes Meniere) and from characters
    # that are not letters. In other scripts the marks belong to the letters.
    simple = all(c.isascii() or c in _GREEK or not c.isalnum() for c in plain)
    return plain if simple else unicodedata.normalize("NFKC", cluster)


def _clusters(text: str) -> Iterator[tuple[int, str]]:
    """Yield (offset, characters) for each character and the marks that combine with it."""
    start = 0
    for offset in range(1, len(text) + 1):
        if offset == len(text) or unicodedata.category(text[offset])[0] != "M":
            if offset > start:
                yield start, text[start:offset]
            start = offset


def _pieces(text: str) -> list[tuple[int, str]]:
    """Return (offset in the text, folded) for each cluster of characters."""
    folded = [(start, _folded_cluster(cluster)) for start, cluster in _clusters(text)]
    begin = 0
    while begin < len(folded):
        end = begin
        while end < len(folded) and folded[end][1] in _GREEK:
            end += 1
        if 0 < end - begin < _GREEK_WORD:
            for i in range(begin, end):
                start, letter = folded[i]
                following = folded[i + 1][1][:1] if i + 1 < len(folded) else ""
                # Before a Latin letter mu means micro, as in "μg".
                micro = letter == "μ" and following.isascii() and following.isalpha()
                folded[i] = (start, "u" if micro else _GREEK[letter])
        begin = max(end, begin + 1)
    return folded


def fold(text: str) -> str:
    """Replace characters that Unicode can write in several ways by one spelling; keep the case.

    These are compatibility forms (NFKC: ligatures, full width, subscripts and superscripts), marks
    on Latin and Greek letters, letters such as sharp s, dashes, quotes and trade marks. Greek
    letters become their names, unless they stand in a word of the Greek language. Invisible
    characters are removed.

    >>> fold("H₂O₂ and β‑carotene in ﬁbrosis, Ménière’s"), fold("5 µg of TNF–α")
    ("H2O2 and beta-carotene in fibrosis, Meniere's", '5 ug of TNF-alpha')
    """
    return text if text.isascii() else "".join(folded for _, folded in _pieces(text))


def fold_aligned(text: str) -> tuple[str, list[int]]:
    """Fold a text, and map each character of the result to its offset in the text.

    The list of offsets has one more entry than the result has characters: the length of the text.
    So the characters ``i`` to ``j`` (exclusive) of the result come from
    ``text[offsets[i]:offsets[j]]``, unless one character of the text became several, and ``j``
    stands between these.

    >>> fold_aligned("aβ")
    ('abeta', [0, 1, 1, 1, 1, 2])
    """
    if text.isascii():
        return text, list(range(len(text) + 1))
    pieces = _pieces(text)
    offsets = [start for start, folded in pieces for _ in folded]
    return "".join(folded for _, folded in pieces), [*offsets, len(text)]


@lru_cache(maxsize=4096)
def _space_or_itself(character: str) -> str:
    if character.isascii():
        return character
    # Dashes, quotes, primes, the minus sign and the like are treated as GenBioEL treats those of
    # ASCII.
    category = unicodedata.category(character)
    return " " if category[0] in "PZ" or category == "Sm" else character


def normalise_name(name: str) -> str:
    """Fold a name, lower its case, replace punctuation by spaces and collapse white space.

    The result is empty if the name consists of punctuation only.

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
