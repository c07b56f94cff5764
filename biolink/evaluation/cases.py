"""One mention with its links and its gold concepts: right or wrong, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from biolink.documents import Document, Mention
from biolink.evaluation.slices import Known, slices_of
from biolink.kb import KnowledgeBase, bare_id

__all__ = ["LINKS_KEPT", "Case", "case_of", "known_id"]

#: Links of a case, and what Recall@5 looks at.
LINKS_KEPT = 5


@dataclass(frozen=True, slots=True)
class Case:
    """One counted mention.

    Attributes
    ----------
    document, start, end, text, type, long_form
        The mention.
    gold
        Its concepts, as the knowledge base calls them.
    links
        The best five as (concept id, name, probability).
    in_kb, strict, lenient
        Whether the knowledge base holds a gold concept; whether the best link is right.
    rank
        Of the first right link among all that were returned, or None.
    why
        For a miss: what went wrong.
    slices
        (dimension, value) pairs.
    """

    document: str
    start: int
    end: int
    text: str
    type: str
    long_form: str | None
    gold: tuple[str, ...]
    links: tuple[tuple[str, str, float], ...]
    in_kb: bool
    strict: bool
    lenient: bool
    rank: int | None
    why: str
    slices: tuple[tuple[str, str], ...] = ()


def case_of(
    document: Document,
    mention: Mention,
    kb: KnowledgeBase | None,
    known: Known,
    named: Callable[[str], str],
) -> tuple[Case, tuple[bool, bool]]:
    """The case, and whether gold is among the best five, strict and lenient."""
    gold, in_kb = _gold(mention, kb)
    ids = [named(link.concept_id) for link in mention.links]
    owners = [
        {concept, *map(named, link.also)} for concept, link in zip(ids, mention.links, strict=True)
    ]
    together = mention.id_joiner == "+" and len(gold) > 1
    rank = next((r for r, concept in enumerate(ids, 1) if concept in gold), None)
    strict = rank == 1 and not together
    lenient = bool(owners) and bool(owners[0] & gold)
    at_5 = (
        rank is not None and rank <= LINKS_KEPT and not together,
        any(o & gold for o in owners[:LINKS_KEPT]),
    )
    if strict:
        why = ""
    elif not in_kb:
        why = "gold not in the knowledge base"
    elif together:
        why = "several concepts make one mention"
    elif not mention.links:
        why = f"NIL: {mention.nil_reason or 'no candidate'}"
    elif lenient:
        why = "right name, other owner"
    elif rank is None:
        why = "gold not among the candidates"
    else:
        why = f"gold ranked {rank}"
    case = Case(
        document.id,
        mention.start,
        mention.end,
        mention.text,
        mention.type,
        mention.long_form,
        tuple(sorted(gold)),
        tuple(
            (concept, link.name, round(link.probability, 4))
            for concept, link in zip(ids, mention.links[:LINKS_KEPT], strict=False)
        ),
        in_kb,
        strict,
        lenient,
        rank,
        why,
        slices_of(mention, gold, kb, known),
    )
    return case, at_5


def known_id(concept_id: str, kb: KnowledgeBase | None) -> str:
    """The id under which the knowledge base holds a concept, or the id without its prefix.

    >>> known_id("MESH:D001249", None)
    'D001249'
    """
    return (kb.resolve(concept_id) if kb is not None else None) or bare_id(concept_id)


def _gold(mention: Mention, kb: KnowledgeBase | None) -> tuple[set[str], bool]:
    if kb is None:
        return {bare_id(i) for i in mention.concept_ids}, True
    found = {i: kb.resolve(i) for i in mention.concept_ids}
    gold = {resolved or bare_id(i) for i, resolved in found.items()}
    return gold, any(resolved is not None for resolved in found.values())
