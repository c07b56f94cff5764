"""NIL policies as ``biolink.json``, the command line and callers write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from biolink.errors import ConfigError
from biolink.infer.decide.nil import (
    AnyOf,
    Combination,
    Likelier,
    Margin,
    NilPolicy,
    NoNil,
    PostPruning,
    Threshold,
    is_policy,
)

__all__ = ["policy_from", "policy_of", "policy_values", "policy_written"]

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
    """A policy as values for JSON, as ``biolink.json`` stores it under ``nil``.

    Raises
    ------
    ConfigError
        If the policy is not one of this module.

    Examples
    --------
    >>> policy_values(AnyOf((Threshold(0.4), PostPruning())))
    {'kind': 'any', 'policies': [{'kind': 'threshold', 'value': 0.4}, {'kind': 'post-pruning'}]}
    """
    kinds = {cls: kind for kind, cls in _KINDS.items()}
    if type(policy) not in kinds:
        raise ConfigError(
            f"{type(policy).__name__} cannot be saved; expected a policy of one of the kinds "
            f"{', '.join(_KINDS)}"
        )
    if isinstance(policy, AnyOf):
        return {"kind": "any", "policies": [policy_values(member) for member in policy.policies]}
    values = {field.name: getattr(policy, field.name) for field in fields(policy)}
    return {"kind": kinds[type(policy)], **values}


def policy_from(values: Mapping[str, Any]) -> NilPolicy:
    """The policy with these values, which :func:`policy_values` gave.

    Raises
    ------
    ConfigError
        If the kind or a value is unknown.

    Examples
    --------
    >>> policy_from({"kind": "threshold", "value": 0.4})
    Threshold(value=0.4)
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"NIL policy {values!r}; expected an object with a kind")
    rest = dict(values)
    kind = rest.pop("kind", None)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ConfigError(f"unknown NIL policy {kind!r}; expected one of {', '.join(_KINDS)}")
    if kind == "any":
        policies = rest.get("policies")
        if not isinstance(policies, list | tuple) or not policies:
            raise ConfigError(f"NIL policy 'any' has policies {policies!r}; expected a list")
        rest |= {"policies": tuple(policy_from(member) for member in policies)}
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
    """The policy that a text names, in the form of the command line.

    >>> policy_written("threshold=0.4+post-pruning").policies
    (Threshold(value=0.4), PostPruning())

    Raises
    ------
    ConfigError
        If the text does not name a policy.
    """
    policies = []
    for written in text.split("+"):
        kind, equals, value = (piece.strip() for piece in written.partition("="))
        if kind not in _KINDS or kind == "any":
            known = ", ".join(_WRITTEN)
            raise ConfigError(
                f"unknown NIL policy {written!r}; expected one of {known}, or several joined by +"
            )
        values: dict[str, Any] = {"kind": kind}
        if equals:
            try:
                values["value"] = float(value)
            except ValueError:
                raise ConfigError(f"NIL policy {written!r}: expected a number after =") from None
        policies.append(policy_from(values))
    return policies[0] if len(policies) == 1 else AnyOf(tuple(policies))


_WRITTEN = ("none", "likelier", "threshold=P", "post-pruning", "margin=N")


def policy_of(given: NilPolicy | str | float | None) -> NilPolicy | None:
    """The policy that a value stands for: a policy itself, its text form, or a threshold.

    None stays None.

    >>> policy_of(0.5), policy_of("likelier")
    (Threshold(value=0.5), Likelier())

    Raises
    ------
    ConfigError
        If the value is none of these.
    """
    if given is None:
        return None
    if isinstance(given, str):
        return policy_written(given)
    if isinstance(given, int | float) and not isinstance(given, bool):
        return Threshold(float(given))
    if isinstance(given, bool) or not is_policy(given):
        raise ConfigError(
            f"nil is {given!r}; expected a NIL policy, a text such as 'threshold=0.5' or a number"
        )
    return given
