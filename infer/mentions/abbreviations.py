"""Abbreviations defined in a document: ``spinal and bulbar muscular atrophy (SBMA)``.

The method is Schwartz and Hearst's (A Simple Algorithm for Identifying Abbreviation Definitions
in Biomedical Text, PSB 2003). scispacy's detector implements the same; its rules are used instead
on request (:func:`finder`). The one pure package for it on PyPI configures the root logger on
import and loses a whole line where parentheses do not balance.

A definition stands in one line, cell or passage (:func:`biolink.infer.mentions.spans.segments`).
Where a document defines a short form more than once, the definition nearest before a mention holds
for it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from biolink.documents import Document
from biolink.errors import ConfigError, MissingDependencyError
from biolink.infer.mentions.spans import segments
from biolink.kb.names import fold, fold_aligned

__all__ = [
    "Definition",
    "Definitions",
    "Finder",
    "definitions",
    "expand_document",
    "expand_mention",
    "find_abbreviations",
    "finder",
    "long_form_of",
    "may_be_short",
]

_INSIDE = re.compile(r"[(\[]([^()\[\]]{2,80})[)\]]")
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Definition:
    """A short form with what it stands for, as a text says at ``text[start:end]``."""

    short: str
    long: str
    start: int
    end: int


class Definitions(Mapping[str, str]):
    """Definitions in a text: a mapping of each short form to the first of its long forms.

    >>> text = "Multiple sclerosis (MS) came first, then mitral stenosis (MS)."
    >>> found = find_abbreviations(text)
    >>> found["MS"], found.at(len(text))["MS"]
    ('Multiple sclerosis', 'mitral stenosis')
    """

    def __init__(self, found: Iterable[Definition] = ()) -> None:
        self.found = sorted(found, key=lambda d: (d.start, d.end))
        self._of: dict[str, list[Definition]] = {}
        for definition in self.found:
            self._of.setdefault(definition.short, []).append(definition)

    def __getitem__(self, short: str) -> str:
        return self._of[short][0].long

    def __iter__(self) -> Iterator[str]:
        return iter(self._of)

    def __len__(self) -> int:
        return len(self._of)

    def __repr__(self) -> str:
        return repr(dict(self))

    def held(self, short: str, place: int) -> str:
        """The long form of a short one that holds at a place of the text.

        That is the definition nearest before the place or around it, else the first behind it.
        """
        found = self._of[short]
        before = bisect_right(found, place, key=lambda d: d.start)
        return found[max(0, before - 1)].long

    def at(self, place: int) -> dict[str, str]:
        """Short form -> the long form that holds at a place of the text."""
        return {short: self.held(short, place) for short in self._of}


#: Text -> the definitions in it.
Finder = Callable[[str], Definitions]


def find_abbreviations(text: str) -> Definitions:
    """Short forms with their long forms, as defined in the text.

    >>> find_abbreviations("Patients with spinal and bulbar muscular atrophy (SBMA) were ill.")
    {'SBMA': 'spinal and bulbar muscular atrophy'}
    """
    return _in_segments(Document("", text), _schwartz_hearst)


def definitions(document: Document, find: Finder) -> Definitions:
    """The definitions in a document, none of which runs over the end of a passage."""
    if not document.passages:
        return find(document.text)
    return _in_segments(document, lambda text: find(text).found)


def _in_segments(document: Document, find: Callable[[str], Iterable[Definition]]) -> Definitions:
    found = []
    for begin, end in segments(document):
        part = document.text[begin:end]
        # Definitions stand in brackets.
        if "(" in part or "[" in part:
            found += [replace(d, start=begin + d.start, end=begin + d.end) for d in find(part)]
    return Definitions(found)


def _schwartz_hearst(line: str) -> Iterator[Definition]:
    for match in _INSIDE.finditer(line):
        inside = re.split(r"[;,]\s|\bor\b", match[1])[0].strip().strip("'\"")
        before = line[max(0, match.start() - 400) : match.start()]
        if may_be_short(inside):
            long = long_form_of(inside, _last_words(before, inside))
            if long:
                start = line.rfind(long, 0, match.start())
                yield Definition(inside, long, start, match.end())
        else:
            # The other way about: SBMA (spinal and bulbar muscular atrophy).
            words = list(_WORD.finditer(before))
            short = words[-1].group() if words else ""
            long = long_form_of(short, match[1].strip()) if may_be_short(short) else None
            if long:
                start = match.start() - len(before) + words[-1].start()
                yield Definition(short, long, start, match.end())


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

    Its characters are matched from the right, in one Unicode form; the first must begin a word.

    >>> long_form_of("β-AR", "the beta-adrenergic receptor")
    'beta-adrenergic receptor'
    """
    letters = fold(short).lower()
    read, places = fold_aligned(candidate)
    read = read.lower()
    if len(read) >= len(places):  # a letter whose lower case is two
        letters, read, places = short, candidate, list(range(len(candidate) + 1))
    place = len(read) - 1
    for index in range(len(letters) - 1, -1, -1):
        character = letters[index].lower()
        if not character.isalnum():
            continue
        while place >= 0 and (
            read[place].lower() != character
            or (index == 0 and place > 0 and read[place - 1].isalnum())
        ):
            place -= 1
        if place < 0:
            return None
        place -= 1
    begin = candidate.rfind(" ", 0, places[place + 1]) + 1
    long = candidate[begin:].strip(" ,")
    if not long or len(long) <= len(short) or short in long.split():
        return None
    if len(long.split()) > min(len(short) + 5, 2 * len(short)):
        return None
    return long


@lru_cache(maxsize=1)
def _scispacy_rules() -> tuple[Any, Any]:
    """A tokeniser, and scispacy's search for definitions in a spaCy document."""
    try:
        import spacy
        from scispacy.abbreviation import filter_matches, find_abbreviation
    except ImportError:
        raise MissingDependencyError("scispacy", "abbreviations='scispacy'", "scispacy") from None
    from spacy.matcher import Matcher

    nlp = spacy.blank("en")
    brackets = Matcher(nlp.vocab)
    brackets.add("brackets", [[{"ORTH": "("}, {"OP": "+"}, {"ORTH": ")"}]])

    def search(doc: Any) -> Iterator[tuple[Any, Any]]:
        inside = [(key, start + 1, end - 1) for key, start, end in brackets(doc)]
        for candidate, form in filter_matches(inside, doc):
            short, long = find_abbreviation(candidate, form)
            if long is not None and len(long):
                yield short, long

    return nlp, search


def _scispacy(line: str) -> Iterator[Definition]:
    nlp, search = _scispacy_rules()
    # Its detector keeps the first definition of a form alone.
    for short, long in search(nlp.make_doc(line)):
        start = min(short.start_char, long.start_char)
        yield Definition(short.text, long.text, start, max(short.end_char, long.end_char))


def _scispacy_finder(text: str) -> Definitions:
    return _in_segments(Document("", text), _scispacy)


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
        _scispacy_rules()
        return _scispacy_finder
    if name == "auto":
        # Looked up, not imported: importing spaCy costs half a second.
        return _scispacy_finder if find_spec("scispacy") else find_abbreviations
    raise ConfigError(
        f"unknown abbreviation finder {name!r}: auto, schwartz-hearst, scispacy or none"
    )


def expand_mention(mention: str, abbreviations: Mapping[str, str]) -> str | None:
    """The mention with its abbreviated words written out, or None when it has none.

    >>> expand_mention("SBMA patients", {"SBMA": "spinal and bulbar muscular atrophy"})
    'spinal and bulbar muscular atrophy patients'
    """
    written = fold(mention)
    longs = {fold(short): long for short, long in abbreviations.items()}
    used = [
        re.escape(short)
        for short in sorted(longs, key=len, reverse=True)
        if short in written and fold(longs[short]).lower() not in written.lower()
    ]
    if not used:
        return None
    # The plural of an abbreviation is the abbreviation with an s.
    pattern = rf"(?<![\w-])({'|'.join(used)})s?(?!\w)"
    expanded = re.sub(pattern, lambda match: longs[match[1]], written)
    return expanded if expanded != written else None


def expand_document(document: Document, find: Finder) -> Document:
    """The document with the long forms of its mentions."""
    if not document.mentions:
        return document
    found = definitions(document, find)
    if not found:
        return document
    return document.with_mentions(
        replace(mention, long_form=expand_mention(mention.text, found.at(mention.start)))
        for mention in document.mentions
    )
