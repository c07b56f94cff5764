"""Compare the trained recogniser and the dictionary with spaCy's PhraseMatcher.

    python benchmarks/recognition.py --data ../shared/data --split test

The program measures start-up, speed on BC5CDR documents, and how many gold mentions each finds, by
spans and by spans with types. The trained recogniser was trained on the development documents.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import spacy
from spacy.matcher import PhraseMatcher
from spacy.util import filter_spans

import biolink
from biolink import DictionaryRecogniser, Document, Mention
from biolink.formats import pubtator
from biolink.infer.mentions.recognise import TrainedRecogniser
from biolink.kb.model_files import stop_names_of
from biolink.kinds import MAIN_KINDS
from biolink.pipeline import EMBEDDED


def phrase_matcher(kb: biolink.KnowledgeBase, stop_names: set[str]):  # type: ignore[no-untyped-def]
    nlp = spacy.blank("en")
    matcher = PhraseMatcher(nlp.vocab, attr="LOWER")
    written = {name for concept in kb for name in concept.names if len(name) > 2}
    written = {n for n in written if biolink.kb.normalise_name(n) not in stop_names}
    matcher.add("name", list(nlp.tokenizer.pipe(sorted(written))))

    def recognise(document: Document) -> Document:
        doc = nlp.make_doc(document.text)
        spans = filter_spans(matcher(doc, as_spans=True))
        return document.with_mentions(Mention(s.start_char, s.end_char, s.text) for s in spans)

    return recognise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", choices=("dev", "test"), default="test")
    parser.add_argument("--documents", type=int, default=500)
    arguments = parser.parse_args()
    split = {"dev": "Development", "test": "Test"}[arguments.split]
    file = arguments.data / f"corpora/bc5cdr/CDR_{split}Set.PubTator.txt.gz"
    documents = list(pubtator.read(file))[: arguments.documents]
    kb = biolink.KnowledgeBase.open(EMBEDDED / "kb")
    stops = stop_names_of(EMBEDDED / "model")
    # BC5CDR marks diseases and chemicals only.
    linker = biolink.load(types=MAIN_KINDS)
    assert isinstance(linker.recogniser, TrainedRecogniser)
    makers = {
        "trained": lambda: linker.recogniser,
        "dictionary (marisa-trie)": lambda: DictionaryRecogniser(kb, stops),
        "PhraseMatcher": lambda: phrase_matcher(kb, set(stops)),
    }
    print("| side | start-up, s | documents/s | P | R | F1 | F1 with types | Disease | Chemical |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    rates = {}
    for name, make in makers.items():
        began = time.perf_counter()
        recognise = make()
        recognise(documents[0])
        start_up = time.perf_counter() - began
        recognise_batch = getattr(recognise, "recognise_batch", None)
        began = time.perf_counter()
        found: list[Document] = []
        for begin in range(0, len(documents), 32):
            block = documents[begin : begin + 32]
            if recognise_batch:
                found += recognise_batch(block)
            else:
                found += [recognise(document) for document in block]
        rates[name] = len(documents) / (time.perf_counter() - began)
        pairs = list(zip(documents, found, strict=True))
        precision, recall, f1 = scores(pairs, lambda m: (m.start, m.end))
        typed = [
            scores(pairs, lambda m: (m.start, m.end, m.type), kind)[2]
            for kind in (None, "Disease", "Chemical")
        ]
        print(
            f"| {name} | {start_up:.2f} | {rates[name]:.0f} | {precision:.1%} | {recall:.1%} | "
            f"{f1:.1%} | " + " | ".join(f"{x:.1%}" for x in typed) + " |",
            flush=True,
        )
        if name == "trained":
            # One development document shares its title with this test document.
            rest = [pair for pair in pairs if pair[0].id != "16034922"]
            everything = scores(rest, lambda m: (m.start, m.end, m.type))[2]
            print(f"    without document 16034922: F1 with types {everything:.2%}")
    for name in list(makers)[:2]:
        print(f"{name} / PhraseMatcher, documents/s: {rates[name] / rates['PhraseMatcher']:.2f}")


def scores(
    pairs: Sequence[tuple[Document, Document]],
    key: Callable[[Mention], object],
    kind: str | None = None,
) -> tuple[float, float, float]:
    """Return precision, recall and F1 of mentions that a key identifies, of one type or of all."""
    right = predicted = gold = 0
    for document, result in pairs:
        wanted = {key(m) for m in document.mentions if kind in (None, m.type)}
        guessed = {key(m) for m in result.mentions if kind in (None, m.type)}
        right, predicted, gold = (
            right + len(wanted & guessed),
            predicted + len(guessed),
            gold + len(wanted),
        )
    return (
        right / max(1, predicted),
        right / max(1, gold),
        2 * right / max(1, predicted + gold),
    )


if __name__ == "__main__":
    main()
