"""Compare the name trie at scale with a nested dict.

    python benchmarks/trie.py [--names 10000000]

The names are real and made (``benchmarks/names.py``). For each size the program measures building
in a fresh process, opening, a sub-trie of a tenth of the names (which is kept once it is derived:
``benchmarks/switching.py``), and a step of the beam search with the embedded model, with the share
of the search itself. The steps are the first four for 32 mentions that are names of six tokens or
more at every size, so that each has its five hypotheses throughout. The sizes are measured in turn.
The nested dict is built for sizes up to a million. There are five repetitions, and three of
building.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import REPEATS, arguments, machine, ratios, record, spread, timed
from names import recombined_rows
from search_profile import clocked_search

from biolink import KnowledgeBase
from biolink.infer.network.model import LinkingModel, load_model
from biolink.infer.rank import beam_search
from biolink.infer.rank.beam_search import EXACT
from biolink.kb.trie import NameTrie
from biolink.pipeline import EMBEDDED

_BUILDS = 3
_STEPS = 4


def rows(folder: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.array(np.load(folder / "offsets.npy", mmap_mode="r")[: count + 1])
    return np.array(np.load(folder / "tokens.npy", mmap_mode="r")[: offsets[-1]]), offsets


def peak() -> float:
    """Return the peak memory of this process so far, in MiB."""
    # ru_maxrss does not serve, since a process inherits its value from the process that started it.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def build_flat(folder: Path, count: int, target: Path) -> dict[str, float]:
    """Build the trie in a process of its own, and return its time and its memory in MiB."""
    tokens, offsets = rows(folder, count)
    before = peak()
    began = time.perf_counter()
    trie = NameTrie.build(tokens, offsets)
    seconds = time.perf_counter() - began
    after = peak()
    trie.save(target)
    return {"seconds": seconds, "peak": after, "input": before, "nodes": trie.nodes}


def build_dict(folder: Path, count: int, target: Path) -> dict[str, float]:
    tokens, offsets = rows(folder, count)
    lists = [row.tolist() for row in np.split(tokens, offsets[1:-1])]
    before = peak()
    began = time.perf_counter()
    root: dict[int, Any] = {}
    for row in lists:
        node = root
        for token in row:
            node = node.setdefault(token, {})
    return {"seconds": time.perf_counter() - began, "peak": peak(), "input": before}


def apart(build: Any, *arguments: Any) -> list[dict[str, float]]:
    """Return the results of a function in several fresh processes."""
    results = []
    for _ in range(_BUILDS):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            results.append(pool.apply(build, arguments))
    return results


def steps(model: LinkingModel, trie: NameTrie, mentions: list[str]) -> tuple[float, float, float]:
    """Return milliseconds of a step and of the search alone, and rows of the decoder in a step."""
    memory, _ = model.read([f"[START] {mention} [END]" for mention in mentions])
    with torch.inference_mode(), clocked_search() as seconds:
        search = beam_search.Search(model.backbone, trie, memory, model.prompts(mentions), EXACT)
        seconds.clear()
        rows = 0
        began = time.perf_counter()
        for _ in range(_STEPS):
            search.advance()
            rows += len(search.rows.node)
        every = time.perf_counter() - began
        inside = seconds["decoder"] + seconds["projection"]
    return every / _STEPS * 1e3, (every - inside) / _STEPS * 1e3, rows / _STEPS


def compare_building(
    folder: Path, sizes: Sequence[int], results: dict[str, Any]
) -> dict[int, NameTrie]:
    """Print a table of building and opening at each size, and return the tries."""
    print(
        "| names | side | nodes | build, s | peak, GiB (input in it) | on disk, MB | "
        "open, ms | tenth, ms |"
    )
    print("|" + " --- |" * 8)
    tries: dict[int, NameTrie] = {}
    for size in sizes:
        target = folder / f"trie-{size}"
        built = apart(build_flat, folder, size, target)
        disk = sum(file.stat().st_size for file in target.iterdir()) / 1e6
        opened = timed(lambda target=target: NameTrie.open(target))
        trie = NameTrie.open(target)
        mask = np.random.default_rng(0).random(size) < 0.1
        restricted = timed(lambda trie=trie, mask=mask: trie.restrict(mask))
        _ = trie.height
        tries[size] = trie
        results[f"flat {size}"] = {
            "build": built, "disk": disk, "open": opened, "restrict": restricted,
        }  # fmt: skip
        print(
            f"| {size:,} | flat arrays | {built[0]['nodes']:,} | "
            f"{spread([b['seconds'] for b in built])} | "
            f"{max(b['peak'] for b in built) / 1024:.2f} "
            f"({built[0]['input'] / 1024:.2f}) | {disk:.0f} | {spread(opened, 1e3)} | "
            f"{spread(restricted, 1e3, 0)} |",
            flush=True,
        )
        if size <= 1_000_000:
            dicts = apart(build_dict, folder, size, target)
            results[f"dict {size}"] = {"build": dicts}
            print(
                f"| {size:,} | nested dict | | {spread([b['seconds'] for b in dicts])} | "
                f"{max(b['peak'] for b in dicts) / 1024:.2f} "
                f"({dicts[0]['input'] / 1024:.2f}) | | | |",
                flush=True,
            )
            own = [statistics.median(b["peak"] - b["input"] for b in x) for x in (dicts, built)]
            seconds = [statistics.median(b["seconds"] for b in x) for x in (dicts, built)]
            print(
                f"| {size:,} | dict / flat | | {seconds[0] / seconds[1]:.1f} | "
                f"{own[0] / max(own[1], 1):.1f} (beyond the input) | | | |"
            )
    return tries


def compare_steps(
    model: LinkingModel, tries: dict[int, NameTrie], mentions: list[str], results: dict[str, Any]
) -> None:
    """Print a table of the steps of the search at each size."""
    for trie in tries.values():
        steps(model, trie, mentions)  # The first run is not measured.
    measured = [{s: steps(model, t, mentions) for s, t in tries.items()} for _ in range(REPEATS)]
    print("\n| names | step, ms | ratio | search's part, ms | rows |\n" + "|" + " --- |" * 5)
    for size in tries:
        whole, search, rows_ = zip(*(one[size] for one in measured), strict=True)
        first = [one[min(tries)][0] for one in measured]
        results[f"step {size}"] = {"step": whole, "search": search, "rows": rows_[0]}
        print(
            f"| {size:,} | {spread(whole)} | {spread(ratios(whole, first), 1, 2)} | "
            f"{spread(search, 1, 2)} | {rows_[0]:.0f} |"
        )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--names", type=int, default=10_000_000)
    given = parser.parse_args()
    most = 200_000 if given.quick else given.names
    sizes = sorted({min(size, most) for size in (100_000, 1_000_000, most)})
    kb = KnowledgeBase.open(EMBEDDED / "kb")
    model = load_model(EMBEDDED / "model").in_precision("fp32")
    names = kb.normalised_names()
    # The real names come first, so they are there at every size.
    long = [name for name in names[: sizes[0] : 97] if len(model.name_tokens([name])[0]) > 6]
    mentions = long[:: len(long) // 32][:32]
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        began = time.perf_counter()
        tokens, offsets = recombined_rows(
            model.tokenizer, model.form, names, model.backbone.eos_id, most
        )
        np.save(folder / "tokens.npy", tokens)
        np.save(folder / "offsets.npy", offsets)
        print(f"{machine()}; {most:,} names made in {time.perf_counter() - began:.0f} s")
        del tokens, offsets
        tries = compare_building(folder, sizes, results)
        compare_steps(model, tries, mentions, results)
    record(given.json, results)


if __name__ == "__main__":
    main()
