"""Measure what further occurrences of found names add, in full texts and in abstracts.

    python benchmarks/full_text.py --data ../shared/data [--documents 12]

The documents are training documents of NLM-Chem, of which the embedded recogniser was not trained
on those that are taken here, and development documents of BioRED. Only chemicals are compared.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from itertools import islice
from pathlib import Path

import biolink
from biolink.documents import Document
from biolink.infer.mentions import recognise
from biolink.infer.mentions.abbreviations import find_abbreviations
from biolink.infer.mentions.full_text import every_occurrence
from biolink.infer.mentions.recognise import TrainedRecogniser
from biolink.kb.types import kind_of


def held_out(document: Document) -> bool:
    """Whether the recogniser was not trained on a document of NLM-Chem."""
    return zlib.crc32(document.id.encode()) % 10 == 0


def spans(document: Document) -> set[tuple[int, int]]:
    return {(m.start, m.end) for m in document.mentions if kind_of(m.type) in ("Chemical", "")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=12)
    arguments = parser.parse_args()
    corpora = arguments.data / "corpora"
    linker = biolink.load(types="Chemical")
    assert isinstance(linker.recogniser, TrainedRecogniser)
    full = filter(held_out, biolink.read(corpora / "nlm_chem/nlm_chem_traindev.bioc.xml.gz"))
    sets = {
        "NLM-Chem": list(islice(full, arguments.documents)),
        "BioRED development": list(biolink.read(corpora / "biored/BioRED_Dev.PubTator.gz")),
    }
    print("| documents | mentions | P | R | F1 |\n| --- | --- | --- | --- | --- |")
    for name, documents in sets.items():
        recognise.FULL_TEXT = sys.maxsize
        found = linker.recogniser.recognise_batch(documents)
        more = [
            document.with_mentions(
                every_occurrence(document, document.mentions, find_abbreviations)
            )
            for document in found
        ]
        for label, side in (("as found", found), ("every occurrence", more)):
            right = sum(
                len(spans(gold) & spans(guess)) for gold, guess in zip(documents, side, strict=True)
            )
            annotated, guessed = (sum(len(spans(d)) for d in docs) for docs in (documents, side))
            f1 = 2 * right / max(1, annotated + guessed)
            print(
                f"| {len(documents)} of {name} | {label} | {right / max(1, guessed):.1%} | "
                f"{right / max(1, annotated):.1%} | {f1:.1%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
