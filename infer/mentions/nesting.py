"""Mentions within longer ones, which are no evidence for the mentions around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from biolink.documents import Document, Mention
from biolink.infer.mentions.hyphenated import is_fragment

__all__ = ["nested", "outer_first", "without_fragments"]

T = TypeVar("T")


def nested(mentions: Sequence[Mention]) -> frozenset[int]:
    """Return the numbers of the mentions that lie within a longer one.

    >>> sorted(nested([Mention(0, 6, "ERK1/2"), Mention(0, 4, "ERK1"), Mention(8, 11, "p53")]))
    [1]
    """
    inner: set[tuple[int, int]] = set()
    furthest = -1
    # The longest of those that begin at the same place comes first.
    for start, end in sorted({(m.start, m.end) for m in mentions}, key=lambda s: (s[0], -s[1])):
        if end <= furthest:
            inner.add((start, end))
        furthest = max(furthest, end)
    return frozenset(i for i, m in enumerate(mentions) if (m.start, m.end) in inner)


def outer_first(document: Document, read: Callable[[Document], Sequence[T]]) -> list[T]:
    """What a function says about each mention of a document, about outer ones without the nested.

    Parameters
    ----------
    document
        The document.
    read
        A function that gives a value for each mention of a document, and for which the other
        mentions are evidence. It is called with the outer mentions, and then with the nested ones.

    Returns
    -------
    The values in the order of the mentions.
    """
    inner = nested(document.mentions)
    if not inner:
        return list(read(document))
    every = range(len(document.mentions))
    outer = [number for number in every if number not in inner]
    values: dict[int, T] = {}
    for numbers in (outer, sorted(inner)):
        part = document.with_mentions(document.mentions[number] for number in numbers)
        values.update(zip(numbers, read(part), strict=True))
    return [values[number] for number in every]


def without_fragments(text: str, mentions: Sequence[Mention]) -> list[Mention]:
    """Leave out the nested mentions that name nothing by themselves; see :func:`is_fragment`."""
    inner = nested(mentions)
    return [
        mention
        for number, mention in enumerate(mentions)
        if number not in inner or not is_fragment(text, mention.start, mention.end)
    ]
