"""How readers of documents and knowledge bases report records that they cannot read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from biolink.errors import InputError
from biolink.kb.files import display_name, numbered_lines

__all__ = ["OnProblem", "check_utf8", "raise_or_report", "readable_lines"]

#: A function that a reader calls with each problem. Without one, the reader raises the first
#: problem that costs a record.
OnProblem = Callable[[InputError], None] | None

log = logging.getLogger(__name__)


def raise_or_report(problem: InputError, on_problem: OnProblem, *, fatal: bool = True) -> None:
    """Pass a problem to the caller's handler.

    Without a handler, a problem that costs a record (``fatal``) is raised. A problem that only
    costs or moves an annotation is logged as a warning.
    """
    if on_problem is not None:
        on_problem(problem)
    elif fatal:
        raise problem
    else:
        log.warning("%s", problem)


def check_utf8(line: str, source: str, number: int | None) -> None:
    """Raise an error if a line has lone surrogates, which stand for bytes that are not UTF-8.

    Raises
    ------
    InputError
        Naming the file, the line and the character.
    """
    if not line.isascii():
        try:
            line.encode()
        except UnicodeEncodeError as error:
            mistake = f"bytes that are not UTF-8, or a lone surrogate, at character {error.start}"
            raise InputError(source, number, mistake, "UTF-8 text") from None


def readable_lines(path: str | Path, on_problem: OnProblem) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line); each line that is not UTF-8 is reported as a problem."""
    source = display_name(path)
    for number, line in numbered_lines(path, "surrogateescape"):
        try:
            check_utf8(line, source, number)
        except InputError as error:
            raise_or_report(error, on_problem)
        else:
            yield number, line
