"""Mentions that begin or end inside a code, which has no spaces: ``19`` in ``COVID-19``.

A classifier labels the parts of a code one by one, and may leave some of them out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from biolink.documents import Mention
from biolink.infer.mentions.hyphenated import BEFORE, is_code
from biolink.infer.mentions.spans import HYPHENS

__all__ = ["from_word_begins", "with_codes_of_names", "with_whole_numbers", "without_bare_parts"]

#: A part of a code that names nothing by itself: a number, with a letter or without, or a letter.
_BARE = re.compile(r"\d+[^\W\d_]?(?![^\W_])|[^\W\d_](?![^\W_])")
#: What joins the parts of a code.
_JOINTS = f"{HYPHENS}([{{"
#: A number with a point, and the letters before it (``PM2.5``).
_POINTED = re.compile(r"(?<![\w.])([^\W\d_]*)\d+(\.\d+)+(?![^\W_])")
#: What follows a word with the number of a reference (``asthma.5 In``): the next sentence.
_NEXT = re.compile(r"\s+[A-Z]|\s*\Z")
#: A word and a number, joined by hyphens.
_NUMBERED = re.compile(
    rf"(?<![{HYPHENS}\w])[^\W\d_]{{2,}}(?:[{HYPHENS}][^\W_]+)*[{HYPHENS}]\d+(?![^\W_])"
)


def from_word_begins(text: str, mentions: Iterable[Mention]) -> list[Mention]:
    """Extend mentions that begin with a hyphen in a word, or with a number behind it.

    They are extended to the beginning of the word, unless another mention is there.

    >>> text = "a metabolic-endocrine failure and COVID-19 pneumonia"
    >>> mentions = [Mention(11, 29, "-endocrine failure"), Mention(40, 52, "19 pneumonia")]
    >>> [m.text for m in from_word_begins(text, mentions)]
    ['metabolic-endocrine failure', 'COVID-19 pneumonia']
    """
    extended: list[Mention] = []
    last = 0
    for mention in sorted(mentions, key=lambda m: (m.start, m.end)):
        start, end = mention.start, mention.end
        first = start + 1 if text[start] in HYPHENS else start
        bare = _BARE.match(text, first, end)
        # A number or a letter alone may be any part of the code.
        inside = (first > start or bare is not None) and max(first, bare.end() if bare else 0) < end
        while inside and (match := BEFORE.search(text, last, first)):
            start = first = match.start()
            inside = is_code(match.group(1))
        extended.append(replace(mention, start=start, text=text[start:end]))
        last = max(last, end)
    return extended


def without_bare_parts(text: str, mentions: Iterable[Mention]) -> list[Mention]:
    """Leave out the mentions that are only a number or a letter behind a joint of a code.

    >>> [m.text for m in without_bare_parts("D-2 receptors", [Mention(2, 3, "2")])]
    []
    """
    return [
        m
        for m in mentions
        if not (
            m.start > 1
            and text[m.start - 1] in _JOINTS
            and text[m.start - 2].isalnum()
            and _BARE.fullmatch(text, m.start, m.end)
        )
    ]


def with_whole_numbers(text: str, mentions: Sequence[Mention]) -> list[Mention]:
    """Correct mentions that begin or end within a number with a point.

    They are extended to the whole of the number if letters stand before it (``PM2.5``), and end
    before it otherwise.

    >>> text = "PM2.5 levels, celecoxib 1.34"
    >>> mentions = [Mention(0, 3, "PM2"), Mention(14, 25, "celecoxib 1")]
    >>> [m.text for m in with_whole_numbers(text, mentions)]
    ['PM2.5', 'celecoxib']
    """
    kept: list[Mention] = []
    pointed = [] if "." not in text else list(_POINTED.finditer(text))
    for mention in mentions:
        start, end = mention.start, mention.end
        for match in pointed:
            a, b = match.span()
            if b <= start or end <= a or (start <= a and b <= end):
                continue
            if match.group(1):
                if not _NEXT.match(text, b):
                    start, end = min(a, start), max(b, end)
            elif start < a:
                end = a
            else:
                start = min(b, end)
        while start < end and text[end - 1].isspace():
            end -= 1
        while start < end and text[start].isspace():
            start += 1
        if start < end and not (kept and kept[-1].end > start):
            kept.append(replace(mention, start=start, end=end, text=text[start:end]))
    return kept


def with_codes_of_names(
    text: str, mentions: Sequence[Mention], kinds: Iterable[str], names: Callable[[str, str], bool]
) -> list[Mention]:
    """Add the names of some kinds that are a word with a number, where no mention is.

    Parameters
    ----------
    text
        The text.
    mentions
        The mentions that a recogniser found in it.
    kinds
        The types that are added, the first one that has the name.
    names
        A function that tells whether a text is a name of a type.

    Examples
    --------
    >>> with_codes_of_names("COVID-19", [], ["Disease"], lambda text, kind: True)[0].text
    'COVID-19'
    """
    taken = {place for m in mentions for place in range(m.start, m.end)}
    added = []
    for match in _NUMBERED.finditer(text):
        if taken.isdisjoint(range(*match.span())):
            kind = next((kind for kind in kinds if names(match[0], kind)), None)
            if kind is not None:
                added.append(Mention(*match.span(), match[0], type=kind))
    return sorted([*mentions, *added], key=lambda m: (m.start, m.end))
