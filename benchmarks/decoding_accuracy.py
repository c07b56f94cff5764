"""The accuracy of the forms of decoding on development documents, and that of alternatives."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import REPEATS, spread

from biolink import KnowledgeBase
from biolink.documents import Document
from biolink.evaluation import evaluate
from biolink.evaluation.baselines import by_names, exact
from biolink.infer.linkers.mention_linker import Linker
from biolink.infer.network.model import load_model
from biolink.infer.rank.beam_search import EXACT
from biolink.infer.rank.task import LinkerOptions, Task
from biolink.kb.names import normalise_name
from biolink.pipeline import EMBEDDED

__all__ = ["accuracy", "alternatives"]


def documents_of(data: Path, mentions: int) -> dict[str, list[Document]]:
    """Return development documents of both corpora alternately.

    They end when they have this many mentions.
    """
    sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "default_model"))
    from corpora import development_documents

    chosen: dict[str, list[Document]] = {"NCBI disease": [], "BC5CDR": []}
    count = 0
    for pair in zip(*development_documents(data), strict=False):
        for of_corpus, document in zip(chosen.values(), pair, strict=True):
            if count < mentions:
                of_corpus.append(document)
                count += len(document.mentions)
    return chosen


def recalls(linked: Sequence[Document], kb: KnowledgeBase) -> tuple[float, float]:
    """Return strict Recall@1 and Recall@5 in percent."""
    strict = evaluate(linked, kb).strict
    return 100 * strict.recall_at_1, 100 * strict.recall_at_5


def compared(together: Sequence[Document], alone: Sequence[Document]) -> str:
    """Return how far links in a batch are the same as links one by one."""
    pairs = [
        (a.links, b.links)
        for one, other in zip(together, alone, strict=True)
        for a, b in zip(one.mentions, other.mentions, strict=True)
    ]
    first = sum([x.concept_id for x in a[:1]] == [x.concept_id for x in b[:1]] for a, b in pairs)
    every = sum([x.concept_id for x in a] == [x.concept_id for x in b] for a, b in pairs)
    apart = max(
        abs(x.score - y.score)
        for a, b in pairs
        for x, y in zip(a, b, strict=False)
        if x.concept_id == y.concept_id
    )
    return (
        f"{first} of {len(pairs)} have the same best as among others, {every} the same concepts in "
        f"the same order, whose scores differ by {apart:.2g} at most"
    )


def accuracy(data: Path, mentions: int) -> dict[str, Any]:
    corpora = documents_of(data, mentions)
    documents = [document for of_corpus in corpora.values() for document in of_corpus]
    count = sum(len(d.mentions) for d in documents)
    model = load_model(EMBEDDED / "model", light=True)
    kb = KnowledgeBase.open(EMBEDDED / "kb")
    weights = {kind: model.in_precision(kind) for kind in ("fp32", "int8")}
    generation = {
        "exact rule, fp32": ("fp32", LinkerOptions("generate", decoding=EXACT)),
        "fast, fp32": ("fp32", LinkerOptions("generate")),
        "fast, int8": ("int8", LinkerOptions("generate")),
        "fast, int8, one by one": ("int8", LinkerOptions("generate", batch_size=1)),
        "fast, the best alone, fp32": ("fp32", LinkerOptions("generate", top_k=1)),
        "fast, the best alone, int8": ("int8", LinkerOptions("generate", top_k=1)),
        "names first, fp32": ("fp32", LinkerOptions("generate", names_first=True)),
        "names first, int8": ("int8", LinkerOptions("generate", names_first=True)),
    }
    default = {
        "fp32": ("fp32", LinkerOptions()),
        "int8": ("int8", LinkerOptions()),
        "int8, one by one": ("int8", LinkerOptions(batch_size=1)),
    }
    print(f"\n{count} mentions of {len(documents)} development documents, embedded base")
    columns = [f"{c}, Recall@{k}" for c in (*corpora, "both") for k in (1, 5)]
    print(f"\n| linker | {' | '.join(columns)} | same best as the first of its kind |")
    print("|" + " --- |" * (len(columns) + 2))
    results: dict[str, Any] = {}
    for method, plans in (("generation", generation), ("combined (default)", default)):
        first: list[str | None] | None = None
        together: list[Document] = []
        for name, (kind, options) in plans.items():
            linker = Linker(weights[kind], kb, options)
            linked = list(linker.pipe(documents, recognise=False))
            best = [m.best.concept_id if m.best else None for d in linked for m in d.mentions]
            first = first or best
            same = sum(a == b for a, b in zip(first, best, strict=True))
            ncbi = len(corpora["NCBI disease"])
            # A linker that gives one concept has no Recall@5.
            row = [
                value if k <= options.top_k else None
                for part in (linked[:ncbi], linked[ncbi:], linked)
                for k, value in zip((1, 5), recalls(part, kb), strict=True)
            ]
            results[f"{method}, {name}"] = {"recall": row, "same": same, "of": len(best)}
            cells = " | ".join("" if value is None else f"{value:.2f}" for value in row)
            print(
                f"| {method}, {name} | {cells} | {same} of {len(best)} ({same / len(best):.2%}) |",
                flush=True,
            )
            if options.names_first:
                named = sum(m.links[0].score == 0 for d in linked for m in d.mentions if m.links)
                print(f"\nlinked as names themselves: {named} of {len(best)}\n")
            if options.batch_size == 1:
                alone = compared(together, linked)
                print(f"\n{method}, {name}, mention by mention: {alone}\n")
                results[f"{method}, {name}"]["compared"] = alone
            together = linked
    return results


def alternatives(data: Path, every: Sequence[Task], count: int) -> dict[str, Any]:
    """Measure alternatives over the embedded names: speed, memory, accuracy."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from transformers import BertConfig, BertModel

    kb = KnowledgeBase.open(EMBEDDED / "kb")
    model = load_model(EMBEDDED / "model", light=True)
    linker = Linker(model, kb)
    texts = [task.mention for task in every]
    names = kb.normalised_names()
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), dtype=np.float32)
    matrix = vectorizer.fit_transform(names)
    across = matrix.T.tocsr()
    torch.manual_seed(0)
    bert = BertModel(BertConfig()).eval()
    vectors = torch.nn.functional.normalize(torch.randn(len(names), 768), dim=1)

    def ngrams(mentions: Sequence[str], _: KnowledgeBase) -> list[list[int]]:
        scores = vectorizer.transform([normalise_name(m) for m in mentions]) @ across
        found = []
        for begin, end in pairwise(scores.indptr):
            order = np.argsort(-scores.data[begin:end], kind="stable")[:20]
            found.append(scores.indices[begin:end][order].tolist())
        return found

    @torch.inference_mode()
    def encoded(mentions: Sequence[str], _: KnowledgeBase) -> list[list[int]]:
        ids, mask = model.tokens(mentions, 25)
        states = bert(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]
        unit = torch.nn.functional.normalize(states, dim=1)
        found: list[list[int]] = (unit @ vectors.T).topk(5).indices.tolist()
        return found

    corpora = documents_of(data, count)
    documents = [document for of_corpus in corpora.values() for document in of_corpus]
    size = sum(f.stat().st_size for f in (EMBEDDED / "kb").glob("names.marisa"))
    parts = (matrix.data, matrix.indices, matrix.indptr)
    results: dict[str, Any] = {}
    print("\n| instead | mentions/s | index, MB | Recall@1 | Recall@5 |\n" + "|" + " --- |" * 5)
    for name, choose, bytes_, trained in (
        ("exact match (marisa-trie)", exact, size, True),
        ("scikit-learn's TF-IDF, trigrams", ngrams, 2 * sum(p.nbytes for p in parts), True),
        ("encoder of SapBERT's size, exact search", encoded, vectors.nbytes, False),
    ):
        values = []
        for _ in range(REPEATS + 1):
            began = time.perf_counter()
            choose(texts, kb)
            values.append(len(texts) / (time.perf_counter() - began))
        cells = "random weights | random weights"
        if trained:
            linked = by_names(documents, linker, choose)
            cells = " | ".join(f"{value:.2f}" for value in recalls(linked, kb))
        results[name] = {"rates": values[1:], "index": bytes_, "recall": cells}
        print(f"| {name} | {spread(values[1:], 1, 0)} | {bytes_ / 1e6:.0f} | {cells} |", flush=True)
    return results
