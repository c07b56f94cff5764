"""The ``biolink`` command. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import atexit
import contextlib
import gc
import signal
import sys

from biolink.interrupts import after_imports

__all__ = ["main"]


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr and exit status 1."""
    try:
        after_imports(main)
        _run()
    except KeyboardInterrupt:
        # Another interrupt ends the command while it tidies up, without a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        sys.exit(130)


def _run() -> None:
    from biolink.cli.app import app
    from biolink.cli.console import long_work_shown
    from biolink.cli.streams import READER_GONE, set_up_streams
    from biolink.errors import BiolinkError

    # At exit Python would look for cycles among the objects of torch, which takes half a second.
    atexit.register(gc.freeze)
    # As with an interrupt from the keyboard, partial files are removed.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    set_up_streams()
    try:
        try:
            with long_work_shown():
                app()
        finally:
            sys.stdout.flush()
    except BiolinkError as error:
        _fail(str(error))
    except BrokenPipeError:
        sys.exit(READER_GONE)
    except OSError as error:
        reason = error.strerror or str(error)
        _fail(f"{error.filename}: {reason}" if error.filename else reason)


def _fail(what: str) -> None:
    with contextlib.suppress(OSError):
        sys.stderr.write(f"biolink: error: {what}\n")
    sys.exit(1)
