"""Measure the value of each training stage and choice of the default by short trainings.

    python examples/default_model/train.py --prepare ...   (see examples/default_model/make.sh)
    python benchmarks/ablation.py --data ../shared/data --out build/default --device cuda

Every row is a separate training in which one thing is changed. All trainings start from the same
model and use the stages below, which are far shorter than those of the default. The score is the
Recall@1 of beam search over all names of the embedded knowledge base, on the mentions of
development documents that have a gold concept in it, with a 95 % bootstrap interval over documents.
"""

from __future__ import annotations

import argparse
import copy
import random
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "default_model"))

from corpora import DEVELOPMENT, read_corpus
from train import FORM, load_trainer

from biolink.evaluation import Report, compare, evaluate
from biolink.finetune.joint.batches import Mined, Stage
from biolink.finetune.joint.tables import Mentions, Ragged
from biolink.finetune.joint.train import Trainer
from biolink.infer.linkers.mention_linker import Linker
from biolink.infer.network.model import LinkingModel
from biolink.infer.rank.task import LinkerOptions
from biolink.kb import KnowledgeBase

DENOISING = Stage("denoising", 250, texts=192, lr=8e-4, encoder_lr=3e-4)
GUIDED = Stage("kb-guided", 150, kb_samples=320, lr=5e-4, encoder_lr=1e-4)
MENTIONS = Stage(
    "mentions", 200, mentions=128, kb_samples=32, negatives=8, lr=4e-4, encoder_lr=1e-4
)
VARIANTS: dict[str, dict[str, Any]] = {
    "all of it": {},
    "no denoising": {"denoising": False},
    "no KB-guided stage": {"guided": False},
    "no near-misses": {"negatives": 0},
    "no decoder prompt": {"prompt": False},
    "target: shortest": {"target": "shortest"},
    "target: preferred": {"target": "preferred"},
    "target: random": {"target": "random"},
    "target: sampled": {"target": "sampled"},
}


class Unmined(Trainer):
    """Takes near-misses by n-grams alone, so that mining does not fill the short trainings."""

    def mine(self, stage: Stage) -> Mined | None:
        return None


def with_target(mentions: Mentions, kind: str, kb: KnowledgeBase, seed: int) -> Mentions:
    """Return the mentions with another target name, which is then the only right name.

    The right names are ordered by similarity to the mention, so ``sampled`` prefers the first.
    """
    rng = random.Random(seed)
    chosen = []
    for number in range(len(mentions)):
        right = mentions.right[number]
        if kind == "shortest":
            target = min(right, key=lambda i: (len(kb.name_at(i)), i))
        elif kind == "preferred":
            owners = {i: kb.owners(i) for i in right}
            target = next((i for i in right if kb.is_preferred(i, owners[i][0])), right[0])
        elif kind == "sampled":
            target = rng.choices(right, [1 / (1 + rank) for rank in range(len(right))])[0]
        else:
            target = rng.choice(right)
        chosen.append([target])
    return replace(mentions, right=Ragged.of(chosen))


def table_row(name: str, reports: dict[str, Report]) -> str:
    """Return the row of a training, with its difference to the first one."""
    scores = reports[name].strict_in_kb
    assert scores is not None
    low, high = scores.interval
    first = next(iter(reports))
    against = ""
    if name != first:
        difference = compare(reports[first], reports[name])
        against = f"{difference.difference:+.1%}, p {difference.p_value:.3f}"
    return f"| {name} | {scores.recall_at_1:.1%} | {low:.1%} to {high:.1%} | {against} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--documents", type=int, default=100, help="documents of each set")
    parser.add_argument("--steps", type=float, default=1.0, help="share of the steps to run")
    arguments = parser.parse_args()
    kb = KnowledgeBase.open(arguments.out / "kb")
    documents = [
        document
        for name in DEVELOPMENT
        for document in read_corpus(arguments.data, name)[: arguments.documents]
    ]
    scratch = tempfile.TemporaryDirectory()  # removed when the program ends
    trainer = load_trainer(
        arguments.out, Path(scratch.name), 1, arguments.device, arguments.workers, kind=Unmined
    )
    start = copy.deepcopy(trainer.model.state_dict())
    mentions = trainer.mentions
    states: dict[tuple[bool, bool], dict[str, Any]] = {(False, False): start}

    def train(stage: Stage) -> None:
        shorter = replace(stage, steps=max(1, round(arguments.steps * stage.steps)))
        trainer.run(shorter, checkpoint_every=None)

    def state(denoising: bool, guided: bool) -> dict[str, Any]:
        key = (denoising, guided)
        if key not in states:
            trainer.model.load_state_dict(state(denoising and guided, False))
            train(GUIDED if guided else DENOISING)
            states[key] = copy.deepcopy(trainer.model.state_dict())
        return states[key]

    reports = {}
    print("| training | Recall@1, gold in KB | interval | against all of it, all mentions |")
    print("| --- | --- | --- | --- |")
    for name, changes in VARIANTS.items():
        trainer.model.load_state_dict(
            state(changes.get("denoising", True), changes.get("guided", True))
        )
        trainer.mentions, trainer.form = mentions, FORM
        if "target" in changes:
            trainer.mentions = with_target(mentions, changes["target"], trainer.kb, 0)
        if not changes.get("prompt", True):
            empty = Ragged(mentions.prompts.flat[:0], np.zeros_like(mentions.prompts.offsets))
            trainer.mentions = replace(mentions, prompts=empty)
            trainer.form = replace(FORM, decoder_prompt="")
        train(replace(MENTIONS, negatives=changes.get("negatives", MENTIONS.negatives)))
        trainer.model.eval()
        model = LinkingModel(trainer.backbone, trainer.tokenizer, trainer.form)
        options = LinkerOptions(
            method="generate", abbreviations="schwartz-hearst", batch_size=256, top_k=1
        )
        linker = Linker(model, kb, options)
        reports[name] = evaluate(linker.pipe(documents, 1000, recognise=False), kb)
        print(table_row(name, reports), flush=True)


if __name__ == "__main__":
    main()
