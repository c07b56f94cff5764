"""How readers tell of what they could not use."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable

from biolink.errors import InputError

__all__ = ["OF_A_RECORD", "IdsSeen", "OnProblem", "check_utf8", "raise_or_report", "whole_number"]

#: Called with each problem; a reader without one raises the first that costs a document.
OnProblem = Callable[[InputError], None] | None

#: What a record of wrong types or values may raise in the code that takes it apart.
OF_A_RECORD = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
)

log = logging.getLogger(__name__)


def raise_or_report(problem: InputError, on_problem: OnProblem, *, fatal: bool = True) -> None:
    """Hand a problem to the caller's handler.

    Without a handler, a problem that costs a document (``fatal``) is raised, and one that costs
    or moves an annotation is logged as a warning.
    """
    if on_problem is not None:
        on_problem(problem)
    elif fatal:
        raise problem
    else:
        log.warning("%s", problem)


def check_utf8(line: str, source: str, number: int | None) -> None:
    """Refuse a line in which bytes that are not UTF-8 became lone surrogates.

    Raises
    ------
    InputError
        Naming the line.
    """
    if not line.isascii():
        try:
            line.encode()
        except UnicodeEncodeError as error:
            found = f"bytes that are not UTF-8, or a lone surrogate, at character {error.start}"
            raise InputError(source, number, found, "UTF-8 text") from None


def whole_number(written: str) -> int:
    """A number of characters, in ASCII digits.

    >>> whole_number(" 12 ")
    12

    Raises
    ------
    ValueError
        For anything else: signs, superscripts, fractions, more than fifteen digits.
    """
    if not re.fullmatch(r"\s*[0-9]{1,15}\s*", written):
        raise ValueError(f"{written[:40]!r} is no offset")
    return int(written)


class IdsSeen:
    """Whether any annotation of a file has a concept id; if none has, the user is told so.

    Parameters
    ----------
    source
        What messages call the file.
    what
        Where ids are looked for: "infons", "columns", "keys".
    """

    def __init__(self, source: str, what: str) -> None:
        self.source, self.what = source, what
        self.annotations = 0
        self.found = False
        self.names: dict[str, None] = {}

    def add(self, found: bool, names: Iterable[str]) -> None:
        """Count an annotation: whether it has a place for an id, and what it has at all."""
        self.annotations += 1
        self.found = self.found or found
        if not self.found and len(self.names) < 40:
            self.names.update(dict.fromkeys(names))

    def warn(self) -> None:
        """Log a warning when there were annotations, but nowhere an id."""
        if self.annotations and not self.found:
            log.warning(
                "biolink: warning: %s: none of the %d annotations has a concept id; the %s seen "
                "are %s",
                self.source,
                self.annotations,
                self.what,
                ", ".join(self.names) or "none",
            )
