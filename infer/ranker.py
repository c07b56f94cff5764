"""The combined score: generation, embeddings and n-grams weighed against one another.

A candidate is a name together with one of its owners. The weights are fitted on development data
by the likelihood of the right candidates (:mod:`biolink.finetune.fit`), so the softmax over a
mention's candidates, with NIL as one more, is a calibrated probability.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from biolink.errors import ModelError

__all__ = ["FEATURES", "NIL_FEATURES", "Annotations", "Ranker", "type_agreement"]

#: Columns of a candidate's feature vector.
FEATURES = (
    "generation_sum",  # log-probability of the name
    "generation_mean",  # the same per token
    "dense",  # cosine of embeddings
    "lexical",  # cosine of character n-grams
    "exact",  # the normalised name is the normalised mention
    "preferred",  # the name is its owner's preferred name
    "prior",  # log of one plus the owner's count in the training data
    "type",  # 1 the types agree, -1 they do not, 0 unknown
    "annotated",  # log of one plus how often training documents link this mention to the owner
    "annotated_share",  # the same as a share of all links of this mention there
    "apposition",  # similarity of the name to the mention's apposition
    "nearest",  # no candidate is nearer by character n-grams
    "context",  # cosine of the name's embedding and the mention's in its context
    "acronym",  # similarity of the name to a mention that this one has the letters of
    "abbreviation",  # similarity to what other documents define the mention to be, by its share
    "alone",  # the name is the mention, and no other concept has it
)
#: Columns of the NIL candidate's feature vector.
NIL_FEATURES = ("one", "best_dense", "best_lexical", "best_exact", "short")

#: Normalised mention -> concept id -> how often training documents link it so; also short form ->
#: long form -> how often texts define it so.
Annotations = dict[str, dict[str, int]]

#: What corpora and recognisers call the semantic types of knowledge bases.
_TYPE_NAMES = {
    "specificdisease": "disease",
    "diseaseclass": "disease",
    "compositemention": "disease",
    "modifier": "disease",
    "diseaseorphenotypicfeature": "disease",
    "mondo": "disease",
    "chemicalentity": "chemical",
    "chebi": "chemical",
    "drug": "chemical",
    "simple_chemical": "chemical",
}


def type_name(written: str) -> str:
    """A type as it is compared: lower case, synonyms of disease and chemical resolved."""
    key = written.lower()
    return _TYPE_NAMES.get(key, key)


def type_agreement(mention_type: str, concept_types: tuple[str, ...], known: set[str]) -> float:
    """1 when the mention's type is one of the concept's, -1 when not, 0 when that says nothing.

    Parameters
    ----------
    known
        All types of the knowledge base, as :func:`type_name` gives them.
    """
    wanted = type_name(mention_type)
    if not wanted or wanted not in known or not concept_types:
        return 0.0
    return 1.0 if wanted in {type_name(t) for t in concept_types} else -1.0


@dataclass(frozen=True)
class Ranker:
    """Weights of the features, and of NIL.

    Attributes
    ----------
    weights
        float [features].
    nil_weights
        float [NIL features].
    annotations
        Normalised mention -> concept id -> count in the training data.
    abbreviations
        Short form -> long form -> count in texts (:func:`biolink.infer.hints.hints`).
    """

    weights: np.ndarray
    nil_weights: np.ndarray
    annotations: Annotations = field(default_factory=dict)
    abbreviations: Annotations = field(default_factory=dict)

    @property
    def priors(self) -> dict[str, int]:
        """Concept id -> count in the training data."""
        counts: Counter[str] = Counter()
        for linked in self.annotations.values():
            counts.update(linked)
        return dict(counts)

    def scores(self, features: np.ndarray) -> np.ndarray:
        """[candidates] of [candidates, features]."""
        scores: np.ndarray = features @ self.weights
        return scores

    def nil_score(self, nil_features: np.ndarray) -> float:
        """Score of NIL from its features."""
        return float(nil_features @ self.nil_weights)

    def to_dict(self) -> dict[str, Any]:
        return {
            "weights": dict(zip(FEATURES, map(float, self.weights), strict=True)),
            "nil": dict(zip(NIL_FEATURES, map(float, self.nil_weights), strict=True)),
        }

    @classmethod
    def from_dict(
        cls, values: dict[str, Any], annotations: Annotations, abbreviations: Annotations
    ) -> Ranker:
        try:
            return cls(
                np.array([values["weights"][name] for name in FEATURES]),
                np.array([values["nil"][name] for name in NIL_FEATURES]),
                annotations,
                abbreviations,
            )
        except (KeyError, TypeError) as error:
            raise ModelError(f"biolink.json: the ranker lacks {error}") from None


def nil_features(features: np.ndarray, short: bool) -> np.ndarray:
    """Features of NIL from those of the candidates [candidates, features]; there may be none.

    Parameters
    ----------
    short
        The mention is a short form whose long form is not known.
    """
    columns = [FEATURES.index(name) for name in ("dense", "lexical", "exact")]
    best = features[:, columns].max(0) if len(features) else np.zeros(len(columns))
    return np.concatenate([[1.0], best, [float(short)]])
