"""Functions of all benchmarks: repetitions, their spread, the machine, a JSON record."""

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


def arguments(doc: str | None, quick: bool = True) -> argparse.ArgumentParser:
    """Return a parser with the options ``--json`` and, if there is a small form, ``--quick``."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    if quick:
        parser.add_argument("--quick", action="store_true", help="run a small form in a minute")
    parser.add_argument("--json", type=Path, help="write the values to this JSON file")
    return parser


def timed(run: Callable[[], Any], repeats: int = REPEATS) -> list[float]:
    """Return the seconds of each repetition."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return times


@contextmanager
def clocked(*parts: tuple[Any, str, str]) -> Iterator[dict[str, float]]:
    """Measure the seconds inside functions, which are given as (owner, name, label).

    If one of the functions calls another, the time counts for both.
    """
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
    """Return the median of values with their range."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return " ".join(
        (
            f"{middle * scale:.{digits}f}",
            f"({low * scale:.{digits}f} to {high * scale:.{digits}f})",
        )
    )


def ratios(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Return the ratio of each pair of repetitions, which were measured in turn."""
    return [a / b for a, b in zip(values, others, strict=True)]


def machine() -> str:
    """Return a description of the machine in one line."""
    return (
        f"{datetime.date.today()}, {platform.machine()} with "
        f"{torch.backends.cpu.get_cpu_capability()}, {os.cpu_count()} cores, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}"
    )


def record(file: Path | None, values: Any) -> None:
    """Write the values as JSON if a file was asked for."""
    if file is not None:
        values = {"machine": machine(), "results": values}
        file.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
