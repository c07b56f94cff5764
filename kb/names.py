"""Normalisation of names: the key under which a knowledge base finds a name.

Source: GenBioEL (Yuan, Yuan, Yu; NAACL 2022), preprocessing of the knowledge base's names.
"""

from __future__ import annotations

__all__ = ["NORMALISATION", "normalise_name"]

#: Names this normalisation in stored fingerprints; change it whenever the result changes.
NORMALISATION = "genbioel-1"

# NUL is no character of any name, and a marisa-trie cannot hold it.
_TO_SPACE = str.maketrans(dict.fromkeys(",.;{}[]()+-_*/?!`\"'=%><\0", " "))


def normalise_name(name: str) -> str:
    """Lower-case, turn GenBioEL's punctuation into spaces, collapse runs of white space.

    >>> normalise_name("Diabetes Mellitus, Type-2")
    'diabetes mellitus type 2'
    >>> normalise_name("(+)")
    ''
    """
    return " ".join(name.lower().translate(_TO_SPACE).split())
