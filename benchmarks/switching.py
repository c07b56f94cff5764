"""Compare switching the knowledge base of a loaded linker with building indexes for the new one.

    python benchmarks/switching.py --data ../shared/data [--quick]

The knowledge base is the largest that the shared data allow, or the embedded one with ``--quick``.
Parts of a half, a tenth and a hundredth of its concepts are drawn at random. There are five
repetitions of each, and the program prints medians and ranges; names are tokenised once. Both sides
end when the name trie of the part is there, so the first mention could be decoded.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from kb_store import concepts

from biolink import KnowledgeBase, Linker, LinkerOptions
from biolink.infer.network.model import load_model
from biolink.kb.trie import NameTrie
from biolink.pipeline import EMBEDDED

REPEATS = 5


def timed(run: Callable[[], Any]) -> tuple[float, float, float]:
    """Return the median and the range of times in milliseconds."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        run()
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times), min(times), max(times)


def written(times: tuple[float, float, float]) -> str:
    return f"{times[0]:.1f} ({times[1]:.1f} to {times[2]:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if arguments.quick:
        kb = KnowledgeBase.open(EMBEDDED / "kb")
    else:
        kb = KnowledgeBase.from_concepts(concepts(arguments.data))
    model = load_model(EMBEDDED / "model")
    linker = Linker(model, kb, LinkerOptions(method="generate"))
    print(f"{kb!r}, trie of {linker.trie.nodes:,} nodes")
    rng = np.random.default_rng(0)
    ids = [concept.id for concept in kb]
    tokens, offsets = model.form.name_rows(
        model.tokenizer, kb.normalised_names(), model.backbone.eos_id
    )
    lengths = np.diff(offsets)
    print(
        "| part | concepts | choose, ms | switch, ms | again, ms | tokenise, ms | build, ms | "
        "(tokenise + build) / switch |"
    )
    print("|" + " --- |" * 8)
    names = kb.normalised_names()
    for share in (0.5, 0.1, 0.01):
        chosen = [ids[i] for i in np.flatnonzero(rng.random(len(ids)) < share)]
        choose = timed(lambda chosen=chosen: kb.subset(ids=chosen))
        part = kb.subset(ids=chosen)
        mask = part.name_mask
        switch = timed(lambda part=part: linker.with_kb(part).trie)
        switched = linker.with_kb(part)
        assert len(switched.trie) == int(mask.sum())
        again = timed(lambda switched=switched: switched.trie)
        kept = np.repeat(mask, lengths)
        rows = np.concatenate([[0], np.cumsum(lengths[mask])])

        def build(kept: np.ndarray = kept, rows: np.ndarray = rows) -> NameTrie:
            return NameTrie.build(tokens[kept], rows)

        own = [names[i] for i in np.flatnonzero(mask)]
        began = time.perf_counter()
        model.form.name_rows(model.tokenizer, own, model.backbone.eos_id)
        tokenised = (time.perf_counter() - began) * 1e3
        anew = timed(build)
        print(
            f"| {share:.0%} | {len(part):,} | {written(choose)} | {written(switch)} | "
            f"{written(again)} | {tokenised:.0f} | {written(anew)} | "
            f"{(tokenised + anew[0]) / switch[0]:.0f} |"
        )


if __name__ == "__main__":
    main()
