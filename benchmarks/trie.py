"""The name trie of the embedded knowledge base beside a nested dict.

    python benchmarks/trie.py

Both are built from the same token rows in one run; five repetitions, medians.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import biolink
from biolink.infer.model import load_model
from biolink.kb.trie import NameTrie
from biolink.pipeline import EMBEDDED

REPEATS = 5


def median_ms(run: Callable[[], Any]) -> float:
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


def nested(rows: list[list[int]]) -> dict[int, Any]:
    root: dict[int, Any] = {}
    for row in rows:
        node = root
        for token in row:
            node = node.setdefault(token, {})
    return root


def main() -> None:
    kb = biolink.KnowledgeBase.open(EMBEDDED / "kb")
    model = load_model(EMBEDDED / "model")
    began = time.perf_counter()
    tokens, offsets = model.form.name_rows(
        model.tokenizer, kb.normalised_names(), model.backbone.eos_id
    )
    print(f"{kb.name_count:,} names tokenised in {time.perf_counter() - began:.1f} s")
    rows = [row.tolist() for row in np.split(tokens, offsets[1:-1])]
    trie = NameTrie.build(tokens, offsets)
    tracemalloc.start()
    tree = nested(rows)
    dict_bytes = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del tree
    flat = median_ms(lambda: NameTrie.build(tokens, offsets))
    dictionary = median_ms(lambda: nested(rows))
    with tempfile.TemporaryDirectory() as folder:
        trie.save(Path(folder) / "trie")
        opened = median_ms(lambda: NameTrie.open(Path(folder) / "trie"))
    mask = np.random.default_rng(0).random(len(rows)) < 0.1
    restricted = median_ms(lambda: trie.restrict(mask))
    print(f"{trie.nodes:,} nodes, depth {trie.depth}")
    print("| side | build, ms | memory, MB | open, ms | sub-trie of a tenth, ms |")
    print("| --- | --- | --- | --- | --- |")
    print(
        f"| flat arrays | {flat:.0f} | {trie.nbytes / 1e6:.1f} | {opened:.1f} | {restricted:.0f} |"
    )
    print(f"| nested dict | {dictionary:.0f} | {dict_bytes / 1e6:.1f} | | |")
    print(f"dict / flat: build {dictionary / flat:.1f}, memory {dict_bytes / trie.nbytes:.0f}")


if __name__ == "__main__":
    main()
