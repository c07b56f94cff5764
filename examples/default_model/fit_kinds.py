"""Fit the weights by which genes, species and cell lines are linked, on training documents.

    python examples/default_model/fit_kinds.py --data ../shared/data --kinds build/kinds

The program writes ``genes.json``, ``species.json`` and ``cell_lines.json`` beside the bases
that ``build_kinds.py`` wrote. It prints the share of mentions whose best candidate is right, by
two-fold cross-validation over documents. The features of a training document are computed without
what the document itself teaches, and with bases that have no names from documents.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from build_kinds import BASES, TAXA, species
from corpora import without
from corpora_of_kinds import corpora_of
from species_words import cell_words, species_words, strain_words

from biolink.documents import Document
from biolink.finetune.fit import likeliest_weights
from biolink.infer.linkers.name_linker import NameLinker
from biolink.infer.names.candidates import FEATURES, NIL_FEATURES, MentionCandidates
from biolink.infer.names.ranker import NameRanker
from biolink.infer.names.taxa import WordWeights, words_in
from biolink.infer.names.view import Memory, key_of
from biolink.kb import KnowledgeBase

#: Words that say something about the species of a document's genes occur in so many documents.
_DOCUMENTS = 4
#: The weight of the squared norm of the weights of words, and of those of features.
_L2_WORDS, _L2 = 0.5, 1e-4
#: Weights of words that are smaller are left out.
_LEAST = 0.05
#: The number of parts in which documents are held out when the weights of words are fitted.
_PARTS = 5
#: The least nats by which the species directly beside a mention counts.
_DECISIVE = 6.0
#: Names that annotators link to a gene that has them as a synonym, though authors rarely mean it:
#: MEK is MAP2K1 or MAP2K2, not MAP2K7. Name and gene -> the gene that is meant.
_MEANT = {("mek", "5609"): "5604"}
#: Mentions with more ids than this teach no name.
_MOST_IDS = 3


@dataclass(frozen=True)
class Example:
    """A mention of a training document: its candidates, and which of them are right."""

    document: str
    candidates: MentionCandidates
    right: np.ndarray
    has_gold: bool


def memory_of(documents: Iterable[Document], linker: NameLinker) -> Memory:
    """Count how many documents link each mention, or its long form, to each concept."""
    counts: dict[str, Counter[str]] = {}
    for document in documents:
        linked: set[tuple[str, str]] = set()
        for mention in linker.mentions(document).values():
            resolved = map(linker.kb.resolve, mention.concept_ids)
            ids = list(dict.fromkeys(i for i in resolved if i is not None))
            if 0 < len(ids) <= _MOST_IDS:
                for key in map(key_of, {mention.text, mention.long_form or mention.text}):
                    linked.update((key, _MEANT.get((key, i), i)) for i in ids)
        for key, concept_id in sorted(linked):
            counts.setdefault(key, Counter())[concept_id] += 1
    return Memory(counts)


def taxa_of(document: Document, kb: KnowledgeBase, taxa: Sequence[str]) -> Counter[str]:
    """Return how many mentions of a document are genes of each species."""
    counts: Counter[str] = Counter()
    for mention in document.mentions:
        rows = [row for i in mention.concept_ids if (row := kb.row_of(i)) is not None]
        found = {kb.concept_at(row).taxon for row in rows}
        counts.update({taxon: 1 / len(found) for taxon in found})
        if mention.concept_ids and not rows:
            counts["other"] += 1
    return counts


def word_weights(documents: Sequence[Document], taxa: Sequence[Counter[str]]) -> WordWeights:
    """Fit how much each word speaks for each species, by multinomial logistic regression."""
    used = [(words_in(d.text), t) for d, t in zip(documents, taxa, strict=True) if t]
    frequency = Counter(word for words, _ in used for word in words)
    vocabulary = sorted(word for word, count in frequency.items() if count >= _DOCUMENTS)
    column = {word: i for i, word in enumerate(vocabulary)}
    classes = sorted({taxon for _, counts in used for taxon in counts})
    present = torch.zeros(len(used), len(vocabulary) + 1, dtype=torch.float64)
    present[:, -1] = 1
    share = torch.zeros(len(used), len(classes), dtype=torch.float64)
    for i, (words, counts) in enumerate(used):
        present[i, [column[word] for word in words if word in column]] = 1
        for taxon, count in counts.items():
            share[i, classes.index(taxon)] = count / counts.total()
    weights = torch.zeros(len(vocabulary) + 1, len(classes), dtype=torch.float64)
    weights.requires_grad_()
    optimiser = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = -(share * torch.log_softmax(present @ weights, 1)).sum()
        loss = loss + _L2_WORDS * weights[:-1].square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    values = weights.detach().numpy().round(2)

    def of_row(row: np.ndarray, least: float) -> dict[str, float]:
        return {t: float(v) for t, v in zip(classes, row, strict=True) if abs(v) >= least}

    result = {"": of_row(values[-1], 0.0)}
    for word, i in column.items():
        if entry := of_row(values[i], _LEAST):
            result[word] = entry
    return result


def examples(
    linker_of: Callable[[Document], NameLinker], documents: Iterable[Document], held_out: bool
) -> list[Example]:
    """Return the mentions of documents that have gold ids.

    Parameters
    ----------
    linker_of
        The linker for each document.
    documents
        The documents.
    held_out
        Whether the linker's memory holds what the documents teach, so that it is taken out.
    """
    result = []
    for document in documents:
        linker = linker_of(document)
        memory = linker.ranker.memory
        if held_out:
            memory = memory.without(memory_of([document], linker))
        mentions = [m for m in linker.mentions(document).values() if m.concept_ids]
        found = linker.candidates(document, mentions, memory)
        for mention, candidates in zip(mentions, found, strict=True):
            gold = {linker.kb.row_of(i) for i in mention.concept_ids} - {None}
            right = np.isin(candidates.rows, list(gold))
            result.append(Example(document.id, candidates, right, bool(gold)))
    return result


def fitted(chosen: Sequence[Example]) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of candidates and of NIL.

    A species that is named directly beside a mention decides, whatever else speaks against it.
    """
    weights, nil_weights = likeliest_weights(
        [example.candidates.features for example in chosen],
        [example.right for example in chosen],
        np.stack([example.candidates.nil for example in chosen]),
        np.ones(len(chosen)),
        l2=_L2,
    )
    against, foreign = FEATURES.index("taxon_against"), NIL_FEATURES.index("foreign_direct")
    if any(example.candidates.features[:, against].any() for example in chosen):
        weights[against] = min(weights[against], -_DECISIVE)
        nil_weights[foreign] = max(nil_weights[foreign], _DECISIVE)
    return weights, nil_weights


def hit(example: Example, weights: np.ndarray) -> bool:
    """Return whether the best candidate is right."""
    candidates = example.candidates
    if not len(candidates.rows):
        return False
    best = np.lexsort((candidates.rows, -(candidates.features @ weights)))[0]
    return bool(example.right[best])


def report(name: str, chosen: Sequence[Example], hits: Sequence[bool]) -> None:
    size = max(1, len(chosen))
    reached = sum(bool(example.right.any()) for example in chosen) / size
    in_kb = sum(example.has_gold for example in chosen) / size
    print(
        f"{name}: {len(chosen):,} mentions, Recall@1 {sum(hits) / size:.1%}, "
        f"right one among the candidates {reached:.1%}, in the base {in_kb:.1%}",
        flush=True,
    )


def fit(data: Path, name: str, taught: KnowledgeBase) -> NameRanker:
    """Fit the ranker of a base, and print what cross-validation and development documents say.

    Parameters
    ----------
    data
        The folder of the corpora and sources.
    name
        The name of the base.
    taught
        The base with the names from documents, for the development documents.
    """
    kind, build, _ = BASES[name]
    kb, corpora = build(data), corpora_of(data, kind)
    training: dict[str, list[Document]] = {}
    for corpus, documents in corpora.training.items():
        earlier = [document for others in training.values() for document in others]
        training[corpus] = without(documents, earlier)
    every = [document for documents in training.values() for document in documents]
    ranker = NameRanker(np.zeros(len(FEATURES)), np.zeros(len(NIL_FEATURES)))
    part_of = {document.id: i % _PARTS for i, document in enumerate(every)}
    of_part = [ranker] * _PARTS
    if kind == "Gene":
        of_species = corpora_of(data, "Species").training.values()
        words = species_words(species(data), (d for documents in of_species for d in documents))
        ranker = replace(ranker, species=words, cells=cell_words(data), taxa=TAXA)
        taxa = [taxa_of(document, kb, TAXA) for document in every]
        of_part = [
            replace(
                ranker,
                words=word_weights(
                    [d for d in every if part_of[d.id] != part],
                    [t for d, t in zip(every, taxa, strict=True) if part_of[d.id] != part],
                ),
            )
            for part in range(_PARTS)
        ]
        ranker = replace(ranker, words=word_weights(every, taxa))
    if kind == "CellLine":
        ranker = replace(ranker, strains=strain_words())
    memory = memory_of(every, NameLinker(kb, ranker))
    ranker = replace(ranker, memory=memory)
    view = NameLinker(kb, ranker).view
    linkers = [NameLinker(kb, replace(one, memory=memory)) for one in of_part]
    for linker in linkers:
        vars(linker)["view"] = view  # all of them read the same base
    found = {
        corpus: examples(lambda d: linkers[part_of[d.id]], documents, held_out=True)
        for corpus, documents in training.items()
    }
    pool = [example for chosen in found.values() for example in chosen]
    ids = sorted({example.document for example in pool})
    first = set(ids[::2])
    of_half = [fitted([e for e in pool if (e.document in first) == half]) for half in (True, False)]
    for corpus, chosen in found.items():
        hits = [hit(e, of_half[e.document in first][0]) for e in chosen]
        report(f"{kind}, {corpus}, cross-validation", chosen, hits)
    weights, nil_weights = fitted(pool)
    ranker = replace(ranker, weights=weights, nil_weights=nil_weights)
    for corpus, documents in corpora.development.items():
        linker = NameLinker(taught, ranker)
        chosen = examples(lambda d, linker=linker: linker, documents, held_out=False)
        report(f"{kind}, {corpus}, held out", chosen, [hit(e, weights) for e in chosen])
    return ranker


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kinds", type=Path, required=True)
    parser.add_argument("--only", help="the name of one base")
    arguments = parser.parse_args()
    for base in (arguments.only,) if arguments.only else BASES:
        stored = KnowledgeBase.open(arguments.kinds / f"{base}.kb")
        fit(arguments.data, base, stored).save(arguments.kinds / f"{base}.json")
