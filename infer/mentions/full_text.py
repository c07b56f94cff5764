"""Mentions of a full text that a recogniser missed: names that it found elsewhere in the text.

A classifier reads a long text in windows, and finds a name in one window and not in another. In a
full text, a name that was found means the same throughout. In an abstract there is little to gain,
and a wrong mention would be repeated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from biolink.documents import Document, Mention
from biolink.infer.mentions.abbreviations import Finder, definitions
from biolink.infer.mentions.words import words_of

__all__ = ["FULL_TEXT", "every_occurrence"]

#: The number of characters from which on a document is a full text (``benchmarks/full_text.py``).
FULL_TEXT = 5000
#: Names of up to so many letters, and names with capitals behind the first letter, must be spelt
#: with the same capitals.
_SHORT = 4
#: Of the places where a name stands, the recogniser must have found at least this share.
_SHARE = 0.0


def every_occurrence(
    document: Document, mentions: Sequence[Mention], find: Finder | None = None
) -> list[Mention]:
    """Mentions, and the other places where the text has their names or short forms.

    A place that overlaps a mention is left out. If a name was found with several types, the most
    frequent counts.

    Parameters
    ----------
    document
        The document.
    mentions
        The mentions that were found in it; they do not overlap.
    find
        A function that finds definitions of abbreviations. Default: None, for no short forms.

    Returns
    -------
    All mentions in the order of the text. Those that were added have the type and the probability
    of the first mention with the same name.

    Examples
    --------
    >>> document = Document("", "Aspirin helps. Some took aspirin.")
    >>> [m.start for m in every_occurrence(document, [Mention(0, 7, "Aspirin", "Chemical")])]
    [0, 25]
    """
    names = _named(document, mentions, find)
    text = document.text
    words = words_of(text)
    by_first: dict[str, list[tuple[int, str, Mention]]] = {}
    for name, mention in names.items():
        of_name = words_of(name)
        if of_name:
            by_first.setdefault(of_name[0][2], []).append((of_name[0][0], name, mention))
    taken = {place for m in mentions for place in range(m.start, m.end)}
    added: list[Mention] = []
    for begin, _, key in words:
        for lead, name, mention in sorted(by_first.get(key, ()), key=lambda n: -len(n[1])):
            start, end = begin - lead, begin - lead + len(name)
            written = text[max(0, start) : end]
            if not (_same(name, written) and _whole(text, start, end)):
                continue
            if taken.isdisjoint(range(start, end)):
                taken.update(range(start, end))
                added.append(replace(mention, start=start, end=end, text=written))
                break
    return sorted((*mentions, *added), key=lambda m: (m.start, m.end))


def _named(
    document: Document, mentions: Sequence[Mention], find: Finder | None
) -> dict[str, Mention]:
    """Each name that was found, and each short form of one, with a mention of it."""
    types: dict[str, Counter[str]] = {}
    for mention in mentions:
        types.setdefault(mention.text, Counter())[mention.type] += 1
    names: dict[str, Mention] = {}
    for mention in mentions:
        if mention.type == types[mention.text].most_common(1)[0][0]:
            names.setdefault(mention.text, mention)
    if find is not None:
        folded = {name.lower(): mention for name, mention in names.items()}
        for short, long in definitions(document, find).items():
            if long.lower() in folded:
                names.setdefault(short, folded[long.lower()])
    return names


def _same(name: str, written: str) -> bool:
    """Whether a text is a name; the first letter's case does not matter for a word."""
    if name == written:
        return True
    strict = len(name) <= _SHORT or any(character.isupper() for character in name[1:])
    return not strict and name.lower() == written.lower()


def _whole(text: str, start: int, end: int) -> bool:
    """Whether a span does not begin or end within a word."""
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    return start >= 0 and not before.isalnum() and not after.isalnum()
