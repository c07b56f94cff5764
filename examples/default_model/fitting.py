"""What the programs of the embedded default share: fitting the weights, writing the parts.

``finish.py`` uses it for a model that was just trained, ``refit.py`` for the one that is shipped.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from train import whole_texts

from biolink.documents import Document
from biolink.infer.abbreviations import expand_document, find_abbreviations
from biolink.infer.candidates import Candidates
from biolink.infer.linker import Linker, Task
from biolink.infer.model import ABBREVIATIONS, ANNOTATIONS, SETTINGS
from biolink.infer.ranker import Annotations, type_name
from biolink.infer.recognise import DictionaryRecogniser
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


@dataclass(frozen=True, slots=True)
class Examples:
    """Mentions with their candidates: parallel lists, as :func:`fit_weights` takes them.

    Attributes
    ----------
    candidates, gold, folds, counts
        See :func:`biolink.finetune.fit.fit_weights`; a mention without a concept in the base has
        no gold rows.
    sets
        Name of the set that each comes from.
    """

    candidates: list[Candidates]
    gold: list[tuple[int, ...]]
    folds: list[int]
    counts: list[float]
    sets: list[str]


def examples(linker: Linker, sets: Mapping[str, Sequence[Document]]) -> Examples:
    """Candidates of the annotated mentions of each set, every set of equal weight."""
    result = Examples([], [], [], [], [])
    for label, documents in sets.items():
        counts: Counter[tuple[Task, tuple[int, ...], int]] = Counter()
        for number, document in enumerate(documents):
            expanded = expand_document(document, find_abbreviations)
            for task, mention in zip(linker.tasks(expanded), expanded.mentions, strict=True):
                if mention.concept_ids:
                    found = (linker.kb.row_of(i) for i in mention.concept_ids)
                    rows = tuple(sorted({row for row in found if row is not None}))
                    counts[task, rows, number % 2] += 1
        tasks = list(counts)
        order = sorted(range(len(tasks)), key=lambda i: len(tasks[i][0].source))
        by_place: dict[int, Candidates] = {}
        for begin in range(0, len(order), 32):
            part = order[begin : begin + 32]
            found_here = linker.candidates([tasks[i][0] for i in part])
            by_place |= dict(zip(part, found_here, strict=True))
        total = sum(counts.values())
        for place, (key, count) in enumerate(counts.items()):
            result.candidates.append(by_place[place])
            result.gold.append(key[1])
            result.folds.append(key[2])
            result.counts.append(count / total)
            result.sets.append(label)
        print(f"{label}: {total:,} mentions in {len(documents):,} documents", flush=True)
    return result


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
