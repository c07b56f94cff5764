"""Compare constrained decoding with transformers' ``generate`` and a dict trie.

    python benchmarks/decoding.py [--quick] [--data ../shared/data] [--json FILE]

There are two models: the embedded default, and one of the size of bart-base with random weights,
whose output projection is scaled so that its choices are about as certain as those of a trained
model. Both decode the same mentions of the example abstracts, in a context of at most 64 tokens,
with a trie of a million real and made names, a beam of five, and torch's threads. ``generate`` is
measured at several batch sizes, and ratios are to its best. All sides are measured in turn, and the
spread of a ratio is over the repetitions.

*Fast* searches until the best name is decided, and *fast, five names* until the best five are, as
the linker does when it is asked for five. *Names first* searches only for mentions that are not
names themselves; for the others it returns the names that begin with the mention.

With ``--data`` it also measures the accuracy of the faster forms on development documents, for the
embedded default by generation alone and as it is, and the accuracy of alternatives.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import REPEATS, arguments, machine, ratios, record, spread
from decoding_accuracy import accuracy, alternatives
from decoding_sides import (
    BATCH,
    Batch,
    Side,
    batches,
    names_first,
    nested_dict,
    of_base_size,
    tasks,
    with_biolink,
    with_generate,
)
from names import recombined_rows
from search_profile import profile

from biolink import KnowledgeBase
from biolink.infer.network.backbone import Backbone
from biolink.infer.network.model import LinkingModel, load_model
from biolink.infer.network.precision import in_precision
from biolink.infer.rank.beam_search import EXACT, FAST
from biolink.infer.rank.task import Task
from biolink.kb.trie import NameTrie
from biolink.pipeline import EMBEDDED


def rate(run: Callable[[Batch], Any], given: Sequence[Batch]) -> float:
    gc.collect()
    began = time.perf_counter()
    for batch in given:
        run(batch)
    return sum(len(batch.prompts) for batch in given) / (time.perf_counter() - began)


def speed(
    label: str,
    model: LinkingModel,
    backbone: Backbone,
    trie: NameTrie,
    tree: dict[int, Any],
    every: Sequence[Task],
    quick: bool,
) -> dict[str, Any]:
    fp32, int8 = (Backbone(in_precision(backbone.model, kind)) for kind in ("fp32", "int8"))
    # generate gets fewer mentions, spread over all lengths: it takes its time.
    some = every[:: 4 if label != "embedded" else 2]
    sides: dict[str, Side] = {}
    for size in (8,) if quick else (4, 8, 16, 32):
        sides[f"generate + dict trie, batch {size}"] = (
            lambda batch: with_generate(backbone, tree, batch),
            batches(model, some, size),
        )
    ours = batches(model, every, BATCH)
    whole = batches(model, every, len(every))
    five = replace(FAST, keep=5)
    for kind, weights in (("fp32", fp32), ("int8", int8)):
        for name, options in (("exact rule", EXACT), ("fast", FAST), ("fast, five names", five)):
            sides[f"{name}, {kind}"] = (
                lambda batch, weights=weights, options=options: with_biolink(
                    weights, trie, options, batch
                ),
                ours,
            )
        for name, options in (("names first", FAST), ("names first, five names", five)):
            sides[f"{name}, {kind}"] = (
                lambda batch, weights=weights, options=options: names_first(
                    model, weights, trie, options, batch
                ),
                whole,
            )
    for run, given in sides.values():
        run(given[0])  # warm
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(1 if quick else REPEATS):
        for name, (run, given) in sides.items():
            rates[name].append(rate(run, given))
    best = max((n for n in rates if n.startswith("generate")), key=lambda n: sum(rates[n]))
    tokens = sum(int(b.mask.sum()) for b in ours) / len(every)
    print(
        f"\n{label}: {len(every)} mentions of {tokens:.0f} source tokens ({len(some)} for generate)"
    )
    named = sum(map(bool, model.named(trie, [task.mention for task in every])))
    print(f"\nnames themselves: {named} of {len(every)} mentions")
    print("\n| side | mentions/s | ratio to generate's best |\n| --- | --- | --- |")
    for name, values in rates.items():
        print(f"| {name} | {spread(values, 1, 2)} | {spread(ratios(values, rates[best]), 1, 2)} |")
    agreement(sides, batches(model, some, 1), trie)
    profiles = {n: profile(*side) for n, side in sides.items() if not n.startswith("generate")}
    columns = list(next(iter(profiles.values())))
    print("\n| side | " + " | ".join(columns) + " |\n|" + " --- |" * (len(columns) + 1))
    for name, shares in profiles.items():
        cells = [f"{v:.1f}" if c == "rows" else f"{v:.1%}" for c, v in shares.items()]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    return {"rates": rates, "best": best, "profiles": profiles}


def agreement(
    sides: dict[str, tuple[Callable[[Batch], Any], list[Batch]]],
    given: Sequence[Batch],
    trie: NameTrie,
) -> None:
    """Print how often the best name of each side is that of ``generate``."""
    first = next(iter(sides))
    theirs = [trie.walk(name) for batch in given for name in sides[first][0](batch)]
    for name, (run, _) in sides.items():
        if not name.startswith("generate"):
            ours = [leaf for batch in given for (leaf,) in run(batch)]
            same = sum(a == b for a, b in zip(theirs, ours, strict=True))
            print(f"\nsame best name as generate, {name}: {same} of {len(ours)}")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument(
        "--data", type=Path, help="folder of corpora; if given, measure accuracy, too"
    )
    parser.add_argument("--mentions", type=int, default=2000)
    parser.add_argument("--models", default="embedded,base")
    given = parser.parse_args()
    model = load_model(EMBEDDED / "model")
    kb = KnowledgeBase.open(EMBEDDED / "kb")
    every = tasks(model, 32 if given.quick else 96)
    size = 100_000 if given.quick else 1_000_000
    rows = recombined_rows(
        model.tokenizer, model.form, kb.normalised_names(), model.backbone.eos_id, size
    )
    trie = NameTrie.build(*rows)
    _ = trie.height
    print(f"{machine()}; {size:,} names, {trie.nodes:,} trie nodes")
    results: dict[str, Any] = {}
    chosen = given.models.split(",")
    if given.quick:
        chosen = chosen[:1]
    if any(chosen):
        tree = nested_dict(trie)
    if "embedded" in chosen:
        results["embedded"] = speed(
            "embedded", model, model.backbone, trie, tree, every, given.quick
        )
    if "base" in chosen:
        results["base"] = speed(
            "bart-base size", model, of_base_size(model), trie, tree, every, given.quick
        )
    if given.data is not None:
        tree = {}
        results["accuracy"] = accuracy(given.data, given.mentions)
        results["alternatives"] = alternatives(given.data, every, given.mentions)
    record(given.json, results)


if __name__ == "__main__":
    main()
