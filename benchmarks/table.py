"""Link a column of a large table: 100,000 rows with 20,000 distinct values, on one core.

The values are the distinct mentions of the training parts of corpora and, for the rest, names of
the embedded knowledge bases, in an order that follows a seed. Each value occurs in as many rows as
in a long tail, and at least once. The table is read from CSV, linked and written again.
"""

from __future__ import annotations

import random
import resource
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from common import arguments, record

import biolink
from biolink.kinds import embedded_bases
from biolink.scale.blocks import one_thread
from biolink.tables.linked import STATES, link_column, with_links
from biolink.tables.sheets import Sheet, read_sheet, write_sheet

CORPORA = (
    "ncbi_disease/NCBItrainset_corpus.txt.gz",
    "bc5cdr/CDR_TrainingSet.PubTator.txt.gz",
    "biored/BioRED_Train.PubTator.gz",
    "nlm_gene/NLMgene_Train.PubTator.gz",
    "gnormplus/GNormPlus_Train.PubTator.gz",
)


def values(data: Path, count: int) -> list[str]:
    """Distinct values: half of them mentions, where there are so many, and half of them names."""
    rng = random.Random(0)
    documents = (
        document
        for name in CORPORA
        for document in biolink.read(data / "corpora" / name, on_problem=lambda _: None)
    )
    mentions = {" ".join(m.text.split()) for document in documents for m in document.mentions}
    chosen = rng.sample(sorted(mentions), min(len(mentions), count // 2))
    names = {name for base in embedded_bases().bases for concept in base for name in concept.names}
    chosen += rng.sample(sorted(names - set(chosen)), count - len(chosen))
    rng.shuffle(chosen)
    return chosen


def tables(result: dict[str, Any]) -> str:
    """Return what the program prints for its values."""
    cpu, distinct = result["cpu"], result["distinct"]
    rows = {
        "rows": f"{result['rows']:,}",
        "distinct values": f"{distinct:,}",
        "types": result["types"] or "any",
        "reading, s": f"{result['reading']:.1f}",
        "linking, s of processor time": f"{cpu:.0f}",
        "linking, s of the clock": f"{result['linking']:.0f}",
        "writing, s": f"{result['writing']:.1f}",
        "distinct values in a second of processor time": f"{distinct / cpu:.1f}",
        "peak memory, GiB": f"{result['peak_gib']:.2f}",
        **{f"values {state}": f"{count:,}" for state, count in result["states"].items()},
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(["| what | value |", "| --- | --- |", *lines])


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of corpora/")
    parser.add_argument("--types", help="as for biolink table; default: any")
    given = parser.parse_args()
    rows, distinct = (2_000, 400) if given.quick else (100_000, 20_000)
    terms = values(given.data, distinct)
    rng = random.Random(1)
    weights = [1 / (1 + n) for n in range(distinct)]
    cells = terms + rng.choices(terms, weights, k=rows - distinct)
    rng.shuffle(cells)
    with tempfile.TemporaryDirectory() as folder, one_thread():
        file, out = Path(folder, "in.csv"), Path(folder, "out.csv")
        numbers = list(map(str, range(rows)))
        write_sheet(Sheet(("row", "term"), (numbers, cells)), file)
        linker = biolink.load(types=given.types)
        linker.prepare()
        clock, cpu = [time.perf_counter()], [time.process_time()]
        sheet = read_sheet(file)
        clock.append(time.perf_counter())
        linked = link_column(sheet, "term", "in.csv", linker, types=given.types)
        clock.append(time.perf_counter())
        cpu.append(time.process_time())
        write_sheet(with_links(sheet, linked), out)
        clock.append(time.perf_counter())
    reading, linking, writing = (b - a for a, b in pairwise(clock))
    found = linked.values()
    counts = {state: sum(value.state == state for value in found) for state in STATES}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    result = {
        "rows": rows, "distinct": distinct, "types": given.types, "reading": reading,
        "linking": linking, "writing": writing, "cpu": cpu[1] - cpu[0], "peak_gib": peak,
        "states": counts,
    }  # fmt: skip
    print(tables(result))
    record(given.json, result)


if __name__ == "__main__":
    main()
