"""Longer names that begin with a mention, such as ``substance P`` with ``substance``."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace

from biolink.documents import Document, Mention
from biolink.infer.mentions.hyphenated import Names, is_code
from biolink.infer.mentions.spans import segments
from biolink.infer.mentions.words import Words, words_of
from biolink.kb.types import type_name

__all__ = ["NamesFrom", "with_longer_names"]

#: A name that is longer than this is not looked for.
_LONGEST = 120
#: What stands between the parts of an enumeration, not between the words of a name.
_MARKS = frozenset(",;:")

#: A function that gives the names that begin with the first of the words of a line: where each
#: ends, and its type.
NamesFrom = Callable[[str, Words], Sequence[tuple[int, str]]]


def with_longer_names(
    document: Document, mentions: Sequence[Mention], names: Names, names_from: NamesFrom
) -> list[Mention]:
    """Extend mentions to the longest name that begins with them; the result does not overlap.

    A mention that is a name of its type is only extended by a code (``troponin T``). Any other
    mention is extended to a name of its type, or, without a space, to a name of any type
    (``Su(H)``). The mentions within the longer name are left out.

    Parameters
    ----------
    document
        The document.
    mentions
        The mentions that were found in it, in order; they do not overlap.
    names
        A function that tells whether a text is a name of a type.
    names_from
        A function that gives the names at the beginning of a line.

    Examples
    --------
    >>> document = Document("", "substance P")
    >>> found = [Mention(0, 9, "substance", "Chemical")]
    >>> names = with_longer_names(
    ...     document, found, lambda text, kind: False, lambda line, words: [(11, "Chemical")]
    ... )
    >>> [mention.text for mention in names]
    ['substance P']
    """
    text = document.text
    ends = [end for _, end in segments(document)]
    kept: list[Mention] = []
    for number, mention in enumerate(mentions):
        if kept and kept[-1].end > mention.start:
            continue
        limit = ends[min(bisect_right(ends, mention.start), len(ends) - 1)]
        line = text[mention.start : min(limit, mention.start + _LONGEST)]
        words = words_of(line)
        longer = [
            (mention.start + end, kind)
            for end, kind in names_from(line, words)
            if mention.start + end > mention.end
        ]
        known = bool(longer) and names(mention.text, mention.type)
        for end, kind in sorted(longer, reverse=True):
            cuts = any(m.start < end < m.end for m in mentions[number + 1 :])
            if not cuts and _continues(text[mention.end : end], kind, mention.type, known):
                mention = replace(
                    mention,
                    end=end,
                    text=text[mention.start : end],
                    type=mention.type if type_name(kind) == type_name(mention.type) else kind,
                )
                break
        kept.append(mention)
    return kept


def _continues(rest: str, kind: str, wanted: str, known: bool) -> bool:
    """Whether what a longer name has besides a mention belongs to the mention."""
    if type_name(kind) != type_name(wanted):
        return not known and not any(map(str.isspace, rest)) and rest[0] in "(["
    if known:
        return rest[0] == " " and is_code(rest[1:])
    return _MARKS.isdisjoint(rest)
