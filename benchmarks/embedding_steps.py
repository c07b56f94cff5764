"""Measure what coarser embeddings of names cost in accuracy, and what they save in the wheel.

    cp -r biolink/embedded/model build/model
    python examples/default_model/for_development.py --data ../shared/data --model build/model
    python benchmarks/embedding_steps.py --data ../shared/data --model build/model \\
        [--documents 100] [step=0.04 pq=64]

``step=S`` rounds each dimension to steps of S (``biolink.infer.retrieve.dense``). ``pq=M`` is
product quantisation (Jegou, Douze and Schmid, IEEE TPAMI, 2011) into M bytes a name, with 256
centroids of scikit-learn's k-means for each byte; dimensions are dealt out to the bytes by their
variance. ``byte`` gives each dimension a step of its own, which spreads it over a whole byte.

The documents are those of the development sets of NCBI disease and BC5CDR, and half as many of each
set that the embedded model was never trained on, with their gold mentions. The model is a copy
whose ``annotations.json`` has only training documents. All features are used for every mention.
"""

from __future__ import annotations

import random
import sys
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from common import arguments, machine, record
from sklearn.cluster import KMeans

from biolink.documents import Document
from biolink.infer.linkers.mention_linker import Linker
from biolink.infer.mentions.abbreviations import expand_document, find_abbreviations
from biolink.infer.network.model import load_model
from biolink.infer.rank.combined import ranked
from biolink.infer.rank.task import Task
from biolink.infer.retrieve.dense import DenseIndex
from biolink.kb import KnowledgeBase
from biolink.pipeline import EMBEDDED

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "default_model"))
from corpora import development_documents, unseen_documents

_SAMPLE = 16_000  # The number of names that centroids are made from.


def quantised(vectors: np.ndarray, size: int) -> np.ndarray:
    """Return what product quantisation into some bytes makes of vectors, float32 [n, d]."""
    sample = np.random.default_rng(0).choice(len(vectors), min(_SAMPLE, len(vectors)), False)
    dealt: list[list[int]] = [[] for _ in range(size)]
    for place, dimension in enumerate(np.argsort(-vectors.var(0)).tolist()):
        turn, byte = divmod(place, size)
        dealt[byte if turn % 2 == 0 else size - 1 - byte].append(dimension)
    result = np.empty_like(vectors)
    for dimensions in dealt:
        means = KMeans(256, init="random", n_init=1, max_iter=15, random_state=0)
        means.fit(vectors[sample][:, dimensions])
        result[:, dimensions] = means.cluster_centers_[means.predict(vectors[:, dimensions])]
    return result


def index_of(form: str, vectors: np.ndarray, like: DenseIndex) -> DenseIndex:
    """Return the index of projected unit vectors [n, d] in one of the forms."""
    kind, _, value = form.partition("=")
    if kind == "step":
        scale = np.full(vectors.shape[1], float(value), dtype=np.float32)
    else:
        vectors = quantised(vectors, int(value)) if kind == "pq" else vectors
        scale = (np.abs(vectors).max(0) / 127).astype(np.float32)
    codes = np.clip(np.round(vectors / scale), -127, 127).astype(np.int8)
    return DenseIndex(like.name_ids, codes, scale, like.projection)


def tasks_of(linker: Linker, documents: Sequence[Document]) -> Counter[tuple[Task, frozenset[int]]]:
    """Count the mentions with gold concepts, as tasks with the rows of these concepts."""
    counts: Counter[tuple[Task, frozenset[int]]] = Counter()
    for document in documents:
        expanded = expand_document(document, find_abbreviations)
        for task, mention in zip(linker.tasks(expanded), expanded.mentions, strict=True):
            rows = (linker.kb.row_of(i) for i in mention.concept_ids or ())
            if mention.concept_ids:
                counts[task, frozenset(row for row in rows if row is not None)] += 1
    return counts


def shares(
    linker: Linker, counts: Counter[tuple[Task, frozenset[int]]], batch: int = 32
) -> tuple[float, float]:
    """Return the shares of mentions whose gold concept is a candidate, and the best one."""
    ranker = linker.model.ranker
    assert ranker is not None
    inside = right = 0
    keys = sorted(counts, key=lambda key: len(key[0].source))
    for begin in range(0, len(keys), batch):
        some = keys[begin : begin + batch]
        for key, found in zip(some, linker.candidates([task for task, _ in some]), strict=True):
            best = [c.row for c in ranked(found, ranker.weights, early=False).concepts[:1]]
            inside += counts[key] * bool(key[1].intersection(found.rows.tolist()))
            right += counts[key] * bool(key[1].intersection(best))
    return inside / counts.total(), right / counts.total()


def main() -> None:
    parser = arguments(__doc__, quick=False)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=100)
    parser.add_argument("forms", nargs="*", default=["byte", "step=0.04", "pq=64"])
    given = parser.parse_args()
    kb = KnowledgeBase.open(EMBEDDED / "kb")
    linker = Linker(load_model(given.model), kb)
    names = [kb.name_at(int(i)) for i in linker.indexes.lexical.name_ids]
    embed = linker.model.packed().embed
    like = linker.indexes.dense
    order = sorted(range(len(names)), key=lambda i: len(names[i]))
    vectors = np.empty((len(names), like.codes.shape[1]), dtype=np.float32)
    for begin in range(0, len(order), 2048):
        some = order[begin : begin + 2048]
        reduced = embed([names[i] for i in some]) @ like.projection
        vectors[some] = reduced / np.linalg.norm(reduced, axis=1, keepdims=True)
    labels = ("NCBI disease", "BC5CDR")
    sets = dict(zip(labels, development_documents(given.data), strict=True))
    sizes = dict.fromkeys(labels, given.documents)
    sets |= unseen_documents(given.data, kb)
    counts = {}
    for label, of_set in sets.items():
        some_documents = random.Random(0).sample(of_set, min(len(of_set), given.documents))
        most = sizes.get(label, given.documents // 2)
        counts[label] = tasks_of(linker, some_documents[:most])
    print(machine(), {label: of_set.total() for label, of_set in counts.items()})
    print(f"\n| form | bytes a name | {' | '.join(counts)} |\n|{' --- |' * (len(counts) + 2)}")
    results: dict[str, dict[str, tuple[float, float]]] = {}
    for form in given.forms:
        index = index_of(form, vectors, like)
        size = len(zlib.compress(index.codes.tobytes(), 6)) / len(index.codes)
        if form.startswith("pq="):  # What is stored are the numbers of the centroids.
            size = float(form.removeprefix("pq="))
        fresh = linker.with_kb(kb)  # It does not know earlier rankings.
        fresh.indexes.dense = index
        results[form] = {label: shares(fresh, of_set) for label, of_set in counts.items()}
        cells = (f"{inside:.2%}, {right:.2%}" for inside, right in results[form].values())
        print(f"| {form} | {size:.0f} | {' | '.join(cells)} |", flush=True)
    record(given.json, results)


if __name__ == "__main__":
    main()
