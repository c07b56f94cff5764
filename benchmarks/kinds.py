"""Coverage and accuracy of the knowledge bases of genes, species and cell lines, by corpus.

    python benchmarks/kinds.py --data ../shared/data --kinds build/kinds [--tests] [--sources]

The mentions are given. ``--kinds`` names the folder that ``examples/default_model/build_kinds.py``
and ``fit_kinds.py`` write. Development documents are held out from training; ``--tests`` measures
on the test sets of genes instead, which is for the final figures only. ``--sources`` prints what
each species or source adds to the coverage of training documents.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from common import arguments, record

from biolink.documents import Document, Link
from biolink.evaluation.measures import Report, evaluate
from biolink.infer.linkers.name_linker import NameLinker
from biolink.infer.names.ranker import NameRanker
from biolink.kb import KnowledgeBase

sys.path.append(str(Path(__file__).parents[1] / "examples" / "default_model"))

from build_kinds import BASES
from corpora_of_kinds import corpora_of, gene_tests

#: The head of the table of accuracy.
_HEAD = (
    "| corpus | documents | mentions | gold id in the base | a name of it | exact match | "
    "exact match, first species | linker | linker, lenient | documents/s of CPU time |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def share(count: int, of: int) -> str:
    return f"{100 * count / of:.1f}" if of else "-"


def coverage(kb: KnowledgeBase, documents: Iterable[Document]) -> tuple[int, int, int]:
    """Return the number of mentions with gold ids, of those in the base, and of names of them."""
    mentions = known = named = 0
    for document in documents:
        for mention in document.mentions:
            ids = {kb.resolve(i) for i in mention.concept_ids}
            mentions += bool(ids)
            known += bool(ids - {None})
            named += any(concept.id in ids for concept in kb.lookup(mention.text))
    return mentions, known, named


def exact(
    linker: NameLinker, documents: Sequence[Document], order: Sequence[str]
) -> list[Document]:
    """Link the mentions that are names, long forms in place of abbreviations, to the first owner.

    Parameters
    ----------
    linker
        The linker, which knows the kinds and the abbreviations.
    documents
        The documents.
    order
        Owners of these species come first, in this order.
    """
    kb = linker.kb

    def rank(row: int) -> int:
        taxon = linker.view.taxa[row]
        return order.index(taxon) if taxon in order else len(order)

    linked = []
    for document in documents:
        mentions = list(document.mentions)
        for number, mention in linker.mentions(document).items():
            name_id = kb.name_id(mention.long_form or mention.text)
            rows = [] if name_id is None else sorted(kb.owners(name_id), key=rank)
            ids = [kb.id_at(row) for row in rows]
            links = (Link(ids[0], mention.text, 0.0, 0.0, 1, also=tuple(ids[1:])),) if ids else ()
            mentions[number] = replace(mention, links=links)
        linked.append(document.with_mentions(mentions))
    return linked


def measured(
    name: str, linker: NameLinker, documents: Sequence[Document]
) -> tuple[str, dict[str, object]]:
    """Return a row of the table, and its values."""
    kb = linker.kb
    mentions, known, named = coverage(kb, documents)

    def of(linked: Iterable[Document]) -> Report:
        return evaluate(linked, kb=kb)

    began = time.process_time()
    linked = list(linker.pipe(documents))
    speed = len(documents) / (time.process_time() - began)
    report = of(linked)
    plain = of(exact(linker, documents, ())).strict.recall_at_1
    first = of(exact(linker, documents, linker.taxa)).strict.recall_at_1
    values = {
        "mentions": mentions,
        "in_kb": known / max(1, mentions),
        "named": named / max(1, mentions),
        "exact": plain,
        "exact_first_species": first,
        "strict": report.strict.recall_at_1,
        "interval": report.strict.interval,
        "lenient": report.lenient.recall_at_1,
    }
    low, high = report.strict.interval
    row = (
        f"| {name} | {len(documents)} | {mentions:,} | {share(known, mentions)} | "
        f"{share(named, mentions)} | {100 * plain:.1f} | {100 * first:.1f} | "
        f"**{100 * report.strict.recall_at_1:.1f}** ({100 * low:.1f} to {100 * high:.1f}) | "
        f"{100 * report.lenient.recall_at_1:.1f} | {speed:.0f} |"
    )
    return row, values


def sources(name: str, kb: KnowledgeBase, training: dict[str, list[Document]]) -> list[str]:
    """Return rows that say what share of ids and names each part of a base covers."""
    parts: list[tuple[str, Callable[[str], bool]]] = []
    if name == "genes":
        for count, species in enumerate(("human", "mouse", "rat", "zebrafish", "fly"), 1):
            taxa = ("9606", "10090", "10116", "7955", "7227")[:count]
            parts.append((f"{'and ' if count > 1 else ''}{species}", taxa.__contains__))
    rows = []
    for label, wanted in parts:
        part = kb.subset(predicate=lambda concept, wanted=wanted: wanted(concept.taxon))
        cells = []
        for documents in training.values():
            mentions, known, named = coverage(part, documents)
            cells.append(f"{share(known, mentions)} / {share(named, mentions)}")
        rows.append(f"| {label} | {len(part):,} | {' | '.join(cells)} |")
    return rows


def main() -> None:
    parser = arguments(__doc__, quick=False)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kinds", type=Path, required=True)
    parser.add_argument("--tests", action="store_true", help="measure on the test sets of genes")
    parser.add_argument("--sources", action="store_true", help="what each species adds")
    given = parser.parse_args()
    results: dict[str, object] = {}
    for name, (kind, _, _) in BASES.items():
        if given.tests and kind != "Gene":
            continue
        kb = KnowledgeBase.open(given.kinds / f"{name}.kb")
        linker = NameLinker(kb, NameRanker.load(given.kinds / f"{name}.json"))
        linker.prepare()
        print(f"\n## {kind}: {len(kb):,} concepts, {kb.name_count:,} names\n")
        corpora = corpora_of(given.data, kind)
        if given.sources and (rows := sources(name, kb, corpora.training)):
            print(f"| species | concepts | {' | '.join(corpora.training)} |")
            print("| --- | ---: |" + " ---: |" * len(corpora.training))
            print("\n".join(rows) + "\n")
        print(_HEAD)
        for corpus, documents in (
            gene_tests(given.data) if given.tests else corpora.development
        ).items():
            row, results[corpus] = measured(corpus, linker, documents)
            print(row, flush=True)
    record(given.json, results)


if __name__ == "__main__":
    main()
