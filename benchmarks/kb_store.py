"""Compare opening, memory and look-ups of a stored knowledge base with a dict of its names.

    python benchmarks/kb_store.py --data ../shared/data

Builds the largest knowledge base that the shared data allow (all OBO, OBO Graphs and SSSOM files
and tables together with MeSH), then opens it in fresh processes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from biolink import KnowledgeBase
from biolink.errors import InputError
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


def concepts(data: Path):  # type: ignore[no-untyped-def]
    yield from read_concepts(data / "kb/mesh")
    for file in sorted((data / "kb").glob("*/*")):
        if file.parent.name in ("mesh", "partial"):
            continue
        try:
            yield from read_concepts(file)
        except InputError as error:
            print("left out:", error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        began = time.perf_counter()
        kb = KnowledgeBase.from_concepts(concepts(arguments.data))
        kb.save(folder / "all.kb")
        size = sum(f.stat().st_size for f in (folder / "all.kb").iterdir()) / 2**20
        print(f"{len(kb):,} concepts, {kb.name_count:,} names, {size:.0f} MiB on disk, ", end="")
        print(f"read and written in {time.perf_counter() - began:.0f} s")
        names = kb.normalised_names()
        owners = {n: [kb.id_at(r) for r in kb.owners(i)] for i, n in enumerate(names)}
        (folder / "all.json").write_text(json.dumps(owners))
        sample = json.dumps(names[:: max(1, len(names) // 5000)])
        (folder / "all.sample").write_text(sample)
        print("| side | open, ms | anonymous memory, MiB | look-up, µs |")
        print("| --- | --- | --- | --- |")
        medians = {}
        for how, path in (("store", folder / "all.kb"), ("dict", folder / "all.json")):
            runs = []
            for _ in range(5):
                out = subprocess.run(
                    [sys.executable, "-c", PROBE, str(path), how],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                runs.append(json.loads(out.stdout))
            median = {k: sorted(r[k] for r in runs)[2] for k in runs[0]}
            medians[how] = median
            print(
                f"| {how} | {median['open_ms']:.1f} | {median['anonymous_MiB']:.1f} | "
                f"{median['lookup_us']:.1f} |"
            )
        ratio = {k: medians["dict"][k] / max(medians["store"][k], 1e-9) for k in medians["dict"]}
        print("dict / store:", {k: round(v, 2) for k, v in ratio.items()})


if __name__ == "__main__":
    main()
