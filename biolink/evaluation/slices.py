"""The slices of an evaluation to which a mention belongs.

A score over all mentions is too favourable if most of them were seen in training or are exactly
names of the knowledge base; slices show the scores of the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from biolink.documents import Document, Mention
from biolink.infer.mentions.abbreviations import expand_document, find_abbreviations
from biolink.kb.concept import bare_id
from biolink.kb.knowledge_base import KnowledgeBase
from biolink.kb.names import normalise_name

__all__ = ["Known", "overlap", "slices_of"]

_BINS = ("0 to 0.2", "0.2 to 0.4", "0.4 to 0.6", "0.6 to 0.8", "0.8 to 1")


@dataclass(frozen=True, slots=True)
class Known:
    """The normalised mentions, with abbreviations expanded, and the ids of training documents."""

    mentions: frozenset[str]
    concepts: frozenset[str]

    @classmethod
    def of(cls, documents: Iterable[Document]) -> Known:
        """Collect the mentions and ids of the training documents."""
        mentions: set[str] = set()
        concepts: set[str] = set()
        for document in documents:
            # Abbreviations are expanded here as they are when mentions are linked.
            for mention in expand_document(document, find_abbreviations).mentions:
                mentions.add(normalise_name(mention.long_form or mention.text))
                concepts.update(map(bare_id, mention.concept_ids))
        return cls(frozenset(mentions), frozenset(concepts))


def overlap(first: str, second: str) -> float:
    """Return the Jaccard similarity of the character trigrams of two normalised names, 0 to 1.

    >>> overlap("fever", "fever"), overlap("fever", "cold")
    (1.0, 0.0)
    """
    a, b = ({f" {name} "[i : i + 3] for i in range(len(name))} for name in (first, second))
    return len(a & b) / len(a | b) if a | b else float(first == second)


def slices_of(
    mention: Mention, gold: Collection[str], kb: KnowledgeBase | None, known: Known
) -> tuple[tuple[str, str], ...]:
    """Return the (dimension, value) pairs of a mention.

    Parameters
    ----------
    mention
        The mention.
    gold
        Ids of its gold concepts, as the knowledge base writes them.
    kb
        The knowledge base, for the slices that depend on its names.
    known
        The mentions and ids seen in training. If it is empty, there are no slices for these.
    """
    written = normalise_name(mention.long_form or mention.text)
    slices = [
        ("type", mention.type or "none"),
        ("abbreviation", "yes" if mention.long_form else "no"),
    ]
    words = len(mention.text.split())
    slices.append(("words in the mention", "4 or more" if words > 3 else str(words)))
    if known.mentions:
        ids = {bare_id(i) for i in mention.concept_ids} | set(gold)
        slices.append(("mention in training", "seen" if written in known.mentions else "unseen"))
        slices.append(("concept in training", "seen" if ids & known.concepts else "unseen"))
    if kb is not None:
        names = [
            normalise_name(name)
            for concept_id in gold
            if (concept := kb.get(concept_id)) is not None
            for name in concept.names
        ]
        if names:
            best = max(overlap(written, name) for name in names)
            slices.append(("overlap with a gold name", _BINS[min(4, int(best * 5))]))
        name_id = kb.name_id(written)
        shared = name_id is not None and len(kb.owners(name_id)) > 1
        slices.append(("homonym", "yes" if shared else "no"))
    return tuple(slices)
