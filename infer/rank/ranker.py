"""The combined score: a weighted sum of the features from generation, embeddings and n-grams.

A candidate is a name together with one of its owners. The weights maximise the likelihood of the
right candidates of development documents (:mod:`biolink.finetune.fit`), so the softmax over the
candidates of a mention and NIL is a calibrated probability.
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

#: For each normalised mention, how often training documents link it to each concept id. The same
#: type also holds, for each short form, how often texts define it as each long form.
Annotations = dict[str, dict[str, int]]


@dataclass(frozen=True)
class Ranker:
    """The weights of the features, and what a model remembers of its training documents.

    Attributes
    ----------
    weights
        float [features]: the weights of a candidate's features.
    nil_weights
        float [NIL features]: the weights of NIL's features.
    annotations
        For each normalised mention, how often training documents link it to each concept id.
    abbreviations
        For each short form, how often texts define it as each long form (see
        :func:`biolink.infer.mentions.hints.hints`).
    stop_names
        The normalised names that annotators mostly do not mark.
    """

    weights: np.ndarray
    nil_weights: np.ndarray
    annotations: Annotations = field(default_factory=dict)
    abbreviations: Annotations = field(default_factory=dict)
    stop_names: frozenset[str] = frozenset()

    @property
    def priors(self) -> dict[str, int]:
        """How often training documents link to each concept id."""
        counts: Counter[str] = Counter()
        for linked in self.annotations.values():
            counts.update(linked)
        return dict(counts)

    def scores(self, features: np.ndarray) -> np.ndarray:
        """The scores [candidates] of candidates with features [candidates, features]."""
        scores: np.ndarray = features @ self.weights
        return scores

    def nil_score(self, nil_features: np.ndarray) -> float:
        """The score of NIL with features [NIL features]."""
        return float(nil_features @ self.nil_weights)

    def to_dict(self) -> dict[str, Any]:
        """The weights as values for JSON, as ``biolink.json`` stores them under ``ranker``."""
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
        """The ranker with the weights that :meth:`to_dict` gave, and with what a model remembers.

        Raises
        ------
        ConfigError
            If the weights are not those of the features of this version.
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
