"""Train the embedded recogniser and decoder so that a document is encoded only once for both.

    python examples/default_model/reading.py --data ../shared/data --out build/reading \
        --target biolink/embedded [--bf16]

The program starts from the recogniser and the model of TARGET and writes the new ones there; run
``refit.py`` afterwards. The linking model's encoder stays as it is. If the program is run again
after an interruption, it continues.
"""

from __future__ import annotations

import argparse
import logging
import random
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch
from recogniser import dictionaries_of, drawn
from recogniser_corpora import training_corpora
from safetensors.torch import save
from train import ABSTRACTS as EVERY_ABSTRACT
from train import whole_texts

from biolink.documents import Document
from biolink.finetune.reading.stage import reading_optimisation, reading_tagger
from biolink.finetune.reading.texts import NameTable, ReadText, read_texts
from biolink.finetune.reading.training import ReadingModule, train_reading
from biolink.finetune.tagging import tagged
from biolink.infer.linkers.mention_linker import Linker
from biolink.infer.mentions.recognise import DictionaryRecogniser, TrainedRecogniser
from biolink.infer.mentions.shared_reader import SharedReader
from biolink.infer.mentions.tagger import Tagger
from biolink.infer.mentions.word_pieces import pieces_of
from biolink.infer.network.model import LinkingModel, load_model
from biolink.kb.model_files import TAGGER, WEIGHTS
from biolink.kb.model_folder import seal_model, settings_of, write_settings
from biolink.kb.model_loading import tensors_of
from biolink.kb.types import KINDS, type_name

STEPS = 600
#: The corpora whose diseases and chemicals are linked.
LINKED = ("BioRED", "BC5CDR", "NCBI disease", "NLM-Chem")
#: The number of PubMed abstracts whose links by the present model count as gold if it is sure.
ABSTRACTS = 4000


def abstracts(data: Path, count: int) -> list[Document]:
    """Return PubMed abstracts, none of which is in a test set."""
    every = list(islice(whole_texts(data), EVERY_ABSTRACT))
    random.Random(5).shuffle(every)
    return [Document("", text) for text in every[:count]]


def linked_only(documents: list[Document]) -> list[Document]:
    """Return documents with their diseases and chemicals alone."""
    return [
        d.with_mentions(m for m in d.mentions if type_name(m.type) in ("disease", "chemical"))
        for d in documents
    ]


def texts(
    model: LinkingModel,
    tagger: Tagger,
    dictionaries: list[DictionaryRecogniser],
    data: Path,
    count: int,
) -> tuple[NameTable, list[ReadText], list[ReadText]]:
    """Return the names, the annotated texts as often as they are read, and the abstracts."""
    main, *further = dictionaries
    linker = Linker(model, main.kb)
    names = NameTable(linker)
    rng = random.Random(0)
    annotated: list[ReadText] = []
    for corpus in training_corpora(data, main):
        of_corpus = tagged(
            corpus.documents, corpus.marked, model.tokenizer, dictionaries, KINDS,
            concepts=corpus.concepts, unsure=corpus.unsure,
        )  # fmt: skip
        read = [ReadText.of(text) for text in of_corpus]
        if corpus.name in LINKED:
            read = read_texts(linker, names, linked_only(corpus.documents), of_corpus)
        mentions = {id(text.pieces.ids): text.mentions for text in read}
        for text in drawn(of_corpus, corpus.times, rng):
            known = mentions[id(text.pieces.ids)]
            annotated.append(ReadText(text.pieces, text.allowed, known))
        logging.info("%s: %d texts", corpus.name, len(of_corpus))
    recogniser = TrainedRecogniser(
        SharedReader(tagger, model.tokenizer, dictionaries), main, None, further
    )
    found = linked_only(recogniser.recognise_batch(abstracts(data, count)))
    pieces = [pieces_of(d, model.tokenizer, dictionaries, KINDS) for d in found]
    return names, annotated, read_texts(linker, names, found, pieces)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    parser.add_argument("--bf16", action="store_true", help="bfloat16, for CPUs that multiply it")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--abstracts", type=int, default=ABSTRACTS)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    folder: Path = arguments.target / "model"
    model = load_model(folder)
    network = model.backbone.model.float()
    kinds = arguments.target / "kinds"
    dictionaries = dictionaries_of(model, arguments.target / "kb", kinds, kinds, arguments.data)
    start = Tagger.load(folder / TAGGER, network)
    names, annotated, plain = texts(model, start, dictionaries, arguments.data, arguments.abstracts)
    torch.manual_seed(0)
    tagger = reading_tagger(start, network)
    optimisation = reading_optimisation(arguments.steps, 0, "bf16" if arguments.bf16 else "fp32")
    train_reading(
        ReadingModule(tagger, network), names, annotated, plain, arguments.out / "run",
        optimisation, report=lambda record: logging.info("%s", record),
    )  # fmt: skip
    write(tagger, network, folder)


def write(tagger: Tagger, network: torch.nn.Module, folder: Path) -> None:
    """Write the new weights into the folder of the model that they started from."""
    state = network.state_dict()
    stored = {
        name: state[name].to(tensor.dtype).contiguous()
        for name, tensor in tensors_of(folder / WEIGHTS).items()
    }
    (folder / WEIGHTS).write_bytes(save(stored, metadata={"format": "pt"}))
    tagger.save(folder / TAGGER)
    settings = settings_of(folder)
    prompt = replace(settings.prompt, reading="shared")
    write_settings(folder, replace(settings, prompt=prompt))
    seal_model(folder)


if __name__ == "__main__":
    main()
