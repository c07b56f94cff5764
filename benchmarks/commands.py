"""Running the command line and measuring it from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from biolink import read, write
from biolink.documents import Document

__all__ = ["Run", "abstracts", "link"]

_EVERY = 0.25  # seconds between two looks at the memory


@dataclass(frozen=True)
class Run:
    """Seconds, and MiB at the peak: private memory and a share of what is shared (PSS)."""

    seconds: float
    peak: float


def abstracts(data: Path, count: int, file: Path) -> None:
    """Write texts of BC5CDR's and NCBI disease's training and development documents."""
    names = ("bc5cdr/CDR_TrainingSet", "bc5cdr/CDR_DevelopmentSet", "ncbi_disease/NCBItrainset")
    files = [f for name in names for f in sorted((data / "corpora").glob(f"{name}*"))]
    texts = [document.text for source in files for document in read(source)]
    if len(texts) < count:
        raise SystemExit(f"{len(texts)} abstracts in {data}, not {count}")
    write((Document(str(i), text) for i, text in enumerate(texts[:count])), file)


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


def _memory(root: int) -> float:
    total = 0
    for pid in _tree(root):
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += int(text.partition("\nPss:")[2].split()[0]) if "\nPss:" in text else 0
    return total / 1024


def link(*arguments: str, threads: int | None = None) -> Run:
    """Run ``biolink link`` and watch it."""
    environment = dict(os.environ)
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    command = [sys.executable, "-c", "from biolink.cli import main; main()", "link", *arguments]
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    peak = 0.0

    def watch() -> None:
        nonlocal peak
        while process.poll() is None:
            peak = max(peak, _memory(process.pid))
            time.sleep(_EVERY)

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, errors = process.communicate()
    seconds = time.perf_counter() - began
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {errors}")
    return Run(seconds, peak)
