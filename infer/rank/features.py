"""The features by which candidates and NIL are ranked, in two tables.

To add a feature, add a line to :data:`CANDIDATE_FEATURES` or :data:`NIL_CANDIDATE_FEATURES` and fit
the weights again. Ranking, fitting and ``biolink info`` read the tables. A model whose weights have
other names is refused (see :meth:`biolink.infer.rank.ranker.Ranker.from_dict`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = [
    "CANDIDATE_FEATURES",
    "CONTEXTUAL",
    "FEATURES",
    "GENERATED",
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
    """The candidates of one mention. A candidate is a name together with one of its owners.

    Attributes
    ----------
    name_ids, rows
        int64 [candidates]: the id of each name, and the row of its owner.
    features
        float64 [candidates, features].
    short
        Whether the mention is a short form whose long form is not known. Default: False.
    unmarked
        Whether the mention is a name that annotators mostly do not mark (``stop_names.json``).
        Default: False.
    """

    name_ids: np.ndarray
    rows: np.ndarray
    features: np.ndarray
    short: bool = False
    unmarked: bool = False


@dataclass(frozen=True, slots=True)
class CandidateEvidence:
    """What is known about the candidates of one mention before generation scores them.

    All fields except ``links`` are parallel arrays over the candidates.

    Attributes
    ----------
    dense, context
        The cosine of the name's embedding with that of the mention, alone and in its context.
    lexical
        The cosine of their character n-grams.
    nearest
        Whether no candidate is nearer by character n-grams.
    exact
        Whether the name is the mention (see :mod:`biolink.infer.mentions.exact_names`).
    miscased
        Whether the mention is a word, and the name an acronym that is spelt like it.
    sole
        Whether only one concept has the name.
    preferred
        Whether the name is the preferred name of its owner.
    prior
        How often training documents mention the owner.
    type_agreement
        1 if the types agree, -1 if they do not, 0 if one is unknown.
    annotated
        How often training documents link this mention to the owner.
    links
        How often training documents link this mention to any concept.
    apposition, acronym, abbreviation
        The similarity of the name to the text of a hint of this kind, multiplied by the weight of
        the hint (see :mod:`biolink.infer.mentions.hints`).
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
        The name of the feature, with which ``biolink.json`` stores its weight.
    meaning
        A description for ``biolink info``.
    column
        A function that gives its values for all candidates of a mention.
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
        A function that gives its value for a mention with these candidates.
    """

    name: str
    meaning: str
    value: Callable[[Candidates], float]


def _log1p(counts: np.ndarray) -> np.ndarray:
    return np.array([math.log1p(count) for count in counts])


def _later(evidence: CandidateEvidence) -> np.ndarray:
    """Zeros, in the place of a feature that is filled in later.

    See :func:`biolink.infer.rank.candidates.fill_in`.
    """
    return np.zeros(len(evidence.dense))


#: The features of a candidate, in the order of their columns.
CANDIDATE_FEATURES = (
    Feature("generation_sum", "log-probability of the name", _later),
    Feature("generation_mean", "log-probability of the name per token", _later),
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
        "similarity of the name to the mention that this one is paired with by brackets",
        lambda e: e.apposition,
    ),
    Feature("nearest", "no candidate is nearer by n-grams", lambda e: e.nearest),
    Feature("context", "cosine of the name and the mention in its context", lambda e: e.context),
    Feature(
        "acronym",
        "similarity of the name to a longer mention with the letters of this one",
        lambda e: e.acronym,
    ),
    Feature(
        "abbreviation",
        "similarity of the name to the long forms of the mention in other documents",
        lambda e: e.abbreviation,
    ),
    Feature(
        "miscased",
        "the mention is a word, and the name an acronym that is spelt like it",
        lambda e: e.miscased,
    ),
)

#: The features that need generation.
GENERATED = ("generation_sum", "generation_mean")

#: The features that need more than the text, the type and the hints of a mention.
CONTEXTUAL = (*GENERATED, "context")

#: The names of the features of a candidate, in the order of their columns.
FEATURES = tuple(feature.name for feature in CANDIDATE_FEATURES)


def column_of(name: str) -> int:
    """The number of the column of a candidate's feature.

    >>> FEATURES[column_of("dense")]
    'dense'
    """
    return FEATURES.index(name)


def _best(name: str) -> Callable[[Candidates], float]:
    column = column_of(name)
    return lambda c: float(c.features[:, column].max()) if len(c.features) else 0.0


#: The features of NIL, in order.
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

#: The names of the features of NIL, in order.
NIL_FEATURES = tuple(feature.name for feature in NIL_CANDIDATE_FEATURES)


def candidate_features(evidence: CandidateEvidence) -> np.ndarray:
    """The features of the candidates, float64 [candidates, features]; those of generation are 0."""
    columns = [feature.column(evidence) for feature in CANDIDATE_FEATURES]
    return np.stack(columns, 1).astype(np.float64)


def nil_features(candidates: Candidates) -> np.ndarray:
    """The features of NIL, float64 [NIL features], for a mention with any number of candidates."""
    return np.array([feature.value(candidates) for feature in NIL_CANDIDATE_FEATURES])
