"""Further mentions of a full text: the other places of the names that were found in it.

A classifier reads a long text in windows, and finds a name in one window and not in another. Unless
it passes over most places of the name, the others are mentions, too. In an abstract, names hardly
come again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from biolink.documents import Document, Mention
from biolink.infer.mentions.abbreviations import Finder, definitions
from biolink.infer.mentions.words import words_of

__all__ = ["FULL_TEXT", "every_occurrence"]

#: The number of characters from which on a document is a full text.
FULL_TEXT = 5000
#: Names of up to so many letters, and names with capitals behind the first letter, must be spelt
#: with the same capitals.
_SHORT = 4
#: The places of a name are added if the recogniser finds it in at least this share of them
#: (``benchmarks/full_text.py``).
_SHARE = 0.25


def every_occurrence(
    document: Document, mentions: Sequence[Mention], find: Finder | None = None
) -> list[Mention]:
    """The mentions of a full text, with the other places where it has their names or short forms.

    Names of one character or without a letter are left out, and so are names that were found in few
    of their places. A place that overlaps a mention of another name is none. If a name was found
    with several types, the most frequent counts.

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
    The mentions in the order of the text. Those that were added have the type and the probability
    of the first mention with the same name.

    Examples
    --------
    >>> document = Document("", "Aspirin helps. Some took aspirin.")
    >>> [m.start for m in every_occurrence(document, [Mention(0, 7, "Aspirin", "Chemical")])]
    [0, 25]
    """
    found = Counter(_key(mention.text) for mention in mentions)
    names = _named(mentions)
    of_name = {name: name for name in names}
    if find is not None:
        for short, long in definitions(document, find).items():
            if _key(long) in names:
                of_name.setdefault(_key(short), _key(long))
                names.setdefault(_key(short), names[_key(long)])
    places = list(_places(document.text, mentions, names))
    counts = Counter(key for key, _, _ in places)
    kept = {key for key in names if found[key] >= _SHARE * counts[key]}
    kept |= {short for short, long in of_name.items() if short not in found and long in kept}
    kept = {key for key in kept if len(key) > 1 and any(map(str.isalpha, key))}
    result = {(m.start, m.end): m for m in mentions}
    taken = {place for start, end in result for place in range(start, end)}
    for key, start, end in sorted(places, key=lambda place: place[1] - place[2]):
        if key in kept and taken.isdisjoint(range(start, end)):
            taken.update(range(start, end))
            text = document.text[start:end]
            result[start, end] = replace(names[key], start=start, end=end, text=text)
    return [result[span] for span in sorted(result)]


def _named(mentions: Sequence[Mention]) -> dict[str, Mention]:
    """Each name that was found, with its first mention of the most frequent type."""
    types: dict[str, Counter[str]] = {}
    for mention in mentions:
        types.setdefault(_key(mention.text), Counter())[mention.type] += 1
    names: dict[str, Mention] = {}
    for mention in mentions:
        key = _key(mention.text)
        if mention.type == types[key].most_common(1)[0][0]:
            names.setdefault(key, mention)
    return names


def _places(
    text: str, mentions: Sequence[Mention], names: dict[str, Mention]
) -> Iterator[tuple[str, int, int]]:
    """The places where a text has names, each with its name; mentions of other names are spared."""
    by_first: dict[str, list[tuple[int, int]]] = {}
    for key in names:
        words = words_of(key)
        if words:
            by_first.setdefault(words[0][2], []).append((words[0][0], len(key)))
    inside = {place: m for m in mentions for place in range(m.start, m.end)}
    for begin, _, word in words_of(text):
        for lead, length in set(by_first.get(word, ())):
            start, end = begin - lead, begin - lead + length
            key = _key(text[max(0, start) : end])
            if len(key) == length and key in names and _whole(text, start, end):
                others = {inside[place].text for place in range(start, end) if place in inside}
                if all(_key(other) == key for other in others):
                    yield key, start, end


def _key(name: str) -> str:
    """A name as it is compared: the case of a longer word does not matter."""
    strict = len(name) <= _SHORT or any(character.isupper() for character in name[1:])
    return name if strict else name.lower()


def _whole(text: str, start: int, end: int) -> bool:
    """Whether a span does not begin or end within a word."""
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    return start >= 0 and not before.isalnum() and not after.isalnum()
