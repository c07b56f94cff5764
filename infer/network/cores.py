"""Running independent pieces of work, one on each core.

When several threads share a matrix product, all of them wait for the slowest at its end. This costs
most where other programs use a core now and then. Threads that each do a whole piece of work never
wait for one another, and the result does not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["each_on_a_core"]

T = TypeVar("T")


def each_on_a_core(work: Callable[[T], object], pieces: Sequence[T]) -> None:
    """Call a function on each piece of work, in as many threads as torch computes with.

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
        # Setting the number within a thread also changes the default for threads started later.
        torch.set_num_threads(before)
