"""Run the command line and measure it from outside."""

from __future__ import annotations

import json
import lzma
import os
import random
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from biolink import write
from biolink.documents import Document

__all__ = ["Run", "abstracts", "link", "memory_of", "run"]

_EVERY = 0.25  # Seconds between two measurements of the memory.


@dataclass(frozen=True)
class Run:
    """The time and memory of a command.

    Attributes
    ----------
    seconds
        Time from its start to its end.
    peak
        Peak memory of all its processes in MiB; memory that they share is counted once (PSS).
    anonymous
        The part of the peak in MiB that is not backed by files and so cannot be dropped.
    """

    seconds: float
    peak: float
    anonymous: float


def abstracts(data: Path, count: int, file: Path) -> None:
    """Write distinct abstracts of PubMed with their titles."""
    with lzma.open(data / "text" / "pubmed_abstracts.jsonl.xz", "rt", encoding="utf-8") as lines:
        records = map(json.loads, lines)
        texts = dict.fromkeys(f"{record['title']} {record['abstract']}" for record in records)
    if len(texts) < count:
        raise SystemExit(f"{len(texts)} abstracts in {data}, not {count}")
    # Neighbouring abstracts belong to one review, so they are mixed to make every part alike.
    mixed = random.Random(0).sample(list(texts), len(texts))
    write((Document(str(i), text) for i, text in enumerate(mixed[:count])), file)


def _tree(root: int) -> list[int]:
    """A process and all processes that it started, directly or not."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [root]
    for pid in found:
        found += parents.get(pid, [])
    return found


def memory_of(root: int) -> tuple[float, float]:
    """Return the memory of a process and those that it started, as :class:`Run` counts it."""
    total = anonymous = 0
    for pid in _tree(root):
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        if "\nPss:" in text:
            total += int(text.partition("\nPss:")[2].split()[0])
            anonymous += int(text.partition("\nPss_Anon:")[2].split()[0])
    return total / 1024, anonymous / 1024


def run(*arguments: str, threads: int | None = None, python: str = sys.executable) -> Run:
    """Run ``biolink`` of an environment, and measure its time and memory.

    The environment is given by its interpreter. Default: that of this process.
    """
    environment = dict(os.environ)
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    # With -P, Python does not look for the package in the current folder.
    command = [python, "-P", "-c", "from biolink.cli import main; main()", *arguments]
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    peaks = [0.0, 0.0]

    def watch() -> None:
        while process.poll() is None:
            peaks[:] = map(max, peaks, memory_of(process.pid))
            time.sleep(_EVERY)

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, errors = process.communicate()
    seconds = time.perf_counter() - began
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {errors}")
    return Run(seconds, *peaks)


def link(*arguments: str, threads: int | None = None, python: str = sys.executable) -> Run:
    """Run ``biolink link`` and measure its time and memory; see :func:`run`."""
    return run("link", *arguments, threads=threads, python=python)
