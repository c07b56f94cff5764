"""Train the recogniser further, after ``recogniser.py``, and write it beside the model.

    python examples/default_model/recogniser_further.py --data ../shared/data \\
        --out build/recogniser --target biolink/embedded [--bf16]

It reads the development documents of BC5CDR and of the NCBI disease corpus as well. If it is run
again after an interruption, it continues.
"""

from __future__ import annotations

import argparse
import logging
import random
from dataclasses import replace
from pathlib import Path

from recogniser import BATCH, dictionaries_of, drawn
from recogniser_corpora import Corpus, development_sets, training_corpora

from biolink.documents import Document
from biolink.finetune.tagging import Tagged, recogniser_optimisation, tagged, train_tagger
from biolink.infer.mentions.recognise import DictionaryRecogniser
from biolink.infer.mentions.tagger import Tagger
from biolink.infer.network.model import load_model
from biolink.infer.seen_documents import write_seen_documents
from biolink.kb.model_files import TAGGER
from biolink.kb.model_folder import renew_seal
from biolink.kb.types import KINDS

#: The corpora whose development documents are read, each twice. BioRED's are not among
#: them: some are test documents of other corpora.
DEVELOPMENT = ("BC5CDR", "NCBI disease")


STEPS, LR = 160, 1e-4
#: The seed with which documents are drawn.
SEED = 2
#: The share of the training documents of each corpus that is read.
SHARES = {
    "BC5CDR": 1, "NCBI disease": 1, "BioRED": 1, "tmVar 3": 0.3, "NLM-Gene": 0.25,
    "GNormPlus": 0.25, "S800": 0.15, "LINNAEUS": 0.05, "BioID": 0.1,
    "BioID without cell lines": 0.02, "NLM-Chem": 0.05, "MedMentions": 0.05, "CRAFT": 0.05,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true", help="bfloat16, for CPUs that multiply it")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    folder: Path = arguments.target / "model"
    model = load_model(folder, arguments.device)
    network = model.backbone.model.float()
    kinds, kb = arguments.target / "kinds", arguments.target / "kb"
    dictionaries = dictionaries_of(model, kb, kinds, kinds, arguments.data)
    tagger = Tagger.load(arguments.out / TAGGER, network)
    training = training_corpora(arguments.data, dictionaries[0])
    corpora = [(corpus, SHARES[corpus.name]) for corpus in training]
    of_sets = [corpus for corpus in development_sets(arguments.data) if corpus.name in DEVELOPMENT]
    corpora += [(corpus, 2) for corpus in of_sets]
    rng = random.Random(SEED)
    texts: list[Tagged] = []
    seen: list[Document] = []
    for corpus, times in corpora:
        documents = [d for d in corpus.documents if times >= 1 or rng.random() < times]
        of_corpus = _texts(replace(corpus, documents=documents), model.tokenizer, dictionaries)
        texts += drawn(of_corpus, max(1, times), rng)
        seen += documents
    optimisation = recogniser_optimisation(STEPS, BATCH, LR, 0, arguments.device)
    if arguments.bf16:
        optimisation = replace(optimisation, precision="bf16")
    tagger = train_tagger(
        network, texts, arguments.out / "further", optimisation, types=KINDS, start=tagger,
        report=lambda record: logging.info("%s", record),
    )  # fmt: skip
    tagger.save(folder / TAGGER)
    renew_seal(folder / TAGGER)
    write_seen_documents(folder, seen)


def _texts(
    corpus: Corpus, tokenizer: object, dictionaries: list[DictionaryRecogniser]
) -> list[Tagged]:
    return tagged(
        corpus.documents, corpus.marked, tokenizer, dictionaries, KINDS,
        concepts=corpus.concepts, unsure=corpus.unsure,
    )  # fmt: skip


if __name__ == "__main__":
    main()
