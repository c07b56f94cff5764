"""Train the recogniser further, after ``recogniser.py``, and write it beside the model.

    python examples/default_model/recogniser_further.py --data ../shared/data \\
        --out build/recogniser --target biolink/embedded [--bf16]

The first run reads more of BC5CDR and of the NCBI disease corpus than ``recogniser.py``, the second
reads their development documents as well. If it is run again after an interruption, it continues.
"""

from __future__ import annotations

import argparse
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
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

#: The corpora whose development documents the second run reads, each twice. BioRED's are not among
#: them: some are test documents of other corpora.
DEVELOPMENT = ("BC5CDR", "NCBI disease")


@dataclass(frozen=True, slots=True)
class Run:
    """A run of the training.

    Attributes
    ----------
    steps, lr, seed
        Its length and speed, and the seed with which documents are drawn.
    times
        How often the documents of each corpus are read; below 1, the share of documents read.
    development
        Whether the development documents are read, too.
    """

    steps: int
    lr: float
    seed: int
    times: Mapping[str, float]
    development: bool


RUNS = {
    "closer": Run(
        340,
        2e-4,
        1,
        {
            "BC5CDR": 8, "NCBI disease": 4, "BioRED": 3, "tmVar 3": 1, "NLM-Gene": 0.5,
            "GNormPlus": 0.5, "S800": 0.3, "LINNAEUS": 0.1, "BioID": 0.3,
            "BioID without cell lines": 0.05, "NLM-Chem": 0.1, "MedMentions": 0.1, "CRAFT": 0.1,
        },
        False,
    ),
    "last": Run(
        160,
        1.5e-4,
        2,
        {
            "BC5CDR": 1, "NCBI disease": 1, "BioRED": 1, "tmVar 3": 0.3, "NLM-Gene": 0.25,
            "GNormPlus": 0.25, "S800": 0.15, "LINNAEUS": 0.05, "BioID": 0.1,
            "BioID without cell lines": 0.02, "NLM-Chem": 0.05, "MedMentions": 0.05, "CRAFT": 0.05,
        },
        True,
    ),
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
    seen: list[Document] = []
    for name, run in RUNS.items():
        corpora = [
            (corpus, run.times[corpus.name])
            for corpus in training_corpora(arguments.data, dictionaries[0])
        ]
        if run.development:
            of_sets = [c for c in development_sets(arguments.data) if c.name in DEVELOPMENT]
            corpora += [(corpus, 2) for corpus in of_sets]
        rng = random.Random(run.seed)
        texts: list[Tagged] = []
        for corpus, times in corpora:
            documents = [d for d in corpus.documents if times >= 1 or rng.random() < times]
            texts += drawn(
                _texts(replace(corpus, documents=documents), model.tokenizer, dictionaries),
                max(1, times),
                rng,
            )
            seen += documents
        optimisation = recogniser_optimisation(run.steps, BATCH, run.lr, 0, arguments.device)
        if arguments.bf16:
            optimisation = replace(optimisation, precision="bf16")
        tagger = train_tagger(
            network, texts, arguments.out / name, optimisation, types=KINDS, start=tagger,
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
