"""What a document, or the texts at hand, say a mention stands for, where no definition is found.

Three kinds of hints. *Apposition*: ``amrubicin (SM-5887)``; abbreviation finders match letters,
and codes, formulas and trade names in brackets share none with what they stand for, but the
mention before the bracket says it. *Acronym*: another mention of the document whose letters the
short form has, though the two never stand beside one another. *Abbreviation*: what other documents
define the short form to be.
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
#: Kinds of hints, in the order of their features.
HINTS: tuple[Kind, ...] = ("apposition", "acronym", "abbreviation")

_OPENING = re.compile(r" *[(\[] *")
_CLOSING = re.compile(r" *[)\],;]")
_LONG_FORMS = 3  # of a short form, the most frequent


@dataclass(frozen=True, slots=True)
class Hint:
    """A text that a mention may stand for.

    Attributes
    ----------
    kind
        Where it comes from.
    text
        What the mention may stand for.
    weight
        From 0 to 1: for an abbreviation the share of its definitions that say so.
    """

    kind: Kind
    text: str
    weight: float = 1.0


def appositions(document: Document) -> Definitions:
    """Text of a mention -> text of the mention that it is put beside in brackets.

    Both directions are given; where a text stands beside several, the nearest before a mention
    counts. Mentions of different types are not equated.
    """
    found: list[Definition] = []
    mentions = sorted(document.mentions, key=lambda m: (m.start, m.end))
    for one, other in pairwise(mentions):
        if (
            one.type == other.type
            and one.text != other.text
            and _OPENING.fullmatch(document.text[one.end : other.start])
            and _CLOSING.match(document.text, other.end)
        ):
            place = (one.start, other.end)
            found.append(Definition(other.text, one.long_form or one.text, *place))
            found.append(Definition(one.text, other.long_form or other.text, *place))
    return Definitions(found)


def acronyms(document: Document) -> dict[str, str]:
    """Short mention -> a longer mention of the same type whose letters it has.

    The letters are matched as Schwartz and Hearst's finder does, over the whole of the longer
    mention; of several the most frequent counts, then the first. A single letter stands for the
    one mention that begins with it, if there is one only.
    """
    found: dict[str, str] = {}
    counts = Counter((m.type, m.long_form or m.text) for m in document.mentions)
    for mention in document.mentions:
        short = mention.text
        if short in found or mention.long_form is not None:
            continue
        longer = [
            text
            for (kind, text), _ in counts.most_common()
            if kind == mention.type and len(text) > len(short) + 2
        ]
        if may_be_short(short):
            matching = [text for text in longer if long_form_of(short, text) == text]
            if matching:
                found[short] = matching[0]
        elif len(short) == 1 and short.isupper():
            begins = {text.lower(): text for text in longer if text[0].lower() == short.lower()}
            if len(begins) == 1:
                (found[short],) = begins.values()
    return found


def hints(
    document: Document, abbreviations: Mapping[str, Mapping[str, int]]
) -> list[tuple[Hint, ...]]:
    """Hints for each mention of a document whose abbreviations are written out already.

    Parameters
    ----------
    abbreviations
        Short form -> long form -> how often other documents define it so. Long forms of no
        interest count under "".
    """
    beside, letters = appositions(document), acronyms(document)
    return [_of_mention(mention, beside, letters, abbreviations) for mention in document.mentions]


def _of_mention(
    mention: Mention,
    beside: Definitions,
    letters: Mapping[str, str],
    abbreviations: Mapping[str, Mapping[str, int]],
) -> tuple[Hint, ...]:
    found: list[Hint] = []
    if mention.text in beside:
        found.append(Hint("apposition", beside.held(mention.text, mention.start)))
    if mention.text in letters:
        found.append(Hint("acronym", letters[mention.text]))
    if mention.long_form is None:
        folded = fold(mention.text)
        forms = (mention.text, folded, folded.removesuffix("s"))
        known = next((abbreviations[form] for form in forms if form in abbreviations), {})
        total = sum(known.values())
        common = sorted((long for long in known if long), key=lambda long: (-known[long], long))
        found += [Hint("abbreviation", long, known[long] / total) for long in common[:_LONG_FORMS]]
    return tuple(found)
