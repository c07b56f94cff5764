"""How readers of documents report what they cannot use; see :mod:`biolink.kb.problems` as well."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from biolink.errors import InputError
from biolink.kb.problems import OnProblem, check_utf8, raise_or_report
from biolink.kb.wording import counted

__all__ = [
    "OF_A_RECORD",
    "IdsSeen",
    "LeftOut",
    "OnProblem",
    "check_utf8",
    "metadata_held",
    "raise_or_report",
    "said",
    "whole_number",
]

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

#: Kinds of what was left out that a warning names.
_KINDS = 20


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
        raise ValueError(f"the offset {written[:40]!r} is not a whole number")
    return int(written)


def said(error: Exception) -> str:
    """What an error in the code that takes a record apart means to the record's author.

    >>> said(KeyError("offset"))
    '"offset" is missing'
    """
    if isinstance(error, KeyError):
        return f'"{error.args[0]}" is missing' if error.args else "a value is missing"
    if isinstance(error, json.JSONDecodeError):
        return f"JSON that is broken at column {error.colno} ({error.msg})"
    if isinstance(error, RecursionError):
        return "lists or objects are nested too deeply"
    return str(error)


@contextlib.contextmanager
def metadata_held(doc_id: str, label: str, on_problem: OnProblem) -> Iterator[None]:
    """Report a document when the block cannot write its metadata."""
    try:
        yield
    except (TypeError, ValueError, RecursionError) as error:
        found = f"document {doc_id!r} cannot be written ({said(error)})"
        problem = InputError(label, None, found, "metadata that JSON can hold")
        raise_or_report(problem, on_problem)


class LeftOut:
    """Counts what a reader does not carry over from a valid file, and says it once for the file.

    Parameters
    ----------
    source
        What messages call the file.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.counts: Counter[str] = Counter()

    def add(self, what: str) -> None:
        """Count one thing that is left out."""
        # A file may have a key of its own for each annotation.
        self.counts[what if what in self.counts or len(self.counts) < _KINDS else "other keys"] += 1

    def warn(self) -> None:
        """Log a warning that names and counts what was left out, if anything was."""
        if self.counts:
            named = ", ".join(f"{what} ({number:,})" for what, number in self.counts.most_common())
            log.warning("biolink: warning: %s: not kept: %s", self.source, named)


class IdsSeen:
    """What a reader tells of a whole file: whether any annotation has an id, what is left out.

    Parameters
    ----------
    source
        What messages call the file.
    expected
        Where the ids should stand.
    there
        What the annotations have instead, with ``{}`` for the names that were seen.

    Attributes
    ----------
    left_out
        Counts what the reader does not carry over.
    """

    def __init__(self, source: str, expected: str, there: str) -> None:
        self.source, self.expected, self.there = source, expected, there
        self.left_out = LeftOut(source)
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
        """Log a warning when there were annotations, but nowhere an id; and of what is left out."""
        self.left_out.warn()
        if self.annotations and not self.found:
            log.warning(
                "biolink: warning: %s: no concept id in %s; expected %s, and %s",
                self.source,
                counted(self.annotations, "annotation"),
                self.expected,
                self.there.format(", ".join(self.names) or "none"),
            )
