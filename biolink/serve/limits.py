"""The limits of the service."""

from __future__ import annotations

from dataclasses import dataclass, fields

from biolink.errors import BiolinkError, ConfigError, shown

__all__ = ["Busy", "Limits", "TooLarge", "TooSlow"]


class Busy(BiolinkError):
    """The queue is full.

    Parameters
    ----------
    seconds
        After how many seconds it is worth trying again.
    """

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(f"too many requests are waiting; try again after {seconds} s")


class TooSlow(BiolinkError):
    """A request took longer than the time limit."""


class TooLarge(BiolinkError):
    """A request has more of something than the service takes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the service takes of a request, and of all that are waiting.

    Attributes
    ----------
    body
        The greatest size of a request's body in bytes. Default: 4 MiB.
    characters
        The greatest length of a text. Default: 200,000.
    documents, terms
        The greatest number of documents, and of terms, queries or ids. Default: 64 and 1,000.
    mentions
        The greatest number of mentions that are given with the documents. Default: 5,000.
    waiting
        The number of characters in all requests that are waiting above which a further one is
        refused. Each text counts as at least 100. Default: 1,000,000.
    seconds
        The longest time that a request may wait and be worked on. Default: 120.

    Raises
    ------
    ConfigError
        If one of them is no number above 0.
    """

    body: int = 4 * 1024 * 1024
    characters: int = 200_000
    documents: int = 64
    terms: int = 1000
    mentions: int = 5000
    waiting: int = 1_000_000
    seconds: float = 120.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise ConfigError(
                    f"the limit {field.name} is {shown(value)}; expected a number above 0"
                )

    def check(self, what: str, number: int) -> None:
        """Raise an error if a request has more of something than the service takes.

        Raises
        ------
        TooLarge
            Naming the limit.
        """
        most = getattr(self, what)
        if number > most:
            raise TooLarge(f"the request has {number:,} {what}; expected at most {most:,}")
