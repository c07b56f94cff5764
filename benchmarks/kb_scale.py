"""Measure a knowledge base of the size of UMLS: reading RRF, the store, look-ups beside a dict.

    python benchmarks/kb_scale.py [--rows 15000000] [--quick]

The program writes MRCONSO.RRF and MRSTY.RRF with made names (``benchmarks/names.py``), 3.75 rows
for each concept. ``biolink kb build`` reads a quarter of the rows and then all of them, which shows
whether its memory grows faster than its data. Then the store is opened and names are looked up in
fresh processes, and the same is done with a dict of the names, five times each.
"""

from __future__ import annotations

import json
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from commands import run
from common import REPEATS, arguments, machine, record, spread
from kb_store import probe
from names import recombined

from biolink import KnowledgeBase
from biolink.pipeline import EMBEDDED

_TYPES = [f"T{number:03d}" for number in range(1, 128)]


def write_rrf(folder: Path, rows: int) -> int:
    """Write the tables, and return the number of concepts."""
    folder.mkdir()
    stream = recombined(KnowledgeBase.open(EMBEDDED / "kb").normalised_names())
    rng = np.random.default_rng(0)
    concepts = done = 0
    with (folder / "MRCONSO.RRF").open("w") as conso, (folder / "MRSTY.RRF").open("w") as sty:
        while done < rows:
            count = min(int(rng.geometric(1 / 3.75)), rows - done)
            cui = f"C{concepts:07d}"
            for number, name in enumerate(islice(stream, count)):
                atom = done + number
                best = "P|L1|PF|S1|Y" if not number else "S|L2|VO|S2|N"
                ts, lui, stt, sui, preferred = best.split("|")
                conso.write(
                    f"{cui}|ENG|{ts}|{lui}|{stt}|{sui}|{preferred}|A{atom}||||MSH|PT|D{concepts}|"
                    f"{name}|0|N|256|\n"
                )
            sty.write(f"{cui}|{_TYPES[concepts % len(_TYPES)]}|A1.2|Type|AT{concepts}|256|\n")
            done += count
            concepts += 1
    return concepts


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, default=15_000_000)
    given = parser.parse_args()
    rows = 200_000 if given.quick else given.rows
    results: dict[str, Any] = {}
    print(machine())
    print("\n| rows | concepts | build, s | peak, MiB | of it not backed by files |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for size in (rows // 4, rows):
            source = folder / f"rrf-{size}"
            concepts = write_rrf(source, size)
            store = folder / f"{size}.kb"
            built = run("kb", "build", str(source), "-o", str(store))
            results[f"build {size}"] = [concepts, built.seconds, built.peak, built.anonymous]
            print(
                f"| {size:,} | {concepts:,} | {built.seconds:.0f} | {built.peak:.0f} | "
                f"{built.anonymous:.0f} |",
                flush=True,
            )
            for file in source.iterdir():
                file.unlink()
        disk = sum(file.stat().st_size for file in store.iterdir()) / 1e6
        kb = KnowledgeBase.open(store)
        print(f"\n{kb!r}, {disk:.0f} MB on disk")
        names = kb.normalised_names()
        began = time.perf_counter()
        owners = {name: [kb.id_at(row) for row in kb.owners(i)] for i, name in enumerate(names)}
        made = time.perf_counter() - began
        (folder / "all.json").write_text(json.dumps(owners))
        for stem in (store, folder / "all.json"):
            sample = json.dumps(names[:: max(1, len(names) // 5000)])
            stem.with_suffix(".sample").write_text(sample)
        del owners, names
        print(f"\n| side | open, ms | memory, MiB | look-up, µs |   (dict made in {made:.0f} s)")
        print("| --- | --- | --- | --- |")
        for how, path in (("store", store), ("dict", folder / "all.json")):
            runs = [probe(path, how) for _ in range(REPEATS)]
            results[how] = runs
            cells = [
                spread([one[key] for one in runs], 1, digits)
                for key, digits in (("open_ms", 1), ("anonymous_MiB", 1), ("lookup_us", 1))
            ]
            print(f"| {how} | {' | '.join(cells)} |", flush=True)
    record(given.json, results)


if __name__ == "__main__":
    main()
