"""Functions that fit the weights of the embedded default and write its files.

``finish.py`` uses them for a model that was just trained, ``refit.py`` for the shipped model.
"""

from __future__ import annotations

import json
import math
import random
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from build_kb import ANNOTATED
from corpora import (
    MAIN,
    development_documents,
    training_documents,
)
from fitting_examples import Examples, examples
from fitting_sets import SHARES, fitting_sets
from safetensors import safe_open
from train import ABSTRACTS, whole_texts

from biolink.documents import Document
from biolink.finetune.fit import Fit, fit_weights, hits
from biolink.finetune.refit import is_right
from biolink.finetune.samples import annotation_counts
from biolink.infer.linkers.mention_linker import Linker
from biolink.infer.mentions.abbreviations import find_abbreviations
from biolink.infer.mentions.recognise import DictionaryRecogniser
from biolink.infer.mentions.shared_reader import SharedReader
from biolink.infer.mentions.tagger import load_tagger
from biolink.infer.network.model import load_model
from biolink.infer.rank.combined import Ranking, leads, ranked
from biolink.infer.rank.features import (
    CONTEXTUAL,
    FEATURES,
    GENERATED,
    NIL_FEATURES,
    Candidates,
    column_of,
)
from biolink.infer.rank.ranker import Annotations, Ranker, Stage, Weights
from biolink.infer.rank.task import LinkerOptions
from biolink.infer.seen_documents import write_seen_documents
from biolink.kb import KnowledgeBase, normalise_name
from biolink.kb.model_files import (
    ABBREVIATIONS,
    ANNOTATIONS,
    STOP_NAMES,
    TAGGER,
    WEIGHTS,
    stop_names_of,
)
from biolink.kb.prompt import BY_RECOGNISER
from biolink.kb.sealed import FROZEN, STAMP
from biolink.kb.types import type_name
from biolink.kinds import NAMED_KINDS

#: What an ablation leaves out: the name of the group, and its features.
ABLATIONS = {
    "generation": ("generation_sum", "generation_mean"),
    "dense": ("dense",),
    "lexical": ("lexical",),
    "context": ("context",),
    "type": ("type",),
    "annotated": ("annotated", "annotated_share"),
    "abbreviation": ("abbreviation",),
    "shared": ("shared",),
    "miscased": ("miscased",),
}


def stop_names(corpora: list[list[Document]], kb: KnowledgeBase) -> list[str]:
    """Return names that the dictionary finds in training documents but annotators mostly left out.

    A corpus counts only for the semantic types that it annotates.
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
                    # A name inside a longer gold mention counts as found rightly.
                    right[name] += any(s <= mention.start and mention.end <= e for s, e in gold)
    return sorted(n for n, count in seen.items() if count >= 2 and right[n] / count < 0.5)


def known_abbreviations(
    texts: Iterable[str], documents: Iterable[Document], kb: KnowledgeBase
) -> Annotations:
    """Count how often texts and documents define each short form by each long form.

    Long forms that are not names of the knowledge base are counted together under "".
    """
    counts: dict[str, Counter[str]] = {}
    for text in chain(texts, (document.text for document in documents)):
        for short, long in find_abbreviations(text).items():
            name = normalise_name(long)
            known = kb.name_id(name) is not None or kb.name_id(name.removesuffix("s")) is not None
            counts.setdefault(short, Counter())[name if known else ""] += 1
    return {s: dict(sorted(counts[s].items())) for s in sorted(counts) if any(counts[s])}


#: The share of a mention's weight that goes to a copy without its type, since users may give none.
UNTYPED = 0.3


#: The margins that are tried for the stages of a ranking, in nats (see :class:`Stage`).
MARGINS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
#: The share of all mentions that a stage may get wrong beyond those that all features get wrong.
MAY_LOSE = 0.0012


def with_untyped(
    candidates: Sequence[Candidates],
    gold: Sequence[tuple[int, ...]],
    folds: Sequence[int],
    counts: Sequence[float],
) -> tuple[list[Candidates], list[tuple[int, ...]], list[int], list[float]]:
    """Return each mention once with its type and once without, with the share ``UNTYPED``."""
    untyped = []
    for found in candidates:
        features = found.features.copy()
        features[:, column_of("type")] = 0
        untyped.append(replace(found, features=features))
    return (
        [*candidates, *untyped],
        [*gold, *gold],
        [*folds, *folds],
        [*(c * (1 - UNTYPED) for c in counts), *(c * UNTYPED for c in counts)],
    )


def fit_stage(
    candidates: Sequence[Candidates],
    unknown: Sequence[str],
    seen: Examples,
    counts: Sequence[float],
    every: Sequence[Ranking],
    reached: np.ndarray,
) -> tuple[Stage | None, np.ndarray, dict[str, Any]]:
    """Fit the weights of a stage, and choose its margin.

    The margin is the least of :data:`MARGINS` with which the mentions that are ranked at this stage
    are right as often as by all features, but for :data:`MAY_LOSE` of all mentions.

    Parameters
    ----------
    candidates
        The candidates at this stage.
    unknown
        The names of the features that are not known yet.
    seen, counts
        The mentions, and the weight of each.
    every
        The rankings by all features.
    reached
        bool [mentions]: which mentions reach this stage.

    Returns
    -------
    The stage, or None if no margin will do; bool [mentions]: which of them reach the next stage;
    and for each margin, as shares of all mentions, those that are ranked at this stage, those that
    get another best concept by it, and by how much fewer are right.
    """
    arguments = with_untyped(candidates, seen.gold, seen.folds, counts)
    fitted = fit_weights(*arguments, [name for name in FEATURES if name not in unknown])
    weights = Weights(fitted.weights, fitted.nil_weights)
    at_stage = [ranked(of_mention, weights) for of_mention in candidates]
    other = np.array(
        [
            [concept.row for concept in one.concepts[:1]] != [c.row for c in all_.concepts[:1]]
            for one, all_ in zip(at_stage, every, strict=True)
        ]
    )
    gained = np.array(
        [
            float(is_right(one, gold)) - is_right(all_, gold)
            for one, all_, gold in zip(at_stage, every, seen.gold, strict=True)
        ]
    )
    mass = np.array(counts) / sum(counts)
    results: dict[str, Any] = {"held out": float(fitted.held_out)}
    chosen, further = None, reached
    for margin in MARGINS[::-1]:
        leading = reached & np.array([leads(ranking, margin) for ranking in at_stage])
        lost = -float((mass * gained)[leading].sum())
        results[f"margin {margin:g}"] = {
            "ranked": float(mass[leading].sum()),
            "another best": float(mass[leading & other].sum()),
            "fewer right": lost,
        }
        if lost > MAY_LOSE:
            break
        if leading.any():
            chosen, further = Stage(weights, margin), reached & ~leading
    return chosen, further, results


def fit(seen: Examples) -> tuple[Fit, Ranker, dict[str, Any]]:
    """Fit the weights, and return them with the results on each set for the model's settings."""
    counts = [SHARES[label] * count for label, count in zip(seen.sets, seen.counts, strict=True)]
    arguments = with_untyped(seen.candidates, seen.gold, seen.folds, counts)
    fitted = fit_weights(*arguments)
    right = hits(seen.candidates, seen.gold, fitted.weights)
    reachable = [
        bool(set(c.rows.tolist()) & set(g)) for c, g in zip(seen.candidates, seen.gold, strict=True)
    ]
    labels, weights = np.array(seen.sets), np.array(counts)

    def share_of(label: str, values: Sequence[bool] | np.ndarray) -> float:
        chosen = labels == label
        return float(np.average(np.asarray(values)[chosen], weights=weights[chosen]))

    results: dict[str, Any] = {
        "sets": {
            label: {
                "examples": int((labels == label).sum()),
                "share": SHARES[label],
                "ceiling": share_of(label, reachable),
                "Recall@1": share_of(label, right),
            }
            for label in SHARES
        },
        "combined, held out": fitted.held_out,
        "candidate order": fitted.candidate_order,
    }
    for group, left_out in ABLATIONS.items():
        used = [name for name in FEATURES if name not in left_out]
        results[f"without {group}"] = fit_weights(*arguments, used).held_out
    by_all = Weights(fitted.weights, fitted.nil_weights)
    every = [ranked(candidates, by_all) for candidates in seen.candidates]
    reached = np.ones(len(every), dtype=bool)
    early, reached, results["early"] = fit_stage(
        seen.early, CONTEXTUAL, seen, counts, every, reached
    )
    in_context, _, results["in context"] = fit_stage(
        seen.in_context, GENERATED, seen, counts, every, reached
    )
    return fitted, Ranker(by_all, early, in_context), results


def fit_model(
    folder: Path, data: Path, kb: KnowledgeBase, kept: Path
) -> tuple[Fit, Ranker, dict[str, Any]]:
    """Fit the weights of the model in a folder; see :func:`fit`.

    ``kept`` holds the candidates; it is written when it is not there.
    """
    if kept.exists():
        return fit(Examples.load(kept))
    # The fit must not use what only the development documents contain.
    part = kb.subset(predicate=lambda concept: concept.source != ANNOTATED["development"])
    corpora = training_documents(data)
    remembered = [document for corpus in corpora[:3] for document in corpus]
    stops = stop_names(corpora[: len(MAIN)], part)
    # Short forms are learnt from one half of the texts and linked in the other.
    abbreviations = known_abbreviations(islice(whole_texts(data), 0, None, 2), remembered, part)
    texts = list(islice(whole_texts(data), 1, ABSTRACTS, 2))
    random.Random(0).shuffle(texts)
    zeros = {"weights": dict.fromkeys(FEATURES, 0.0), "nil": dict.fromkeys(NIL_FEATURES, 0.0)}
    ranker = Ranker.from_dict(zeros, annotation_counts(remembered, part), abbreviations, stops)
    linker = Linker(replace(load_model(folder), ranker=ranker), part, LinkerOptions())
    if linker.model.form.reading in BY_RECOGNISER:
        linker = linker.read_by(reader(folder, part, stops))
    seen = examples(linker, fitting_sets(data, part, texts, stops))
    seen.save(kept)
    return fit(seen)


def reader(folder: Path, kb: KnowledgeBase, stops: Iterable[str]) -> SharedReader:
    """Return the reader of the model in a folder, with the dictionaries of all kinds beside it."""
    kinds = folder.parent / "kinds"
    dictionaries = [DictionaryRecogniser(kb, stops)]
    for name in NAMED_KINDS.values():
        of_kind = stop_names_of(kinds, f"{name}_{STOP_NAMES}")
        base = KnowledgeBase.open(kinds / f"{name}.kb")
        dictionaries.append(DictionaryRecogniser(base, of_kind))
    model = load_model(folder)
    return SharedReader(load_tagger(folder / TAGGER, "cpu", "fp32"), model.tokenizer, dictionaries)


def write_memory(folder: Path, data: Path, kb: KnowledgeBase) -> None:
    """Write the data that a model keeps of its documents: annotations, short forms, stop names."""
    corpora, held_out = training_documents(data), development_documents(data)
    every = [document for corpus in (*corpora, *held_out) for document in corpus]
    abbreviations = known_abbreviations(whole_texts(data), every, kb)
    stops = stop_names(corpora[: len(MAIN)], kb)
    for name, values, indent in (
        (ANNOTATIONS, annotation_counts(every, kb), 0),
        (ABBREVIATIONS, abbreviations, 0),
        (STOP_NAMES, stops, None),
    ):
        text = json.dumps(values, ensure_ascii=False, indent=indent)
        (folder / name).write_text(text + "\n", encoding="utf-8")
    write_seen_documents(folder, every)
    print(f"{len(stops)} stop names: {', '.join(stops[:60])}")


def write_base(source: Path, target: Path, model: Path) -> None:
    """Write the knowledge base with its indexes into the package, where nothing is cached later."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(STAMP))
    indexes = Linker(load_model(model), KnowledgeBase.open(target)).indexes
    print("names", len(indexes.lexical.name_ids), "trie nodes", indexes.trie.nodes, flush=True)
    print("dense", indexes.dense.codes.shape, flush=True)
    for stamp in target.rglob(STAMP):
        stamp.unlink()
    for frozen in (target / "index" / FROZEN, target.parent / FROZEN):
        frozen.write_text("Nothing is cached in the package itself.\n")


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
- `tagger.safetensors`: the recogniser of six kinds of entities and of concepts, four layers of its
  own on this encoder (`examples/default_model/recogniser.py`), trained on the corpora that
  `examples/default_model/recogniser_corpora.py` names.
- Weights of the combined score: fitted by `examples/default_model/{program}` on the sets that
  `biolink.json` names with their figures; none is of a test set.
- Knowledge base fingerprint: `{fingerprint}`

On the mentions that the weights were fitted on, each set by its share: first by the candidates'
own order {order:.1%}, by the combined score {held_out:.1%} (two-fold cross-validation).

Licence: Apache-2.0; see NOTICE for the works it is made from.
"""


def write_card(folder: Path, fingerprint: str, fitted: Fit, program: str) -> None:
    """Write the model card."""
    with safe_open(folder / WEIGHTS, framework="numpy") as weights:
        shapes = [weights.get_slice(name).get_shape() for name in weights.keys()]  # noqa: SIM118
    text = CARD.format(
        parameters=sum(map(math.prod, shapes)) / 1e6,
        fingerprint=fingerprint,
        order=fitted.candidate_order,
        held_out=fitted.held_out,
        program=program,
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
