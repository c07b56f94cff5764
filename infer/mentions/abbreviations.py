"""Abbreviations that a document defines, as in ``spinal and bulbar muscular atrophy (SBMA)``.

The method is that of Schwartz and Hearst (A Simple Algorithm for Identifying Abbreviation
Definitions in Biomedical Text, PSB 2003). The detector of scispacy implements it as well, and can
be used instead (see :func:`finder`). The only pure package for it on PyPI is not used, because it
configures the root logger on import and skips a whole line if its parentheses do not balance.

A definition lies within one line, cell or passage (:func:`biolink.infer.mentions.spans.segments`).
If a document defines a short form more than once, the nearest definition before a mention is used
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

from biolink.documents import Document, Mention
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
    """A short form and its long form, as a text defines them at ``text[start:end]``."""

    short: str
    long: str
    start: int
    end: int


class Definitions(Mapping[str, str]):
    """The definitions in a text: a mapping from each short form to its first long form.

    >>> text = "Multiple sclerosis (MS) came first, then mitral stenosis (MS)."
    >>> defined = find_abbreviations(text)
    >>> defined["MS"], defined.at(len(text))["MS"]
    ('Multiple sclerosis', 'mitral stenosis')
    """

    def __init__(self, in_text: Iterable[Definition] = ()) -> None:
        self.found = sorted(in_text, key=lambda d: (d.start, d.end))
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

    def held(self, short: str, offset: int) -> str:
        """The long form of a short form at an offset of the text.

        It is taken from the nearest definition that begins before the offset, or from the first
        definition if none does.
        """
        same_form = self._of[short]
        before = bisect_right(same_form, offset, key=lambda d: d.start)
        return same_form[max(0, before - 1)].long

    def at(self, offset: int) -> dict[str, str]:
        """The long form of each short form at an offset of the text."""
        return {short: self.held(short, offset) for short in self._of}


#: A function that finds the definitions in a text.
Finder = Callable[[str], Definitions]


def find_abbreviations(text: str) -> Definitions:
    """Find the short forms that a text defines, with their long forms.

    >>> find_abbreviations("Patients with spinal and bulbar muscular atrophy (SBMA) were ill.")
    {'SBMA': 'spinal and bulbar muscular atrophy'}
    """
    return _in_segments(Document("", text), _schwartz_hearst)


def definitions(document: Document, find: Finder) -> Definitions:
    """The definitions in a document. None of them goes beyond the end of a passage."""
    if not document.passages:
        return find(document.text)
    return _in_segments(document, lambda text: find(text).found)


def _in_segments(document: Document, find: Callable[[str], Iterable[Definition]]) -> Definitions:
    in_segments = []
    for begin, end in segments(document):
        segment = document.text[begin:end]
        # Definitions are written with brackets.
        if "(" in segment or "[" in segment:
            in_segments += [
                replace(d, start=begin + d.start, end=begin + d.end) for d in find(segment)
            ]
    return Definitions(in_segments)


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
            # The order may be reversed: SBMA (spinal and bulbar muscular atrophy).
            words = list(_WORD.finditer(before))
            short = words[-1].group() if words else ""
            long = long_form_of(short, match[1].strip()) if may_be_short(short) else None
            if long:
                start = match.start() - len(before) + words[-1].start()
                yield Definition(short, long, start, match.end())


def may_be_short(form: str) -> bool:
    """Whether a text looks like a short form.

    >>> may_be_short("SBMA"), may_be_short("asthma")
    (True, False)
    """
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
    """The end of a candidate text that a short form abbreviates, or None.

    The characters of the short form are matched from the right, after both texts are folded to the
    same Unicode form. The first character must begin a word.

    >>> long_form_of("β-AR", "the beta-adrenergic receptor")
    'beta-adrenergic receptor'
    """
    letters = fold(short).lower()
    folded, source_offsets = fold_aligned(candidate)
    folded = folded.lower()
    if len(folded) >= len(source_offsets):  # a letter whose lower case has two characters
        letters, folded, source_offsets = short, candidate, list(range(len(candidate) + 1))
    position = len(folded) - 1
    for index in range(len(letters) - 1, -1, -1):
        character = letters[index].lower()
        if not character.isalnum():
            continue
        while position >= 0 and (
            folded[position].lower() != character
            or (index == 0 and position > 0 and folded[position - 1].isalnum())
        ):
            position -= 1
        if position < 0:
            return None
        position -= 1
    begin = candidate.rfind(" ", 0, source_offsets[position + 1]) + 1
    long = candidate[begin:].strip(" ,")
    if not long or len(long) <= len(short) or short in long.split():
        return None
    if len(long.split()) > min(len(short) + 5, 2 * len(short)):
        return None
    return long


@lru_cache(maxsize=1)
def _scispacy_rules() -> tuple[Any, Any]:
    """A tokeniser, and a function that finds definitions in a spaCy document as scispacy does."""
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
    # The detector of scispacy itself would keep only the first definition of a form.
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
        ``schwartz-hearst``, ``scispacy``, ``auto`` (scispacy if it is installed, otherwise
        schwartz-hearst), or ``none``; None means ``none``.

    Returns
    -------
    The finder; None for ``none``.

    Raises
    ------
    ConfigError
        If the name is unknown.
    MissingDependencyError
        If scispacy is asked for and not installed.
    """
    if name is None or name == "none":
        return None
    if name == "schwartz-hearst":
        return find_abbreviations
    if name == "scispacy":
        _scispacy_rules()
        return _scispacy_finder
    if name == "auto":
        # The package is looked up but not imported, because importing spaCy takes half a second.
        return _scispacy_finder if find_spec("scispacy") else find_abbreviations
    raise ConfigError(
        f"unknown abbreviation finder {name!r}; expected auto, schwartz-hearst, scispacy or none"
    )


def expand_mention(mention: str, abbreviations: Mapping[str, str]) -> str | None:
    """The mention with its abbreviations expanded, or None if it has none.

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
    # The plural of an abbreviation is formed with an s.
    pattern = rf"(?<![\w-])({'|'.join(used)})s?(?!\w)"
    expanded = re.sub(pattern, lambda match: longs[match[1]], written)
    return expanded if expanded != written else None


def expand_document(document: Document, find: Finder) -> Document:
    """The document, with long forms for those mentions that contain abbreviations.

    A mention that has a long form already keeps it.
    """
    if not document.mentions:
        return document
    defined = definitions(document, find)
    if not defined:
        return document
    otherwise = _meant_otherwise(document.text, defined)

    def expanded(mention: Mention) -> Mention:
        if mention.long_form is not None:
            return mention
        longs = {
            short: long
            for short, long in defined.at(mention.start).items()
            if mention.start not in otherwise.get(short, ())
        }
        return replace(mention, long_form=expand_mention(mention.text, longs))

    return document.with_mentions(map(expanded, document.mentions))


def _meant_otherwise(text: str, defined: Definitions) -> dict[str, range]:
    """For a short form that stands in brackets before its first definition, where that holds.

    In "myotonic dystrophy (DM) and diabetes mellitus (DM)", the first DM is not the second, even
    though its letters do not show what it is.
    """
    first = {definition.short: definition.start for definition in reversed(defined.found)}
    return {
        short: range(match.start(), end)
        for short, end in first.items()
        if (match := re.compile(rf"[(\[]{re.escape(short)}[)\]]").search(text, 0, end))
    }
