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
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from corpora import DEVELOPMENT, FURTHER, MAIN, read_corpus, training_documents
from train import FORM
from transformers import AutoTokenizer, BartForConditionalGeneration

from biolink.documents import Document
from biolink.finetune.fit import fit_weights
from biolink.finetune.samples import named_mentions
from biolink.infer.abbreviations import expand_document, find_abbreviations
from biolink.infer.indexes import FROZEN, Indexes
from biolink.infer.linker import Candidates, Linker, LinkerOptions, Task
from biolink.infer.model import ANNOTATIONS, LinkingModel, load_model
from biolink.infer.ranker import FEATURES, NIL_FEATURES, Annotations, Ranker, type_name
from biolink.infer.recognise import DictionaryRecogniser
from biolink.kb import KnowledgeBase, bare_id, normalise_name


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


def annotations(documents: list[Document], kb: KnowledgeBase) -> Annotations:
    """How often documents link each mention to each concept."""
    counts: dict[str, Counter[str]] = {}
    for document in documents:
        for mention in expand_document(document, find_abbreviations).mentions:
            name = normalise_name(mention.long_form or mention.text)
            ids = {kb.resolve(i) or bare_id(i) for i in mention.concept_ids}
            counts.setdefault(name, Counter()).update(ids)
    return {name: dict(sorted(counts[name].items())) for name in sorted(counts) if counts[name]}


def development(
    corpora: Sequence[list[Document]], linker: Linker
) -> tuple[list[Task], list[tuple[int, ...]], list[int], list[int]]:
    """Tasks, gold rows (none for NIL), folds and counts of development mentions."""
    counts: Counter[tuple[Task, tuple[int, ...], int]] = Counter()
    for documents in corpora:
        for number, document in enumerate(documents):
            expanded = expand_document(document, find_abbreviations)
            for task, mention in zip(linker.tasks(expanded), expanded.mentions, strict=True):
                if mention.concept_ids:
                    found = (linker.kb.row_of(i) for i in mention.concept_ids)
                    rows = tuple(sorted({row for row in found if row is not None}))
                    counts[task, rows, number % 2] += 1
    tasks, rows_of, folds = zip(*counts, strict=True)
    return list(tasks), list(rows_of), list(folds), list(counts.values())


CARD = """# biolink's embedded default

A BART-shaped model (6 encoder layers, 3 decoder layers, width 384, {parameters:.1f} M parameters,
half precision) that links mentions of diseases and chemicals.

- Start: all-MiniLM-L6-v2 (Apache-2.0), its encoder mapped onto BART, its vocabulary pruned.
- Training: the stages of `examples/default_model/recipe.toml`, on a knowledge base made from MeSH,
  MONDO and the Disease Ontology, and on the training documents of the NCBI Disease corpus and
  BC5CDR, BioRED's training and development documents and NLM-Chem's, without any document of a
  development or test set of the first two. Nothing of CTD's or UMLS's was used.
- `annotations.json`: how these documents, and the development documents of the NCBI Disease corpus
  and BC5CDR, link each mention.
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
    parser.add_argument("--documents", type=int, default=150, help="of each development set")
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
    corpora = training_documents(arguments.data)
    main_corpora = corpora[: len(MAIN)]
    held_out = [read_corpus(arguments.data, name) for name in DEVELOPMENT]
    remembered = annotations([d for documents in corpora for d in documents], kb)
    stops = stop_names(main_corpora, kb)
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
    zeros = Ranker(np.zeros(len(FEATURES)), np.zeros(len(NIL_FEATURES)), remembered)
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
    named = linker.with_kb(
        kb.with_names(named_mentions([d for documents in main_corpora for d in documents]))
    )
    sampled = [
        random.Random(0).sample(documents, min(arguments.documents, len(documents)))
        for documents in held_out
    ]
    candidates: list[Candidates] = []
    gold: list[tuple[int, ...]] = []
    folds: list[int] = []
    counts: list[int] = []
    for one in (linker, named):
        tasks, rows, parts, often = development(sampled, one)
        for begin in range(0, len(tasks), 64):
            candidates += one.candidates(tasks[begin : begin + 64])
        gold += rows
        folds += parts
        counts += often
    np.savez(
        arguments.out / "dev.npz",
        sizes=[len(c.rows) for c in candidates],
        ids=np.concatenate([c.name_ids for c in candidates]),
        rows=np.concatenate([c.rows for c in candidates]),
        features=np.concatenate([c.features for c in candidates]),
        gold_sizes=[len(g) for g in gold],
        gold=[row for g in gold for row in g],
        folds=folds,
        counts=counts,
    )
    reachable = [bool(set(c.rows.tolist()) & set(g)) for c, g in zip(candidates, gold, strict=True)]
    ceiling = np.average(reachable, weights=counts)
    fit = fit_weights(candidates, gold, folds, counts)
    results = {
        "mentions": sum(counts),
        "ceiling": float(ceiling),
        "candidate order": fit.candidate_order,
        "combined, held out": fit.held_out,
    }
    for left_out in (
        "generation", "dense", "lexical", "prior", "type", "annotated", "apposition", "nearest",
    ):  # fmt: skip
        used = [name for name in FEATURES if not name.startswith(left_out)]
        results[f"without {left_out}"] = fit_weights(candidates, gold, folds, counts, used).held_out
    for alone in ("generation_sum", "generation_mean", "dense", "lexical"):
        results[f"{alone} alone"] = fit_weights(candidates, gold, folds, counts, [alone]).held_out
    print(json.dumps(results, indent=1), flush=True)
    # The weights are fitted; what development documents say may be remembered from here on.
    every = [d for documents in (*corpora, *held_out) for d in documents]
    (model_folder / ANNOTATIONS).write_text(
        json.dumps(annotations(every, kb), ensure_ascii=False, indent=0), encoding="utf-8"
    )
    settings["ranker"] = Ranker(fit.weights, fit.nil_weights).to_dict()
    settings["development"] = results
    settings["training"] = {
        "recipe": Path(__file__).with_name("recipe.toml").read_text(encoding="utf-8"),
        "start": "all-MiniLM-L6-v2 (Apache-2.0), encoder mapped onto BART, vocabulary pruned",
        "documents": [*MAIN, *FURTHER],
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
