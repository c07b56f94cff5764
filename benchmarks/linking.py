"""Compare scoring by generation where it can decide with scoring every candidate by generation.

    python benchmarks/linking.py --data ../shared/data [--documents 60]

The documents are development documents of BC5CDR and NCBI disease with their gold mentions. Both
sides are measured in turn in one run, with five repetitions over disjoint documents.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np

import biolink
from biolink.documents import Document
from biolink.infer.linkers.mention_linker import Linker
from biolink.infer.rank import combined

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "default_model"))
from corpora import development_documents

REPEATS = 5


def linked(linker: Linker, documents: list[Document], window: float) -> list[Document]:
    combined.GENERATION_MARGIN = window
    # A linker of its own: this one remembers what it has linked.
    return list(linker.with_kb(linker.kb).pipe(documents, recognise=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=60)
    parser.add_argument("--windows", default=str(combined.GENERATION_MARGIN))
    arguments = parser.parse_args()
    linker = biolink.load()
    assert isinstance(linker, Linker)
    ncbi, cdr = development_documents(arguments.data)
    documents = [d for pair in zip(ncbi, cdr, strict=False) for d in pair][: arguments.documents]
    blocks = [documents[i::REPEATS] for i in range(REPEATS)]
    linked(linker, blocks[0][:2], np.inf)
    print("| window, nats | mentions/s | all names scored | ratio | same best | dp mean, max |")
    print("| --- | --- | --- | --- | --- | --- |")
    for window in map(float, arguments.windows.split(",")):
        speeds: list[tuple[float, float]] = []
        same: list[bool] = []
        changes: list[float] = []
        for block in blocks:
            count = sum(len(d.mentions) for d in block)
            began = time.perf_counter()
            some = linked(linker, block, window)
            middle = time.perf_counter()
            every = linked(linker, block, np.inf)
            ended = time.perf_counter()
            speeds.append((count / (middle - began), count / (ended - middle)))
            for one, other in zip(some, every, strict=True):
                for a, b in zip(one.mentions, other.mentions, strict=True):
                    if a.best is not None and b.best is not None:
                        same.append(a.best.concept_id == b.best.concept_id)
                        changes.append(abs(a.best.probability - b.best.probability))
        ratios = [a / b for a, b in speeds]
        print(
            f"| {window:g} | {statistics.median(s for s, _ in speeds):.1f} | "
            f"{statistics.median(s for _, s in speeds):.1f} | {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}) | {np.mean(same):.2%} of {len(same)} | "
            f"{np.mean(changes):.4f}, {max(changes):.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
