"""Measure finding and linking with bases that the embedded model was not trained with.

    python benchmarks/own_base.py --data ../shared/data

The first table is about HPO GSC+ development and the Human Phenotype Ontology of April 2016. The
second one compares recognisers without linking on further pairs of a base and a corpus. No text of
these corpora was used for training; rules were chosen on GSC+ development and on CRAFT development.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import biolink
from biolink import DictionaryRecogniser, Document, KnowledgeBase, Mention
from biolink.evaluation import evaluate
from biolink.infer.mentions.open_recogniser import OpenRecogniser

Key = Callable[[Mention], object]


def scored(gold: Iterable[Document], found: Iterable[Document], key: Key) -> str:
    right = annotated = guessed = 0
    for document, result in zip(gold, found, strict=True):
        wanted, given = {key(m) for m in document.mentions}, {key(m) for m in result.mentions}
        right += len(wanted & given)
        annotated, guessed = annotated + len(wanted), guessed + len(given)
    precision, recall = right / max(1, guessed), right / max(1, annotated)
    f1 = 2 * right / max(1, annotated + guessed)
    return f"{precision:.1%} | {recall:.1%} | {f1:.1%}"


def span(mention: Mention) -> object:
    return mention.start, mention.end


def linked_span(mention: Mention) -> object:
    ids = mention.concept_ids or tuple(filter(None, [mention.best and mention.best.concept_id]))
    return mention.start, mention.end, ids[:1]


def sides(kb: KnowledgeBase) -> dict[str, Callable[[Document], Document]]:
    """The recognisers that are compared."""
    linker = biolink.load(kb=kb)
    whole = linker.recogniser
    assert isinstance(whole, OpenRecogniser)
    stops = whole.dictionary.stop_names
    every = DictionaryRecogniser(kb, stops, nested=True)
    compared: dict[str, Callable[[Document], Document]] = {
        "dictionary": whole.dictionary,
        "names in any form": OpenRecogniser(whole.dictionary),
    }
    if whole.reader is not None and whole.reader.finds_concepts:
        compared["names in any form and concepts"] = whole
    compared["the same, nested mentions kept"] = OpenRecogniser(every, whole.reader)
    return compared


def on_phenotypes(data: Path) -> None:
    kb = KnowledgeBase.read(data / "kb/hpo/hp-2016-04-01.obo.gz", on_problem=lambda problem: None)
    documents = list(biolink.read(data / "corpora/gsc_plus/GSCplus_dev.PubTator.gz"))
    linker = biolink.load(kb=kb)
    given = list(linker.pipe(documents, recognise=False))
    print(f"Given mentions, strict Recall@1: {evaluate(given, kb).strict.recall_at_1:.1%}\n")
    print("| recogniser | P | R | F1 | P, linked | R, linked | F1, linked | documents/s |")
    print(f"|{' --- |' * 8}")
    for name, recognise in sides(kb).items():
        recognise(documents[0])
        began = time.perf_counter()
        found = [recognise(document) for document in documents]
        rate = len(documents) / (time.perf_counter() - began)
        linked = list(linker.with_settings(recogniser=recognise).pipe(documents, recognise=True))
        print(
            f"| {name} | {scored(documents, found, span)} | "
            f"{scored(documents, linked, linked_span)} | {rate:.0f} |",
            flush=True,
        )


#: Base, corpus, and the beginning of the types of the mentions that count.
PAIRS = (
    ("doid/doid-2018-07-05.obographs.json.gz", "ncbi_disease/NCBIdevelopset_corpus.txt.gz", ""),
    ("uberon/uberon-basic-2015-04-23.obo.gz", "craft/craft_dev.PubTator.gz", "UBERON"),
    ("cl/cl-basic.obographs.json.gz", "craft/craft_dev.PubTator.gz", "CL"),
)


def on_other_bases(data: Path) -> None:
    print("\n| base | corpus | recogniser | P | R | F1 | documents/s |")
    print(f"|{' --- |' * 7}")
    for base, corpus, kind in PAIRS:
        kb = KnowledgeBase.read(data / "kb" / base, on_problem=lambda problem: None)
        documents = [
            document.with_mentions(m for m in document.mentions if m.type.startswith(kind))
            for document in biolink.read(data / "corpora" / corpus)
        ]
        for name, recognise in sides(kb).items():
            began = time.perf_counter()
            found = [recognise(document) for document in documents]
            rate = len(documents) / (time.perf_counter() - began)
            print(
                f"| {base.split('/')[0]} | {corpus.split('/')[0]} | {name} | "
                f"{scored(documents, found, span)} | {rate:.1f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    on_phenotypes(arguments.data)
    on_other_bases(arguments.data)


if __name__ == "__main__":
    main()
