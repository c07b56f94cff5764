"""Compare the nearest names by embeddings at the size of UMLS: exact comparison and libraries.

    python benchmarks/umls_scale.py [--names 500000]

The exact comparison is the one that linkers use (``biolink.infer.retrieve.nearest``), and its names
are the reference for recall. Beside it are faiss's inverted lists over the same codes, and with
``--quick`` usearch's graph of them (HNSW), which takes minutes to build at the other sizes. Each
library's index is written to disk and mapped from there. The same queries are compared on every
side, in turn, also among random tenths and hundredths of the names; usearch's graph is not asked
for these.

The names are those of the embedded base with their own vectors, and made vectors: a weighted mean
of the vectors of two real names, as a made name has words of both (``benchmarks/names.py``), with
noise. The program embeds made names as well, and prints how near their nearest real names are,
beside the same for made vectors. The queries are embedded texts that are no names of the base: half
are real names with one letter left out, half are made names.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch
from common import arguments, machine, record, spread
from names import recombined
from usearch.index import Index

from biolink import KnowledgeBase
from biolink.infer.network.model import load_model
from biolink.infer.retrieve.dense import STEP, DenseIndex
from biolink.infer.retrieve.indexes import Indexes
from biolink.infer.retrieve.nearest import nearest
from biolink.pipeline import EMBEDDED

_NEIGHBOURS = 20
_BATCH = 32
_REPEATS = 3
#: The most names for which usearch's graph is built.
_GRAPH = 50_000
#: The noise of a made vector, relative to its length. The nearest real names are then about as near
#: to it as to the vector of a made name; the program prints both.
_NOISE = 0.35
_PROBES = (64, 128, 256, 512)
_EXPANSIONS = (64, 256)

#: The shares of the names that are searched.
_PARTS = (1.0, 0.1, 0.01)

#: A function from the levels of queries, int8 [queries, d], and a mask of the names or None to the
#: positions of their nearest names.
Search = Callable[[np.ndarray, np.ndarray | None], list[np.ndarray]]


def made_codes(real: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Return the codes of real and then of made names, int8 [count, d]."""
    rng = np.random.default_rng(seed)
    codes = np.empty((count, real.shape[1]), dtype=np.int8)
    codes[: len(real)] = real[:count]
    deviation = real.std(0)
    deviation = deviation / np.linalg.norm(deviation)
    for begin in range(len(real), count, 65_536):
        size = min(65_536, count - begin)
        first, second = rng.integers(len(real), size=(2, size))
        share = 0.25 + rng.random((size, 1), dtype=np.float32) / 2
        mixed = _unit(share * real[first] + (1 - share) * real[second])
        noise = rng.standard_normal(mixed.shape, dtype=np.float32) * deviation * _NOISE
        codes[begin : begin + size] = np.round(_unit(mixed + noise) / STEP)
    return codes


def levels_of(queries: np.ndarray) -> np.ndarray:
    """Return queries as whole numbers of seven bits, as the exact comparison rounds them."""
    largest = np.abs(queries).max(1, keepdims=True)
    return np.round(queries / largest * 63).astype(np.int8)


def lists(codes: np.ndarray, file: Path) -> None:
    """Build faiss's inverted lists over codes, and write them."""
    count, dimensions = codes.shape
    size = 2 ** round(np.log2(4 * np.sqrt(count)))
    coarse = faiss.IndexFlatIP(dimensions)
    index = faiss.IndexIVFScalarQuantizer(
        coarse,
        dimensions,
        size,
        faiss.ScalarQuantizer.QT_8bit_direct_signed,
        faiss.METRIC_INNER_PRODUCT,
        False,
    )
    index.cp.spherical, index.cp.niter = True, 8
    sample = np.random.default_rng(0).choice(count, min(count, 40 * size), replace=False)
    index.train(codes[np.sort(sample)].astype(np.float32))
    for begin in range(0, count, 65_536):
        index.add(codes[begin : begin + 65_536].astype(np.float32))
    faiss.write_index(index, str(file))


def graph(codes: np.ndarray, file: Path) -> None:
    """Build usearch's graph over codes, and write it."""
    index = Index(ndim=codes.shape[1], metric="cos", dtype="i8", connectivity=16, expansion_add=96)
    index.add(np.arange(len(codes)), codes, threads=1)
    index.save(str(file))


def in_batches(
    levels: np.ndarray, search: Search, mask: np.ndarray | None
) -> tuple[float, list[np.ndarray]]:
    """Return the milliseconds for each query, and the positions of its nearest names."""
    found: list[np.ndarray] = []
    began = time.perf_counter()
    for begin in range(0, len(levels), _BATCH):
        found += search(levels[begin : begin + _BATCH], mask)
    return (time.perf_counter() - began) / len(levels) * 1e3, found


def recall(
    found: list[np.ndarray], right: list[np.ndarray], codes: np.ndarray, levels: Any
) -> float:
    """Return the share of the nearest names that were found; among equal ones any will do."""
    shares = []
    for mine, exact, level in zip(found, right, levels.astype(np.int32), strict=True):
        limit = (codes[exact].astype(np.int32) @ level).min()
        mine = mine[mine >= 0]  # faiss fills up with -1
        shares.append(((codes[mine].astype(np.int32) @ level) >= limit).sum() / len(exact))
    return float(np.mean(shares))


def by_lists(index: Any, probes: int) -> Search:
    def search(levels: np.ndarray, mask: np.ndarray | None) -> list[np.ndarray]:
        given = faiss.SearchParametersIVF(nprobe=probes)
        if mask is not None:
            bits = np.packbits(mask, bitorder="little")
            given = faiss.SearchParametersIVF(nprobe=probes, sel=faiss.IDSelectorBitmap(bits))
        return list(index.search(levels.astype(np.float32), _NEIGHBOURS, params=given)[1])

    return search


def by_graph(index: Any, expansion: int) -> Search:
    def search(levels: np.ndarray, mask: np.ndarray | None) -> list[np.ndarray]:
        index.expansion_search = expansion
        return list(index.search(levels, _NEIGHBOURS, threads=1).keys.astype(np.int64))

    return search


def sides_of(codes: np.ndarray, folder: Path, built: dict[str, Any]) -> dict[str, Search]:
    """Build the indexes, and return how each side searches; ``built`` gets seconds and bytes."""
    sides: dict[str, Search] = {"exact": lambda q, m: nearest(codes, q, _NEIGHBOURS, [m])[0]}
    kinds = [("faiss", lists)] + ([("usearch", graph)] if len(codes) <= _GRAPH else [])
    for name, build in kinds:
        file = folder / f"{name}-{len(codes)}"
        began = time.perf_counter()
        build(codes, file)
        built[name] = {"build": time.perf_counter() - began, "bytes": file.stat().st_size}
        began = time.perf_counter()
        if name == "faiss":
            mapped: Any = faiss.read_index(str(file), faiss.IO_FLAG_MMAP)
        else:
            mapped = Index.restore(str(file), view=True)
        built[name]["open"] = time.perf_counter() - began

        if name == "faiss":
            for n in _PROBES:
                sides[f"faiss, {n} lists"] = by_lists(mapped, n)
        else:
            for n in _EXPANSIONS:
                sides[f"usearch, {n}"] = by_graph(mapped, n)
    return sides


def compare(
    sides: dict[str, Search], codes: np.ndarray, levels: np.ndarray, mask: np.ndarray | None
) -> dict[str, tuple[list[float], float]]:
    """Return the milliseconds of a query in each repetition, and the recall, of each side."""
    times: dict[str, list[float]] = {side: [] for side in sides}
    found: dict[str, list[np.ndarray]] = {}
    for _ in range(_REPEATS):
        for side, search in sides.items():
            milliseconds, found[side] = in_batches(levels, search, mask)
            times[side].append(milliseconds)
    return {
        side: (times[side], recall(found[side], found["exact"], codes, levels)) for side in sides
    }


def nearness(vectors: np.ndarray, codes: np.ndarray) -> str:
    """Return quartiles of the cosine of each vector's nearest name and of its twentieth."""
    every = _unit(vectors) @ _unit(codes.astype(np.float32)).T
    every.partition(every.shape[1] - _NEIGHBOURS, axis=1)
    ranks = (every.max(1), every[:, -_NEIGHBOURS])
    return "; ".join(
        " / ".join(f"{q:.2f}" for q in np.quantile(r, (0.25, 0.5, 0.75))) for r in ranks
    )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--names", type=int, default=500_000)
    given = parser.parse_args()
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    kb = KnowledgeBase.open(EMBEDDED / "kb")
    model = load_model(EMBEDDED / "model")
    dense: DenseIndex = Indexes(kb, model).dense
    real = np.array(dense.codes)
    names = [kb.name_at(int(i)) for i in dense.name_ids[:: len(real) // 128][:128]]
    shortened = [name[: len(name) // 2] + name[len(name) // 2 + 1 :] for name in names]
    made = list(itertools.islice(recombined(kb.normalised_names(), seed=1), 128))
    embedded = dense.queries(model.packed().embed(shortened + made))
    levels = levels_of(embedded)
    sizes = [20_000, 50_000] if given.quick else sorted({len(real), given.names})
    every = made_codes(real, max(max(sizes), len(real) + 128))
    print(machine())
    print(f"{len(real):,} real names; quartiles of the cosines of the nearest and the twentieth")
    print(f"- of 128 made names, embedded: {nearness(embedded[128:] / STEP, real)}")
    print(f"- of 128 made vectors: {nearness(every[len(real) : len(real) + 128] * 1.0, real)}")
    columns = (
        "names",
        "part",
        "side",
        "ms a query",
        "recall of 20",
        "build, s",
        "on disk, MB",
        "open, ms",
    )
    print(f"\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for size in sizes:
            codes, built = every[:size], {}
            sides = sides_of(codes, Path(temporary), built)
            for part in _PARTS:
                mask = None if part == 1 else np.random.default_rng(0).random(size) < part
                able = {k: v for k, v in sides.items() if mask is None or "usearch" not in k}
                measured = compare(able, codes, levels, mask)
                for side, (times, share) in measured.items():
                    of = built.get(side.partition(",")[0]) if mask is None else None
                    rest = (
                        " | | "
                        if of is None
                        else (
                            f"{of['build']:.0f} | {of['bytes'] / 1e6:.0f} | {of['open'] * 1e3:.0f}"
                        )
                    )
                    cells = f"{size:,} | {part:.0%} | {side} | {spread(times, 1, 2)} | {share:.2%}"
                    print(f"| {cells} | {rest} |", flush=True)
                    results[f"{side} {size} {part}"] = {"ms": times, "recall": share, "built": of}
    record(given.json, results)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


if __name__ == "__main__":
    main()
