"""Running the command line and measuring it from outside."""

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

__all__ = ["Run", "abstracts", "link", "run"]

_EVERY = 0.25  # seconds between two looks at the memory


@dataclass(frozen=True)
class Run:
    """A command.

    Attributes
    ----------
    seconds
        From its start to its end.
    peak
        MiB of all its processes together, what they share counted once (PSS).
    anonymous
        MiB of that which no file backs: what cannot leave the memory.
    """

    seconds: float
    peak: float
    anonymous: float


def abstracts(data: Path, count: int, file: Path) -> None:
    """Write distinct abstracts of PubMed, title first."""
    with lzma.open(data / "text" / "pubmed_abstracts.jsonl.xz", "rt", encoding="utf-8") as lines:
        records = map(json.loads, lines)
        texts = dict.fromkeys(f"{one['title']} {one['abstract']}" for one in records)
    if len(texts) < count:
        raise SystemExit(f"{len(texts)} abstracts in {data}, not {count}")
    # Neighbours are of one review; a part of the file shall be like the whole.
    mixed = random.Random(0).sample(list(texts), len(texts))
    write((Document(str(i), text) for i, text in enumerate(mixed[:count])), file)


def _tree(root: int) -> list[int]:
    """A process and all that come from it."""
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


def _memory(root: int) -> tuple[float, float]:
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


def run(*arguments: str, threads: int | None = None) -> Run:
    """Run ``biolink`` and watch it."""
    environment = dict(os.environ)
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    command = [sys.executable, "-c", "from biolink.cli import main; main()", *arguments]
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    peaks = [0.0, 0.0]

    def watch() -> None:
        while process.poll() is None:
            peaks[:] = map(max, peaks, _memory(process.pid))
            time.sleep(_EVERY)

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, errors = process.communicate()
    seconds = time.perf_counter() - began
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {errors}")
    return Run(seconds, *peaks)


def link(*arguments: str, threads: int | None = None) -> Run:
    """Run ``biolink link`` and watch it."""
    return run("link", *arguments, threads=threads)
