"""The features by which candidates, and NIL beside them, are ranked: one table, names and columns.

To add a feature, add a line to :data:`CANDIDATE_FEATURES` (or :data:`NIL_CANDIDATE_FEATURES`) and
fit the weights again; ranking, fitting and ``biolink info`` read the tables. A model whose weights
have other names is refused (:meth:`biolink.infer.rank.ranker.Ranker.from_dict`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = [
    "CANDIDATE_FEATURES",
    "FEATURES",
    "NIL_CANDIDATE_FEATURES",
    "NIL_FEATURES",
    "CandidateEvidence",
    "Candidates",
    "Feature",
    "NilFeature",
    "candidate_features",
    "column_of",
    "nil_features",
]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidates of one mention: parallel arrays over (name, owner), and their features.

    Attributes
    ----------
    name_ids, rows
        int64 [candidates]: the name, and the row of its owner.
    features
        float64 [candidates, features].
    short
        The mention is a short form whose long form is not known.
    unmarked
        The mention is a name that annotators mostly do not mark (``stop_names.json``).
    """

    name_ids: np.ndarray
    rows: np.ndarray
    features: np.ndarray
    short: bool = False
    unmarked: bool = False


@dataclass(frozen=True, slots=True)
class CandidateEvidence:
    """What is known of one mention's candidates before generation scores them.

    All fields but ``links`` are parallel arrays over the candidates, a name with one owner each.

    Attributes
    ----------
    dense, context
        Cosine of the name's embedding and the mention's, alone and in its context.
    lexical
        Cosine of character n-grams.
    nearest
        No candidate is nearer by character n-grams.
    exact
        The name is the mention (:mod:`biolink.infer.mentions.exact_names`).
    miscased
        The mention is a word, and the name an acronym that is spelt like it.
    sole
        Only one concept has the name.
    preferred
        The name is its owner's preferred name.
    prior
        How often training documents mention the owner.
    type_agreement
        1 the types agree, -1 they do not, 0 unknown.
    annotated
        How often training documents link this mention to the owner.
    links
        How often training documents link this mention to any concept.
    apposition, acronym, abbreviation
        Similarity of the name to what a hint says (:mod:`biolink.infer.mentions.hints`), by its
        weight.
    """

    dense: np.ndarray
    context: np.ndarray
    lexical: np.ndarray
    nearest: np.ndarray
    exact: np.ndarray
    miscased: np.ndarray
    sole: np.ndarray
    preferred: np.ndarray
    prior: np.ndarray
    type_agreement: np.ndarray
    annotated: np.ndarray
    links: int
    apposition: np.ndarray
    acronym: np.ndarray
    abbreviation: np.ndarray


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature of a candidate.

    Attributes
    ----------
    name
        As ``biolink.json`` has it beside its weight.
    meaning
        For ``biolink info``.
    column
        Its values for all candidates of a mention.
    """

    name: str
    meaning: str
    column: Callable[[CandidateEvidence], np.ndarray]


@dataclass(frozen=True, slots=True)
class NilFeature:
    """A feature of NIL.

    Attributes
    ----------
    name, meaning
        See :class:`Feature`.
    value
        Its value for a mention with these candidates.
    """

    name: str
    meaning: str
    value: Callable[[Candidates], float]


def _log1p(counts: np.ndarray) -> np.ndarray:
    return np.array([math.log1p(count) for count in counts])


def _from_generation(evidence: CandidateEvidence) -> np.ndarray:
    """Zeros, until generation has scored the names (:func:`.candidates.fill_in`)."""
    return np.zeros(len(evidence.dense))


CANDIDATE_FEATURES = (
    Feature("generation_sum", "log-probability of the name", _from_generation),
    Feature("generation_mean", "log-probability of the name per token", _from_generation),
    Feature("dense", "cosine of embeddings", lambda e: e.dense),
    Feature("lexical", "cosine of character n-grams", lambda e: e.lexical),
    Feature(
        "shared",
        "the name is the mention, and other concepts have it as well",
        lambda e: np.logical_and(e.exact, np.logical_not(e.sole)),
    ),
    Feature("preferred", "the name is its concept's preferred name", lambda e: e.preferred),
    Feature(
        "prior",
        "log of one plus the concept's count in training documents",
        lambda e: _log1p(e.prior),
    ),
    Feature("type", "1: the types agree, -1: they do not, 0: unknown", lambda e: e.type_agreement),
    Feature(
        "annotated",
        "log of one plus how often training documents link the mention to the concept",
        lambda e: _log1p(e.annotated),
    ),
    Feature(
        "annotated_share",
        "share of the mention's links in training documents",
        lambda e: e.annotated / max(1, e.links),
    ),
    Feature(
        "apposition",
        "similarity of the name to the mention beside which this one stands in brackets",
        lambda e: e.apposition,
    ),
    Feature("nearest", "no candidate is nearer by n-grams", lambda e: e.nearest),
    Feature("context", "cosine of the name and the mention in its context", lambda e: e.context),
    Feature(
        "acronym",
        "similarity of the name to a mention that has this one's letters",
        lambda e: e.acronym,
    ),
    Feature(
        "abbreviation",
        "similarity of the name to what other documents define the mention to be",
        lambda e: e.abbreviation,
    ),
    Feature(
        "miscased",
        "the mention is a word, and the name an acronym that is spelt like it",
        lambda e: e.miscased,
    ),
)

#: Names of the columns of a candidate's features.
FEATURES = tuple(feature.name for feature in CANDIDATE_FEATURES)


def column_of(name: str) -> int:
    """The column of a candidate's feature.

    >>> FEATURES[column_of("dense")]
    'dense'
    """
    return FEATURES.index(name)


def _best(name: str) -> Callable[[Candidates], float]:
    column = column_of(name)
    return lambda c: float(c.features[:, column].max()) if len(c.features) else 0.0


NIL_CANDIDATE_FEATURES = (
    NilFeature("one", "always 1", lambda c: 1.0),
    NilFeature("best_dense", "highest cosine of embeddings", _best("dense")),
    NilFeature("best_lexical", "highest cosine of character n-grams", _best("lexical")),
    NilFeature("shared", "1 when several concepts have the mention as a name", _best("shared")),
    NilFeature(
        "typed",
        "1 when the mention has a type that the knowledge base knows",
        lambda c: float(c.features[:, column_of("type")].any()),
    ),
    NilFeature(
        "short",
        "1 when the mention is a short form whose long form is not known",
        lambda c: float(c.short),
    ),
    NilFeature(
        "unmarked",
        "1 when the mention is a name that annotators mostly do not mark",
        lambda c: float(c.unmarked),
    ),
)

#: Names of the columns of NIL's features.
NIL_FEATURES = tuple(feature.name for feature in NIL_CANDIDATE_FEATURES)


def candidate_features(evidence: CandidateEvidence) -> np.ndarray:
    """float64 [candidates, features], those of generation still 0."""
    columns = [feature.column(evidence) for feature in CANDIDATE_FEATURES]
    return np.stack(columns, 1).astype(np.float64)


def nil_features(candidates: Candidates) -> np.ndarray:
    """float64 [NIL features] of a mention with these candidates; there may be none."""
    return np.array([feature.value(candidates) for feature in NIL_CANDIDATE_FEATURES])
