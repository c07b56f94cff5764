"""Writing Ray's own messages into a file in place of the terminal.

Ray warns of actors and blocks that biolink made and the user does not know. The warnings come from
Ray's own threads and, through the file descriptor of standard error, from C++.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

__all__ = ["RAY_LOG", "quiet"]

#: The name of the file, in the folder of the shards.
RAY_LOG = "ray.log"
_STDERR = 2


class _OfThisThread(io.TextIOBase):
    """A stream for the output of this thread; the output of other threads goes elsewhere."""

    def __init__(self, stream: Any, elsewhere: TextIO) -> None:
        self._stream, self._elsewhere = stream, elsewhere
        self._owner = threading.get_ident()

    def _chosen(self) -> Any:
        return self._stream if threading.get_ident() == self._owner else self._elsewhere

    def write(self, text: str) -> int:
        written: int = self._chosen().write(text)
        return written

    def flush(self) -> None:
        self._chosen().flush()

    def isatty(self) -> bool:
        return bool(self._stream.isatty())

    def fileno(self) -> int:
        return int(self._stream.fileno())


@contextlib.contextmanager
def quiet(log: Path) -> Iterator[None]:
    """Send Ray's standard output and error into a file, but not the output of this thread.

    Parameters
    ----------
    log
        The file; it is removed if it stays empty.
    """
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(log.open("a", encoding="utf-8", buffering=1))
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", module=r"ray\b")
        if sys.stdout is not None:
            stack.enter_context(contextlib.redirect_stdout(_OfThisThread(sys.stdout, file)))
        stack.enter_context(_descriptor(file))
        yield
    if log.stat().st_size == 0:
        log.unlink()


@contextlib.contextmanager
def _descriptor(file: TextIO) -> Iterator[None]:
    """Send the descriptor of standard error into a file, while ``sys.stderr`` stays as it was."""
    try:
        original = os.dup(_STDERR)
    except OSError:  # Standard error is closed.
        yield
        return
    python = sys.stderr
    try:
        ours = python is not None and python.fileno() == _STDERR
    except (OSError, ValueError, AttributeError):  # The stream has no descriptor.
        ours = False
    if python is not None:
        python.flush()
    os.dup2(file.fileno(), _STDERR)
    try:
        if not ours:
            yield
            return
        with (
            os.fdopen(os.dup(original), "w", buffering=1, encoding=python.encoding) as stream,
            contextlib.redirect_stderr(stream),
        ):
            yield
    finally:
        os.dup2(original, _STDERR)
        os.close(original)
