"""Compare early rankings, less generation and the reading of passages with the full ranking.

    python benchmarks/linking.py --data ../shared/data [--documents 60]

The documents are those of tmVar 3 and CRAFT that the embedded model was never trained on, with
their gold mentions. Both sides are measured in turn in one run, with five repetitions over disjoint
documents. The first row is the default; the others rank no mention early. In the last ones, each
document is read once in passages of some words, where mentions are not marked.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from common import REPEATS, ratios, spread

import biolink
from biolink.documents import Document
from biolink.evaluation import evaluate
from biolink.infer.linkers.kinds_linker import KindsLinker
from biolink.infer.linkers.mention_linker import Linker
from biolink.infer.rank import combined
from biolink.kinds import MAIN_KINDS

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "default_model"))
from corpora import unseen_documents


def linked(
    linker: Linker, documents: list[Document], window: float = np.inf, cascade: bool = False
) -> list[Document]:
    combined.GENERATION_MARGIN = window
    # A copy of the linker, because a linker keeps the early rankings of earlier mentions.
    fresh = linker.with_kb(linker.kb).with_settings(cascade=cascade)
    return list(fresh.pipe(documents, recognise=False))


def in_passages(linker: Linker, words: int) -> Linker:
    """Return the linker whose model reads a document once, in passages of some words."""
    form = replace(linker.model.form, reading="document", passage=words)
    other = Linker(replace(linker.model, form=form), linker.kb, linker.options)
    other.prepare()
    return other


def compared(documents: list[Document], others: list[Document]) -> tuple[list[bool], list[float]]:
    """Return whether the best concepts are the same, and the differences of their probabilities."""
    pairs = [
        (a.best, b.best)
        for document, other in zip(documents, others, strict=True)
        for a, b in zip(document.mentions, other.mentions, strict=True)
        if a.best is not None and b.best is not None
    ]
    same = [a.concept_id == b.concept_id for a, b in pairs]
    return same, [abs(a.probability - b.probability) for a, b in pairs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=60)
    parser.add_argument("--windows", default=str(combined.GENERATION_MARGIN))
    parser.add_argument("--passages", default="", help="numbers of words, separated by commas")
    arguments = parser.parse_args()
    loaded = biolink.load(types=MAIN_KINDS)
    assert isinstance(loaded, KindsLinker)
    linker = loaded.main
    sets = unseen_documents(arguments.data, linker.kb).values()
    documents = [d for triple in zip(*sets, strict=False) for d in triple][: arguments.documents]
    blocks = [documents[i::REPEATS] for i in range(REPEATS)]
    linked(linker, blocks[0][:2])
    columns = (
        "what is left out",
        "mentions/s",
        "mentions/s, by all features",
        "ratio",
        "same best",
        "difference of the best concept's probability, mean and largest",
        "Recall@1",
        "Recall@1, by all features",
    )
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    clear = "context, if the mention is clear without it"
    sides = [(clear, linker, combined.GENERATION_MARGIN, True)]
    for window in arguments.windows.split(","):
        label = f"generation of names more than {float(window):g} nats behind the best"
        sides.append((label, linker, float(window), False))
    for words in filter(None, arguments.passages.split(",")):
        label = f"windows around mentions: passages of {words} words"
        sides.append((label, in_passages(linker, int(words)), np.inf, False))
    for label, side, window, cascade in sides:
        rates: list[float] = []
        rates_by_all: list[float] = []
        some: list[Document] = []
        every: list[Document] = []
        for block in blocks:
            count = sum(len(d.mentions) for d in block)
            began = time.perf_counter()
            some += linked(side, block, window, cascade)
            middle = time.perf_counter()
            every += linked(linker, block)
            rates.append(count / (middle - began))
            rates_by_all.append(count / (time.perf_counter() - middle))
        same, changes = compared(some, every)
        right, right_by_all = (
            evaluate(found, linker.kb).strict.recall_at_1 for found in (some, every)
        )
        print(
            f"| {label} | {statistics.median(rates):.1f} | {statistics.median(rates_by_all):.1f} | "
            f"{spread(ratios(rates, rates_by_all), 1, 2)} | {np.mean(same):.2%} of {len(same)} | "
            f"{np.mean(changes):.4f}, {max(changes):.3f} | {right:.2%} | {right_by_all:.2%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
