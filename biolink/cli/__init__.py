"""The ``biolink`` command. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr and exit status 1."""
    from biolink.cli.app import app
    from biolink.errors import BiolinkError

    # At the exit Python would look for cycles among all that torch made: half a second.
    atexit.register(gc.freeze)
    # As with an interrupt from the keyboard, what is half written goes.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        app()
    except BiolinkError as error:
        sys.stderr.write(f"biolink: error: {error}\n")
        sys.exit(1)
    except BrokenPipeError:
        # The reader went away (head, less); point stdout elsewhere, so that closing it is quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except KeyboardInterrupt:
        sys.exit(130)
