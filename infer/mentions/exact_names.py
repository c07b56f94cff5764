"""Whether a mention is a name of a concept, where capitals matter for acronyms."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from biolink.kb import KnowledgeBase, normalise_name

__all__ = ["is_name_of", "is_word"]


@lru_cache(maxsize=1)
def _short_words() -> frozenset[str]:
    """English words of two to six letters, from ``examples/default_model/short_words.py``."""
    return frozenset(
        files("biolink.infer.mentions").joinpath("short_words.txt").read_text("ascii").split()
    )


def is_word(mention: str) -> bool:
    """Whether a mention is a short English word, written as a word and not as an acronym.

    >>> is_word("cold"), is_word("Cold"), is_word("COLD"), is_word("copd")
    (True, True, False, False)
    """
    return not any(map(str.isupper, mention[1:])) and mention.lower() in _short_words()


def is_name_of(kb: KnowledgeBase, mention: str, name_id: int, row: int) -> bool:
    """Whether a mention is a certain name of a certain concept.

    Names are compared after normalisation, which converts all letters to lower case. However, a
    name that the concept writes only in capitals is an acronym, and an English word that is spelt
    like it is something else: "a cold" is not "COLD", chronic obstructive lung disease.

    Parameters
    ----------
    kb
        The knowledge base.
    mention
        The text of the mention.
    name_id, row
        The id of the name, and the row of the concept that owns it.
    """
    if kb.name_at(name_id) != normalise_name(mention):
        return False
    if not is_word(mention):
        return True
    return not all(written.isupper() for written in kb.written_names(row, name_id))
