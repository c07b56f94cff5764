"""How readers tell of what they could not use."""

from __future__ import annotations

import logging
from collections.abc import Callable

from biolink.errors import InputError

__all__ = ["OnProblem", "raise_or_report"]

#: Called with each problem; a reader without one raises the first that costs a document.
OnProblem = Callable[[InputError], None] | None

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
