"""Hints to what a mention stands for, for mentions whose definition is not found.

There are three kinds of hints. *Apposition*: in ``amrubicin (SM-5887)``, the mention before the
bracket tells what the mention in it stands for. Abbreviation finders match letters, so they miss
codes, formulas and trade names in brackets. *Acronym*: another mention of the document has the
letters of the short form, although the two are never next to each other. *Abbreviation*: other
documents define the short form.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from biolink.documents import Document, Mention
from biolink.infer.mentions.abbreviations import Definition, Definitions, long_form_of, may_be_short
from biolink.kb.names import fold

__all__ = ["HINTS", "Hint", "acronyms", "appositions", "hints"]

Kind = Literal["apposition", "acronym", "abbreviation"]
#: The kinds of hints, in the order of their features.
HINTS: tuple[Kind, ...] = ("apposition", "acronym", "abbreviation")

_OPENING = re.compile(r" *[(\[] *")
_CLOSING = re.compile(r" *[)\],;]")
#: The number of long forms of a short form that become hints, most frequent first.
_LONG_FORMS = 3


@dataclass(frozen=True, slots=True)
class Hint:
    """A text that a mention may stand for.

    Attributes
    ----------
    kind
        The kind of the hint.
    text
        What the mention may stand for.
    weight
        In [0, 1]. For an abbreviation, it is the share of its definitions that have this long form.
        Default: 1.
    """

    kind: Kind
    text: str
    weight: float = 1.0


def appositions(document: Document) -> Definitions:
    """Pairs of mentions of which the second follows the first in brackets.

    Each text is mapped to the other. If a text is paired with several others, the nearest pair
    before a mention counts. Mentions of different types are not paired.

    >>> mentions = (Mention(0, 9, "amrubicin"), Mention(11, 18, "SM-5887"))
    >>> appositions(Document("", "amrubicin (SM-5887)", mentions=mentions))
    {'SM-5887': 'amrubicin', 'amrubicin': 'SM-5887'}
    """
    equated: list[Definition] = []
    mentions = sorted(document.mentions, key=lambda m: (m.start, m.end))
    for first, second in pairwise(mentions):
        if (
            first.type == second.type
            and first.text != second.text
            and _OPENING.fullmatch(document.text[first.end : second.start])
            and _CLOSING.match(document.text, second.end)
        ):
            span = (first.start, second.end)
            equated.append(Definition(second.text, first.long_form or first.text, *span))
            equated.append(Definition(first.text, second.long_form or second.text, *span))
    return Definitions(equated)


def acronyms(document: Document) -> dict[str, str]:
    """For each short mention, a longer mention of the same type that it may abbreviate.

    The letters are matched as Schwartz and Hearst do, against the whole longer mention. If several
    mentions match, the most frequent is taken, or the first of equally frequent ones. A single
    letter stands for a mention that begins with it, if there is exactly one.

    >>> mentions = (Mention(0, 2, "MS"), Mention(7, 25, "multiple sclerosis"))
    >>> acronyms(Document("", "MS, or multiple sclerosis", mentions=mentions))
    {'MS': 'multiple sclerosis'}
    """
    long_forms: dict[str, str] = {}
    counts = Counter((m.type, m.long_form or m.text) for m in document.mentions)
    for mention in document.mentions:
        short = mention.text
        if short in long_forms or mention.long_form is not None:
            continue
        longer = [
            text
            for (kind, text), _ in counts.most_common()
            if kind == mention.type and len(text) > len(short) + 2
        ]
        if may_be_short(short):
            matching = [text for text in longer if long_form_of(short, text) == text]
            if matching:
                long_forms[short] = matching[0]
        elif len(short) == 1 and short.isupper():
            begins = {text.lower(): text for text in longer if text[0].lower() == short.lower()}
            if len(begins) == 1:
                (long_forms[short],) = begins.values()
    return long_forms


def hints(
    document: Document, abbreviations: Mapping[str, Mapping[str, int]]
) -> list[tuple[Hint, ...]]:
    """The hints for each mention of a document whose abbreviations are expanded already.

    Parameters
    ----------
    document
        The document.
    abbreviations
        For each short form, how often other documents define it as each long form. Long forms of
        no interest are counted under the empty string.

    Returns
    -------
    The hints for each mention, in the order of the mentions.
    """
    beside, letters = appositions(document), acronyms(document)
    return [_of_mention(mention, beside, letters, abbreviations) for mention in document.mentions]


def _of_mention(
    mention: Mention,
    beside: Definitions,
    letters: Mapping[str, str],
    abbreviations: Mapping[str, Mapping[str, int]],
) -> tuple[Hint, ...]:
    collected: list[Hint] = []
    if mention.text in beside:
        collected.append(Hint("apposition", beside.held(mention.text, mention.start)))
    if mention.text in letters:
        collected.append(Hint("acronym", letters[mention.text]))
    if mention.long_form is None:
        folded = fold(mention.text)
        forms = (mention.text, folded, folded.removesuffix("s"))
        known = next((abbreviations[form] for form in forms if form in abbreviations), {})
        total = sum(known.values())
        common = sorted((long for long in known if long), key=lambda long: (-known[long], long))
        collected += [
            Hint("abbreviation", long, known[long] / total) for long in common[:_LONG_FORMS]
        ]
    return tuple(collected)
