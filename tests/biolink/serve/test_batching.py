"""Batches: what is linked together, in which order, and how it ends."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from biolink.serve.batching import Batcher, Item
from biolink.serve.limits import Busy


class Work:
    """Doubles numbers, and stops at the gate until it is opened."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.began = threading.Event()
        self.batches: list[tuple[str, list[int]]] = []

    def __call__(self, key: str, values: Sequence[int]) -> list[int]:
        self.began.set()
        self.gate.wait(10)
        self.batches.append((key, list(values)))
        if -1 in values:
            raise ValueError("this one cannot be done")
        return [2 * value for value in values]


def batcher(work: Work, waiting: int = 100) -> Batcher[str, int, int]:
    return Batcher(work, lambda key: 4, waiting)


def items(*values: int) -> list[Item[int]]:
    return [Item(value, 10) for value in values]


def test_jobs_of_a_key_are_put_together_and_answered_apart() -> None:
    work = Work()
    many = batcher(work)
    first = many.submit("a", items(1))
    work.began.wait(10)  # it is being worked on, and the others wait
    others = [many.submit(key, items(value)) for key, value in [("a", 2), ("b", 3), ("a", 4)]]
    work.gate.set()
    assert [f.result(10) for [f] in (first, *others)] == [[2], [4], [6], [8]]
    assert work.batches == [("a", [1]), ("a", [2, 4]), ("b", [3])]
    many.close()


def test_a_large_job_is_cut_into_batches() -> None:
    work = Work()
    work.gate.set()
    many = batcher(work)
    futures = many.submit("a", items(*range(6)))
    assert [value for future in futures for value in future.result(10)] == [0, 2, 4, 6, 8, 10]
    assert [len(values) for _, values in work.batches] == [4, 2]
    many.close()


def test_one_that_fails_spoils_no_other() -> None:
    work = Work()
    many = batcher(work)
    many.submit("a", items(0))
    work.began.wait(10)
    (good,), (bad,) = many.submit("a", items(1)), many.submit("a", items(-1))
    work.gate.set()
    assert good.result(10) == [2]
    with pytest.raises(ValueError, match="cannot be done"):
        bad.result(10)
    many.close()


def test_a_full_queue_refuses_and_later_takes_again() -> None:
    work = Work()
    many = batcher(work, waiting=20)
    many.submit("a", items(0))
    work.began.wait(10)
    taken = many.submit("a", items(1, 2))
    with pytest.raises(Busy) as refused:
        many.submit("a", items(3))
    assert 1 <= refused.value.seconds <= 60
    work.gate.set()
    assert taken[0].result(10) == [2, 4]
    assert many.submit("a", items(3))[0].result(10) == [6]
    assert many.weight == 0
    many.close()


def test_a_job_that_nobody_waits_for_is_left_out() -> None:
    work = Work()
    many = batcher(work)
    many.submit("a", items(0))
    work.began.wait(10)
    (given_up,) = many.submit("b", items(5))
    assert given_up.cancel()
    work.gate.set()
    many.close()
    assert [key for key, _ in work.batches] == ["a"]


def test_closing_finishes_what_was_taken() -> None:
    work = Work()
    many = batcher(work)
    futures = [many.submit("a", items(value))[0] for value in range(5)]
    work.gate.set()
    many.close()
    assert [future.result(0) for future in futures] == [[0], [2], [4], [6], [8]]
    with pytest.raises(Busy):
        many.submit("a", items(1))
