"""The combined score: generation, embeddings and n-grams weighed against one another.

A candidate is a name together with one of its owners. The weights are fitted on development data
by the likelihood of the right candidates (:mod:`biolink.finetune.fit`), so the softmax over a
mention's candidates, with NIL as one more, is a calibrated probability.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from biolink.errors import ConfigError
from biolink.infer.rank.features import FEATURES, NIL_FEATURES

__all__ = ["Annotations", "Ranker"]

#: Normalised mention -> concept id -> how often training documents link it so; also short form ->
#: long form -> how often texts define it so.
Annotations = dict[str, dict[str, int]]


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
        Short form -> long form -> count in texts (:func:`biolink.infer.mentions.hints.hints`).
    stop_names
        Normalised names that annotators mostly do not mark.
    """

    weights: np.ndarray
    nil_weights: np.ndarray
    annotations: Annotations = field(default_factory=dict)
    abbreviations: Annotations = field(default_factory=dict)
    stop_names: frozenset[str] = frozenset()

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
        cls,
        values: dict[str, Any],
        annotations: Annotations,
        abbreviations: Annotations,
        stop_names: Iterable[str] = (),
    ) -> Ranker:
        """What :meth:`to_dict` wrote, with what a model remembers.

        Raises
        ------
        ConfigError
            When the weights are not those of this version's features.
        """
        return cls(
            _weights("weights", values, FEATURES),
            _weights("nil", values, NIL_FEATURES),
            annotations,
            abbreviations,
            frozenset(stop_names),
        )


def _weights(kind: str, values: dict[str, Any], names: tuple[str, ...]) -> np.ndarray:
    by_name = values.get(kind, {})
    wrong = sorted(by_name.keys() ^ set(names))
    if wrong:
        word = "has the unknown" if wrong[0] in by_name else "lacks the"
        raise ConfigError(f"ranker.{kind} {word} feature {wrong[0]!r}")
    return np.array([by_name[name] for name in names])
