"""NIL policies, which decide when a mention gets no link, and why.

A policy is an immutable value. Several policies can be joined into one (:class:`AnyOf`). The
policies that compare a subset of a knowledge base with the whole (:class:`PostPruning`,
:class:`Margin`, :class:`Combination`) are for linkers over a subset; see Partial KB inference
(BioNLP 2023), section 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Protocol

from biolink.documents import Link
from biolink.errors import ConfigError, shown
from biolink.infer.decide.calibration import log_odds
from biolink.kb.arguments import need_probability

__all__ = [
    "COMBINED",
    "NAMES_NOTHING",
    "NO_CANDIDATE",
    "UNLIKE_NAMES",
    "AnyOf",
    "Combination",
    "Likelier",
    "Margin",
    "NilEvidence",
    "NilPolicy",
    "NoNil",
    "PostPruning",
    "Threshold",
    "combined_features",
    "is_policy",
]

#: The reason if no concept was found for a mention.
NO_CANDIDATE = "no candidate"
#: The reason if a mention has neither letters nor digits.
NAMES_NOTHING = "neither letter nor digit"
#: The reason for a mention such as "12" or, if all names are English, for one in another script.
UNLIKE_NAMES = "no name of the knowledge base has a letter of it"

#: If NIL is more probable than this, even a name of the base is not linked (:class:`Likelier`).
_SURE = 0.98
#: If a recogniser gives a mention at least this probability, the mention counts as marked.
_MARKED = 0.5


@dataclass(frozen=True, slots=True)
class NilEvidence:
    """What a policy knows about a mention (see :func:`biolink.infer.decide.outcome.evidence`).

    Attributes
    ----------
    links
        The ranked links, best first; at least one.
    nil
        The probability of NIL, or 0 for a model that does not have one. Default: 0.
    outside
        The link to the best concept that is in the whole knowledge base but not in the subset
        that is linked to. It is None if there is no such concept, and for policies that are not
        ``whole``.
    span
        The probability that a recogniser gave the mention itself, or None.
    named
        Whether the mention is a name of the best concept and of no other, and their types do not
        contradict each other. Default: False.
    """

    links: Sequence[Link]
    nil: float = 0.0
    outside: Link | None = None
    span: float | None = None
    named: bool = False


class NilPolicy(Protocol):
    """The protocol of policies: they decide whether the ranked links of a mention are kept."""

    @property
    def whole(self) -> bool:
        """Whether the policy needs the concepts outside the subset, too.

        If so, a linker over a subset ranks the concepts of the whole knowledge base.
        """

    def reason(self, evidence: NilEvidence) -> str | None:
        """The reason why the mention is NIL, or None if its links are kept."""


@dataclass(frozen=True)
class _OfThePart:
    """A policy that looks only at the knowledge base of the linker."""

    @property
    def whole(self) -> bool:
        return False


@dataclass(frozen=True)
class _OfTheWhole:
    """A policy that compares a subset with the whole knowledge base."""

    @property
    def whole(self) -> bool:
        return True


@dataclass(frozen=True)
class NoNil(_OfThePart):
    """Link every mention that has a candidate.

    >>> import biolink
    >>> biolink.load(nil=biolink.NoNil())("Aspirin helps.").mentions[0].best.curie
    'mesh:D001241'
    """

    def reason(self, evidence: NilEvidence) -> str | None:
        return None


@dataclass(frozen=True)
class Likelier(_OfThePart):
    """NIL if it is more probable than every concept.

    There is one exception. A mention that is the name of exactly one concept, and that a
    recogniser did not doubt, is NIL only if that is nearly certain (above 0.98).

    >>> import biolink
    >>> [m.text for m in biolink.load(nil=biolink.Likelier())("Aspirin helps.").mentions if m.best]
    ['Aspirin']
    """

    def reason(self, evidence: NilEvidence) -> str | None:
        best = evidence.links[0].probability
        marked = evidence.span is None or evidence.span >= _MARKED
        if evidence.nil > best and not (evidence.named and marked and evidence.nil <= _SURE):
            return f"NIL has probability {evidence.nil:.3f}, the best concept {best:.3f}"
        return None


@dataclass(frozen=True)
class Threshold(_OfThePart):
    """NIL if the probability of the best link is below a value.

    Attributes
    ----------
    value
        The least probability of a link that is kept, in [0, 1].

    Examples
    --------
    >>> import biolink
    >>> mention = biolink.load(nil=biolink.Threshold(1))("Aspirin helps.").mentions[0]
    >>> mention.best, mention.nil_reason
    (None, 'probability 0... below threshold 1')
    """

    value: float

    def __post_init__(self) -> None:
        need_probability("a threshold", self.value)

    def reason(self, evidence: NilEvidence) -> str | None:
        if evidence.links[0].probability < self.value:
            return f"probability {evidence.links[0].probability:.3f} below threshold {self.value:g}"
        return None


@dataclass(frozen=True)
class PostPruning(_OfTheWhole):
    """NIL if the best concept of the whole knowledge base is outside the subset.

    Source: Partial KB inference (BioNLP 2023), section 3.

    >>> import biolink
    >>> linker = biolink.load(types="Disease", nil=biolink.PostPruning())
    >>> [m.text for m in linker("Aspirin for asthma.").mentions if m.best]
    ['asthma']
    """

    def reason(self, evidence: NilEvidence) -> str | None:
        return Margin(0.0).reason(evidence)


@dataclass(frozen=True)
class Margin(_OfTheWhole):
    """NIL if a concept outside the subset is better than the best inside by more than a margin.

    Attributes
    ----------
    value
        The margin: a difference of scores (log-probabilities, in nats), at least 0. With 0, the
        policy is the same as :class:`PostPruning`.

    Examples
    --------
    >>> import biolink
    >>> linker = biolink.load(types="Disease", nil=biolink.Margin(2))
    >>> [m.text for m in linker("Aspirin for asthma.").mentions if m.best]
    ['asthma']
    """

    value: float

    def __post_init__(self) -> None:
        if not isinstance(self.value, Real) or isinstance(self.value, bool) or not self.value >= 0:
            raise ConfigError(
                f"a margin is {shown(self.value)}; expected a number of nats, at least 0"
            )

    def reason(self, evidence: NilEvidence) -> str | None:
        other = evidence.outside
        if other is not None and other.score - evidence.links[0].score > self.value:
            return f"pruned: {other.concept_id} ({other.name}) is better and outside"
        return None


#: The names of the features that :class:`Combination` weighs.
COMBINED = ("one", "link", "span", "nil", "margin", "alone")
#: Margins are cut to this many nats.
_MOST = 10.0


def combined_features(evidence: NilEvidence) -> tuple[float, ...]:
    """The features of a mention for :class:`Combination`, in the order of :data:`COMBINED`.

    They are the constant 1; the log odds of the best link, of the mention itself and of NIL; the
    margin in nats by which the best link is better than the best concept outside the subset; and
    1 if there is no concept outside.
    """
    best, other = evidence.links[0], evidence.outside
    margin = _MOST if other is None else best.score - other.score
    return (
        1.0,
        log_odds(best.probability),
        log_odds(1.0 if evidence.span is None else evidence.span),
        log_odds(evidence.nil),
        max(-_MOST, min(_MOST, margin)),
        float(other is None),
    )


@dataclass(frozen=True)
class Combination(_OfTheWhole):
    """NIL if the best link is probably wrong, given all the evidence together.

    The probability that the link is right is a logistic function (Platt scaling over several
    scores) of the features in :func:`combined_features`. The weights are fitted on development
    documents by :func:`biolink.evaluation.calibrating.fit_combination`.

    Attributes
    ----------
    weights
        One weight for each feature, in the order of :data:`COMBINED`.
    value
        The least probability of a link that is kept, in [0, 1].

    Examples
    --------
    A policy that looks only at the probability of the best link:

    >>> policy = Combination(weights=(0, 1, 0, 0, 0, 0), value=0.5)
    >>> link = Link("D001241", "Aspirin", score=-1.2, probability=0.3, rank=1)
    >>> policy.reason(NilEvidence([link]))
    'combined probability 0.300 below threshold 0.5'
    """

    weights: tuple[float, ...]
    value: float

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "weights", tuple(map(float, self.weights)))
        except (TypeError, ValueError):
            raise ConfigError(f"weights is {shown(self.weights)}; expected numbers") from None
        if len(self.weights) != len(COMBINED):
            raise ConfigError(f"a combination has {len(COMBINED)} weights, not {len(self.weights)}")
        if not all(map(math.isfinite, self.weights)):
            raise ConfigError(f"weights is {shown(self.weights)}; expected finite numbers")
        need_probability("a threshold", self.value)

    def probability(self, evidence: NilEvidence) -> float:
        """The probability that the best link is right."""
        pairs = zip(self.weights, combined_features(evidence), strict=True)
        odds = sum(weight * feature for weight, feature in pairs)
        return 0.5 * (1 + math.tanh(odds / 2))  # the logistic function, which cannot overflow

    def reason(self, evidence: NilEvidence) -> str | None:
        probability = self.probability(evidence)
        if probability < self.value:
            return f"combined probability {probability:.3f} below threshold {self.value:g}"
        return None


def is_policy(given: object) -> bool:
    """Whether something is a NIL policy, and not the class of one."""
    known = callable(getattr(given, "reason", None)) and hasattr(given, "whole")
    return known and not isinstance(given, type)


@dataclass(frozen=True)
class AnyOf:
    """NIL if any of several policies says so. The reason is that of the first such policy.

    Attributes
    ----------
    policies
        The policies, in the order in which they are asked.

    Examples
    --------
    >>> policy = AnyOf((Threshold(0.5), PostPruning()))
    >>> link = Link("D001241", "Aspirin", score=-1.2, probability=0.3, rank=1)
    >>> policy.reason(NilEvidence([link]))
    'probability 0.300 below threshold 0.5'
    """

    policies: tuple[NilPolicy, ...]

    def __post_init__(self) -> None:
        given = self.policies
        if not isinstance(given, tuple | list) or not all(map(is_policy, given)):
            raise ConfigError(f"AnyOf was given {shown(given)}; expected several NIL policies")
        object.__setattr__(self, "policies", tuple(given))

    @property
    def whole(self) -> bool:
        return any(policy.whole for policy in self.policies)

    def reason(self, evidence: NilEvidence) -> str | None:
        reasons = (policy.reason(evidence) for policy in self.policies)
        return next((reason for reason in reasons if reason is not None), None)
