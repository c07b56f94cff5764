"""Compare early rankings, and generation where it can decide, with ranking by all features.

    python benchmarks/linking.py --data ../shared/data [--documents 60]

The documents are those of tmVar 3 and CRAFT that the embedded model was never trained on, with
their gold mentions. Both sides are measured in turn in one run, with five repetitions over disjoint
documents. The first row is the default; the others rank no mention early.
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
from corpora import unseen_documents

REPEATS = 5


def linked(
    linker: Linker, documents: list[Document], window: float, cascade: bool
) -> list[Document]:
    combined.GENERATION_MARGIN = window
    # A copy of the linker, because a linker keeps the early rankings of earlier mentions.
    fresh = linker.with_kb(linker.kb).with_settings(cascade=cascade)
    return list(fresh.pipe(documents, recognise=False))


def hits(documents: list[Document]) -> list[bool]:
    """Whether the best concept of each annotated mention is right."""
    return [
        mention.best is not None and mention.best.concept_id in mention.concept_ids
        for document in documents
        for mention in document.mentions
        if mention.concept_ids
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=60)
    parser.add_argument("--windows", default=str(combined.GENERATION_MARGIN))
    arguments = parser.parse_args()
    linker = biolink.load()
    assert isinstance(linker, Linker)
    default = combined.GENERATION_MARGIN
    sets = unseen_documents(arguments.data, linker.kb).values()
    documents = [d for triple in zip(*sets, strict=False) for d in triple][: arguments.documents]
    blocks = [documents[i::REPEATS] for i in range(REPEATS)]
    linked(linker, blocks[0][:2], np.inf, cascade=False)
    print(
        "| what is left out | mentions/s | by all features | ratio | same best | dp mean, max | "
        "Recall@1 | by all features |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    sides = [("context where it is clear", default, True)]
    sides += [(f"{w} nats behind", float(w), False) for w in arguments.windows.split(",")]
    for label, window, cascade in sides:
        speeds: list[tuple[float, float]] = []
        same: list[bool] = []
        changes: list[float] = []
        right: list[bool] = []
        right_by_all: list[bool] = []
        for block in blocks:
            count = sum(len(d.mentions) for d in block)
            began = time.perf_counter()
            some = linked(linker, block, window, cascade)
            middle = time.perf_counter()
            every = linked(linker, block, np.inf, cascade=False)
            ended = time.perf_counter()
            speeds.append((count / (middle - began), count / (ended - middle)))
            right += hits(some)
            right_by_all += hits(every)
            for one, other in zip(some, every, strict=True):
                for a, b in zip(one.mentions, other.mentions, strict=True):
                    if a.best is not None and b.best is not None:
                        same.append(a.best.concept_id == b.best.concept_id)
                        changes.append(abs(a.best.probability - b.best.probability))
        ratios = [a / b for a, b in speeds]
        print(
            f"| {label} | {statistics.median(s for s, _ in speeds):.1f} | "
            f"{statistics.median(s for _, s in speeds):.1f} | {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}) | {np.mean(same):.2%} of {len(same)} | "
            f"{np.mean(changes):.4f}, {max(changes):.3f} | {np.mean(right):.2%} | "
            f"{np.mean(right_by_all):.2%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
