"""How far wrong links are from the gold concepts in the hierarchy of the knowledge base."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from biolink.kb.bases import KnowledgeBases, base_of
from biolink.kb.knowledge_base import KnowledgeBase

__all__ = ["distances_to_gold"]

_NEAR = {1: "1 step (a parent or child)", 2: "2 steps"}
_FAR, _UNRELATED = "3 steps or more", "unrelated"


def distances_to_gold(
    wrong: Iterable[tuple[str, str, Iterable[str]]],
    kb: KnowledgeBase | KnowledgeBases | None,
    types: Collection[str],
) -> dict[str, int] | None:
    """Count wrong links by their distance to the nearest gold concept.

    The distance is the number of steps on the shortest path through a common ancestor, which is
    called the tree-induced error (:meth:`biolink.KnowledgeBase.distance` has the source). Links
    without a common ancestor with any gold concept are unrelated.

    Parameters
    ----------
    wrong
        For each wrong link the type of its mention, the id of its concept and the ids of the gold
        concepts. It is not counted if the knowledge base lacks the concept, or all gold concepts,
        or has no hierarchy.
    kb
        The knowledge base, or those of several kinds of entities.
    types
        The types of all mentions, also of those whose links are right.

    Returns
    -------
    Distance in words -> number of links, or None if no knowledge base of the types has a hierarchy.

    >>> from biolink.kb import Concept, KnowledgeBase
    >>> fever, q_fever = Concept("1", "fever"), Concept("2", "Q fever", parents=("1",))
    >>> kb = KnowledgeBase.from_concepts([fever, q_fever, Concept("3", "cold")])
    >>> counts = distances_to_gold([("", "2", {"1"}), ("", "3", {"1"})], kb, {""})
    >>> {distance: count for distance, count in counts.items() if count}
    {'1 step (a parent or child)': 1, 'unrelated': 1}
    """
    bases = [base_of(kb, mention_type) for mention_type in types]
    if not any(base is not None and base.has_hierarchy for base in bases):
        return None
    counts = dict.fromkeys((*_NEAR.values(), _FAR, _UNRELATED), 0)
    for mention_type, linked, gold in wrong:
        base = base_of(kb, mention_type)
        if base is None or not base.has_hierarchy:
            continue
        known = [concept for concept in gold if concept in base]
        if known and linked in base:
            distances = (base.distance(linked, concept) for concept in known)
            nearest = min((d for d in distances if d is not None), default=None)
            counts[_UNRELATED if nearest is None else _NEAR.get(nearest, _FAR)] += 1
    return counts
