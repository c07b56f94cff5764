"""End-to-end evaluation: precision, recall and F1 of found mentions and of their concepts.

The measures are strict. A found span is right when it is exactly an annotated span. A concept is
right when its span is right and the best link is a gold concept of it; for ids that are joined by
``+``, no single concept is right. The measures of spans count all mentions; those of concepts count
the annotated mentions that have an id and the found mentions that have a link, except those of
kinds without a knowledge base (variants).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np

from biolink.documents import Document, Mention, each_document
from biolink.errors import ConfigError
from biolink.evaluation.cases import gold_of, known_id, warn_of_other_base
from biolink.evaluation.choosing import without_base
from biolink.evaluation.distances import distances_to_gold
from biolink.evaluation.statistics import interval, resampled
from biolink.kb.bases import KnowledgeBases, base_of, need_base
from biolink.kb.knowledge_base import KnowledgeBase
from biolink.kb.types import kind_of

__all__ = ["FoundReport", "Rates", "evaluate_found"]

Span = tuple[int, int]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Rates:
    """Precision, recall and F1, from 0 to 1, micro-averaged over documents.

    Attributes
    ----------
    precision, recall, f1
        Share of the found that is right, share of the annotated that is found, and their harmonic
        mean.
    precision_interval, recall_interval, f1_interval
        95 % intervals, by a bootstrap over documents.
    annotated, found, right
        The numbers from which they are computed.
    """

    precision: float
    recall: float
    f1: float
    precision_interval: Interval
    recall_interval: Interval
    f1_interval: Interval
    annotated: int
    found: int
    right: int


@dataclass(frozen=True, slots=True)
class FoundReport:
    """Result of :func:`evaluate_found`.

    Attributes
    ----------
    documents
        Number of documents.
    spans, concepts
        Rates of spans alone, and of spans with their concepts.
    linked_right
        Share of the right spans with a gold concept that have the right concept.
    misses
        Kind of error -> number of annotated concepts that were missed, or of wrong links.
    provenance
        What was measured and with what, as the caller gave it.
    distances
        Distance to the gold in the hierarchy of the knowledge base -> number of wrong links of
        right spans (:func:`biolink.evaluation.distances.distances_to_gold`); None without a
        hierarchy.
    kinds
        Kind of entity -> the rates of spans, and of spans with their concepts, where only the
        annotated and the found mentions of this kind count. Kinds that are not annotated are left
        out, and so are the rates of concepts (None) of a kind without a knowledge base.
    without_base
        Number of annotated mentions with an id that do not count among the concepts, because they
        are of a kind without a knowledge base (variants).
    """

    documents: int
    spans: Rates
    concepts: Rates
    linked_right: float
    misses: dict[str, int]
    provenance: dict[str, Any] = field(default_factory=dict)
    distances: dict[str, int] | None = None
    kinds: dict[str, tuple[Rates, Rates | None]] = field(default_factory=dict)
    without_base: int = 0

    def to_json(self) -> str:
        """Return the report as a JSON object."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)


#: Counts of a document: spans right, found and annotated; concepts right, found and annotated.
_COUNTS = 6
_MISSES = (
    "not found", "found with another span", "found and NIL", "wrong concept",
    "linked where nothing is annotated",
)  # fmt: skip


def evaluate_found(
    gold: Iterable[Document],
    found: Iterable[Document],
    kb: KnowledgeBase | KnowledgeBases | None = None,
    seed: int = 0,
    *,
    provenance: dict[str, Any] | None = None,
) -> FoundReport:
    """Compare the mentions that were found in documents, and their links, with the annotations.

    Parameters
    ----------
    gold
        Documents whose mentions have ``concept_ids``.
    found
        The same documents in the same order, with the mentions that were found.
    kb
        The linker's knowledge base, ``linker.kb``, or its knowledge bases, ``linker.bases``. It
        resolves alternative ids.
    seed
        Seed of the bootstrap.
    provenance
        What was measured and with what; it is put into the report.

    Examples
    --------
    >>> from biolink import Document, Mention
    >>> gold = Document("1", "fever", mentions=(Mention(0, 5, "fever", concept_ids=("D1",)),))
    >>> report = evaluate_found([gold], [gold.with_mentions(())])
    >>> report.spans.recall, report.misses["not found"]
    (0.0, 1)

    Raises
    ------
    ConfigError
        When the documents are not the same.
    """
    # Long because everything is counted in one pass over two streams.
    counts_of_documents: list[list[int]] = []
    of_kinds: dict[str, dict[int, list[int]]] = {}
    misses = dict.fromkeys(_MISSES, 0)
    named = without = 0
    every_type: set[str] = set()
    wrong: list[tuple[str, str, set[str]]] = []
    in_kb: list[bool] = []
    need_base(kb, optional=True)
    for annotated, other in _pairs(gold, found):
        spans, concepts = _annotated(annotated.mentions, kb)
        links, linked = _links(other.mentions, kb)
        types = {(m.start, m.end): m.type for m in other.mentions}
        every_type |= {m.type for m in (*annotated.mentions, *other.mentions)}
        without += sum(bool(m.concept_ids) and without_base(m.type, kb) for m in annotated.mentions)
        in_kb += _known(annotated.mentions, kb)
        for kind in {kind_of(m.type) for m in (*annotated.mentions, *other.mentions)}:
            of_kinds.setdefault(kind, {})[len(counts_of_documents)] = _counts(
                *_annotated([m for m in annotated.mentions if kind_of(m.type) == kind], kb),
                *_links([m for m in other.mentions if kind_of(m.type) == kind], kb),
            )
        counts_of_documents.append(_counts(spans, concepts, links, linked))
        named += len(concepts.keys() & links.keys())
        for span, ids in concepts.items():
            if span not in links:
                near = any(span[0] < end and start < span[1] for start, end in links)
                misses["found with another span" if near else "not found"] += 1
            elif (best := links[span]) is None:
                misses["found and NIL"] += 1
            elif best not in ids:
                misses["wrong concept"] += 1
                wrong.append((types[span], best, ids))
        misses["linked where nothing is annotated"] += sum(
            not any(span[0] < end and start < span[1] for start, end in spans) for span in linked
        )
    warn_of_other_base(in_kb)
    counts = np.array(counts_of_documents, dtype=float).reshape(-1, _COUNTS)
    concept_rates = _rates(counts[:, 3:], seed)
    return FoundReport(
        documents=len(counts_of_documents),
        spans=_rates(counts[:, :3], seed),
        concepts=concept_rates,
        linked_right=concept_rates.right / named if named else 0.0,
        misses=misses,
        provenance=provenance or {},
        distances=distances_to_gold(
            wrong, kb, {written for written in every_type if not without_base(written, kb)}
        ),
        kinds={
            kind: (rates[0], None) if without_base(kind, kb) else rates
            for kind, counted in sorted(of_kinds.items())
            if (rates := _rates_of_kind(counted, len(counts_of_documents), seed))[0].annotated
        },
        without_base=without,
    )


def _pairs(
    gold: Iterable[Document], found: Iterable[Document]
) -> Iterator[tuple[Document, Document]]:
    annotated = each_document(gold, "evaluate_found")
    predicted = each_document(found, "evaluate_found")
    for number, (first, second) in enumerate(zip_longest(annotated, predicted), 1):
        if first is None or second is None:
            more, fewer = ("found", "annotated") if first is None else ("annotated", "found")
            raise ConfigError(
                f"there are {number} or more {more} documents, but only {number - 1} {fewer} "
                "documents; expected the same documents in the same order"
            )
        if first.text != second.text:
            raise ConfigError(
                f"document {number} is {first.id!r} among the annotated and {second.id!r} among "
                "the found documents, and their texts differ; expected the same documents in the "
                "same order"
            )
        yield first, second


def _annotated(
    mentions: Iterable[Mention], kb: KnowledgeBase | KnowledgeBases | None
) -> tuple[set[Span], dict[Span, set[str]]]:
    """Annotated spans, and those that have a concept with the ids of which any one is right."""
    spans: set[Span] = set()
    concepts: dict[Span, set[str]] = {}
    for mention in mentions:
        span = (mention.start, mention.end)
        spans.add(span)
        if mention.concept_ids and not without_base(mention.type, kb):
            right = concepts.setdefault(span, set())
            right.update(gold_of(mention, base_of(kb, mention.type)).right)
    return spans, concepts


def _known(mentions: Iterable[Mention], kb: KnowledgeBase | KnowledgeBases | None) -> list[bool]:
    """Whether the knowledge base has a gold concept, for each mention whose concept counts."""
    return [
        gold_of(mention, base_of(kb, mention.type)).in_kb
        for mention in mentions
        if mention.concept_ids and not without_base(mention.type, kb)
    ]


def _links(
    mentions: Iterable[Mention], kb: KnowledgeBase | KnowledgeBases | None
) -> tuple[dict[Span, str | None], dict[Span, str]]:
    """The concepts of found spans, None for NIL, and the same for the linked ones only."""
    links: dict[Span, str | None] = {}
    for mention in mentions:
        base = base_of(kb, mention.type)
        linked = mention.best is not None and not without_base(mention.type, kb)
        best = known_id(mention.links[0].concept_id, base) if linked else None
        span = (mention.start, mention.end)
        links[span] = links.get(span) or best
    return links, {span: concept for span, concept in links.items() if concept is not None}


def _counts(
    spans: set[Span],
    concepts: dict[Span, set[str]],
    links: dict[Span, str | None],
    linked: dict[Span, str],
) -> list[int]:
    """The counts of a document; see :data:`_COUNTS`."""
    right = sum(concept in concepts.get(span, ()) for span, concept in linked.items())
    return [len(spans & links.keys()), len(links), len(spans), right, len(linked), len(concepts)]


def _rates_of_kind(
    counted: Mapping[int, Sequence[int]], documents: int, seed: int
) -> tuple[Rates, Rates]:
    """Rates of one kind from the counts of the documents that have mentions of it."""
    counts = np.zeros((documents, _COUNTS))
    for number, of_document in counted.items():
        counts[number] = of_document
    return _rates(counts[:, :3], seed), _rates(counts[:, 3:], seed)


def _rates(counts: np.ndarray, seed: int) -> Rates:
    """Rates from counts [documents, (right, found, annotated)]."""
    if not len(counts):
        counts = np.zeros((1, 3))
    of_precision, of_recall, of_f1 = map(interval, _shares(resampled(counts, seed)).T)
    precision, recall, f1 = (float(value) for value in _shares(counts.sum(0)[None])[0])
    right, found, annotated = (int(value) for value in counts.sum(0))
    return Rates(precision, recall, f1, of_precision, of_recall, of_f1, annotated, found, right)


def _shares(sums: np.ndarray) -> np.ndarray:
    """Precision, recall and F1 [samples, 3] from sums [samples, (right, found, annotated)].

    A value that is undefined is 0.
    """
    right, found, annotated = sums.T
    shares: np.ndarray = np.stack(
        [
            right / np.maximum(1, found),
            right / np.maximum(1, annotated),
            2 * right / np.maximum(1, found + annotated),
        ],
        axis=1,
    )
    return shares
