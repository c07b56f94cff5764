"""How readers of documents report problems; see :mod:`biolink.kb.problems` as well."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from numbers import Integral, Real
from typing import Any

from biolink.errors import InputError
from biolink.kb.problems import OnProblem, check_utf8, raise_or_report
from biolink.kb.wording import counted

__all__ = [
    "RECORD_ERRORS",
    "IdsSeen",
    "LeftOut",
    "OnProblem",
    "check_utf8",
    "described",
    "metadata_held",
    "raise_or_report",
    "strict_json",
    "whole_number",
]

#: The errors that a record with wrong types or values may cause in the code that reads it.
RECORD_ERRORS = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
)

log = logging.getLogger(__name__)

#: The number of kinds of omitted values that a warning names.
_KINDS = 20


def whole_number(written: str) -> int:
    """Return the offset that is written in ASCII digits.

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


def described(error: Exception) -> str:
    """Describe an error that a record caused, in terms of the record.

    >>> described(KeyError("offset"))
    '"offset" is missing'
    """
    if isinstance(error, KeyError):
        return f'"{error.args[0]}" is missing' if error.args else "a value is missing"
    if isinstance(error, json.JSONDecodeError):
        return f"JSON that is broken at column {error.colno} ({error.msg})"
    if isinstance(error, RecursionError):
        return "lists or objects are nested too deeply"
    return str(error)


def strict_json(value: Any) -> str:
    """Write JSON that every program reads: numbers that are not finite become null.

    Numbers of numpy are written as those of Python.

    >>> strict_json({"a": [float("nan"), 1]})
    '{"a": [null, 1]}'
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_number)
    except ValueError:
        # A second pass gives plain objects, of which the numbers that are not finite are known.
        plain = json.loads(json.dumps(value, default=_number), parse_constant=lambda _: None)
        return json.dumps(plain, ensure_ascii=False)


def _number(value: Any) -> int | float:
    """A number of numpy as a number of Python."""
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise TypeError(f"JSON has no value for an object of type {type(value).__name__}")


@contextlib.contextmanager
def metadata_held(doc_id: str, label: str, on_problem: OnProblem) -> Iterator[None]:
    """Report a document as a problem if its metadata cannot be written in the block."""
    try:
        yield
    except (TypeError, ValueError, RecursionError) as error:
        found = f"document {doc_id!r} cannot be written ({described(error)})"
        problem = InputError(label, None, found, "metadata that JSON can hold")
        raise_or_report(problem, on_problem)


class LeftOut:
    """Counts the values that a reader or a writer does not keep, and warns of them once.

    Parameters
    ----------
    source
        The name of the file in messages.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.counts: Counter[str] = Counter()

    def add(self, what: str) -> None:
        """Count one value that is not kept."""
        # A file may have a key of its own for each annotation.
        self.counts[what if what in self.counts or len(self.counts) < _KINDS else "other keys"] += 1

    def warn(self) -> None:
        """Log a warning with the names and numbers of the values that were not kept, if any."""
        if self.counts:
            named = ", ".join(f"{what} ({number:,})" for what, number in self.counts.most_common())
            log.warning("biolink: warning: %s: these values are not kept: %s", self.source, named)


class IdsSeen:
    """Notes whether any annotation of a file has a concept id, and which values are not kept.

    Parameters
    ----------
    source
        The name of the file in messages.
    expected
        Where the ids should be.
    there
        What the annotations have instead, with ``{}`` for the names that were seen.

    Attributes
    ----------
    left_out
        Counts the values that the reader does not keep.
    """

    def __init__(self, source: str, expected: str, there: str) -> None:
        self.source, self.expected, self.there = source, expected, there
        self.left_out = LeftOut(source)
        self.annotations = 0
        self.found = False
        self.names: dict[str, None] = {}

    def add(self, found: bool, names: Iterable[str]) -> None:
        """Count an annotation: whether it has a key or column for an id, and what it has."""
        self.annotations += 1
        self.found = self.found or found
        if not self.found and len(self.names) < 40:
            self.names.update(dict.fromkeys(names))

    def warn(self) -> None:
        """Log a warning of values that are not kept, and one if no annotation has an id."""
        self.left_out.warn()
        if self.annotations and not self.found:
            log.warning(
                "biolink: warning: %s: no concept id in %s; expected %s, and %s",
                self.source,
                counted(self.annotations, "annotation"),
                self.expected,
                self.there.format(", ".join(self.names) or "none"),
            )
