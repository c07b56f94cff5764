"""What recognition and linking together are worth on a part of a knowledge base.

Source: Partial KB inference (Yuan, Lu, Yuan; BioNLP 2023), section 4. All figures are micro and
strict: a mention counts when its span is exactly the annotated one.
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

    Benchmarks count annotations by a list of identifiers, so an annotated concept that the list
    names and the knowledge base lacks is one that nobody can find, not one that nobody asks for.

    Attributes
    ----------
    name
        For tables.
    kb
        The part.
    ids
        Identifiers that make it up; None for a whole knowledge base.
    rest
        This is what that part leaves; ``ids`` is None then.
    """

    name: str
    kb: KnowledgeBase
    ids: frozenset[str] | None = None
    rest: Part | None = None

    @classmethod
    def of(cls, name: str, kb: KnowledgeBase, ids: Collection[str]) -> tuple[Part, Part]:
        """The part with these identifiers, and what is left."""
        inside = cls(name, kb.subset(ids=ids), frozenset(ids))
        return inside, cls(f"complement of {name}", kb.without(inside.kb), rest=inside)

    def holds(self, concept_id: str) -> bool:
        """Whether an annotated concept belongs to this part, in the knowledge base or not."""
        if self.rest is not None:
            return not self.rest.holds(concept_id)
        return self.ids is None or concept_id in self.ids or concept_id in self.kb

    def canonical(self, concept_id: str) -> str:
        """The id under which the knowledge base holds a concept, or the id itself."""
        return self.kb.base.resolve(concept_id) or bare_id(concept_id)


class Guess(NamedTuple):
    """A link that a system gives."""

    span: Span
    concept_id: str
    probability: float


def gold_of(document: Document, part: Part) -> dict[Span, frozenset[str]]:
    """Annotated spans whose concept is in the part, each with its right ids.

    Of a mention with several ids each that is in the part is right.
    """
    gold: dict[Span, frozenset[str]] = {}
    for mention in document.mentions:
        right = frozenset(part.canonical(i) for i in mention.concept_ids if part.holds(i))
        if right:
            span = (mention.start, mention.end)
            gold[span] = gold.get(span, frozenset()) | right
    return gold


def guesses_of(document: Document) -> list[Guess]:
    """The best link of each linked mention."""
    return [
        Guess((m.start, m.end), m.best.concept_id, m.best.probability)
        for m in document.mentions
        if m.best is not None
    ]


@dataclass(frozen=True, slots=True)
class PartialScores:
    """Figures of one system in one setting on one part.

    Attributes
    ----------
    precision, recall, f1
        Of span and concept together (EL).
    interval
        95 % interval of ``f1``, documents resampled.
    ner_precision, ner_recall, ner_f1
        Of the spans.
    ned_accuracy
        Share of right concepts among right spans.
    gold, guessed, right
        Counts: annotations, links, links that are right.
    errors
        Links that are wrong by kind: ``wrong concept`` (of a right span), ``wrong span`` (it
        overlaps an annotation of the part), ``outside`` (an annotation of another part stands
        there: it should have been NIL), ``nothing there`` (no annotation at all: NIL as well).
    missed
        Annotations whose span was not linked.
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
    """Compare guesses with the documents' annotations.

    Parameters
    ----------
    documents
        With gold concepts.
    guesses
        Of each document; ids as ``part.canonical`` gives them.
    """
    counts = np.zeros((len(documents), 4))  # right links, right spans, links, annotations
    errors = dict.fromkeys(("wrong concept", "wrong span", "outside", "nothing there"), 0)
    for number, (document, found) in enumerate(zip(documents, guesses, strict=True)):
        gold = gold_of(document, part)
        every = [(m.start, m.end) for m in document.mentions if m.concept_ids]
        for guess in found:
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
        counts[number, 2:] = len(found), len(gold)
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
