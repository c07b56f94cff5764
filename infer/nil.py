"""NIL policies: when a mention gets no link, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from biolink.documents import Link
from biolink.errors import ConfigError

__all__ = ["NO_CANDIDATE", "Likelier", "NilPolicy", "NoNil", "Threshold"]

#: Reason of a mention for which nothing was found at all.
NO_CANDIDATE = "no candidate"


class NilPolicy(Protocol):
    """Decides whether ranked links stand."""

    def reason(self, links: Sequence[Link], nil: float) -> str | None:
        """Why the mention is NIL, or None when its links stand.

        Parameters
        ----------
        links
            Ranked, at least one.
        nil
            Probability of NIL; 0 for a model that has none.
        """


@dataclass(frozen=True, slots=True)
class NoNil:
    """Every mention with a candidate is linked."""

    def reason(self, links: Sequence[Link], nil: float) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class Likelier:
    """NIL where that is likelier than every concept."""

    def reason(self, links: Sequence[Link], nil: float) -> str | None:
        if nil > links[0].probability:
            return f"NIL has probability {nil:.3f}, the best concept {links[0].probability:.3f}"
        return None


@dataclass(frozen=True, slots=True)
class Threshold:
    """NIL when the best link's probability is below a value in [0, 1]."""

    value: float

    def __post_init__(self) -> None:
        if not 0 <= self.value <= 1:
            raise ConfigError(f"a threshold is a probability from 0 to 1, not {self.value}")

    def reason(self, links: Sequence[Link], nil: float) -> str | None:
        if links[0].probability < self.value:
            return f"probability {links[0].probability:.3f} below threshold {self.value:g}"
        return None
