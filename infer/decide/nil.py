"""NIL policies: when a mention gets no link, and why.

A policy is a frozen value; several together are one more (:class:`AnyOf`). Those that compare a
part of a knowledge base with the whole (:class:`PostPruning`, :class:`Margin`) are for linkers over
a subset: see Partial KB inference (BioNLP 2023), section 3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any, Protocol

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
    "policy_from",
    "policy_of",
    "policy_values",
    "policy_written",
]

#: Reason of a mention for which nothing was found at all.
NO_CANDIDATE = "no candidate"
#: Reason of a mention in which no letter and no digit stands.
NAMES_NOTHING = "neither letter nor digit"
#: Reason of a mention such as "12" or, where all names are English, of one in another script.
UNLIKE_NAMES = "no name of the knowledge base has a letter of it"

#: NIL's probability above which even a name of the base is not linked (:class:`Likelier`).
_SURE = 0.98
#: A recogniser's probability from which on it is believed that a name stands there.
_MARKED = 0.5


@dataclass(frozen=True, slots=True)
class NilEvidence:
    """What a policy knows of a mention (:func:`biolink.infer.decide.outcome.evidence`).

    Attributes
    ----------
    links
        Ranked, at least one.
    nil
        Probability of NIL; 0 for a model that has none.
    outside
        The best concept of the whole knowledge base that is outside the part that is linked to;
        None where there is none, and for policies that are not ``whole``.
    span
        Probability of the mention itself, where a recogniser gave one.
    named
        The mention is a name of the best concept and of no other, and the concept's type is not
        another than the mention's.
    """

    links: Sequence[Link]
    nil: float = 0.0
    outside: Link | None = None
    span: float | None = None
    named: bool = False


class NilPolicy(Protocol):
    """Decides whether ranked links stand."""

    @property
    def whole(self) -> bool:
        """Whether a part of a knowledge base is to be linked to under the names of the whole."""

    def reason(self, evidence: NilEvidence) -> str | None:
        """Why the mention is NIL, or None when its links stand."""


@dataclass(frozen=True)
class _OfThePart:
    """A policy that looks at the linker's own knowledge base alone."""

    @property
    def whole(self) -> bool:
        return False


@dataclass(frozen=True)
class _OfTheWhole:
    """A policy that compares with the whole base."""

    @property
    def whole(self) -> bool:
        return True


@dataclass(frozen=True)
class NoNil(_OfThePart):
    """Every mention with a candidate is linked."""

    def reason(self, evidence: NilEvidence) -> str | None:
        return None


@dataclass(frozen=True)
class Likelier(_OfThePart):
    """NIL where that is likelier than every concept.

    A mention that is a name of one concept alone, and that a recogniser marked, says itself what
    it is: it is NIL only where that is nearly certain.
    """

    def reason(self, evidence: NilEvidence) -> str | None:
        best = evidence.links[0].probability
        marked = evidence.span is None or evidence.span >= _MARKED
        if evidence.nil > best and not (evidence.named and marked and evidence.nil <= _SURE):
            return f"NIL has probability {evidence.nil:.3f}, the best concept {best:.3f}"
        return None


@dataclass(frozen=True)
class Threshold(_OfThePart):
    """NIL when the best link's probability is below a value in [0, 1]."""

    value: float

    def __post_init__(self) -> None:
        need_probability("a threshold", self.value)

    def reason(self, evidence: NilEvidence) -> str | None:
        if evidence.links[0].probability < self.value:
            return f"probability {evidence.links[0].probability:.3f} below threshold {self.value:g}"
        return None


@dataclass(frozen=True)
class PostPruning(_OfTheWhole):
    """NIL when the best concept of the whole base is outside the part."""

    def reason(self, evidence: NilEvidence) -> str | None:
        return Margin(0.0).reason(evidence)


@dataclass(frozen=True)
class Margin(_OfTheWhole):
    """NIL when a concept outside the part is better than the best inside by more than a margin.

    Attributes
    ----------
    value
        Difference of scores (log-probabilities), at least 0; 0 is :class:`PostPruning`.
    """

    value: float

    def __post_init__(self) -> None:
        if not isinstance(self.value, Real) or isinstance(self.value, bool) or not self.value >= 0:
            raise ConfigError(f"a margin is {shown(self.value)}; expected a number of nats from 0")

    def reason(self, evidence: NilEvidence) -> str | None:
        other = evidence.outside
        if other is not None and other.score - evidence.links[0].score > self.value:
            return f"pruned: {other.concept_id} ({other.name}) is better and outside"
        return None


#: What :class:`Combination` weighs.
COMBINED = ("one", "link", "span", "nil", "margin", "alone")
_MOST = 10.0  # nats of a margin


def combined_features(evidence: NilEvidence) -> tuple[float, ...]:
    """What :class:`Combination` knows of a mention, in the order of :data:`COMBINED`.

    Log odds of the best link, of the span and of NIL; by how many nats the best link is before the
    best concept outside; and whether there is none.
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
    """NIL when a link is probably wrong by all that is known of it.

    A logistic function (Platt scaling over several scores) of the link's probability, the span's,
    NIL's and the margin over concepts outside the part; the weights are fitted on development data
    (:func:`biolink.evaluation.calibrating.fit_combination`).

    Attributes
    ----------
    weights
        In the order of :data:`COMBINED`.
    value
        Least probability of a link that stands.
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
        need_probability("a threshold", self.value)

    def probability(self, evidence: NilEvidence) -> float:
        """That the best link is right."""
        pairs = zip(self.weights, combined_features(evidence), strict=True)
        return float(1 / (1 + math.exp(-sum(weight * feature for weight, feature in pairs))))

    def reason(self, evidence: NilEvidence) -> str | None:
        found = self.probability(evidence)
        if found < self.value:
            return f"combined probability {found:.3f} below threshold {self.value:g}"
        return None


@dataclass(frozen=True)
class AnyOf:
    """NIL when any of several policies says so; the first one's reason is given."""

    policies: tuple[NilPolicy, ...]

    def __post_init__(self) -> None:
        given = self.policies
        if not isinstance(given, tuple | list) or not all(map(_is_policy, given)):
            raise ConfigError(f"AnyOf was given {shown(given)}; expected several NIL policies")
        object.__setattr__(self, "policies", tuple(given))

    @property
    def whole(self) -> bool:
        return any(policy.whole for policy in self.policies)

    def reason(self, evidence: NilEvidence) -> str | None:
        reasons = (policy.reason(evidence) for policy in self.policies)
        return next((reason for reason in reasons if reason is not None), None)


_KINDS: dict[str, type] = {
    "none": NoNil,
    "likelier": Likelier,
    "threshold": Threshold,
    "post-pruning": PostPruning,
    "margin": Margin,
    "combination": Combination,
    "any": AnyOf,
}


def policy_values(policy: Any) -> dict[str, Any]:
    """A policy as ``biolink.json`` keeps it, under ``nil``.

    >>> policy_values(AnyOf((Threshold(0.4), PostPruning())))
    {'kind': 'any', 'policies': [{'kind': 'threshold', 'value': 0.4}, {'kind': 'post-pruning'}]}
    """
    kinds = {cls: kind for kind, cls in _KINDS.items()}
    if type(policy) not in kinds:
        raise ConfigError(
            f"{type(policy).__name__} cannot be saved; expected a policy of the kind "
            f"{', '.join(_KINDS)}"
        )
    if isinstance(policy, AnyOf):
        return {"kind": "any", "policies": [policy_values(one) for one in policy.policies]}
    values = {field.name: getattr(policy, field.name) for field in fields(policy)}
    return {"kind": kinds[type(policy)], **values}


def policy_from(values: Mapping[str, Any]) -> NilPolicy:
    """The policy that :func:`policy_values` wrote.

    Raises
    ------
    ConfigError
        When the kind or a value is unknown.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"NIL policy {values!r}; expected an object with its kind")
    rest = dict(values)
    kind = rest.pop("kind", None)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ConfigError(f"unknown NIL policy {kind!r}; expected one of {', '.join(_KINDS)}")
    if kind == "any":
        policies = rest.get("policies")
        if not isinstance(policies, list | tuple) or not policies:
            raise ConfigError(f"NIL policy 'any' has policies {policies!r}; expected a list")
        rest |= {"policies": tuple(policy_from(one) for one in policies)}
    cls = _KINDS[kind]
    needed = {field.name for field in fields(cls)}
    if rest.keys() - needed:
        raise ConfigError(f"NIL policy {kind!r} takes no {', '.join(sorted(rest.keys() - needed))}")
    if kind == "combination" and needed - rest.keys():
        raise ConfigError(
            "NIL policy 'combination' has weights that are fitted on development documents "
            "(biolink.evaluation.calibrating.fit_combination): a model that has them uses them "
            "without being told"
        )
    if needed - rest.keys():
        raise ConfigError(f"NIL policy {kind!r} needs a number, as in {kind}=0.5")
    policy: NilPolicy = cls(**rest)
    return policy


def policy_written(text: str) -> NilPolicy:
    """A policy as the command line writes it.

    >>> policy_written("threshold=0.4+post-pruning").policies
    (Threshold(value=0.4), PostPruning())

    Raises
    ------
    ConfigError
        When it is none.
    """
    policies = []
    for part in text.split("+"):
        kind, equals, value = (piece.strip() for piece in part.partition("="))
        if kind not in _KINDS or kind == "any":
            known = ", ".join(_WRITTEN)
            raise ConfigError(
                f"unknown NIL policy {part!r}; expected one of {known}, or several joined by +"
            )
        values: dict[str, Any] = {"kind": kind}
        if equals:
            try:
                values["value"] = float(value)
            except ValueError:
                raise ConfigError(f"NIL policy {part!r}: expected a number after =") from None
        policies.append(policy_from(values))
    return policies[0] if len(policies) == 1 else AnyOf(tuple(policies))


def _is_policy(given: object) -> bool:
    known = callable(getattr(given, "reason", None)) and hasattr(given, "whole")
    return known and not isinstance(given, type)


_WRITTEN = ("none", "likelier", "threshold=P", "post-pruning", "margin=N")


def policy_of(given: NilPolicy | str | float | None) -> NilPolicy | None:
    """A policy in whatever form it is given: itself, as the command line writes it, a threshold.

    >>> policy_of(0.5), policy_of("likelier")
    (Threshold(value=0.5), Likelier())

    Raises
    ------
    ConfigError
        When it is none of these.
    """
    if given is None:
        return None
    if isinstance(given, str):
        return policy_written(given)
    if isinstance(given, int | float) and not isinstance(given, bool):
        return Threshold(float(given))
    if isinstance(given, bool) or not _is_policy(given):
        raise ConfigError(
            f"nil is {given!r}; expected a NIL policy, a text such as 'threshold=0.5' or a number"
        )
    return given
