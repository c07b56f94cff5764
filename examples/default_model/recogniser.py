"""Train the embedded recogniser on the shipped model's encoder.

    python examples/default_model/recogniser.py --data ../shared/data --out build/recogniser \
        --bases build/kinds --model biolink/embedded/model --kb biolink/embedded/kb [--bf16]

The program prints precision, recall and F1 by kind on the development documents for a recogniser
that was trained without them, beside those of the dictionaries alone. The recogniser that it writes
to ``OUT/tagger.safetensors`` was then trained on them as well, for a few more steps. If the program
is run again after an interruption, it continues.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fitting import stop_names
from recogniser_corpora import Corpus, development_sets, final_documents, training_corpora

from biolink.documents import Document
from biolink.finetune.tagging import Tagged, recogniser_optimisation, tagged, train_tagger
from biolink.infer.mentions.recognise import DictionaryRecogniser
from biolink.infer.mentions.tagger import Tagger
from biolink.infer.network.model import LinkingModel, load_model
from biolink.kb import KnowledgeBase
from biolink.kb.model_files import TAGGER, stop_names_of
from biolink.kb.types import KINDS

#: The bases of further kinds, each with a dictionary of its own.
BASES = {"Gene": "genes.kb", "Species": "species.kb", "CellLine": "cell_lines.kb"}
STEPS, LR = 1000, 3e-4
#: The last steps, with the development documents: their number and learning rate, how often each
#: development document is read, and the share of the other texts that is read beside them.
LAST_STEPS, LAST_LR, LAST_TIMES, LAST_SHARE = 150, 1e-4, 2, 0.05
#: The shares of texts that are read with the dictionary of diseases and chemicals alone, and with
#: none: the dictionaries of further kinds, and those of another base, are not always there.
WITH_ONE, WITH_NONE = 0.25, 0.15
BATCH = 32


def dictionaries_of(
    model: LinkingModel, embedded: Path, bases: Path, out: Path, data: Path
) -> list[DictionaryRecogniser]:
    """Return the dictionaries of all bases, without the names that are usually ordinary words."""
    main = DictionaryRecogniser(KnowledgeBase.open(embedded), stop_names_of(model.folder))
    file = out / "stop_names.json"
    if not file.exists():
        corpora = training_corpora(data, main)
        learned = {}
        for kind, name in BASES.items():
            of_kind = [c.documents for c in corpora if kind in c.marked]
            wanted = [
                [d.with_mentions(m for m in d.mentions if m.type == kind) for d in documents]
                for documents in of_kind
            ]
            learned[kind] = stop_names(wanted, KnowledgeBase.open(bases / name))
        file.write_text(json.dumps(learned, indent=0), encoding="utf-8")
    stops = json.loads(file.read_text(encoding="utf-8"))
    return [
        main,
        *(DictionaryRecogniser(KnowledgeBase.open(bases / BASES[k]), stops[k]) for k in BASES),
    ]


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


def measured(
    found: Sequence[Document], gold: Sequence[Document], kinds: Sequence[str]
) -> dict[str, tuple[float, float, float]]:
    """Return precision, recall and F1 of exact spans by kind, and of all kinds together."""
    result = {}
    for name, wanted in (*((kind, (kind,)) for kind in kinds), ("all", kinds)):
        right = guessed = marked = 0
        for one, other in zip(found, gold, strict=True):
            spans = {(m.start, m.end, m.type) for m in one.mentions if m.type in wanted}
            truth = {(m.start, m.end, m.type) for m in other.mentions if m.type in wanted}
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
    for name, (documents, kinds) in development_sets(data).items():
        by_words = [
            document.with_mentions(m for d in dictionaries for m in d(document).mentions)
            for document in documents
        ]
        sides = [
            measured(found, documents, kinds)
            for found in (
                by_words,
                tagger.recognise(documents, model.tokenizer, dictionaries),
                tagger.recognise(documents, model.tokenizer, dictionaries[:1]),
            )
        ]
        for kind in sides[0]:
            cells = ["{:.1%} / {:.1%} / {:.1%}".format(*side[kind]) for side in sides]
            print(f"| {name} ({len(documents)}) | {kind} |", " | ".join(cells), "|", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--bases", type=Path, required=True, help="the bases of further kinds")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--kb", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true", help="bfloat16, for CPUs that multiply it")
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    model = load_model(arguments.model, arguments.device)
    network = model.backbone.model.float()
    dictionaries = dictionaries_of(model, arguments.kb, arguments.bases, out, arguments.data)

    def texts_of(corpus: Corpus) -> list[Tagged]:
        return tagged(
            corpus.documents, corpus.marked, model.tokenizer, dictionaries, KINDS,
            concepts=corpus.concepts, unsure=corpus.unsure,
        )  # fmt: skip

    rng = random.Random(0)
    everything: list[Tagged] = []
    for corpus in training_corpora(arguments.data, dictionaries[0]):
        texts = drawn(texts_of(corpus), corpus.times, rng)
        everything += texts
        size = sum(len(text.pieces.ids) for text in texts)
        logging.info("%s: %d texts, %d word pieces", corpus.name, len(texts), size)
    last = drawn(everything, LAST_SHARE, rng)
    for documents, kinds in final_documents(arguments.data):
        last += drawn(texts_of(Corpus("", documents, kinds, LAST_TIMES)), LAST_TIMES, rng)

    def trained(
        name: str, texts: Sequence[Tagged], steps: int, lr: float, start: Tagger | None = None
    ) -> Tagger:
        optimisation = recogniser_optimisation(steps, BATCH, lr, 0, arguments.device)
        if arguments.bf16:
            optimisation = replace(optimisation, precision="bf16")
        return train_tagger(
            network, texts, out / name, optimisation, types=KINDS, start=start,
            report=lambda record: logging.info("%s", record),
        )  # fmt: skip

    tagger = trained("measured", everything, arguments.steps, LR)
    tagger.save(out / f"measured-{TAGGER}")
    report(tagger, model, dictionaries, arguments.data)
    trained("last", last, LAST_STEPS, LAST_LR, tagger).save(out / TAGGER)


if __name__ == "__main__":
    main()
