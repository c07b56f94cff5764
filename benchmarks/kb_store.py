"""Compare opening, memory and look-ups of a stored knowledge base with a dict of its names.

    python benchmarks/kb_store.py --data ../shared/data

Builds the largest knowledge base that the shared data allow (all OBO, OBO Graphs and SSSOM files
and tables together with MeSH), then opens it in fresh processes.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import REPEATS, arguments, machine, record, spread

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "default_model"))
from ontologies import other_concepts

from biolink import Concept, KnowledgeBase
from biolink.evaluation.report import markdown_table
from biolink.kb.readers import read_concepts

PROBE = """
import json, sys, time
from pathlib import Path
def rss():
    line = next(l for l in open("/proc/self/status") if l.startswith("RssAnon"))
    return int(line.split()[1]) / 1024
import biolink.kb.store
from biolink import KnowledgeBase
path, how = sys.argv[1:]
before = rss()
began = time.perf_counter()
if how == "store":
    kb = KnowledgeBase.open(path)
else:
    owners = json.loads(Path(path).read_text())
opened = time.perf_counter() - began
memory = rss() - before
sample = json.loads(Path(path).with_suffix(".sample").read_text())
began = time.perf_counter()
if how == "store":
    for name in sample: kb.name_id(name) is not None and kb.owners(kb.name_id(name))
else:
    for name in sample: owners.get(name)
per_lookup = (time.perf_counter() - began) / len(sample)
print(json.dumps({"open_ms": opened * 1e3, "anonymous_MiB": memory, "lookup_us": per_lookup * 1e6}))
"""


#: The values of a probe, and how they are called in the table.
_COLUMNS = {
    "open_ms": "open, ms",
    "anonymous_MiB": "anonymous memory, MiB",
    "lookup_us": "look-up, µs",
}


def concepts(data: Path) -> Iterator[Concept]:
    """Yield the concepts of all knowledge bases among the data."""
    yield from read_concepts(data / "kb/mesh")
    yield from other_concepts(data)


def probe(path: Path, how: str) -> dict[str, float]:
    """Open one side in a fresh process, and look names up."""
    command = [sys.executable, "-c", PROBE, str(path), how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    values: dict[str, float] = json.loads(done.stdout)
    return values


def ratio(dividend: float, divisor: float) -> str:
    """Return a ratio as it is printed; a store may have no anonymous memory of its own."""
    return f"{dividend / divisor:.1f}" if divisor else "infinite"


def tables(results: dict[str, Any]) -> str:
    """Return what the command prints, from the values of its record."""
    sides = results["sides"]
    rows = [
        [how, *(spread([run[key] for run in runs]) for key in _COLUMNS)]
        for how, runs in sides.items()
    ]
    medians = {
        how: {key: statistics.median(run[key] for run in runs) for key in _COLUMNS}
        for how, runs in sides.items()
    }
    ratios = {key: ratio(medians["dict"][key], medians["store"][key]) for key in _COLUMNS}
    return (
        f"{results['concepts']:,} concepts, {results['names']:,} names, "
        f"{results['MiB']:.0f} MiB on disk, read and written in {results['seconds']:.0f} s\n\n"
        f"{markdown_table(['side', *_COLUMNS.values()], rows)}\n\n"
        f"Ratios of the dict to the store: opening {ratios['open_ms']}, anonymous memory "
        f"{ratios['anonymous_MiB']}, look-up {ratios['lookup_us']}."
    )


def main() -> None:
    parser = arguments(__doc__, quick=False)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        began = time.perf_counter()
        kb = KnowledgeBase.from_concepts(concepts(given.data))
        kb.save(folder / "all.kb")
        results: dict[str, Any] = {
            "concepts": len(kb),
            "names": kb.name_count,
            "MiB": sum(f.stat().st_size for f in (folder / "all.kb").iterdir()) / 2**20,
            "seconds": time.perf_counter() - began,
        }
        names = kb.normalised_names()
        owners = {n: [kb.id_at(r) for r in kb.owners(i)] for i, n in enumerate(names)}
        (folder / "all.json").write_text(json.dumps(owners))
        sample = json.dumps(names[:: max(1, len(names) // 5000)])
        (folder / "all.sample").write_text(sample)
        sides = {"store": folder / "all.kb", "dict": folder / "all.json"}
        results["sides"] = {
            how: [probe(path, how) for _ in range(REPEATS)] for how, path in sides.items()
        }
    record(given.json, results)
    print(f"{machine()}\n\n{tables(results)}")


if __name__ == "__main__":
    main()
