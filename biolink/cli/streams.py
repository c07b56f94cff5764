"""Standard streams of the command: closed ones, full ones and readers that go away are told.

A write to stdout fails with one clear error, whoever writes; where the reader has gone away (head,
less), the command ends with the status that the shell gives a process ended by SIGPIPE.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

from biolink.errors import InputError

__all__ = ["set_up_streams"]

#: 128 and the number of SIGPIPE.
READER_GONE = 141


def set_up_streams() -> None:
    """Give the process streams that can be written to, whatever it was started with."""
    for number in (0, 1, 2):
        # Else the next file that is opened would be the closed stream.
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")
    terminal = sys.stdout is not None and sys.stdout.isatty()
    raw = _Output(None if sys.stdout is None else sys.stdout.fileno())
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding="utf-8" if sys.stdout is None else sys.stdout.encoding,
        errors="backslashreplace",
        line_buffering=terminal,
    )


class _Output(io.RawIOBase):
    """What is written to stdout, or nowhere when it is closed."""

    def __init__(self, number: int | None) -> None:
        self._number = number
        self._told = False

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._number is not None and os.isatty(self._number)

    def fileno(self) -> int:
        if self._number is None:
            raise io.UnsupportedOperation("stdout is closed")
        return self._number

    def write(self, data: Any) -> int:
        if self._told:
            # What is left in buffers when the process ends.
            return len(data)
        try:
            if self._number is None:
                raise InputError("<stdout>", None, "closed", "a stream that can be written")
            return os.write(self._number, data)
        except BrokenPipeError:
            self._told = True
            raise SystemExit(READER_GONE) from None
        except OSError as error:
            self._told = True
            found = error.strerror or str(error)
            raise InputError("<stdout>", None, found, "a stream that can be written") from None
        except InputError:
            self._told = True
            raise
