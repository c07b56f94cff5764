"""Linking that follows what people decided: what is found, and what mentions are linked to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import lru_cache

from biolink.documents import Document, Link, Mention
from biolink.infer.mentions.recognise import DictionaryRecogniser
from biolink.infer.remembered.decisions import Decision, Remembered
from biolink.kb import Concept, KnowledgeBase
from biolink.kb.bases import KnowledgeBases
from biolink.kb.types import KINDS, kind_of

__all__ = ["REMEMBERED_NIL", "REMEMBERED_REASON", "found_as_remembered", "linked_as_remembered"]

#: Why a mention is NIL that people said means no concept.
REMEMBERED_NIL = "a correction says that no concept is meant"
#: Why a link is the first that people chose for such a mention.
REMEMBERED_REASON = "chosen in a correction"
#: A concept: the number of its base, and its row.
#: What a mention means: concepts, and how they belong together; no concepts for NIL.
_Place = tuple[int, int]
_Meaning = tuple[tuple[_Place, ...], str]


def found_as_remembered(
    remembered: Remembered | None,
    documents: Sequence[Document],
    found: Collection[int],
    wanted: KnowledgeBases,
) -> list[Document]:
    """The documents, in which a recogniser's mentions are those that people would have marked.

    A mention is taken away if more people said that its text is none than said what it means. Texts
    that people added are found, unless they lie within another mention; mentions that they contain
    or cross are replaced.

    Parameters
    ----------
    remembered
        The decisions, or None.
    documents
        Documents with mentions.
    found
        The indices of the documents whose mentions a recogniser found. The others stay as they are.
    wanted
        The knowledge bases of the kinds that are wanted.
    """
    if not remembered:
        return list(documents)
    return [
        _found(remembered, document, wanted) if number in found else document
        for number, document in enumerate(documents)
    ]


def _found(remembered: Remembered, document: Document, wanted: KnowledgeBases) -> Document:
    kept = [mention for mention in document.mentions if not _is_none(remembered, mention)]
    dictionary = _dictionary(remembered.added)
    for added in () if dictionary is None else dictionary(document).mentions:
        if not _is_wanted(added.type, wanted) or _is_none(remembered, added):
            continue
        if any(m.start <= added.start and added.end <= m.end for m in kept):
            continue
        kept = [m for m in kept if m.end <= added.start or added.end <= m.start]
        kept.append(added)
    return document.with_mentions(sorted(kept, key=lambda m: (m.start, m.end)))


def _is_none(remembered: Remembered, mention: Mention) -> bool:
    decisions = remembered.of(mention.text, mention.type)
    against = sum(not decision.mention for decision in decisions)
    return against > len(decisions) - against


def _is_wanted(kind: str, wanted: KnowledgeBases) -> bool:
    return kind_of(kind) not in KINDS or wanted.has(kind)


@lru_cache(maxsize=4)
def _dictionary(texts: frozenset[tuple[str, str]]) -> DictionaryRecogniser | None:
    """A recogniser of texts with their types."""
    names = [
        Concept(str(number), text, types=(kind,) if kind else ())
        for number, (text, kind) in enumerate(sorted(texts))
    ]
    kb = KnowledgeBase.from_concepts(names) if names else None
    return None if kb is None else DictionaryRecogniser(kb, abbreviations=None)


def linked_as_remembered(
    remembered: Remembered | None,
    linked: Sequence[Document],
    given: Sequence[Document],
    bases: KnowledgeBases,
) -> list[Document]:
    """The linked documents, in which mentions that people decided mean what they said.

    Mentions on whose text there is no correction stay as they are. If people gave mentions with the
    same text several meanings, each counts by the number of mentions to which it was given. The
    linker, whose answer was corrected, at most doubles this: the number is multiplied by one plus
    the probability that it gives the meaning here.

    Parameters
    ----------
    remembered
        The decisions, or None.
    linked
        The documents as they were linked.
    given
        The same documents before they were linked: a mention without a type may be of any.
    bases
        The knowledge bases that are linked to.
    """
    if not remembered:
        return list(linked)
    return [
        document.with_mentions(
            _decided(remembered, mention, before.type, bases)
            for mention, before in zip(document.mentions, as_given.mentions, strict=True)
        )
        for document, as_given in zip(linked, given, strict=True)
    ]


def _decided(remembered: Remembered, mention: Mention, kind: str, bases: KnowledgeBases) -> Mention:
    decisions = remembered.of(mention.long_form or mention.text, kind)
    if not any(decision.meant == "corrected" for decision in decisions):
        return mention
    counts = Counter(
        meaning
        for decision in decisions
        if decision.meant and (meaning := _meaning_of(decision, mention, bases)) is not None
    )
    if not counts:
        return mention  # this knowledge base has none of the concepts
    weights = {m: count * (1 + _probability(mention, m, bases)) for m, count in counts.items()}
    best = max(reversed(weights), key=lambda meaning: weights[meaning])
    return _meaning(mention, best, weights[best] / sum(weights.values()), bases)


def _meaning_of(decision: Decision, mention: Mention, bases: KnowledgeBases) -> _Meaning | None:
    """The concepts that a mention means by a decision, or None if a base has not all of them."""
    places = [_place(concept, mention.type, bases) for concept in decision.concepts]
    return None if None in places else (tuple(p for p in places if p is not None), decision.joiner)


def _place(concept_id: str, kind: str, bases: KnowledgeBases) -> _Place | None:
    """The number of the base that has a concept, also outside the part, and the concept's row."""
    wholes = KnowledgeBases([base.base for base in bases.bases])
    having = wholes.having(concept_id)
    if not having:
        return None
    typed = wholes.of_mention(kind)
    base = typed if typed in having else having[0]
    row = base.row_of(concept_id)
    return None if row is None else (wholes.bases.index(base), row)


def _probability(mention: Mention, meaning: _Meaning, bases: KnowledgeBases) -> float:
    """The probability that the linker gives a meaning."""
    if not meaning[0]:
        return mention.nil_probability or 0.0
    number, row = meaning[0][0]
    first = bases.bases[number].base.id_at(row)
    return next((link.probability for link in mention.links if link.concept_id == first), 0.0)


def _meaning(mention: Mention, meaning: _Meaning, share: float, bases: KnowledgeBases) -> Mention:
    """The mention with a meaning that has a share of all probability."""
    places, joiner = meaning
    if not places:
        return replace(mention, links=(), nil_reason=REMEMBERED_NIL, nil_probability=share)
    outside = [
        bases.bases[number].base.id_at(row)
        for number, row in places
        if (mask := bases.bases[number].row_mask) is not None and not mask[row]
    ]
    if outside:
        reason = f"pruned: {outside[0]}, which a correction says is meant, is outside"
        return replace(mention, links=(), nil_reason=reason)
    own = [_link(mention, bases.bases[number], row, share) for number, row in places]
    ids = {link.concept_id for link in own}
    others = [
        replace(
            link, probability=link.probability * (1 - share), score=link.score + _log(1 - share)
        )
        for link in mention.links
        if link.concept_id not in ids
    ]
    most = max(len(own), len(mention.links))
    links = tuple(replace(link, rank=rank) for rank, link in enumerate([*own, *others][:most], 1))
    kb, kind = bases.bases[places[0][0]], mention.type
    if bases.of_mention(kind) is not kb:
        kind = (kb.types_at(places[0][1]) or (kind,))[0]
    return replace(mention, links=links, nil_reason=None, type=kind, id_joiner=joiner)


def _link(mention: Mention, kb: KnowledgeBase, row: int, share: float) -> Link:
    concept_id, name = kb.id_at(row), kb.preferred_name_at(row)
    known = next((link for link in mention.links if link.concept_id == concept_id), None)
    link = known or Link(
        concept_id,
        name,
        0.0,
        0.0,
        1,
        long_form=mention.long_form,
        preferred_name=name,
        curie=kb.curie(concept_id),
    )
    return replace(link, score=_log(share), probability=share, reason=REMEMBERED_REASON)


def _log(probability: float) -> float:
    return math.log(probability) if probability > 0 else -math.inf
