"""One mention with its links and its gold concepts: whether it is right, and why not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple

from biolink.documents import Mention
from biolink.evaluation.slices import Known, slices_of
from biolink.kb import KnowledgeBase, bare_id

__all__ = ["LINKS_KEPT", "Case", "Gold", "case_of", "gold_of", "known_id", "warn_of_other_base"]

log = logging.getLogger(__name__)

#: The number of links that a case keeps, and of those that Recall@5 takes into account.
LINKS_KEPT = 5


@dataclass(frozen=True, slots=True)
class Case:
    """One counted mention.

    Attributes
    ----------
    document
        The document's id. A later document with the same id has its number after it ("12#2"), so
        that no two documents of a report are taken for one.
    start, end, text, type, long_form
        The mention.
    gold
        Ids of the gold concepts, as the knowledge base writes them.
    links
        The five best links as (concept id, name, probability).
    in_kb
        Whether the knowledge base has a gold concept.
    strict, lenient
        Whether the best link is right, by the strict and by the lenient measure.
    rank
        The rank of the first right link among all links, or None.
    why
        The reason of a miss; empty when the best link is right.
    slices
        The (dimension, value) pairs of the slices to which the mention belongs.
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


class Gold(NamedTuple):
    """The gold concepts of a mention.

    Attributes
    ----------
    ids
        Their ids, as the knowledge base writes them.
    in_kb
        Whether the knowledge base has one of them.
    together
        Whether they are several concepts that are meant only together (``+``).
    """

    ids: set[str]
    in_kb: bool
    together: bool

    @property
    def right(self) -> set[str]:
        """The ids of which each is right by the strict measure."""
        return set() if self.together else self.ids


def gold_of(mention: Mention, kb: KnowledgeBase | None) -> Gold:
    """Return the gold concepts of a mention."""
    resolved = {i: None if kb is None else kb.resolve(i) for i in mention.concept_ids}
    ids = {known or bare_id(i) for i, known in resolved.items()}
    in_kb = kb is None or any(known is not None for known in resolved.values())
    return Gold(ids, in_kb, mention.id_joiner == "+" and len(ids) > 1)


def case_of(
    document: str,
    mention: Mention,
    kb: KnowledgeBase | None,
    known: Known,
    named: Callable[[str], str],
) -> tuple[Case, tuple[bool, bool]]:
    """Return the case, and whether a gold concept is among the five best, strict and lenient."""
    gold, in_kb, together = gold_of(mention, kb)
    ids = [named(link.concept_id) for link in mention.links]
    owners = [
        {concept, *map(named, link.also)} for concept, link in zip(ids, mention.links, strict=True)
    ]
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
        document,
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
    """Return the id under which the knowledge base has a concept, or the id without its prefix.

    >>> known_id("MESH:D001249", None)
    'D001249'
    """
    return (kb.resolve(concept_id) if kb is not None else None) or bare_id(concept_id)


def warn_of_other_base(in_kb: Collection[bool]) -> None:
    """Warn if the knowledge base has no gold concept at all.

    Parameters
    ----------
    in_kb
        For each mention with a gold concept, whether the knowledge base has one of its concepts.
    """
    if in_kb and not any(in_kb):
        log.warning(
            "biolink: warning: the knowledge base has none of the gold concepts of the %d "
            "mentions, so no link can be right; is it the right one?",
            len(in_kb),
        )
