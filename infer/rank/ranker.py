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

__all__ = ["Annotations", "Ranker", "Stage", "Weights"]

#: For each normalised mention, how often training documents link it to each concept id. The same
#: type also holds, for each short form, how often texts define it as each long form.
Annotations = dict[str, dict[str, int]]


@dataclass(frozen=True)
class Weights:
    """Weights of the features of candidates and of NIL.

    Attributes
    ----------
    candidates
        float [features]: the weights of a candidate's features.
    nil
        float [NIL features]: the weights of NIL's features.
    """

    candidates: np.ndarray
    nil: np.ndarray

    def scores(self, features: np.ndarray) -> np.ndarray:
        """The scores [candidates] of candidates with features [candidates, features]."""
        scores: np.ndarray = features @ self.candidates
        return scores

    def nil_score(self, nil_features: np.ndarray) -> float:
        """The score of NIL with features [NIL features]."""
        return float(nil_features @ self.nil)

    def to_dict(self) -> dict[str, Any]:
        """The weights as values for JSON."""
        return {
            "weights": dict(zip(FEATURES, map(float, self.candidates), strict=True)),
            "nil": dict(zip(NIL_FEATURES, map(float, self.nil), strict=True)),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str = "ranker") -> Weights:
        """The weights that :meth:`to_dict` gave.

        Raises
        ------
        ConfigError
            If the weights are not those of the features of this version.
        """
        return cls(
            _weights(f"{where}.weights", values.get("weights", {}), FEATURES),
            _weights(f"{where}.nil", values.get("nil", {}), NIL_FEATURES),
        )


@dataclass(frozen=True)
class Stage:
    """How mentions are ranked before all features are known.

    Most mentions do not need all of them. If the best concept leads by the margin, the ranking is
    final; otherwise the mention is ranked at the next stage.

    Attributes
    ----------
    weights
        The weights of the features that are known at this stage; the others have the weight 0.
    margin
        By how many nats the best concept must lead before the second, and before NIL.
    """

    weights: Weights
    margin: float


@dataclass(frozen=True)
class Ranker:
    """The weights of the features, and what a model remembers of its training documents.

    Attributes
    ----------
    weights
        The weights of all features.
    early
        How mentions are ranked without their context and without generation, or None if they are
        not.
    in_context
        How mentions are ranked in their context, but without generation, or None if they are not.
    annotations
        For each normalised mention, how often training documents link it to each concept id.
    abbreviations
        For each short form, how often texts define it as each long form (see
        :func:`biolink.infer.mentions.hints.hints`).
    stop_names
        The normalised names that annotators mostly do not mark.
    """

    weights: Weights
    early: Stage | None = None
    in_context: Stage | None = None
    # These have thousands of entries, so they are not shown.
    annotations: Annotations = field(default_factory=dict, repr=False)
    abbreviations: Annotations = field(default_factory=dict, repr=False)
    stop_names: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def priors(self) -> dict[str, int]:
        """How often training documents link to each concept id."""
        counts: Counter[str] = Counter()
        for linked in self.annotations.values():
            counts.update(linked)
        return dict(counts)

    def to_dict(self) -> dict[str, Any]:
        """The weights as values for JSON, as ``biolink.json`` stores them under ``ranker``."""
        values = self.weights.to_dict()
        for name, stage in (("early", self.early), ("in_context", self.in_context)):
            if stage is not None:
                values[name] = stage.weights.to_dict() | {"margin": stage.margin}
        return values

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
            Weights.from_dict(values),
            _stage(values, "early"),
            _stage(values, "in_context"),
            annotations,
            abbreviations,
            frozenset(stop_names),
        )


def _stage(values: dict[str, Any], name: str) -> Stage | None:
    if name not in values:
        return None
    margin = values[name].get("margin")
    if not isinstance(margin, int | float) or isinstance(margin, bool) or not margin >= 0:
        raise ConfigError(f"ranker.{name}.margin is {margin!r}; expected a number from 0")
    return Stage(Weights.from_dict(values[name], f"ranker.{name}"), float(margin))


def _weights(kind: str, by_name: dict[str, Any], names: tuple[str, ...]) -> np.ndarray:
    wrong = sorted(by_name.keys() ^ set(names))
    if wrong:
        word = "has the unknown" if wrong[0] in by_name else "lacks the"
        raise ConfigError(f"{kind} {word} feature {wrong[0]!r}")
    return np.array([by_name[name] for name in names])
