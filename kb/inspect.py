"""Inspecting knowledge bases: summary, search, validation and comparison."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from biolink.kb.bases import KnowledgeBases
from biolink.kb.concept import Concept
from biolink.kb.knowledge_base import KnowledgeBase
from biolink.kb.names import normalise_name

if TYPE_CHECKING:
    from biolink.kb.lexical import LexicalIndex

__all__ = ["Difference", "Finding", "Hit", "compare", "find", "homonyms", "summarise", "validate"]

_EXAMPLES = 5
#: The indexes of bases that were searched, since those of some bases are not stored.
_indexes: WeakKeyDictionary[KnowledgeBase, LexicalIndex] = WeakKeyDictionary()
#: What is an id with a prefix and no name.
_CURIE = re.compile(r"[A-Za-z][\w.]*:\w*\d[\w.-]*")


@dataclass(frozen=True, slots=True)
class Hit:
    """A concept that :func:`find` returns.

    Attributes
    ----------
    how
        Whether the query is the concept's ``id``, its ``name``, or ``similar`` to its name.
    concept
        The concept.
    name
        The name that matches the query.
    score
        The cosine similarity of the query and the name; 1 for an id and for an equal name.
    kb
        The knowledge base of the concept.
    """

    how: str
    concept: Concept
    name: str
    score: float
    kb: KnowledgeBase


@dataclass(frozen=True, slots=True)
class Finding:
    """A possible problem that :func:`validate` counted, with examples."""

    what: str
    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """The result of :func:`compare`.

    Attributes
    ----------
    removed, added
        One line, id and preferred name, for each concept that only the first or only the second
        base has.
    changed
        One line for each concept whose names differ, with up to three names removed and added.
    equal
        The number of concepts with the same names in both.
    """

    removed: list[str]
    added: list[str]
    changed: list[str]
    equal: int


class _Counted:
    """Counts what is added, and keeps the first of it as examples."""

    def __init__(self) -> None:
        self.count = 0
        self.examples: list[str] = []

    def add(self, example: str) -> None:
        self.count += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(example)

    def finding(self, what: str) -> Finding:
        return Finding(what, self.count, tuple(self.examples))


def summarise(kb: KnowledgeBase) -> dict[str, Any]:
    """Return counts and provenance of a knowledge base, in the order in which they are printed."""
    types: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    definitions = 0
    names_as_written = 0
    below = missing = in_taxa = 0
    for concept in kb:
        below += bool(concept.parents)
        missing += sum(1 for _ in _missing_parents(kb, concept))
        in_taxa += bool(concept.taxon)
        types.update(concept.types or ("",))
        sources[concept.source] += 1
        definitions += bool(concept.definitions)
        names_as_written += len(concept.names)
    dropped = {r: entry["count"] for r, entry in kb.manifest.get("dropped", {}).items()}
    return {
        "concepts": len(kb),
        "names as written": names_as_written,
        "names after normalisation": kb.name_count,
        "names shared by several concepts": len(homonyms(kb)),
        "concepts with a definition": definitions,
        "concepts with a parent": below,
        **({"parents that are not in the knowledge base": missing} if missing else {}),
        **({"concepts with a taxon": in_taxa} if in_taxa else {}),
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


def _missing_parents(kb: KnowledgeBase, concept: Concept) -> Iterator[str]:
    return (parent for parent in concept.parents if parent not in kb)


def _prefixes_written(kb: KnowledgeBase) -> str:
    rules = [f"{prefix} (ids like {pattern.pattern})" for pattern, prefix in kb.prefixes.rules]
    return ", ".join([kb.prefixes.default or "(none)", *rules])


def homonyms(kb: KnowledgeBase) -> list[tuple[int, int]]:
    """Return (number of owners, name id) for each shared name, those with most owners first."""
    indptr, rows, _ = kb.ownership
    owned = np.ones(len(rows), dtype=np.int64)
    if kb.row_mask is not None:
        owned = kb.row_mask[rows].astype(np.int64)
    totals = np.concatenate([[0], np.cumsum(owned)])
    counts = totals[indptr[1:]] - totals[indptr[:-1]]
    shared = np.flatnonzero(counts > 1)
    return sorted(((int(counts[i]), int(i)) for i in shared), key=lambda pair: (-pair[0], pair[1]))


def find(kb: KnowledgeBase | KnowledgeBases, query: str, limit: int = 10) -> list[Hit]:
    """Find the concepts with this id, with this name, and with the most similar names.

    Parameters
    ----------
    kb
        The knowledge base or subset, or several. The prefix of a CURIE chooses one of several.
        Similar names are looked for in those that have the name, or in all if none has it, and not
        at all if the query is an id.
    query
        An id, a CURIE or a name.
    limit
        The greatest number of concepts with similar names. Default: 10.

    >>> from biolink.kb import Concept, KnowledgeBase
    >>> kb = KnowledgeBase.from_concepts([Concept("1", "fever"), Concept("2", "yellow fever")])
    >>> [(hit.how, hit.concept.id) for hit in find(kb, "Fever")]
    [('name', '1'), ('similar', '2')]
    """
    bases = kb if isinstance(kb, KnowledgeBases) else KnowledgeBases([kb])
    by_id = [(base, base[query]) for base in bases.having(query)]
    hits = [Hit("id", concept, concept.name, 1.0, base) for base, concept in by_id]
    name = normalise_name(query)
    by_name = [
        Hit("name", concept, name, 1.0, base)
        for base in bases.bases
        for concept in base.lookup(query)
    ]
    hits += by_name
    is_id = (hits and not by_name) or _CURIE.fullmatch(query.strip())
    if limit > 0 and name and not is_id:
        having = [base for base in bases.bases if any(hit.kb is base for hit in by_name)]
        similar: list[tuple[int, Hit]] = []
        for base in having or bases.bases:
            listed = {hit.concept.id for hit in hits if hit.kb is base}
            similar += enumerate(_similar(base, query, limit, listed))
        # The best of each base come first: the scores of two bases hardly compare.
        best = sorted(similar, key=lambda ranked: (ranked[0], -ranked[1].score))[:limit]
        hits += sorted((hit for _, hit in best), key=lambda hit: -hit.score)
    return hits


def _similar(kb: KnowledgeBase, query: str, limit: int, listed: set[str]) -> list[Hit]:
    """The concepts with the most similar names, except those that are listed."""
    from biolink.kb.lexical import lexical_index

    hits: list[Hit] = []
    if kb.name_slots:
        index = _indexes.get(kb.base)
        if index is None:
            index = _indexes[kb.base] = lexical_index(kb)[0]
        ((ids, scores),) = index.search([query], 4 * limit, kb.name_mask)
        for name_id, score in zip(map(int, ids), scores, strict=True):
            for row in kb.owners(name_id):
                concept = kb.concept_at(row)
                if concept.id not in listed and len(hits) < limit:
                    listed.add(concept.id)
                    written = kb.written_name(row, name_id)
                    hits.append(Hit("similar", concept, written, float(score), kb))
    return hits


def validate(
    kb: KnowledgeBase,
    token_counts: Callable[[Sequence[str]], Iterable[int]] | None = None,
    longest: int = 512,
) -> list[Finding]:
    """Count what is wrong or doubtful in a knowledge base.

    Parameters
    ----------
    kb
        The knowledge base or subset.
    token_counts
        A function that returns the number of tokens of each name, to find names that are too long
        for the decoder. Default: None, which leaves out this check.
    longest
        The greatest number of tokens that the decoder allows. Default: 512.

    Returns
    -------
    One finding for each kind of problem, also where its count is 0.
    """
    problems = kb.base.manifest.get("problems", {})
    findings = []
    for what in (
        "duplicate ids",
        "empty names",
        "names that normalise to nothing",
    ):
        entry = problems.get(what, {"count": 0, "examples": []})
        findings.append(Finding(what, entry["count"], tuple(entry["examples"][:_EXAMPLES])))
    shared = homonyms(kb)
    worst = tuple(
        f"{kb.name_at(name_id)}: {', '.join(kb.id_at(row) for row in kb.owners(name_id)[:8])}"
        f"{' ...' if count > 8 else ''} ({count} concepts)"
        for count, name_id in shared[:_EXAMPLES]
    )
    findings.append(Finding("homonyms (names of several concepts)", len(shared), worst))
    bare, missing = _Counted(), _Counted()
    for concept in kb:
        if not concept.definitions:
            bare.add(concept.id)
        for parent in _missing_parents(kb, concept):
            missing.add(f"{concept.id}: {parent}")
    findings.append(missing.finding("parents that are not in the knowledge base"))
    in_cycles = [kb.id_at(row) for row in kb.rows_in_cycles()]
    what = "concepts that are their own ancestors (cycles of parents)"
    findings.append(Finding(what, len(in_cycles), tuple(in_cycles[:_EXAMPLES])))
    findings.append(bare.finding("concepts without definitions"))
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
    """List the concepts that a second base adds, removes or changes, compared with a first.

    >>> from biolink.kb import Concept, KnowledgeBase
    >>> old = KnowledgeBase.from_concepts([Concept("1", "fever")])
    >>> new = KnowledgeBase.from_concepts([Concept("1", "fever", synonyms=("pyrexia",))])
    >>> compare(old, new).changed
    ["1 fever: -[] +['pyrexia']"]
    """
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
