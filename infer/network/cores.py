"""Independent pieces of work, one to a core.

Several threads that share each matrix product wait for the slowest at the end of it, which costs
most where other programs take a core now and then. Threads that do a whole piece each wait for
nobody, and what comes out does not depend on how many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["each_on_a_core"]

T = TypeVar("T")


def each_on_a_core(work: Callable[[T], object], pieces: Sequence[T]) -> None:
    """Do some work for each piece, in as many threads as torch computes with.

    >>> done = []
    >>> each_on_a_core(done.append, [3, 1, 2])
    >>> sorted(done)
    [1, 2, 3]
    """
    threads = min(torch.get_num_threads(), len(pieces))
    if threads <= 1:
        for piece in pieces:
            work(piece)
        return
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=lambda: torch.set_num_threads(1)) as pool:
            for _ in pool.map(work, pieces):
                pass
    finally:
        # A thread's own number is the default of threads that begin later, too.
        torch.set_num_threads(before)
