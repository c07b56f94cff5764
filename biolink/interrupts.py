"""Interrupts from the keyboard (Ctrl-C) at moments when they would do harm.

A terminal sends them to the command and to all of its worker processes. The command ends the
workers itself, so these never take one. Modules in C++ may abort if their import is interrupted.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

__all__ = ["after_imports", "held_back"]

#: The seconds after which an interrupt is tried again.
_AGAIN = 0.05
#: The file name of the frames of an import.
_IMPORT = "<frozen importlib._bootstrap>"


def after_imports(main: Callable[[], None]) -> None:
    """Make interrupts wait for the end of an import that is going on in a function."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        while frame is not None and frame.f_code is not main.__code__:
            if frame.f_code.co_filename == _IMPORT:
                again = threading.Timer(_AGAIN, _interrupt_main)
                again.daemon = True
                again.start()
                return
            frame = frame.f_back
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)


def _interrupt_main() -> None:
    """Send an interrupt to the main thread, which may be waiting for input."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Hold interrupts back until the end of the block.

    Processes that are started in the block never take one, as they inherit what is blocked.
    """
    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        yield
        return
    caught = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal caught
        caught = True

    handler = signal.getsignal(signal.SIGINT)
    # Another thread of this process may take the signal, which Python gives to the main thread.
    in_main = threading.current_thread() is threading.main_thread() and handler is not None
    if in_main:
        signal.signal(signal.SIGINT, note)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        if in_main:
            signal.signal(signal.SIGINT, handler)
            if caught:
                signal.raise_signal(signal.SIGINT)
