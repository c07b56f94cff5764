"""Looking into knowledge bases: summary, search, validation, comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from biolink.kb.concept import Concept
from biolink.kb.knowledge_base import KnowledgeBase
from biolink.kb.names import normalise_name

__all__ = ["Difference", "Finding", "Hit", "compare", "find", "summarise", "validate"]

_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Hit:
    """A concept found by ``find``: ``how`` is id, name or similar."""

    how: str
    concept: Concept
    name: str
    score: float


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that ``validate`` counted, with examples."""

    what: str
    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """Result of ``compare``; a line for each concept."""

    removed: list[str]
    added: list[str]
    changed: list[str]
    equal: int


def summarise(kb: KnowledgeBase) -> dict[str, Any]:
    """Counts and provenance, in the order in which they are printed."""
    types: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    definitions = 0
    written = 0
    for concept in kb:
        types.update(concept.types or ("",))
        sources[concept.source] += 1
        definitions += bool(concept.definitions)
        written += len(concept.names)
    dropped = {r: entry["count"] for r, entry in kb.manifest.get("dropped", {}).items()}
    return {
        "concepts": len(kb),
        "names as written": written,
        "names after normalisation": kb.name_count,
        "names shared by several concepts": len(_homonyms(kb)),
        "concepts with a definition": definitions,
        "prefix": _prefixes_written(kb),
        "fingerprint": kb.fingerprint,
        "semantic types": dict(types.most_common(20)),
        "sources of the concepts": dict(sources.most_common(20)),
        **({"left out when it was read": dropped} if dropped else {}),
        "files": [
            " ".join(f"{key}={value}" for key, value in source.items())
            for source in kb.manifest.get("sources", ())
        ],
    }


def _prefixes_written(kb: KnowledgeBase) -> str:
    rules = [f"{prefix} (ids like {pattern.pattern})" for pattern, prefix in kb.prefixes.rules]
    return ", ".join([kb.prefixes.default or "(none)", *rules])


def _homonyms(kb: KnowledgeBase) -> list[tuple[int, int]]:
    """(number of owners, name id) of names that several concepts own, most owners first."""
    indptr, rows, _ = kb.ownership
    owned = np.ones(len(rows), dtype=np.int64)
    if kb.row_mask is not None:
        owned = kb.row_mask[rows].astype(np.int64)
    totals = np.concatenate([[0], np.cumsum(owned)])
    counts = totals[indptr[1:]] - totals[indptr[:-1]]
    shared = np.flatnonzero(counts > 1)
    return sorted(((int(counts[i]), int(i)) for i in shared), key=lambda pair: (-pair[0], pair[1]))


def find(kb: KnowledgeBase, query: str, limit: int = 10) -> list[Hit]:
    """Concepts with this id, with this name, and with the most similar names."""
    from biolink.kb.lexical import lexical_index

    hits = []
    direct = kb.get(query)
    if direct is not None:
        hits.append(Hit("id", direct, direct.name, 1.0))
    hits += [Hit("name", concept, normalise_name(query), 1.0) for concept in kb.lookup(query)]
    seen = {hit.concept.id for hit in hits}
    if limit > 0 and normalise_name(query) and kb.name_slots:
        index, _ = lexical_index(kb)
        ((ids, scores),) = index.search([query], 4 * limit, kb.name_mask)
        similar = 0
        for name_id, score in zip(map(int, ids), scores, strict=True):
            for row in kb.owners(name_id):
                concept = kb.concept_at(row)
                if concept.id not in seen and similar < limit:
                    seen.add(concept.id)
                    similar += 1
                    hits.append(
                        Hit("similar", concept, kb.written_name(row, name_id), float(score))
                    )
    return hits


def validate(
    kb: KnowledgeBase,
    token_counts: Callable[[Sequence[str]], Iterable[int]] | None = None,
    longest: int = 512,
) -> list[Finding]:
    """What is wrong or doubtful with a knowledge base.

    Parameters
    ----------
    kb
        The base.
    token_counts
        Names -> their number of tokens, for the check against the decoder; None leaves it out.
    longest
        Tokens that the decoder allows.
    """
    problems = kb.base.manifest.get("problems", {})
    findings = []
    for what in (
        "duplicate ids",
        "empty names",
        "concepts without a name",
        "names that normalise to nothing",
    ):
        entry = problems.get(what, {"count": 0, "examples": []})
        findings.append(Finding(what, entry["count"], tuple(entry["examples"][:_EXAMPLES])))
    homonyms = _homonyms(kb)
    worst = tuple(
        f"{kb.name_at(name_id)}: {', '.join(kb.id_at(row) for row in kb.owners(name_id)[:8])}"
        f"{' ...' if count > 8 else ''} ({count} concepts)"
        for count, name_id in homonyms[:_EXAMPLES]
    )
    findings.append(Finding("homonyms (names of several concepts)", len(homonyms), worst))
    bare = [concept.id for concept in kb if not concept.definitions]
    findings.append(Finding("concepts without definitions", len(bare), tuple(bare[:_EXAMPLES])))
    if token_counts is not None:
        names = [kb.name_at(int(i)) for i in np.flatnonzero(kb.name_mask)]
        long = [
            f"{name[:80]}... ({count} tokens)"
            for name, count in zip(names, token_counts(names), strict=True)
            if count > longest
        ]
        what = f"names longer than the decoder allows ({longest} tokens)"
        findings.append(Finding(what, len(long), tuple(long[:_EXAMPLES])))
    return findings


def compare(first: KnowledgeBase, second: KnowledgeBase) -> Difference:
    """What a second base has more, less and otherwise than a first."""
    removed, changed = [], []
    equal = 0
    for concept in first:
        other = second.get(concept.id)
        if other is None or other.id != concept.id:
            removed.append(f"{concept.id} {concept.name}")
        elif set(concept.names) != set(other.names) or concept.name != other.name:
            less = sorted(set(concept.names) - set(other.names))
            more = sorted(set(other.names) - set(concept.names))
            changed.append(f"{concept.id} {concept.name}: -{less[:3]} +{more[:3]}")
        else:
            equal += 1
    added = []
    for concept in second:
        other = first.get(concept.id)
        if other is None or other.id != concept.id:
            added.append(f"{concept.id} {concept.name}")
    return Difference(removed, added, changed, equal)
