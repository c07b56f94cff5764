"""Turn a trained model into the embedded default: fit the weights, build the indexes, write it.

    python examples/default_model/finish.py --data ../shared/data --out build/default \
        --target biolink/embedded

Fits on the development documents, which the model was not trained on.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
from train import FORM, TRAINING
from transformers import AutoTokenizer, BartForConditionalGeneration

from biolink.documents import Document
from biolink.finetune.fit import fit_weights
from biolink.finetune.samples import mention_samples
from biolink.formats import pubtator
from biolink.infer.abbreviations import expand_document, find_abbreviations
from biolink.infer.indexes import FROZEN, Indexes
from biolink.infer.linker import Candidates, Linker, LinkerOptions, Task
from biolink.infer.model import LinkingModel, load_model
from biolink.infer.ranker import FEATURES, NIL_FEATURES, Ranker, type_name
from biolink.infer.recognise import DictionaryRecogniser
from biolink.kb import KnowledgeBase, normalise_name

DEVELOPMENT = (
    "corpora/ncbi_disease/NCBIdevelopset_corpus.txt.gz",
    "corpora/bc5cdr/CDR_DevelopmentSet.PubTator.txt.gz",
)


def stop_names(corpora: list[list[Document]], kb: KnowledgeBase) -> list[str]:
    """Names that the dictionary finds in training documents but annotators mostly did not mark.

    A corpus counts for the semantic types that it annotates only.
    """
    right: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    recogniser = DictionaryRecogniser(kb, abbreviations=None)
    for documents in corpora:
        annotated = {type_name(m.type) for d in documents for m in d.mentions}
        for document in documents:
            gold = [(m.start, m.end) for m in document.mentions]
            for mention in recogniser(document).mentions:
                if type_name(mention.type) in annotated:
                    name = normalise_name(mention.text)
                    seen[name] += 1
                    # A name inside a longer gold mention is right to be noticed.
                    right[name] += any(s <= mention.start and mention.end <= e for s, e in gold)
    return sorted(n for n, count in seen.items() if count >= 2 and right[n] / count < 0.5)


def named_mentions(documents: list[Document]) -> list[tuple[str, str]]:
    """(concept id, mention) pairs of annotated documents, abbreviations written out."""
    return [
        (mention.concept_ids[0], mention.long_form or mention.text)
        for document in documents
        for mention in expand_document(document, find_abbreviations).mentions
        if len(mention.concept_ids) == 1
    ]


def development(
    data: Path, kb: KnowledgeBase, share: float
) -> tuple[list[Task], list[tuple[int, ...]], list[int]]:
    """Tasks, gold rows and folds of development mentions; NIL where there is no concept."""
    tasks, gold, folds = [], [], []
    for name in DEVELOPMENT:
        documents = list(pubtator.read(data / name))
        if len(documents) > 100:
            documents = random.Random(0).sample(documents, int(share * len(documents)))
        for number, document in enumerate(documents):
            for sample in mention_samples([document], kb, FORM, find_abbreviations, distinct=True):
                tasks.append(Task(sample.source, sample.mention, sample.type))
                gold.append(sample.rows)
                folds.append(number % 2)
    return tasks, gold, folds


CARD = """# biolink's embedded default

A BART-shaped model (6 encoder layers, 3 decoder layers, width 384, {parameters:.1f} M parameters,
half precision) that links mentions of diseases and chemicals.

- Start: all-MiniLM-L6-v2 (Apache-2.0), its encoder mapped onto BART, its vocabulary pruned.
- Training: the stages of `examples/default_model/recipe.toml`, on a knowledge base made from MeSH,
  MONDO and the Disease Ontology and on the training documents of the NCBI Disease corpus and
  BC5CDR. No test document, and nothing of CTD's or UMLS's, was used.
- Weights of the combined score: fitted on development documents of both corpora, which the model
  was not trained on.
- Knowledge base fingerprint: `{fingerprint}`

On {mentions} development mentions, with the knowledge base as it is and with the training
mentions as names: right concept among the candidates {ceiling:.1%},
first by the candidates' own order {order:.1%}, by the combined score {held_out:.1%} (two-fold
cross-validation).

Licence: Apache-2.0; see NOTICE for the works it is made from.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.3, help="of the BC5CDR documents")
    arguments = parser.parse_args()
    target = arguments.target
    shutil.rmtree(target / "kb", ignore_errors=True)
    shutil.copytree(arguments.out / "kb", target / "kb")
    model_folder = target / "model"
    model_folder.mkdir(parents=True, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(arguments.out / "trained")
    trained = BartForConditionalGeneration.from_pretrained(arguments.out / "trained")
    trained.half().save_pretrained(model_folder)
    (model_folder / "model.safetensors").chmod(0o644)
    (model_folder / "generation_config.json").unlink(missing_ok=True)
    tokenizer.save_pretrained(model_folder)
    kb = KnowledgeBase.open(target / "kb")
    corpora = [list(pubtator.read(arguments.data / name)) for name in TRAINING]
    documents = [document for corpus in corpora for document in corpus]
    counts = Counter(kb.resolve(i) for d in documents for m in d.mentions for i in m.concept_ids)
    counts.pop(None, None)
    priors = dict(sorted(counts.items()))
    (model_folder / "priors.json").write_text(json.dumps(priors), encoding="utf-8")
    stops = stop_names(corpora, kb)
    (model_folder / "stop_names.json").write_text(
        json.dumps(stops, ensure_ascii=False), encoding="utf-8"
    )
    settings = {
        "format": "biolink-model",
        "version": 1,
        "prompt": FORM.to_dict(),
        "linker": {"method": "combined"},
    }
    (model_folder / "biolink.json").write_text(json.dumps(settings), encoding="utf-8")
    loaded = load_model(model_folder)
    zeros = Ranker(np.zeros(len(FEATURES)), np.zeros(len(NIL_FEATURES)), priors)
    model = LinkingModel(
        loaded.backbone, loaded.tokenizer, loaded.form, settings, zeros, model_folder
    )
    shutil.rmtree(target / "kb" / "index", ignore_errors=True)
    linker = Linker(model, kb, LinkerOptions())
    indexes: Indexes = linker.indexes
    print("names", len(indexes.lexical.name_ids), "trie nodes", indexes.trie.nodes, flush=True)
    print("dense", indexes.dense.codes.shape, flush=True)
    (target / "kb" / "index" / FROZEN).write_text("Nothing is cached in the package itself.\n")
    # Two conditions: the knowledge base as it is, and with the training mentions as names, which
    # is what the biosyn protocol and a user's own annotated mentions make of it.
    named = linker.with_kb(kb.with_names(named_mentions(documents)))
    candidates: list[Candidates] = []
    gold: list[tuple[int, ...]] = []
    folds: list[int] = []
    for one in (linker, named):
        tasks, rows, parts = development(arguments.data, one.kb, arguments.share)
        for begin in range(0, len(tasks), 64):
            candidates += one.candidates(tasks[begin : begin + 64])
        gold += rows
        folds += parts
    np.savez(
        arguments.out / "dev.npz",
        sizes=[len(c.rows) for c in candidates],
        ids=np.concatenate([c.name_ids for c in candidates]),
        rows=np.concatenate([c.rows for c in candidates]),
        features=np.concatenate([c.features for c in candidates]),
        gold_sizes=[len(g) for g in gold],
        gold=[row for g in gold for row in g],
        folds=folds,
    )
    ceiling = np.mean(
        [bool(set(c.rows.tolist()) & set(g)) for c, g in zip(candidates, gold, strict=True)]
    )
    fit = fit_weights(candidates, gold, folds)
    results = {
        "mentions": len(candidates),
        "ceiling": float(ceiling),
        "candidate order": fit.candidate_order,
        "combined, held out": fit.held_out,
    }
    for left_out in ("generation", "dense", "lexical", "prior", "type"):
        used = [name for name in FEATURES if not name.startswith(left_out)]
        results[f"without {left_out}"] = fit_weights(candidates, gold, folds, used).held_out
    for alone in ("generation_sum", "generation_mean", "dense", "lexical"):
        results[f"{alone} alone"] = fit_weights(candidates, gold, folds, [alone]).held_out
    print(json.dumps(results, indent=1), flush=True)
    settings["ranker"] = Ranker(fit.weights, fit.nil_weights).to_dict()
    settings["development"] = results
    settings["training"] = {
        "recipe": Path(__file__).with_name("recipe.toml").read_text(encoding="utf-8"),
        "start": "all-MiniLM-L6-v2 (Apache-2.0), encoder mapped onto BART, vocabulary pruned",
        "documents": list(TRAINING),
        "knowledge_base": kb.fingerprint,
    }
    (model_folder / "biolink.json").write_text(
        json.dumps(settings, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    card = CARD.format(
        parameters=model.backbone.model.num_parameters() / 1e6,
        fingerprint=kb.fingerprint,
        mentions=results["mentions"],
        ceiling=results["ceiling"],
        order=results["candidate order"],
        held_out=results["combined, held out"],
    )
    (model_folder / "README.md").write_text(card, encoding="utf-8")
    print(json.dumps(settings["ranker"], indent=1))
    print(len(stops), "stop names:", ", ".join(stops[:60]))


if __name__ == "__main__":
    main()
