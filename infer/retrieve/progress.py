"""Long work says how far it is, where somebody looks on."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

__all__ = ["shown"]

#: Called with (done, all).
Step = Callable[[int, int], None]


@contextlib.contextmanager
def shown(label: str, size: int, least: int) -> Iterator[Step | None]:
    """A progress bar on stderr while the block runs.

    None where there is no terminal, or not as much to do as ``least``.
    """
    if size < least or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=size)
        yield lambda done, every: bar.update(task, completed=done, total=every)
