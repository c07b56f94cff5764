"""Printing for people: progress and messages on stderr, tables on stdout."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from biolink.kb.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

    from biolink.errors import BiolinkError

__all__ = [
    "Advance",
    "collected_problems",
    "long_work_shown",
    "message",
    "progress",
    "report_problems",
    "reported",
    "stdout",
]

#: A function that is called with the amount done and, if it is known, the whole amount.
Advance = Callable[[int, int | None], None]


def message(text: str) -> None:
    """Print one line on stderr."""
    sys.stderr.write(text + "\n")


class _Messages(logging.Handler):
    """Prints what is logged as lines of the command."""

    def emit(self, record: logging.LogRecord) -> None:
        message(f"biolink: {record.getMessage()}")


@contextlib.contextmanager
def long_work_shown() -> Iterator[None]:
    """Print on stderr, meanwhile, what is logged about work that a knowledge base needs once."""
    logger = logging.getLogger("biolink.infer.retrieve.indexes")
    level, handler = logger.level, _Messages()
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def report_problems(problems: Sequence[Exception], done: bool = False) -> None:
    """Print problems on stderr, and whether everything else was done."""
    for problem in problems:
        message(f"biolink: {problem}")
    if problems:
        rest = "; everything else was done" if done else ""
        message(f"biolink: {counted(len(problems), 'problem')}{rest}")


@contextlib.contextmanager
def reported(
    problems: Sequence[Exception], any_done: Callable[[], bool] = lambda: True
) -> Iterator[None]:
    """Report the problems at the end of a block.

    Everything else was done if the block ends normally, and ``any_done()`` says that there was
    anything else.
    """
    done = False
    try:
        yield
        done = any_done()
    finally:
        report_problems(problems, done)


@contextlib.contextmanager
def collected_problems() -> Iterator[list[BiolinkError]]:
    """Collect problems of reading, report them at the end, and then exit with status 1.

    Raises
    ------
    typer.Exit
        When there are problems and no other error.
    """
    import typer

    problems: list[BiolinkError] = []
    with reported(problems):
        yield problems
    if problems:
        raise typer.Exit(1)


def stdout() -> Console:
    """Return a console on stdout, which is wide if it is not a terminal, so that nothing is cut."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 150, highlight=False)


@contextlib.contextmanager
def progress(label: str, unit: str = "") -> Iterator[Advance]:
    """Show a progress bar on stderr if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda done, size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, size: bar.update(task, completed=done, total=size)
