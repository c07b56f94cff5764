"""Abbreviations defined in a document: ``spinal and bulbar muscular atrophy (SBMA)``.

The method is Schwartz and Hearst's (A Simple Algorithm for Identifying Abbreviation Definitions
in Biomedical Text, PSB 2003). scispacy's detector implements the same; it is used instead on
request (:func:`scispacy_finder`). The one pure package for it on PyPI configures the root logger
on import and loses a whole line where parentheses do not balance.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from biolink.documents import Document
from biolink.errors import ConfigError, MissingDependencyError

__all__ = [
    "Finder",
    "expand_document",
    "expand_mention",
    "find_abbreviations",
    "finder",
    "long_form_of",
    "may_be_short",
]

#: Text -> short form -> long form.
Finder = Callable[[str], dict[str, str]]

_INSIDE = re.compile(r"[(\[]([^()\[\]]{2,80})[)\]]")
_WORD = re.compile(r"\S+")


def find_abbreviations(text: str) -> dict[str, str]:
    """Short form -> long form, as defined in the text; the first definition of a form holds.

    >>> find_abbreviations("Patients with spinal and bulbar muscular atrophy (SBMA) were ill.")
    {'SBMA': 'spinal and bulbar muscular atrophy'}
    """
    found: dict[str, str] = {}
    for match in _INSIDE.finditer(text):
        inside = re.split(r"[;,]\s|\bor\b", match[1])[0].strip().strip("'\"")
        before = text[max(0, match.start() - 400) : match.start()]
        if may_be_short(inside):
            short, long = inside, long_form_of(inside, _last_words(before, inside))
        else:
            # The other way about: SBMA (spinal and bulbar muscular atrophy).
            words = _WORD.findall(before)
            short = words[-1] if words else ""
            long = long_form_of(short, match[1].strip()) if may_be_short(short) else None
        if long:
            found.setdefault(short, long)
    return found


def may_be_short(form: str) -> bool:
    """Whether a text looks like a short form."""
    return (
        2 <= len(form) <= 10
        and len(form.split()) <= 2
        and form[0].isalnum()
        and any(c.isalpha() for c in form)
        and (any(c.isupper() for c in form) or any(c.isdigit() for c in form))
    )


def _last_words(before: str, short: str) -> str:
    sentence = re.split(r"[.;:?!]\s|[()\[\]]", before)[-1]
    limit = min(len(short) + 5, 2 * len(short))
    words = list(_WORD.finditer(sentence))[-limit:]
    return sentence[words[0].start() :].rstrip() if words else ""


def long_form_of(short: str, candidate: str) -> str | None:
    """The end of the candidate that the short form abbreviates, or None.

    Its characters are matched from the right; the first must begin a word.
    """
    place = len(candidate) - 1
    for index in range(len(short) - 1, -1, -1):
        character = short[index].lower()
        if not character.isalnum():
            continue
        while place >= 0 and (
            candidate[place].lower() != character
            or (index == 0 and place > 0 and candidate[place - 1].isalnum())
        ):
            place -= 1
        if place < 0:
            return None
        place -= 1
    begin = candidate.rfind(" ", 0, place + 1) + 1
    long = candidate[begin:].strip(" ,")
    if not long or len(long) <= len(short) or short in long.split():
        return None
    if len(long.split()) > min(len(short) + 5, 2 * len(short)):
        return None
    return long


@lru_cache(maxsize=1)
def _scispacy_pipeline() -> Any:
    try:
        import spacy
        from scispacy.abbreviation import AbbreviationDetector  # noqa: F401
    except ImportError:
        raise MissingDependencyError("scispacy", "abbreviations='scispacy'", "scispacy") from None
    nlp = spacy.blank("en")
    nlp.add_pipe("abbreviation_detector")
    return nlp


def _scispacy_finder(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for short in _scispacy_pipeline()(text)._.abbreviations:
        found.setdefault(short.text, short._.long_form.text)
    return found


def finder(name: str | None) -> Finder | None:
    """The abbreviation finder with this name.

    Parameters
    ----------
    name
        ``schwartz-hearst``, ``scispacy``, ``auto`` (scispacy's where it is installed), or None.
    """
    if name is None or name == "none":
        return None
    if name == "schwartz-hearst":
        return find_abbreviations
    if name == "scispacy":
        _scispacy_pipeline()
        return _scispacy_finder
    if name == "auto":
        # Looked up, not imported: importing spaCy costs half a second.
        return _scispacy_finder if find_spec("scispacy") else find_abbreviations
    raise ConfigError(
        f"unknown abbreviation finder {name!r}: auto, schwartz-hearst, scispacy or none"
    )


def expand_mention(mention: str, abbreviations: dict[str, str]) -> str | None:
    """The mention with its abbreviated words written out, or None when it has none.

    >>> expand_mention("SBMA patients", {"SBMA": "spinal and bulbar muscular atrophy"})
    'spinal and bulbar muscular atrophy patients'
    """
    expanded = mention
    for short, long in abbreviations.items():
        if short in expanded and long.lower() not in mention.lower():
            # The plural of an abbreviation is the abbreviation with an s.
            pattern = rf"(?<![\w-]){re.escape(short)}(?:s)?(?![\w])"
            expanded = re.sub(pattern, long.replace("\\", r"\\"), expanded, count=1)
    return expanded if expanded != mention else None


def expand_document(document: Document, find: Finder) -> Document:
    """The document with the long forms of its mentions."""
    if not document.mentions:
        return document
    abbreviations = find(document.text)
    if not abbreviations:
        return document
    return document.with_mentions(
        replace(mention, long_form=expand_mention(mention.text, abbreviations))
        for mention in document.mentions
    )
