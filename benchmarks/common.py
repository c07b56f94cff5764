"""What the benchmarks share: repetitions, their spread, the machine, a JSON record."""

from __future__ import annotations

import argparse
import datetime
import functools
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

__all__ = ["REPEATS", "arguments", "clocked", "machine", "ratios", "record", "spread", "timed"]

REPEATS = 5


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """A parser with ``--quick`` and ``--json``."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smaller form, under a minute")
    parser.add_argument("--json", type=Path, help="write a record")
    return parser


def timed(run: Callable[[], Any], repeats: int = REPEATS) -> list[float]:
    """Seconds of each repetition."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return times


@contextmanager
def clocked(*parts: tuple[Any, str, str]) -> Iterator[dict[str, float]]:
    """Seconds inside functions (owner, name, label); one that another calls counts in both."""
    seconds: dict[str, float] = {}
    originals = [(owner, name, getattr(owner, name)) for owner, name, _ in parts]

    def timed(original: Callable[..., Any], label: str) -> Callable[..., Any]:
        @functools.wraps(original)
        def run(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return original(*given, **named)
            finally:
                seconds[label] = seconds.get(label, 0.0) + time.perf_counter() - began

        return run

    try:
        for (owner, name, original), (_, _, label) in zip(originals, parts, strict=True):
            setattr(owner, name, timed(original, label))
        yield seconds
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


def spread(values: Sequence[float], scale: float = 1.0, digits: int = 1) -> str:
    """Median, and least to most."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return " ".join(
        (
            f"{middle * scale:.{digits}f}",
            f"({low * scale:.{digits}f} to {high * scale:.{digits}f})",
        )
    )


def ratios(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Of each repetition, measured in turn."""
    return [a / b for a, b in zip(values, others, strict=True)]


def machine() -> str:
    """The machine in a line."""
    return (
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}"
    )


def record(file: Path | None, values: Any) -> None:
    """Write a JSON record where one was asked for."""
    if file is not None:
        values = {"machine": machine(), "results": values}
        file.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
