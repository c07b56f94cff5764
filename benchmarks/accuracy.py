"""Measure the accuracy of the embedded default, exact match and TF-IDF, and the value of each part.

    python benchmarks/accuracy.py --data ../shared/data --split dev
    python benchmarks/accuracy.py --data ../shared/data --split test --corpora ncbi --table
    python benchmarks/accuracy.py --data ../shared/data --split dev --ablation \
        --model build/default/trained --base build/default/kb

Protocols: ``strict`` uses the knowledge base as it is; ``biosyn`` adds the mentions of training
and development documents as names (of training documents only when the development set is
measured). ``strict`` on the embedded knowledge base is the same as plain ``biolink.load()``.
``--table`` prints only the rows of the README's table. Abbreviations are expanded for every system.
The default was trained on the development documents, so measure these with the model that
``examples/default_model/finish.py`` left in ``trained``. MEDIC and AskAPatient are used only for
measuring.
"""

from __future__ import annotations

import argparse
import io
import json
import lzma
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

import biolink
from biolink import Concept, Document, KnowledgeBase, Linker, Mention, evaluate
from biolink.evaluation import Report, compare
from biolink.evaluation.baselines import by_names, exact, tfidf
from biolink.finetune.samples import named_mentions
from biolink.formats import pubtator
from biolink.infer.mentions.hints import HINTS
from biolink.infer.rank.features import FEATURES
from biolink.pipeline import EMBEDDED

NCBI = "corpora/ncbi_disease/NCBI{}set_corpus.txt.gz"
CDR = "corpora/bc5cdr/CDR_{}Set.PubTator.txt.gz"
CORPORA = {
    "ncbi": (NCBI, {"train": "train", "dev": "develop", "test": "test"}),
    "bc5cdr": (CDR, {"train": "Training", "dev": "Development", "test": "Test"}),
}
MEDIC = "benchmark_only/medic/medic_06Jul2012.txt.gz"
ASK = "benchmark_only/askapatient/askapatient_10folds.tar.xz"

System = Callable[[], Iterable[Document]]


def documents(data: Path, corpus: str, split: str) -> list[Document]:
    pattern, names = CORPORA[corpus]
    return list(pubtator.read(data / pattern.format(names[split])))


def earlier(data: Path, corpus: str, split: str) -> list[Document]:
    """Return the documents whose mentions are known when a split is measured."""
    splits = ("train",) if split == "dev" else ("train", "dev")
    return [document for other in splits for document in documents(data, corpus, other)]


def weighted(linker: Linker, kept: Callable[[str], bool], alone: bool = False) -> Linker:
    """Return the linker with the weights of some features only.

    The probability of a concept is the sum over its names. ``alone`` gives the features a weight so
    large that the best name alone decides.
    """
    model = linker.model
    assert model.ranker is not None
    weights = [
        (1000.0 if alone else weight) if kept(name) else 0.0
        for name, weight in zip(FEATURES, model.ranker.weights.candidates, strict=True)
    ]
    changed = replace(model.ranker.weights, candidates=np.array(weights))
    # The earlier stages have other weights.
    ranker = replace(model.ranker, weights=changed, early=None, in_context=None)
    return Linker(replace(model, ranker=ranker), linker.kb, linker.options)


def ablations(linker: Linker) -> dict[str, Linker]:
    """Return the trained linker without each of its parts."""
    without = {
        "without generation": lambda name: not name.startswith("generation"),
        "without embeddings in the score": lambda name: name != "dense",
        "without context in the score": lambda name: name != "context",
        "without n-grams in the score": lambda name: name != "lexical",
        "without remembered mentions": lambda name: not name.startswith("annotated"),
        "without counts of concepts": lambda name: name != "prior",
        "without hints in the score": lambda name: name not in HINTS,
    }
    return {
        **{name: weighted(linker, kept) for name, kept in without.items()},
        "without abbreviations": linker.with_settings(abbreviations="none"),
        "generative score alone, candidates": weighted(
            linker, lambda name: name == "generation_mean", True
        ),
        "generative score alone, no candidates": linker.with_settings(method="generate"),
        "embeddings alone": weighted(linker, lambda name: name == "dense", True),
        "embeddings in context alone": weighted(linker, lambda name: name == "context", True),
        "n-grams alone": weighted(linker, lambda name: name == "lexical", True),
    }


def ask_a_patient(data: Path, fold: int) -> tuple[KnowledgeBase, list[Document]]:
    """Return a knowledge base of the concepts of a fold, and its test phrases as documents.

    The names of the concepts are their terms and the phrases of training and validation.
    """
    parts: dict[str, list[list[str]]] = {}
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress((data / ASK).read_bytes()))) as archive:
        for member in archive:
            if f"-{fold}." in member.name and (file := archive.extractfile(member)):
                text = file.read().decode("utf-8", "replace")
                kind = next(k for k in ("train", "valid", "test") if k in member.name.lower())
                parts[kind] = [line.split("\t") for line in text.splitlines() if line.strip()]
    concepts: dict[str, dict[str, None]] = {}
    names: dict[str, str] = {}
    for rows in parts.values():
        for concept_id, name, _ in rows:
            names.setdefault(concept_id, name)
    for kind in ("train", "valid"):
        for concept_id, _, phrase in parts[kind]:
            concepts.setdefault(concept_id, {})[phrase] = None
    kb = KnowledgeBase.from_concepts(
        Concept(concept_id, name, tuple(concepts.get(concept_id, ())))
        for concept_id, name in names.items()
    )
    tests = [
        Document(f"{fold}-{n}", phrase, mentions=(Mention(0, len(phrase), phrase, "", (i,)),))
        for n, (i, _, phrase) in enumerate(parts["test"])
    ]
    return kb, tests


def rows(arguments: argparse.Namespace) -> Iterator[tuple[str, str, str, dict[str, Report]]]:
    """Yield the corpus, the knowledge base, the protocol and the reports of all systems."""
    data, split = arguments.data, arguments.split
    options = {"abbreviations": "schwartz-hearst", "top_k": 100}
    base = KnowledgeBase.open(arguments.base)
    default = biolink.load(arguments.model, base, **options)
    for corpus in arguments.corpora.split(","):
        if corpus == "askapatient":
            for fold in range(arguments.folds):
                kb, docs = ask_a_patient(data, fold)
                yield (
                    f"askapatient fold {fold}",
                    "own",
                    "biosyn",
                    measured(systems(default.with_kb(kb), docs, arguments), kb, [], "biosyn"),
                )
            continue
        docs = documents(data, corpus, split)[: arguments.documents]
        training = earlier(data, corpus, split)
        bases = [("open", default.kb)]
        if corpus == "ncbi":
            bases.append(("MEDIC", KnowledgeBase.read(data / MEDIC)))
        for name, base in bases:
            if name not in arguments.kbs.split(","):
                continue
            for protocol in arguments.protocols.split(","):
                kb = base.with_names(named_mentions(training)) if protocol == "biosyn" else base
                linker = default if kb is default.kb else default.with_kb(kb)
                found = measured(systems(linker, docs, arguments), kb, training, protocol)
                yield f"{corpus} {split}", name, protocol, found


def systems(
    linker: Linker, docs: list[Document], arguments: argparse.Namespace
) -> dict[str, System]:
    found: dict[str, System] = {
        "default": lambda: linker.pipe(docs, recognise=False),
        "exact match": lambda: by_names(docs, linker, exact),
        "TF-IDF": lambda: by_names(docs, linker, tfidf),
    }
    if arguments.ablation:
        for name, other in ablations(linker).items():
            found[name] = lambda other=other: other.pipe(docs, recognise=False)  # type: ignore[misc]
    return found


def measured(
    systems: dict[str, System], kb: KnowledgeBase, training: list[Document], protocol: str
) -> dict[str, Report]:
    reports = {}
    for name, run in systems.items():
        began = time.perf_counter()
        report = evaluate(run(), kb, training=training, protocol=protocol)
        seconds = round(time.perf_counter() - began, 1)
        reports[name] = replace(report, provenance={"seconds": seconds})
    return reports


def table_row(corpus: str, kb: str, protocol: str, reports: dict[str, Report]) -> str:
    """Return a row of the README's table, with strict Recall@1."""
    titles = {"ncbi": "NCBI disease", "bc5cdr": "BC5CDR"}
    report = reports["default"]
    share = written((report.in_kb or 0) / report.mentions)
    base = f"embedded KB ({share} of gold in it)" if kb == "open" else f"{kb} 2012"
    names = "" if protocol == "strict" else ", with the mentions of training and development"
    systems = ("exact match", "TF-IDF", "default")
    figures = " | ".join(written(reports[name].strict.recall_at_1) for name in systems)
    return f"| {titles.get(corpus.split()[0], corpus)}, {base}{names} | {figures} |"


def written(share: float) -> str:
    """Return a share as the README writes it."""
    return f"{share * 100:.1f} %"


def print_details(corpus: str, kb: str, protocol: str, reports: dict[str, Report]) -> None:
    """Print a row for each system, and its difference from the default."""
    for system, report in reports.items():
        low, high = report.strict.interval
        assert report.strict_in_kb is not None
        types = " ".join(
            f"({value} {scores.strict_in_kb:.1%})"
            for value, scores in report.slices.get("type", {}).items()
            if corpus.startswith("bc5cdr")
        )
        print(
            f"| {corpus} | {kb} | {protocol} | {system} | {report.mentions} | {report.in_kb} | "
            f"{report.strict.recall_at_1:.1%} [{low:.1%}, {high:.1%}] | "
            f"{report.lenient.recall_at_1:.1%} | "
            f"{report.strict_in_kb.recall_at_1:.1%} {types} |",
            flush=True,
        )
        if system != "default":
            difference = compare(report, reports["default"])
            low, high = difference.interval
            print(
                f"    default minus {system}: {difference.difference:+.1%} "
                f"[{low:+.1%}, {high:+.1%}], p {difference.p_value:.3f}",
                flush=True,
            )
        else:
            print(
                f"    ceiling {report.ceiling:.1%}; {report.provenance['seconds']} s; unseen "
                + "; ".join(
                    f"{dimension}: {values['unseen'].strict:.1%} of {values['unseen'].mentions}"
                    for dimension, values in report.slices.items()
                    if "unseen" in values
                ),
                flush=True,
            )


def print_means(folds: dict[str, list[Report]]) -> None:
    """Print a row for each system with its mean over the folds of AskAPatient."""
    for system, of_folds in folds.items():
        strict = np.mean([report.strict.recall_at_1 for report in of_folds])
        lenient = np.mean([report.lenient.recall_at_1 for report in of_folds])
        print(
            f"| askapatient, mean of {len(of_folds)} folds | own | biosyn | {system} | | | "
            f"{strict:.1%} | {lenient:.1%} | |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", choices=("dev", "test"), default="dev")
    parser.add_argument("--corpora", default="ncbi,bc5cdr", help="ncbi, bc5cdr, askapatient")
    parser.add_argument("--kbs", default="open,MEDIC")
    parser.add_argument("--protocols", default="strict")
    parser.add_argument("--documents", type=int, help="measure only the first ones")
    parser.add_argument("--model", type=Path, help="model folder. Default: embedded")
    parser.add_argument(
        "--base", type=Path, default=EMBEDDED / "kb", help="knowledge base. Default: embedded"
    )
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--ablation", action="store_true", help="leave out each part in turn")
    parser.add_argument(
        "--table", action="store_true", help="print only the rows of the README's table"
    )
    parser.add_argument("--json", type=Path, help="write each report as a line of JSON")
    arguments = parser.parse_args()
    columns = "corpus | KB | protocol | system | mentions | in KB | strict | lenient | strict in KB"
    if arguments.table:
        columns = "test set, knowledge base | exact match | TF-IDF | biolink"
    print(f"| {columns} |")
    print(f"| {' | '.join('---' for _ in columns.split(' | '))} |")
    folds: dict[str, list[Report]] = {}
    for corpus, kb, protocol, reports in rows(arguments):
        if arguments.table:
            print(table_row(corpus, kb, protocol, reports), flush=True)
        else:
            print_details(corpus, kb, protocol, reports)
        for system, report in reports.items():
            if corpus.startswith("askapatient"):
                folds.setdefault(system, []).append(report)
            if arguments.json:
                record = {"corpus": corpus, "kb": kb, "protocol": protocol, "system": system}
                with arguments.json.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(record | json.loads(report.to_json())) + "\n")
    if not arguments.table:
        print_means(folds)


if __name__ == "__main__":
    main()
