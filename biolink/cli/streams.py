"""The standard streams of the command, which may be closed or full, or lose their reader.

A failed write to stdout gives one clear error. If the reader has gone away (head, less), the
command ends with the status that the shell gives to a process that was ended by SIGPIPE.
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
    """Set up streams that can be written, whatever streams the process was started with."""
    for number in (0, 1, 2):
        # Otherwise the next file that is opened would get the number of the closed stream.
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
    """The raw stream of stdout, which may be closed."""

    def __init__(self, number: int | None) -> None:
        self._number = number
        self._failed = False

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._number is not None and os.isatty(self._number)

    def fileno(self) -> int:
        if self._number is None:
            raise io.UnsupportedOperation("stdout is closed")
        return self._number

    def write(self, data: Any) -> int:
        if self._failed:
            # After an error, the rest of the buffers is dropped.
            return len(data)
        try:
            if self._number is None:
                raise InputError("<stdout>", None, "closed", "a stream that can be written")
            return os.write(self._number, data)
        except BrokenPipeError:
            self._failed = True
            raise SystemExit(READER_GONE) from None
        except OSError as error:
            self._failed = True
            found = error.strerror or str(error)
            raise InputError("<stdout>", None, found, "a stream that can be written") from None
        except InputError:
            self._failed = True
            raise
