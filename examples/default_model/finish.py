"""Turn a trained model into the embedded default: fit the weights, build the indexes, write it.

    python examples/default_model/finish.py --data ../shared/data --out build/default \
        --target biolink/embedded

Fits on the development documents with the model that was not trained on them; ships the one that
was.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from corpora import DEVELOPMENT, FURTHER, MAIN, development_documents, training_documents
from train import FORM, TEXTS, whole_texts
from transformers import AutoTokenizer, BartForConditionalGeneration

from biolink.documents import Document
from biolink.finetune.fit import fit_weights
from biolink.finetune.samples import annotation_counts, named_mentions
from biolink.infer.abbreviations import expand_document, find_abbreviations
from biolink.infer.candidates import Candidates
from biolink.infer.indexes import FROZEN
from biolink.infer.linker import Linker, LinkerOptions, Task
from biolink.infer.model import ABBREVIATIONS, ANNOTATIONS, SETTINGS, load_model
from biolink.infer.ranker import FEATURES, NIL_FEATURES, Annotations, Ranker, type_name
from biolink.infer.recognise import STOP_NAMES, DictionaryRecogniser
from biolink.kb import KnowledgeBase, normalise_name


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


def known_abbreviations(data: Path, documents: list[Document], kb: KnowledgeBase) -> Annotations:
    """How often texts and documents define each short form; long forms that are no names add up
    under "".
    """
    counts: dict[str, Counter[str]] = {}
    texts = chain(whole_texts(data), (document.text for document in documents))
    for text in texts:
        for short, long in find_abbreviations(text).items():
            name = normalise_name(long)
            known = kb.name_id(name) is not None or kb.name_id(name.removesuffix("s")) is not None
            counts.setdefault(short, Counter())[name if known else ""] += 1
    return {s: dict(sorted(counts[s].items())) for s in sorted(counts) if any(counts[s])}


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
- Training: the stages of `examples/default_model/recipe.toml`: denoising of PubMed abstracts and
  open-access full texts; synonyms and KB-guided samples of MeSH, MONDO, the Disease Ontology, the
  Human Phenotype Ontology, NCI Thesaurus (diseases), ChEBI, Uberon, the Cell Ontology and the Gene
  Ontology; mentions of the NCBI Disease corpus and BC5CDR (training and development documents),
  BioRED's training and development documents and NLM-Chem's, without any document of a test set
  of the first two. Nothing of CTD's or UMLS's was used.
- `annotations.json`: how these documents link each mention. `abbreviations.json`: how often the
  texts define a short form.
- `tagger.safetensors`: the recogniser of diseases and chemicals, four layers of its own on this
  encoder (`examples/default_model/recogniser.py`), trained on the same corpora without NLM-Chem.
- Weights of the combined score: fitted on development documents of both corpora with the model as
  it was before it saw them.
- Knowledge base fingerprint: `{fingerprint}`

On {mentions} development mentions, with the knowledge base as it is and with the training
mentions as names: right concept among the candidates {ceiling:.1%},
first by the candidates' own order {order:.1%}, by the combined score {held_out:.1%} (two-fold
cross-validation).

Licence: Apache-2.0; see NOTICE for the works it is made from.
"""


def candidate_features(
    linker: Linker, named: KnowledgeBase, corpora: Sequence[list[Document]]
) -> tuple[list[Candidates], list[tuple[int, ...]], list[int], list[int]]:
    """Candidates, gold rows, folds and counts of development mentions in two conditions.

    The knowledge base as it is, and with the training mentions as names, which is what the biosyn
    protocol and a user's own annotated mentions make of it.
    """
    candidates: list[Candidates] = []
    gold: list[tuple[int, ...]] = []
    folds: list[int] = []
    counts: list[int] = []
    for one in (linker, linker.with_kb(named)):
        tasks, rows, parts, often = development(corpora, one)
        order = sorted(range(len(tasks)), key=lambda i: len(tasks[i].source))
        found: dict[int, Candidates] = {}
        for begin in range(0, len(order), 32):
            part = order[begin : begin + 32]
            found |= dict(zip(part, one.candidates([tasks[i] for i in part]), strict=True))
        candidates += [found[i] for i in range(len(tasks))]
        gold += rows
        folds += parts
        counts += often
    return candidates, gold, folds, counts


def write_settings(
    folder: Path, settings: dict[str, Any], annotations: Annotations, abbreviations: Annotations
) -> None:
    """Write what a model folder holds beside the weights."""
    for name, values, indent in (
        (SETTINGS, settings, 1),
        (ANNOTATIONS, annotations, 0),
        (ABBREVIATIONS, abbreviations, 0),
    ):
        text = json.dumps(values, ensure_ascii=False, indent=indent)
        (folder / name).write_text(text + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=150, help="of each development set")
    arguments = parser.parse_args()
    data, out, target = arguments.data, arguments.out, arguments.target
    kb = KnowledgeBase.open(out / "kb")
    corpora = training_documents(data)
    training = [d for documents in corpora for d in documents]
    held_out = development_documents(data)
    settings: dict[str, Any] = {
        "format": "biolink-model",
        "version": 1,
        "prompt": FORM.to_dict(),
        "linker": {"method": "combined"},
    }

    # Fit with the model that has not seen the development documents.
    (out / "trained" / SETTINGS).write_text(json.dumps(settings), encoding="utf-8")
    abbreviations = known_abbreviations(data, training, kb)
    zeros = np.zeros(len(FEATURES)), np.zeros(len(NIL_FEATURES))
    ranker = Ranker(*zeros, annotation_counts(training, kb), abbreviations)
    linker = Linker(replace(load_model(out / "trained"), ranker=ranker), kb, LinkerOptions())
    named = kb.with_names(named_mentions(d for part in corpora[: len(MAIN)] for d in part))
    sampled = [
        random.Random(0).sample(documents, min(arguments.documents, len(documents)))
        for documents in held_out
    ]
    candidates, gold, folds, counts = candidate_features(linker, named, sampled)
    reachable = [bool(set(c.rows.tolist()) & set(g)) for c, g in zip(candidates, gold, strict=True)]
    fit = fit_weights(candidates, gold, folds, counts)
    results = {
        "mentions": sum(counts),
        "ceiling": float(np.average(reachable, weights=counts)),
        "candidate order": fit.candidate_order,
        "combined, held out": fit.held_out,
    }
    for left_out in (
        "generation", "dense", "lexical", "context", "prior", "type", "annotated", "apposition",
        "acronym", "abbreviation", "nearest",
    ):  # fmt: skip
        used = [name for name in FEATURES if not name.startswith(left_out)]
        results[f"without {left_out}"] = fit_weights(candidates, gold, folds, counts, used).held_out
    for alone in ("generation_sum", "generation_mean", "dense", "context", "lexical"):
        results[f"{alone} alone"] = fit_weights(candidates, gold, folds, counts, [alone]).held_out
    print(json.dumps(results, indent=1), flush=True)

    settings["ranker"] = Ranker(fit.weights, fit.nil_weights).to_dict()
    settings["development"] = results
    write_settings(out / "trained", settings, ranker.annotations, abbreviations)

    # Ship the model that has, with all that the documents say.
    every = [*training, *(d for documents in held_out for d in documents)]
    model_folder = target / "model"
    model_folder.mkdir(parents=True, exist_ok=True)
    finished = BartForConditionalGeneration.from_pretrained(out / "finished")
    finished.half().save_pretrained(model_folder)
    (model_folder / "model.safetensors").chmod(0o644)
    (model_folder / "generation_config.json").unlink(missing_ok=True)
    AutoTokenizer.from_pretrained(out / "finished").save_pretrained(model_folder)
    settings["training"] = {
        "recipe": Path(__file__).with_name("recipe.toml").read_text(encoding="utf-8"),
        "start": "all-MiniLM-L6-v2 (Apache-2.0), encoder mapped onto BART, vocabulary pruned",
        "documents": [*MAIN, *FURTHER, *DEVELOPMENT],
        "texts": list(TEXTS),
        "knowledge_base": kb.fingerprint,
    }
    stops = stop_names(corpora[: len(MAIN)], kb)
    write_settings(
        model_folder, settings, annotation_counts(every, kb), known_abbreviations(data, every, kb)
    )
    (model_folder / STOP_NAMES).write_text(
        json.dumps(stops, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    card = CARD.format(
        parameters=finished.num_parameters() / 1e6,
        fingerprint=kb.fingerprint,
        mentions=results["mentions"],
        ceiling=results["ceiling"],
        order=results["candidate order"],
        held_out=results["combined, held out"],
    )
    (model_folder / "README.md").write_text(card, encoding="utf-8")
    shutil.rmtree(target / "kb", ignore_errors=True)
    shutil.copytree(out / "kb", target / "kb", ignore=shutil.ignore_patterns("index"))
    indexes = Linker(load_model(model_folder), KnowledgeBase.open(target / "kb")).indexes
    print("names", len(indexes.lexical.name_ids), "trie nodes", indexes.trie.nodes, flush=True)
    print("dense", indexes.dense.codes.shape, flush=True)
    (target / "kb" / "index" / FROZEN).write_text("Nothing is cached in the package itself.\n")
    print(json.dumps(settings["ranker"], indent=1))
    print(len(stops), "stop names:", ", ".join(stops[:60]))


if __name__ == "__main__":
    main()
