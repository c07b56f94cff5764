"""Progress bars for long work, shown only on a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

__all__ = ["shown"]

#: A function that is called with the number of steps done so far and the number of all steps.
Step = Callable[[int, int], None]


@contextlib.contextmanager
def shown(label: str, size: int, least: int) -> Iterator[Step | None]:
    """Show a progress bar on standard error while a ``with`` block runs.

    Parameters
    ----------
    label
        What is being done.
    size
        The number of steps.
    least
        If there are fewer steps than this, no bar is shown.

    Yields
    ------
    A function that moves the bar, or None if no bar is shown. A bar also needs a terminal.
    """
    if size < least or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=size)
        yield lambda done, total: bar.update(task, completed=done, total=total)
