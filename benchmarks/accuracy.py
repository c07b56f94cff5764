"""Accuracy of the embedded default beside exact match, TF-IDF and untrained embeddings.

    python benchmarks/accuracy.py --data ../shared/data --split dev
    python benchmarks/accuracy.py --data ../shared/data --split test

Protocols: ``strict`` uses the knowledge base as it is; ``biosyn`` adds the mentions of training
and development documents as names (of training documents only when the development set is
measured). Abbreviations are expanded for every system. MEDIC serves for measuring only.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import biolink
from biolink import Document, KnowledgeBase, Link, Linker, evaluate
from biolink.formats import pubtator
from biolink.infer.abbreviations import expand_document, find_abbreviations
from biolink.infer.linker import LinkerOptions
from biolink.infer.model import LinkingModel, load_model
from biolink.infer.ranker import FEATURES, NIL_FEATURES, Ranker

NCBI = "corpora/ncbi_disease/NCBI{}set_corpus.txt.gz"
CDR = "corpora/bc5cdr/CDR_{}Set.PubTator.txt.gz"
CORPORA = {
    "ncbi": (NCBI, {"train": "train", "dev": "develop", "test": "test"}),
    "bc5cdr": (CDR, {"train": "Training", "dev": "Development", "test": "Test"}),
}


def documents(data: Path, corpus: str, split: str) -> list[Document]:
    pattern, names = CORPORA[corpus]
    return list(pubtator.read(data / pattern.format(names[split])))


def known_mentions(data: Path, corpus: str, split: str) -> list[tuple[str, str]]:
    """(id, mention) pairs that the biosyn protocol adds when a split is measured."""
    splits = ("train",) if split == "dev" else ("train", "dev")
    pairs = []
    for earlier in splits:
        for document in documents(data, corpus, earlier):
            for mention in expand_document(document, find_abbreviations).mentions:
                if len(mention.concept_ids) == 1:
                    pairs.append((mention.concept_ids[0], mention.long_form or mention.text))
    return pairs


#: Mentions, linker -> best name id of each, -1 for none.
Chooser = Callable[[Sequence[str], Linker], list[int]]


def exact(mentions: Sequence[str], linker: Linker) -> list[int]:
    found = (linker.kb.name_id(mention) for mention in mentions)
    return [-1 if name_id is None else name_id for name_id in found]


def tfidf(mentions: Sequence[str], linker: Linker) -> list[int]:
    found = linker.indexes.lexical.search(mentions, 1)
    return [int(ids[0]) if len(ids) else -1 for ids, _ in found]


def embeddings(model: LinkingModel) -> Chooser:
    def choose(mentions: Sequence[str], linker: Linker) -> list[int]:
        index = Linker(model, linker.kb, LinkerOptions(method="generate")).indexes.dense
        best = []
        for begin in range(0, len(mentions), 256):
            vectors = model.embed(mentions[begin : begin + 256])
            best += index.name_ids[index.similarities(vectors).argmax(1)].tolist()
        return best

    return choose


def baseline(docs: Sequence[Document], linker: Linker, choose: Chooser) -> list[Document]:
    """Link by one name each; its owners are ranked by the linker's homonym policy."""
    docs = [expand_document(d, find_abbreviations) for d in docs]
    texts = list(dict.fromkeys(m.long_form or m.text for d in docs for m in d.mentions))
    best = dict(zip(texts, choose(texts, linker), strict=True))
    linked = []
    for document in docs:
        mentions = []
        for mention in document.mentions:
            name_id = best[mention.long_form or mention.text]
            links: tuple[Link, ...] = ()
            if name_id >= 0:
                owners = linker._owners(name_id, mention.type)
                ids = [linker.kb.id_at(row) for row in owners]
                name = linker.kb.name_at(name_id)
                links = (Link(ids[0], name, 0.0, 0.0, 1, len(ids) > 1, tuple(ids[1:])),)
            mentions.append(replace(mention, links=links))
        linked.append(document.with_mentions(mentions))
    return linked


def only(linker: Linker, *names: str) -> Linker:
    """The linker with weight on some features alone, in proportion as fitted."""
    model = linker.model
    assert model.ranker is not None
    weights = np.array(
        [w if n in names else 0 for n, w in zip(FEATURES, model.ranker.weights, strict=True)]
    )
    if len(names) == 1:
        weights = np.array([float(name in names) for name in FEATURES])
    ranker = Ranker(weights, np.zeros(len(NIL_FEATURES)) - 1e9, model.ranker.annotations)
    other = linker.with_kb(linker.kb)
    other.model = replace(model, ranker=ranker)
    other._indexes = linker._indexes
    return other


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", choices=("dev", "test"), default="dev")
    parser.add_argument("--start", type=Path, help="untrained model, for its embeddings")
    parser.add_argument("--corpora", default="ncbi,bc5cdr")
    parser.add_argument("--biosyn", action="store_true", help="the biosyn protocol, too")
    parser.add_argument("--parts", action="store_true", help="single scores of the default, too")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    default = biolink.load(abbreviations="schwartz-hearst")
    open_kb = default.kb
    records = []
    print(
        "| corpus | KB | protocol | system | mentions | in KB | strict | lenient | strict in KB |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for corpus in arguments.corpora.split(","):
        docs = documents(arguments.data, corpus, arguments.split)
        bases = [("open", open_kb)]
        if corpus == "ncbi":
            medic = arguments.data / "benchmark_only/medic/medic_06Jul2012.txt.gz"
            bases.append(("MEDIC", KnowledgeBase.read(medic)))
        for name, base in bases:
            protocols = [("strict", base)]
            if arguments.biosyn:
                pairs = known_mentions(arguments.data, corpus, arguments.split)
                protocols.append(("biosyn", base.with_names(pairs)))
            for protocol, kb in protocols:
                linker = default if kb is open_kb else default.with_kb(kb)
                systems: dict[str, Callable[[], list[Document]]] = {
                    "exact match": lambda: baseline(docs, linker, exact),  # noqa: B023
                    "TF-IDF": lambda: baseline(docs, linker, tfidf),  # noqa: B023
                }
                if arguments.start:
                    choose = embeddings(load_model(arguments.start))
                    systems["untrained embeddings"] = lambda: baseline(docs, linker, choose)  # noqa: B023
                systems["default"] = lambda: list(linker.pipe(docs, recognise=False))  # noqa: B023
                if arguments.parts:
                    for part in ("generation_mean", "dense"):
                        one = only(linker, part)
                        systems[f"default, {part} alone"] = lambda one=one: list(  # type: ignore[misc]
                            one.pipe(docs, recognise=False)  # noqa: B023
                        )
                for system, run in systems.items():
                    began = time.perf_counter()
                    report = evaluate(run(), kb)
                    seconds = time.perf_counter() - began
                    low, high = report.strict.interval
                    assert report.strict_in_kb is not None
                    print(
                        f"| {corpus} {arguments.split} | {name} | {protocol} | {system} | "
                        f"{report.mentions} | {report.in_kb} | "
                        f"{report.strict.recall_at_1:.1%} [{low:.1%}, {high:.1%}] | "
                        f"{report.lenient.recall_at_1:.1%} | "
                        f"{report.strict_in_kb.recall_at_1:.1%} |",
                        flush=True,
                    )
                    records.append(
                        {
                            "corpus": corpus,
                            "split": arguments.split,
                            "kb": name,
                            "protocol": protocol,
                            "system": system,
                            "seconds": round(seconds, 1),
                            "report": json.loads(report.to_json()),
                        }
                    )
    if arguments.json:
        arguments.json.write_text(json.dumps(records, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
