"""Requests of many clients, put together into batches for the one thread that runs the model."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from biolink.scale.blocks import give_back_memory, one_thread
from biolink.serve.limits import Busy

__all__ = ["Batcher", "Item"]

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
R = TypeVar("R")

#: The weight of the latest batch in the average time for a character.
_LATEST = 0.2
#: How many times the wait the oldest job waits at most.
_AT_MOST = 5
#: The longest time in seconds after which a client is told to try again.
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """Something to work on, and its weight: about the time that it takes."""

    value: T
    weight: int


@dataclass(eq=False, slots=True)
class _Job(Generic[K, T, R]):
    key: K
    items: list[Item[T]]
    future: Future[list[R]]
    taken: float


class Batcher(Generic[K, T, R]):
    """One thread that works on batches of what several clients submit.

    Items with the same key may be worked on together. A batch begins with the oldest job, and waits
    for further ones of its key until it is full, nothing has come for a while, or the oldest has
    waited long enough.

    Parameters
    ----------
    work
        A function from a key and values to as many results, which runs in the thread.
    most
        The greatest number of items in a batch with a key.
    waiting
        The weight of all items that are waiting above which no more are taken.
    wait
        The time in seconds in which nothing comes and after which a batch begins; the oldest job
        waits at most five times as long. Default: 0.01.
    observe
        A function that is called after each batch with its number of items and its time in seconds.
    """

    def __init__(
        self,
        work: Callable[[K, Sequence[T]], Sequence[R]],
        most: Callable[[K], int],
        waiting: int,
        wait: float = 0.01,
        observe: Callable[[int, float], None] | None = None,
    ) -> None:
        self._work, self._most, self._limit, self._wait = work, most, waiting, wait
        self._observe = observe
        self._jobs: deque[_Job[K, T, R]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._weight = 0
        self._latest = 0.0
        self._seconds_each = 0.0
        self._thread = threading.Thread(target=self._run, name="biolink-model")
        self._thread.start()

    @property
    def weight(self) -> int:
        """The weight of all items that are waiting."""
        return self._weight

    @property
    def closed(self) -> bool:
        """Whether no more is taken."""
        return self._closed

    def submit(self, key: K, items: Sequence[Item[T]]) -> list[Future[list[R]]]:
        """Take items, all of them or none.

        Returns
        -------
        Futures of the results of consecutive items.

        Raises
        ------
        Busy
            If too many items are waiting, or the batcher is closed.
        """
        most = self._most(key)
        parts = [list(items[at : at + most]) for at in range(0, len(items), most)]
        weight = sum(item.weight for item in items)
        with self._changed:
            if self._closed or (self._weight and self._weight + weight > self._limit):
                seconds = math.ceil(self._weight * self._seconds_each)
                raise Busy(min(max(1, seconds), _LONGEST))
            now = time.monotonic()
            jobs = [_Job[K, T, R](key, part, Future(), now) for part in parts]
            self._jobs.extend(jobs)
            self._latest = now
            self._weight += weight
            self._changed.notify()
        return [job.future for job in jobs]

    def close(self) -> None:
        """Take nothing more, finish what was taken, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        # Rounding depends on the number of threads, which torch sets for each thread of its own.
        with one_thread():
            while batch := self._next():
                self._finish(batch)
                give_back_memory()

    def _next(self) -> list[_Job[K, T, R]]:
        """The jobs of the next batch; empty when the batcher is closed and nothing is left."""
        with self._changed:
            while not self._jobs:
                if self._closed:
                    return []
                self._changed.wait()
            oldest = self._jobs[0]
            most = self._most(oldest.key)
            while not self._closed:
                together = sum(len(job.items) for job in self._jobs if job.key == oldest.key)
                until = min(self._latest + self._wait, oldest.taken + _AT_MOST * self._wait)
                left = until - time.monotonic()
                if together >= most or left <= 0:
                    break
                self._changed.wait(left)
            batch: list[_Job[K, T, R]] = []
            size = 0
            for job in list(self._jobs):
                if job.key == oldest.key and (not batch or size + len(job.items) <= most):
                    batch.append(job)
                    size += len(job.items)
                    self._jobs.remove(job)
                    self._weight -= sum(item.weight for item in job.items)
            return batch

    def _finish(self, batch: list[_Job[K, T, R]]) -> None:
        # A job whose client has given up is cancelled.
        jobs = [job for job in batch if job.future.set_running_or_notify_cancel()]
        if not jobs:
            return
        began = time.monotonic()
        try:
            results = self._worked(jobs)
        except Exception:
            # One of the jobs may be the cause, so each is tried alone.
            for job in jobs:
                try:
                    job.future.set_result(self._worked([job]))
                except Exception as error:
                    job.future.set_exception(error)
        else:
            for job in jobs:
                count = len(job.items)
                job.future.set_result(results[:count])
                results = results[count:]
        seconds = time.monotonic() - began
        each = seconds / max(1, sum(item.weight for job in jobs for item in job.items))
        self._seconds_each += (each - self._seconds_each) * (_LATEST if self._seconds_each else 1)
        if self._observe is not None:
            self._observe(sum(len(job.items) for job in jobs), seconds)

    def _worked(self, jobs: Sequence[_Job[K, T, R]]) -> list[R]:
        values = [item.value for job in jobs for item in job.items]
        return list(self._work(jobs[0].key, values))
