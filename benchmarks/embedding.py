"""Measure how fast names are embedded for an index, and how fast the needed products are alone.

    python benchmarks/embedding.py [--quick] [--json FILE]

Names of the embedded knowledge base are embedded in the same way as for the index of a new
knowledge base, with tokenisation and batching. The products alone are those of the encoder's linear
layers, for as many rows as the names have tokens, on weights that are laid out for the processor
(oneDNN). They are measured in blocks of the same size, with a block for each thread, and with all
threads on each product, with the fastest number of rows. The fastest of these is the limit. Both
sides are measured in turn.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from common import arguments, machine, ratios, record, spread, timed

from biolink.evaluation.report import markdown_table
from biolink.infer.network.cores import each_on_a_core
from biolink.infer.network.encoder import most_tokens
from biolink.infer.network.model import LinkingModel, load_model
from biolink.infer.network.precision import PackedLinear
from biolink.kb import KnowledgeBase
from biolink.pipeline import EMBEDDED

#: The numbers of rows of a product that all threads share.
ROWS = (1024, 4096, 16_384)


def products(model: LinkingModel, tokens: int, rows: int, shared: bool) -> Callable[[], None]:
    """Return a function that computes the matrix products for a number of tokens, in blocks of a
    number of rows.
    """
    layers = model.backbone.model.get_encoder().layers
    linear = [child for child in layers.modules() if isinstance(child, PackedLinear)]
    states = {size: torch.randn(rows, size) for size in {one.in_features for one in linear}}
    sizes = [min(rows, tokens - begin) for begin in range(0, tokens, rows)]

    @torch.inference_mode()
    def block(size: int) -> None:
        for layer in linear:
            layer(states[layer.in_features][:size])

    def run() -> None:
        if shared:
            for size in sizes:
                block(size)
        else:
            each_on_a_core(block, sizes)

    return run


def tables(results: dict[str, Any]) -> str:
    """Return what the command prints, from the values of its record."""
    count, alone = results["names"], results["products"]
    sides = {"embedding, tokenisation and all": results["embedding"]}
    sides |= {f"products alone, {label}": seconds for label, seconds in alone.items()}
    rows = [
        [label, spread([count / second for second in seconds], 1, 0)]
        for label, seconds in sides.items()
    ]
    best = min(alone.values(), key=statistics.median)
    return (
        f"{count:,} names, {results['tokens'] / count:.2f} tokens each\n\n"
        f"{markdown_table(('side', 'names/s'), rows)}\n\n"
        f"Embedding takes {spread(ratios(results['embedding'], best), 1, 2)} times as long as the "
        "fastest products."
    )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--names", type=int, default=8192, help="number of names")
    given = parser.parse_args()
    count = 512 if given.quick else given.names
    model = load_model(EMBEDDED / "model", light=True).packed()
    kb = KnowledgeBase.open(EMBEDDED / "kb")
    names = kb.normalised_names()
    chosen = np.random.default_rng(0).choice(len(names), count, replace=False)
    texts = [str(names[i]) for i in chosen]
    tokens = sum(map(len, model.tokenizer(texts, truncation=True, max_length=24)["input_ids"]))
    most = most_tokens(model.backbone.device)
    limits = {f"{most} rows, a block to a thread": products(model, tokens, most, shared=False)}
    for rows in ROWS:
        limits[f"{rows} rows, all threads on each"] = products(model, tokens, rows, shared=True)
    model.embed(texts[:256])
    for run in limits.values():
        run()
    times: list[float] = []
    alone: dict[str, list[float]] = {label: [] for label in limits}
    for _ in range(1 if given.quick else 5):
        times += timed(lambda: model.embed(texts), 1)
        for label, run in limits.items():
            alone[label] += timed(run, 1)
    results = {"names": count, "tokens": tokens, "embedding": times, "products": alone}
    record(given.json, results)
    print(f"{machine()}\n\n{tables(results)}")


if __name__ == "__main__":
    main()
