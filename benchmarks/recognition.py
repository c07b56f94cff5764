"""Dictionary recognition: the marisa-trie of the knowledge base against spaCy's PhraseMatcher.

    python benchmarks/recognition.py --data ../shared/data

Speed on the BC5CDR development documents, start-up, and how many gold spans each finds.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import spacy
from spacy.matcher import PhraseMatcher
from spacy.util import filter_spans

import biolink
from biolink import DictionaryRecogniser, Document, Mention
from biolink.formats import pubtator
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
    parser.add_argument("--documents", type=int, default=200)
    arguments = parser.parse_args()
    file = arguments.data / "corpora/bc5cdr/CDR_DevelopmentSet.PubTator.txt.gz"
    documents = list(pubtator.read(file))[: arguments.documents]
    kb = biolink.KnowledgeBase.open(EMBEDDED / "kb")
    stops = json.loads((EMBEDDED / "model" / "stop_names.json").read_text(encoding="utf-8"))
    makers = {
        "marisa-trie": lambda: DictionaryRecogniser(kb, stops),
        "PhraseMatcher": lambda: phrase_matcher(kb, set(stops)),
    }
    print("| side | start-up, s | documents/s | precision | recall | F1 |")
    print("| --- | --- | --- | --- | --- | --- |")
    rates = {}
    for name, make in makers.items():
        began = time.perf_counter()
        recognise = make()
        recognise(documents[0])
        start_up = time.perf_counter() - began
        began = time.perf_counter()
        found = [recognise(document) for document in documents]
        rates[name] = len(documents) / (time.perf_counter() - began)
        right = predicted = gold = 0
        for document, result in zip(documents, found, strict=True):
            wanted = {(m.start, m.end) for m in document.mentions}
            spans = {(m.start, m.end) for m in result.mentions}
            right += len(wanted & spans)
            predicted += len(spans)
            gold += len(wanted)
        precision, recall = right / predicted, right / gold
        f1 = 2 * precision * recall / (precision + recall)
        print(
            f"| {name} | {start_up:.2f} | {rates[name]:.0f} | {precision:.1%} | {recall:.1%} | "
            f"{f1:.1%} |"
        )
    print(f"ratio of documents/s: {rates['marisa-trie'] / rates['PhraseMatcher']:.2f}")


if __name__ == "__main__":
    main()
