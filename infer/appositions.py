"""Mentions that an author equates by apposition: ``amrubicin (SM-5887)``.

Abbreviation finders match letters; codes, formulas and trade names in brackets share none with
what they stand for, but the mention before the bracket says it.
"""

from __future__ import annotations

import re
from itertools import pairwise

from biolink.documents import Document

__all__ = ["appositions"]

_OPENING = re.compile(r"\s*[(\[]\s*")
_CLOSING = re.compile(r"\s*[)\],;]")


def appositions(document: Document) -> dict[str, str]:
    """Text of a mention -> text of the mention that it is put beside in brackets.

    Both directions are given; where a text stands beside several, the first counts. Mentions of
    different types are not equated.
    """
    found: dict[str, str] = {}
    mentions = sorted(document.mentions, key=lambda m: (m.start, m.end))
    for one, other in pairwise(mentions):
        if (
            one.type == other.type
            and one.text != other.text
            and _OPENING.fullmatch(document.text[one.end : other.start])
            and _CLOSING.match(document.text, other.end)
        ):
            found.setdefault(other.text, one.long_form or one.text)
            found.setdefault(one.text, other.long_form or other.text)
    return found
