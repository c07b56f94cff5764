"""The words of a text as in normalised names, and what may stand between the words of a mention."""

from __future__ import annotations

import re

from biolink.infer.mentions.spans import source_span
from biolink.kb.names import fold, fold_aligned, normalise_name

__all__ = ["Words", "may_join", "singulars", "words_of"]

# Words as in normalised names: characters that normalisation turns into spaces separate words.
_WORD = re.compile(r"[^\s,.;{}\[\]()+\-_*/?!`\"'=%><:]+")
# What may be between two words of a mention: at most three marks, but not the end of a sentence.
_GAP = re.compile(r"[\s,{}\[\]()+\-_*/`\"'=%><:]{1,3}|\.(?=\w)")
#: The start and the end of each word in a text, and the word as in normalised names.
Words = list[tuple[int, int, str]]


def words_of(text: str) -> Words:
    """The words of a text as in normalised names, with their starts and ends in the text itself.

    >>> words_of("Type-2 β cells")
    [(0, 4, 'type'), (5, 6, '2'), (7, 8, 'beta'), (9, 14, 'cells')]
    """
    folded, source_offsets = fold_aligned(text)
    words = []
    for match in _WORD.finditer(_with_hyphens(folded)):
        word = match.group()
        key = word.lower() if word.isascii() else normalise_name(word)
        words.append((*source_span(text, source_offsets, *match.span()), key))
    return words


def may_join(gap: str) -> bool:
    """Whether the text between two words may be inside a mention.

    >>> may_join("-"), may_join(". "), may_join(", ")
    (True, False, True)
    """
    return _GAP.fullmatch(_with_hyphens(fold(gap))) is not None


def singulars(word: str) -> tuple[str, ...]:
    """The forms of which a word may be the plural.

    >>> singulars("biopsies"), singulars("nodes"), singulars("gas")
    (('biopsy',), ('node', 'nod'), ())
    """
    if len(word) > 4 and word.endswith("ies"):
        return (word[:-3] + "y",)
    if len(word) > 4 and word.endswith("es"):
        return (word[:-1], word[:-2])
    return (word[:-1],) if len(word) > 3 and word.endswith("s") else ()


def _with_hyphens(folded: str) -> str:
    """A folded text with hyphens in place of other marks that normalisation removes."""
    if folded.isascii():
        return folded
    return "".join(c if c.isascii() or normalise_name(c) else "-" for c in folded)
