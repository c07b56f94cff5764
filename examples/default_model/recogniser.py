"""Train the embedded recogniser on the shipped model's encoder, and write it beside the model.

    python examples/default_model/recogniser.py --data ../shared/data --out build/default \
        --target biolink/embedded [--device cuda]

The program prints precision, recall and F1 on the development documents for a recogniser that was
trained without them; the recogniser that it writes was trained on them as well. If it is run again
after an interruption, it continues.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from corpora import FURTHER, MAIN, development_documents, training_documents
from transformers import AutoTokenizer, BartForConditionalGeneration

from biolink.documents import Document
from biolink.finetune.tagging import Tagged, recogniser_optimisation, tagged, train_tagger
from biolink.infer.mentions.recognise import DictionaryRecogniser
from biolink.infer.mentions.tagger import TYPES, Tagger
from biolink.infer.network.model import load_model
from biolink.kb import KnowledgeBase
from biolink.kb.model_files import TAGGER, stop_names_of
from biolink.kb.model_folder import renew_seal
from biolink.kb.types import type_name

BOTH, DISEASES = TYPES, TYPES[:1]
STEPS = 1100
LR = 3e-4


def scores(found: Sequence[Document], gold: Sequence[Document]) -> str:
    """Return precision, recall and F1 of spans with their types."""
    right = guessed = wanted = 0
    for one, other in zip(found, gold, strict=True):
        spans = {(m.start, m.end, type_name(m.type)) for m in one.mentions}
        truth = {(m.start, m.end, type_name(m.type)) for m in other.mentions}
        right, guessed, wanted = (
            right + len(spans & truth),
            guessed + len(spans),
            wanted + len(truth),
        )
    precision, recall = right / max(1, guessed), right / max(1, wanted)
    return f"P {precision:.1%} R {recall:.1%} F1 {2 * right / max(1, guessed + wanted):.1%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    model = BartForConditionalGeneration.from_pretrained(arguments.out / "finished").float()
    model.to(arguments.device)
    tokenizer = AutoTokenizer.from_pretrained(arguments.out / "finished")
    folder = arguments.target / "model"
    stops = stop_names_of(load_model(folder).folder)
    dictionary = DictionaryRecogniser(KnowledgeBase.open(arguments.target / "kb"), stops)
    ncbi, cdr, *further = training_documents(arguments.data)
    biored = [
        d for name, docs in zip(FURTHER, further, strict=True) if "BioRED" in name for d in docs
    ]
    ncbi_dev, cdr_dev = development_documents(arguments.data)
    assert len(MAIN) == 2

    def texts(*parts: tuple[Sequence[Document], Sequence[str]]) -> list[Tagged]:
        return [
            text
            for documents, marked in parts
            for text in tagged(documents, marked, tokenizer, dictionary)
        ]

    # BC5CDR counts twice, since the recogniser should follow its annotation.
    training = texts((cdr, BOTH), (cdr, BOTH), (ncbi, DISEASES), (biored, BOTH))
    held_out = texts((cdr_dev, BOTH), (ncbi_dev, DISEASES))

    def trained(name: str, drawn: Sequence[Tagged], steps: int) -> Tagger:
        optimisation = recogniser_optimisation(steps, 32, LR, 0, arguments.device)
        return train_tagger(model, drawn, arguments.out / "run" / name, optimisation)

    tagger = trained("recogniser-measured", training, arguments.steps)
    for name, documents in (("BC5CDR", cdr_dev), ("NCBI disease", ncbi_dev)):
        found = tagger.recognise(documents, tokenizer, dictionary)
        if name.startswith("NCBI"):
            found = [d.with_mentions(m for m in d.mentions if m.type == "Disease") for d in found]
        print(name, "development:", scores(found, documents), flush=True)
    steps = round(1.3 * arguments.steps)
    trained("recogniser", [*training, *held_out], steps).save(folder / TAGGER)
    renew_seal(folder / TAGGER)


if __name__ == "__main__":
    main()
