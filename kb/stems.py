"""Stems of English words, and which words are forms of one another.

The stems are those of Porter's second stemmer for English (https://snowballstem.org, Porter 2001),
from the package ``snowballstemmer``.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import takewhile
from typing import Any

__all__ = ["BEGINNING_SHARE", "ENDING_SHARE", "JOINING", "alike", "is_word", "stem"]

#: Words that join others, and do not count in names.
JOINING = frozenset("of the in to with and or by for on from at".split())
#: Two words are forms of the same word if they begin with so many letters, and with this share of
#: the letters of the longer one.
_BEGINNING, BEGINNING_SHARE = 4, 0.6
#: The same share for a word that no name has.
ENDING_SHARE = 0.8


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The stem of a word in lower case.

    >>> stem("abnormalities"), stem("abnormal"), stem("hands")
    ('abnorm', 'abnorm', 'hand')
    """
    return str(_stemmer().stemWord(word))


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    # Its modules for all languages are not needed for the embedded knowledge base.
    import snowballstemmer

    return snowballstemmer.stemmer("english")


def is_word(text: str) -> bool:
    """Whether a stem is a word, not a number or a code."""
    return len(text) > 2 and text.isalpha()


def alike(first: str, second: str, share: float = BEGINNING_SHARE) -> bool:
    """Whether two stems are forms of the same word.

    >>> alike("patella", "patellar"), alike("dysplast", "dysplasia"), alike("hand", "finger")
    (True, True, False)
    """
    common = sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))
    )
    return common >= max(_BEGINNING, share * max(len(first), len(second)))
