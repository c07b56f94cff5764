"""Train the embedded recogniser on the shipped model's encoder.

    python examples/default_model/recogniser.py --data ../shared/data --out build/recogniser \
        --bases build/kinds --target biolink/embedded [--bf16]

The recogniser is written beside the model of TARGET, and to OUT. The program prints its precision,
recall and F1 by kind on the development documents, which it was trained without, beside those of
the dictionaries alone. The names that the dictionaries of BASES leave out are written to OUT, and
beside the bases of TARGET. If the program is run again after an interruption, it continues.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fitting import stop_names
from recogniser_corpora import Corpus, development_sets, training_corpora

from biolink.documents import Document
from biolink.finetune.tagging import Tagged, recogniser_optimisation, tagged, train_tagger
from biolink.infer.mentions.recognise import DictionaryRecogniser, TrainedRecogniser
from biolink.infer.mentions.shared_reader import SharedReader
from biolink.infer.mentions.tagger import Tagger
from biolink.infer.network.model import LinkingModel, load_model
from biolink.infer.seen_documents import write_seen_documents
from biolink.kb import KnowledgeBase
from biolink.kb.model_files import STOP_NAMES, TAGGER, stop_names_of
from biolink.kb.model_folder import renew_seal
from biolink.kb.types import KINDS
from biolink.kinds import NAMED_KINDS

STEPS, LR = 2000, 3e-4
#: The shares of texts that are read with the dictionary of diseases and chemicals alone, and with
#: none: the dictionaries of further kinds, and those of another base, are not always there.
WITH_ONE, WITH_NONE = 0.25, 0.15
BATCH = 32


def dictionaries_of(
    model: LinkingModel, embedded: Path, bases: Path, out: Path, data: Path
) -> list[DictionaryRecogniser]:
    """Return the dictionaries of all bases, without the names that are usually ordinary words.

    These names are learned from the training documents and kept in ``out``.
    """
    dictionaries = [DictionaryRecogniser(KnowledgeBase.open(embedded), stop_names_of(model.folder))]
    corpora: list[Corpus] = []
    for kind, name in NAMED_KINDS.items():
        kb = KnowledgeBase.open(bases / f"{name}.kb")
        file = out / f"{name}_{STOP_NAMES}"
        if not file.exists():
            corpora = corpora or training_corpora(data, dictionaries[0])
            of_kind = [
                [d.with_mentions(m for m in d.mentions if m.type == kind) for d in c.documents]
                for c in corpora
                if kind in c.marked
            ]
            file.write_text(json.dumps(stop_names(of_kind, kb), indent=0), encoding="utf-8")
        dictionaries.append(DictionaryRecogniser(kb, stop_names_of(out, file.name)))
    return dictionaries


def drawn(texts: Sequence[Tagged], times: float, rng: random.Random) -> list[Tagged]:
    """Return texts as often as they are read, some of them without dictionaries."""
    whole, rest = divmod(times, 1)
    copies = [text for text in texts for _ in range(int(whole) + (rng.random() < rest))]
    result = []
    for text in copies:
        number = rng.random()
        if number < WITH_NONE:
            columns = 0
        elif number < WITH_NONE + WITH_ONE:
            columns = 1
        else:
            columns = text.pieces.covered.shape[1]
        covered = text.pieces.covered[:, :columns]
        result.append(replace(text, pieces=replace(text.pieces, covered=covered)))
    return result


def measured(found: Sequence[Document], gold: Corpus) -> dict[str, tuple[float, float, float]]:
    """Return precision, recall and F1 of exact spans by kind, and of all kinds together.

    Spans that the corpus may have left unmarked do not count if they are not marked.
    """
    result = {}
    for name, wanted in (*((kind, (kind,)) for kind in gold.marked), ("all", gold.marked)):
        right = guessed = marked = 0
        for one, other in zip(found, gold.documents, strict=True):
            truth = {(m.start, m.end, m.type) for m in other.mentions if m.type in wanted}
            spans = {(m.start, m.end, m.type) for m in one.mentions if m.type in wanted}
            spans -= set(gold.unsure(other)) - truth
            right += len(spans & truth)
            guessed += len(spans)
            marked += len(truth)
        f1 = 2 * right / max(1, guessed + marked)
        result[name] = (right / max(1, guessed), right / max(1, marked), f1)
    return result


def report(
    tagger: Tagger, model: LinkingModel, dictionaries: Sequence[DictionaryRecogniser], data: Path
) -> None:
    """Print a table for the development documents of each corpus."""
    print("| documents | kind | dictionary | recogniser | without further dictionaries |")
    print("| --- | --- | --- | --- | --- |")
    main, *further = dictionaries
    recogniser = TrainedRecogniser(
        SharedReader(tagger, model.tokenizer, dictionaries), main, None, further
    )
    fewer = TrainedRecogniser(SharedReader(tagger, model.tokenizer, [main]), main)
    for corpus in development_sets(data):
        by_words = [
            document.with_mentions(m for d in dictionaries for m in d(document).mentions)
            for document in corpus.documents
        ]
        sides = [
            measured(found, corpus)
            for found in (
                by_words,
                recogniser.recognise_batch(corpus.documents),
                fewer.recognise_batch(corpus.documents),
            )
        ]
        for kind in sides[0]:
            cells = ["{:.1%} / {:.1%} / {:.1%}".format(*side[kind]) for side in sides]
            title = f"{corpus.name} ({len(corpus.documents)})"
            print(f"| {title} | {kind} |", " | ".join(cells), "|", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--bases", type=Path, required=True, help="the bases of further kinds")
    parser.add_argument("--target", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true", help="bfloat16, for CPUs that multiply it")
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    target: Path = arguments.target
    model = load_model(target / "model", arguments.device)
    network = model.backbone.model.float()
    dictionaries = dictionaries_of(model, target / "kb", arguments.bases, out, arguments.data)

    def texts_of(corpus: Corpus) -> list[Tagged]:
        return tagged(
            corpus.documents, corpus.marked, model.tokenizer, dictionaries, KINDS,
            concepts=corpus.concepts, unsure=corpus.unsure,
        )  # fmt: skip

    rng = random.Random(0)
    everything: list[Tagged] = []
    seen: list[Document] = []
    for corpus in training_corpora(arguments.data, dictionaries[0]):
        texts = drawn(texts_of(corpus), corpus.times, rng)
        everything += texts
        seen += corpus.documents
        size = sum(len(text.pieces.ids) for text in texts)
        logging.info("%s: %d texts, %d word pieces", corpus.name, len(texts), size)
    optimisation = recogniser_optimisation(arguments.steps, BATCH, LR, 0, arguments.device)
    if arguments.bf16:
        optimisation = replace(optimisation, precision="bf16")
    tagger = train_tagger(
        network, everything, out / "run", optimisation, types=KINDS,
        report=lambda record: logging.info("%s", record),
    )  # fmt: skip
    tagger.save(out / TAGGER)
    shutil.copy(out / TAGGER, target / "model" / TAGGER)
    renew_seal(target / "model" / TAGGER)
    write_seen_documents(target / "model", seen)
    for name in NAMED_KINDS.values():
        shutil.copy(out / f"{name}_{STOP_NAMES}", target / "kinds")
    report(tagger, model, dictionaries, arguments.data)


if __name__ == "__main__":
    main()
