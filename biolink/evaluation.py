"""Accuracy of links against gold concepts.

``strict``: exactly one concept is returned, the best link, and it is right or wrong; where a
mention has several gold ids any of them is right, but ids joined by ``+`` make one mention
together, which one concept cannot be. ``lenient``: a hit when any concept that owns the generated
name is right (GenBioEL's and BioSyn's metric). Mentions without a gold id are not counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from biolink.documents import Document, Mention
from biolink.kb.concept import bare_id
from biolink.kb.knowledge_base import KnowledgeBase

__all__ = ["Report", "Scores", "evaluate"]

_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Scores:
    """Shares of mentions, from 0 to 1.

    Attributes
    ----------
    recall_at_1, recall_at_5
        The gold concept is the best link; is among the best five.
    interval
        95 % bootstrap interval of ``recall_at_1``, over documents.
    """

    recall_at_1: float
    recall_at_5: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Report:
    """Result of :func:`evaluate`.

    Attributes
    ----------
    documents, mentions
        How many were counted.
    in_kb
        Mentions whose gold concept the knowledge base holds; None when none was given.
    nil
        Mentions that got no link.
    strict, lenient
        Over all counted mentions.
    strict_in_kb, lenient_in_kb
        Over those whose gold the knowledge base holds.
    by_type
        Strict Recall@1 by mention type.
    """

    documents: int
    mentions: int
    in_kb: int | None
    nil: int
    strict: Scores
    lenient: Scores
    strict_in_kb: Scores | None
    lenient_in_kb: Scores | None
    by_type: dict[str, float]

    def to_json(self) -> str:
        """The report as a JSON object."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)


def evaluate(
    documents: Iterable[Document], kb: KnowledgeBase | None = None, seed: int = 0
) -> Report:
    """Compare links with gold concepts.

    Parameters
    ----------
    documents
        Linked documents whose mentions have ``concept_ids``.
    kb
        Resolves alternative ids, and tells which gold concepts it holds.
    seed
        Of the bootstrap.
    """
    columns: list[tuple[int, str, bool, bool, bool, bool, bool, bool]] = []
    count = 0
    for number, document in enumerate(documents):
        count += 1
        for mention in document.mentions:
            if mention.concept_ids:
                gold, in_kb = _gold(mention, kb)
                columns.append(
                    (number, mention.type, in_kb, not mention.links, *_hits(mention, gold))
                )
    owners = np.array([row[0] for row in columns], dtype=int)
    types = [row[1] for row in columns]
    flags = np.array([row[2:] for row in columns], dtype=bool).reshape(-1, 6)
    held, nil, strict1, strict5, lenient1, lenient5 = flags.T
    every = np.ones(len(columns), dtype=bool)

    def scores(at_1: np.ndarray, at_5: np.ndarray, where: np.ndarray) -> Scores:
        return Scores(
            _mean(at_1[where]), _mean(at_5[where]), _interval(at_1[where], owners[where], seed)
        )

    return Report(
        documents=count,
        mentions=len(columns),
        in_kb=None if kb is None else int(held.sum()),
        nil=int(nil.sum()),
        strict=scores(strict1, strict5, every),
        lenient=scores(lenient1, lenient5, every),
        strict_in_kb=None if kb is None else scores(strict1, strict5, held),
        lenient_in_kb=None if kb is None else scores(lenient1, lenient5, held),
        by_type={
            name: _mean(strict1[np.array([t == name for t in types])])
            for name in sorted(set(types))
        },
    )


def _gold(mention: Mention, kb: KnowledgeBase | None) -> tuple[set[str], bool]:
    if kb is None:
        return {bare_id(i) for i in mention.concept_ids}, True
    found = {i: kb.resolve(i) for i in mention.concept_ids}
    gold = {resolved or bare_id(i) for i, resolved in found.items()}
    return gold, any(resolved is not None for resolved in found.values())


def _hits(mention: Mention, gold: set[str]) -> tuple[bool, bool, bool, bool]:
    """Strict at 1 and 5, lenient at 1 and 5."""
    ids = [link.concept_id for link in mention.links[:5]]
    owners = [{link.concept_id, *link.also} for link in mention.links[:5]]
    together = mention.id_joiner == "+" and len(gold) > 1
    strict = [False, False] if together else [bool(set(ids[:k]) & gold) for k in (1, 5)]
    lenient = [any(o & gold for o in owners[:k]) for k in (1, 5)]
    return strict[0], strict[1], lenient[0], lenient[1]


def _mean(values: Sequence[bool] | np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else 0.0


def _interval(values: np.ndarray, owners: np.ndarray, seed: int) -> tuple[float, float]:
    """95 % interval of the mean, documents resampled with replacement."""
    if not len(values):
        return (0.0, 0.0)
    documents, places = np.unique(owners, return_inverse=True)
    rights = np.bincount(places, values, len(documents))
    sizes = np.bincount(places, minlength=len(documents))
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(documents), (_RESAMPLES, len(documents)))
    means = rights[drawn].sum(1) / sizes[drawn].sum(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return (float(low), float(high))
