"""Measure how large the embedded files are, and how long they take to open and in what memory.

    python benchmarks/start.py [--against PYTHON]

Each repetition is a fresh process that calls ``biolink.load()``, opens all indexes and links the
mentions of one sentence. Sizes are those in the wheel, where files are compressed. ``--against``
compares with the version that is installed in another environment, which is given by its
interpreter (see ``pipeline.py``). The two versions run in turn, and a ratio is that of two runs
which follow each other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from common import REPEATS, arguments, machine, ratios, record, spread

SIZES = """
import json, sys, zlib
from pathlib import Path
import biolink
embedded = Path(biolink.__file__).parent / "embedded"
files = [file for file in embedded.rglob("*") if file.is_file() and file.suffix != ".pyc"]
# The level is that of the zip files that setuptools writes.
print(json.dumps({file.relative_to(embedded).as_posix(): len(zlib.compress(file.read_bytes(), 6))
                  for file in files}))
"""
PROBE = """
import json, resource, time
began = time.perf_counter()
import biolink
linker = biolink.load()
loaded = time.perf_counter()
linker.prepare()
prepared = time.perf_counter()
assert linker("Tamoxifen is given for breast cancer.").mentions
linked = time.perf_counter()
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "biolink.load(), s": loaded - began,
    "the same and all indexes, s": prepared - began,
    "the same and one sentence, s": linked - began,
    "peak memory, MiB": int(status["VmHWM"].split()[0]) / 1024,
    "of it not backed by files at the end, MiB": int(status["RssAnon"].split()[0]) / 1024,
}))
"""


def answer(python: str, code: str) -> dict[str, float]:
    """Run code in a fresh process with one thread, and return what it prints as JSON."""
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    # With -P, Python does not look for the package in the current folder.
    command = [python, "-P", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{python}: {done.stderr}")
    values: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return values


def parts(sizes: dict[str, float]) -> dict[str, float]:
    """Return the MB of each part: a file of the model, or an index or the rest of the base."""
    megabytes: dict[str, float] = {}
    for file, size in sizes.items():
        folders = Path(file).parts
        index = "index" in folders and folders[folders.index("index") + 1].split("-")[0]
        whole = {"trie": "name trie", "lexical": "n-gram index", "dense": "embeddings"}
        rest = f"the rest of {folders[0]}/" if folders[1:] else "other files"
        part = file if file.endswith(".safetensors") else rest
        label = whole.get(index or "", part)
        megabytes[label] = megabytes.get(label, 0) + size / 1e6
    ordered = sorted(megabytes, key=lambda label: -megabytes[label])
    return {label: megabytes[label] for label in ordered} | {"all": sum(megabytes.values())}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--against", help="the Python of an environment with another version")
    given = parser.parse_args()
    sides = {"this": sys.executable}
    if given.against:
        sides = {"other": given.against, **sides}
    print(machine())
    sizes = {side: parts(answer(python, SIZES)) for side, python in sides.items()}
    print(f"\n| compressed, MB | {' | '.join(sides)} |\n|{' --- |' * (len(sides) + 1)}")
    for part in sizes["this"]:
        of_sides = (f"{of_side.get(part, 0):.1f}" for of_side in sizes.values())
        print(f"| {part} | {' | '.join(of_sides)} |")
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for python in sides.values():  # These runs read the files into the page cache.
        answer(python, PROBE)
    for _ in range(2 if given.quick else REPEATS):
        for side, python in sides.items():
            runs[side].append(answer(python, PROBE))
    print(f"\n| start | {' | '.join(sides)} |{' ratio |' if given.against else ''}")
    print(f"|{' --- |' * (1 + len(sides) + bool(given.against))}")
    for value in runs["this"][0]:
        measured = {side: [run[value] for run in of_side] for side, of_side in runs.items()}
        digits = 2 if value.endswith(", s") else 0
        cells = [spread(of_side, 1, digits) for of_side in measured.values()]
        if given.against:
            cells.append(spread(ratios(measured["this"], measured["other"]), 1, 2))
        print(f"| {value} | {' | '.join(cells)} |")
    results: dict[str, Any] = {"MB": sizes, "runs": runs}
    record(given.json, results)


if __name__ == "__main__":
    main()
