"""Scores of recognition and linking together on a part of a knowledge base.

Source: Partial KB inference (Yuan, Lu, Yuan; BioNLP 2023), section 4. All scores are micro-averaged
and strict: a mention counts as found only when its span is exactly an annotated one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from biolink.documents import Document
from biolink.evaluation.statistics import interval, resampled
from biolink.kb import KnowledgeBase, bare_id

__all__ = ["Guess", "Part", "PartialScores", "gold_of", "guesses_of", "score"]

Span = tuple[int, int]


@dataclass(frozen=True)
class Part:
    """A part of a knowledge base.

    A benchmark selects annotations by a list of identifiers. An annotated concept that is in the
    list but not in the knowledge base therefore counts, although no system can find it.

    Attributes
    ----------
    name
        The part's name in tables.
    kb
        The knowledge base with the part's concepts.
    ids
        Identifiers of the concepts in the part; None for a whole knowledge base.
    rest
        The part of which this is the complement, or None; ``ids`` is None for a complement.
    """

    name: str
    kb: KnowledgeBase
    ids: frozenset[str] | None = None
    rest: Part | None = None

    @classmethod
    def of(cls, name: str, kb: KnowledgeBase, ids: Collection[str]) -> tuple[Part, Part]:
        """Return the part with these identifiers, and its complement."""
        inside = cls(name, kb.subset(ids=ids), frozenset(ids))
        return inside, cls(f"complement of {name}", kb.without(inside.kb), rest=inside)

    def holds(self, concept_id: str) -> bool:
        """Return whether an annotated concept belongs to the part, even if the base lacks it."""
        if self.rest is not None:
            return not self.rest.holds(concept_id)
        return self.ids is None or concept_id in self.ids or concept_id in self.kb

    def canonical(self, concept_id: str) -> str:
        """Return the id under which the knowledge base has a concept, or the id without prefix."""
        return self.kb.base.resolve(concept_id) or bare_id(concept_id)


class Guess(NamedTuple):
    """A link that a system predicts."""

    span: Span
    concept_id: str
    probability: float


def gold_of(document: Document, part: Part) -> dict[Span, frozenset[str]]:
    """Return the annotated spans that have a concept in the part, each with its right ids.

    If a mention has several ids, each one that is in the part is right.
    """
    gold: dict[Span, frozenset[str]] = {}
    for mention in document.mentions:
        right = frozenset(part.canonical(i) for i in mention.concept_ids if part.holds(i))
        if right:
            span = (mention.start, mention.end)
            gold[span] = gold.get(span, frozenset()) | right
    return gold


def guesses_of(document: Document) -> list[Guess]:
    """Return the best link of each mention that has one."""
    return [
        Guess((m.start, m.end), m.best.concept_id, m.best.probability)
        for m in document.mentions
        if m.best is not None
    ]


@dataclass(frozen=True, slots=True)
class PartialScores:
    """Scores of one system in one setting on one part, from 0 to 1.

    Attributes
    ----------
    precision, recall, f1
        Scores of entity linking (EL): the span and the concept are right.
    interval
        95 % interval of ``f1``, from resampled documents.
    ner_precision, ner_recall, ner_f1
        Scores of recognition (NER): the span is right.
    ned_accuracy
        Share of the right spans that have the right concept (NED).
    gold, guessed, right
        Number of annotations, of links, and of links that are right.
    errors
        Number of wrong links by kind: ``wrong concept`` (the span is right), ``wrong span`` (the
        span overlaps an annotation of the part), ``outside`` (the span is annotated with a concept
        outside the part, so it should be NIL), ``nothing there`` (nothing is annotated, so it
        should be NIL as well).
    missed
        Number of annotations whose span was not linked.
    """

    precision: float
    recall: float
    f1: float
    interval: tuple[float, float]
    ner_precision: float
    ner_recall: float
    ner_f1: float
    ned_accuracy: float
    gold: int
    guessed: int
    right: int
    errors: dict[str, int]
    missed: int


def _overlaps(span: Span, others: Iterable[Span]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in others)


def score(
    documents: Sequence[Document], guesses: Sequence[Sequence[Guess]], part: Part, seed: int = 0
) -> PartialScores:
    """Compare the links that a system predicts with the annotations.

    Parameters
    ----------
    documents
        Documents with gold concepts.
    guesses
        The predicted links of each document, with ids as ``part.canonical`` returns them.
    part
        The part whose annotations are gold.
    seed
        Seed of the bootstrap.
    """
    counts = np.zeros((len(documents), 4))  # right links, right spans, links, annotations
    errors = dict.fromkeys(("wrong concept", "wrong span", "outside", "nothing there"), 0)
    for number, (document, of_document) in enumerate(zip(documents, guesses, strict=True)):
        gold = gold_of(document, part)
        every = [(m.start, m.end) for m in document.mentions if m.concept_ids]
        for guess in of_document:
            if guess.span in gold:
                counts[number, 1] += 1
                if guess.concept_id in gold[guess.span]:
                    counts[number, 0] += 1
                else:
                    errors["wrong concept"] += 1
            elif guess.span not in every and _overlaps(guess.span, gold):
                errors["wrong span"] += 1
            elif _overlaps(guess.span, every):
                errors["outside"] += 1
            else:
                errors["nothing there"] += 1
        counts[number, 2:] = len(of_document), len(gold)
    right, spans, guessed, wanted = counts.sum(0)
    sums = resampled(counts, seed)
    f1s = 2 * sums[:, 0] / np.maximum(1, sums[:, 2] + sums[:, 3])
    return PartialScores(
        precision=_share(right, guessed),
        recall=_share(right, wanted),
        f1=_share(2 * right, guessed + wanted),
        interval=interval(f1s),
        ner_precision=_share(spans, guessed),
        ner_recall=_share(spans, wanted),
        ner_f1=_share(2 * spans, guessed + wanted),
        ned_accuracy=_share(right, spans),
        gold=int(wanted),
        guessed=int(guessed),
        right=int(right),
        errors=errors,
        missed=int(wanted - spans),
    )


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
