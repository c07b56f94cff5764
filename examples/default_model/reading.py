"""Train the vectors that the embedded linker reads from the encoder of the embedded recogniser.

    python examples/default_model/reading.py --data ../shared/data --out build/reading \
        --target biolink/embedded

The program writes the new layer into the recogniser of TARGET; run ``refit.py`` afterwards. The
recogniser finds the same mentions as before, and the linking model stays as it is. If the program
is run again after an interruption, it continues.
"""

from __future__ import annotations

import argparse
import logging
import random
from dataclasses import replace
from pathlib import Path

import torch
from recogniser import dictionaries_of
from recogniser_corpora import training_corpora

from biolink.documents import Document, Mention
from biolink.finetune.reading.stage import reading_optimisation, reading_tagger
from biolink.finetune.reading.texts import NameTable, ReadText, read_texts
from biolink.finetune.reading.training import Mixture, ReadingModule, train_reading
from biolink.finetune.tagging import tagged
from biolink.infer.linkers.mention_linker import Linker
from biolink.infer.mentions.recognise import DictionaryRecogniser
from biolink.infer.mentions.tagger import Tagger
from biolink.infer.mentions.word_pieces import pieces_of
from biolink.infer.network.model import LinkingModel, load_model
from biolink.kb import KnowledgeBase
from biolink.kb.model_files import TAGGER
from biolink.kb.model_folder import seal_model, settings_of, write_settings
from biolink.kb.prompt import ByRecogniser
from biolink.kb.types import KINDS, type_name

STEPS = 1500
#: The corpora whose diseases and chemicals are linked, and how often their documents are read.
LINKED = {"BioRED": 3, "BC5CDR": 3, "NCBI disease": 3, "NLM-Chem": 1}
#: The number of synonyms that are read as whole texts, as ``biolink link`` may be given them.
SYNONYMS = 2000
READING: ByRecogniser = "staged"
#: The recogniser is not trained (``lr=0``).
MIXTURE = Mixture(annotated=16, plain=6, lr=0.0)


def synonyms(kb: KnowledgeBase, count: int) -> list[Document]:
    """Return synonyms of concepts with several names, each as a text and its only mention."""
    rng = random.Random(5)
    concepts = [concept for concept in kb if concept.synonyms]
    documents = []
    for concept in rng.sample(concepts, count):
        name = rng.choice(concept.synonyms)
        mention = Mention(0, len(name), name, concept_ids=(concept.id,))
        documents.append(Document(concept.id, name, mentions=(mention,)))
    return documents


def linked_only(documents: list[Document]) -> list[Document]:
    """Return documents with their diseases and chemicals alone."""
    return [
        d.with_mentions(m for m in d.mentions if type_name(m.type) in ("disease", "chemical"))
        for d in documents
    ]


def texts(
    model: LinkingModel, dictionaries: list[DictionaryRecogniser], data: Path
) -> tuple[NameTable, list[ReadText], list[ReadText]]:
    """Return the names, the annotated texts as often as they are read, and the synonyms."""
    main, *_ = dictionaries
    linker = Linker(model, main.kb)
    names = NameTable(linker)
    annotated: list[ReadText] = []
    for corpus in training_corpora(data, main):
        if corpus.name in LINKED:
            of_corpus = tagged(
                corpus.documents, corpus.marked, model.tokenizer, dictionaries, KINDS
            )
            read = read_texts(linker, names, linked_only(corpus.documents), of_corpus)
            annotated += read * LINKED[corpus.name]
            logging.info("%s: %d texts", corpus.name, len(read))
    alone = synonyms(main.kb, SYNONYMS)
    pieces = [pieces_of(d, model.tokenizer, dictionaries, KINDS) for d in alone]
    return names, annotated, read_texts(linker, names, alone, pieces)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    folder: Path = arguments.target / "model"
    model = load_model(folder)
    network = model.backbone.model.float()
    kinds = arguments.target / "kinds"
    dictionaries = dictionaries_of(model, arguments.target / "kb", kinds, kinds, arguments.data)
    names, annotated, alone = texts(model, dictionaries, arguments.data)
    torch.manual_seed(0)
    tagger = reading_tagger(Tagger.load(folder / TAGGER, network), network, READING)
    train_reading(
        ReadingModule(tagger, network, MIXTURE), names, annotated, alone, arguments.out / "run",
        reading_optimisation(arguments.steps, 0), lambda record: logging.info("%s", record),
    )  # fmt: skip
    tagger.save(folder / TAGGER)
    settings = settings_of(folder)
    prompt = replace(settings.prompt, reading=READING)
    write_settings(folder, replace(settings, prompt=prompt))
    seal_model(folder)


if __name__ == "__main__":
    main()
