"""Candidates of a mention by its spellings, and the features by which they are ranked."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import pyarrow as pa

from biolink.documents import Document, Mention
from biolink.infer.names.spellings import KINDS, spellings
from biolink.infer.names.taxa import PLACES, TaxaInText
from biolink.kb import KnowledgeBase, normalise_name

__all__ = [
    "FEATURES",
    "NIL_FEATURES",
    "Memory",
    "MentionCandidates",
    "NameView",
    "candidates_of",
    "key_of",
]

#: The features of a candidate, in the order of the columns.
FEATURES = (
    *KINDS,
    "long_exact",
    "long_other",
    "written",
    "preferred",
    "position",
    "owners",
    "annotated",
    "annotated_share",
    "symbol_annotated",
    "symbol_share",
    "popular",
    "names",
    "coherent",
    "context",
    "ortholog",
    *(f"taxon_{place}" for place in PLACES),
    "taxon_words",
    "taxon_fit",
    "taxon_written",
    "taxon_unsaid",
    "taxon_other",
    "taxon_order",
    "taxon_letter",
    "capitals",
)
#: The features of NIL.
NIL_FEATURES = ("always", "no_exact", "no_candidate", "short", "unannotated")
#: The most candidates of a mention.
_MOST = 60
#: Words in names that say nothing about which concept is meant.
_COMMON = frozenset(
    "protein proteins receptor receptors factor factors member family kinase subunit domain "
    "containing like type gene genes group complex associated related alpha beta gamma delta "
    "homolog class chain binding inhibitor activator regulator component cell cells human mouse "
    "with from putative isoform precursor strain virus".split()
)
_WORD = re.compile(r"[^\W\d_]{4,}")
_LETTERS = {"h": "9606", "m": "10090", "r": "10116", "d": "7227", "z": "7955"}


def key_of(name: str) -> str:
    """Return a name without case, punctuation and spaces.

    >>> key_of("NRG-1") == key_of("nrg 1") == "nrg1"
    True
    """
    return normalise_name(name).replace(" ", "")


@dataclass(frozen=True, slots=True)
class ConceptNames:
    """The names of the concept in one row.

    Attributes
    ----------
    written
        As the knowledge base writes them, the preferred name first.
    normalised
        The normalised names.
    keys
        The names without spaces.
    words
        The words that describe the concept.
    """

    written: tuple[str, ...]
    normalised: tuple[str, ...]
    keys: frozenset[str]
    words: frozenset[str]


class NameView:
    """A knowledge base as ranking by names reads it; what is read often is kept.

    Parameters
    ----------
    kb
        The knowledge base, or a subset of one.
    wanted
        Only concepts of these taxa, and those without a taxon. Default: (), for all.
    """

    def __init__(self, kb: KnowledgeBase, wanted: Sequence[str] = ()) -> None:
        self.kb = kb
        self.wanted = frozenset(wanted)
        self.names = lru_cache(maxsize=20_000)(self._names)
        self.reached = lru_cache(maxsize=20_000)(self._reached)

    @cached_property
    def taxa(self) -> list[str]:
        """The taxon of each row, or ""."""
        return [taxon or "" for taxon in self.kb.data.table.column("taxon").to_pylist()]

    def prepare(self) -> None:
        """Read the columns into memory."""
        _ = self.taxa, self.name_counts

    def owners(self, name_id: int) -> list[int]:
        """The rows of the wanted concepts that own the name."""
        rows = self.kb.owners(name_id)
        if not self.wanted:
            return rows
        return [row for row in rows if not self.taxa[row] or self.taxa[row] in self.wanted]

    def row_of(self, concept_id: str) -> int | None:
        """The row of a wanted concept, or None."""
        row = self.kb.row_of(concept_id)
        if row is None or not self.wanted or not self.taxa[row]:
            return row
        return row if self.taxa[row] in self.wanted else None

    @cached_property
    def name_counts(self) -> np.ndarray:
        """int [rows]: how many names each concept has."""
        column = self.kb.data.table.column("synonyms").combine_chunks()
        offsets = np.from_dlpack(pa.array(column.offsets))
        return 1 + np.diff(offsets)

    def _names(self, row: int) -> ConceptNames:
        concept = self.kb.concept_at(row)
        normalised = tuple(map(normalise_name, concept.names))
        words = {word for name in normalised for word in _WORD.findall(name)}
        return ConceptNames(
            concept.names,
            normalised,
            frozenset(name.replace(" ", "") for name in normalised),
            frozenset(words - _COMMON),
        )

    def _longer(self, stem: str) -> list[int]:
        """The ids of the shortest names that begin with a name and add a number or the like."""
        names = self.kb.data.names
        found = [
            name
            for name in names.iterkeys(stem)
            if len(name) <= len(stem) + 6 and name[len(stem) :].count(" ") <= 1
        ]
        ids = (self.kb.name_id(name) for name in sorted(found, key=lambda n: (len(n), n))[:12])
        return [name_id for name_id in ids if name_id is not None]

    def symbol_owners(self, row: int) -> list[int]:
        """The rows whose preferred name is that of this row, for example in other species."""
        name_id = self.kb.name_id(self.names(row).normalised[0])
        if name_id is None:
            return []
        return [r for r in self.owners(name_id) if self.kb.is_preferred(name_id, r)]

    def _reached(self, text: str) -> tuple[tuple[int, int, int], ...]:
        """Return (row, name id, index of the kind) of each concept that a spelling leads to."""
        found: dict[int, tuple[int, int]] = {}
        near = False
        for name, kind in spellings(text):
            index = KINDS.index(kind)
            if near and index > KINDS.index("affix"):
                break
            name_id = self.kb.name_id(name)
            ids = [] if name_id is None else [name_id]
            if kind == "member":
                ids = self._longer(name) if len(name) > 2 else []
            for name_id in ids:
                for row in self.owners(name_id):
                    if row not in found:
                        found[row] = name_id, index
            near = near or (bool(ids) and index < KINDS.index("affix"))
            if len(found) > 4 * _MOST:
                break
        return tuple((row, name_id, kind) for row, (name_id, kind) in found.items())


@dataclass(frozen=True)
class Memory:
    """What training documents teach about names.

    Attributes
    ----------
    counts
        For each mention without spaces (:func:`key_of`), how often documents link it to each id.
    """

    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @cached_property
    def popular(self) -> Counter[str]:
        """How often documents link to each id."""
        total: Counter[str] = Counter()
        for linked in self.counts.values():
            total.update(linked)
        return total

    def without(self, other: Memory) -> Memory:
        """Return the counts less those of other documents, which are part of them."""
        counts = dict(self.counts)
        for key, linked in other.counts.items():
            rest = Counter(counts.get(key, {}))
            rest.subtract(linked)
            counts[key] = {i: n for i, n in rest.items() if n > 0}
        less = Memory(counts)
        popular = Counter(self.popular)
        popular.subtract(other.popular)
        vars(less)["popular"] = popular
        return less


@dataclass(frozen=True, slots=True)
class MentionCandidates:
    """The candidates of a mention.

    Attributes
    ----------
    rows, name_ids
        int [candidates]: the row of each candidate and the id of the name that leads to it.
    features
        float [candidates, features]
    nil
        float [NIL features]
    places
        For each candidate, the strongest evidence for its species (:data:`PLACES`), ``unsaid`` if
        the document names no species, or "" if it names others only or the concept has no taxon.
    """

    rows: np.ndarray
    name_ids: np.ndarray
    features: np.ndarray
    nil: np.ndarray
    places: tuple[str, ...]


def candidates_of(
    view: NameView,
    document: Document,
    mentions: Sequence[Mention],
    memory: Memory,
    taxa: TaxaInText,
    order: Sequence[str],
) -> list[MentionCandidates]:
    """Return the candidates of each mention with their features.

    Parameters
    ----------
    view
        The knowledge base.
    document
        The document, whose abbreviations are expanded.
    mentions
        The mentions of this document that are to be linked.
    memory
        What training documents teach.
    taxa
        The species that the document names.
    order
        Species in the order of preference where the document names none.
    """
    words = frozenset(_WORD.findall(document.text.lower()))
    keys = Counter(key_of(m.text) for m in mentions)
    keys.update(key_of(m.long_form) for m in mentions if m.long_form)
    fits = _fits(view, {m.text for m in mentions}) if order else {}
    made: dict[tuple[object, ...], MentionCandidates] = {}
    result = []
    for mention in mentions:
        evidence = taxa.evidence(mention.start, mention.end) if order else {}
        known = (
            mention.text,
            mention.long_form,
            tuple((taxon, *places.items()) for taxon, places in evidence.items()),
        )
        if known not in made:
            made[known] = _candidates(
                view, mention, memory, evidence, order, words, keys, taxa.likelihoods, fits
            )
        result.append(made[known])
    return result


def _fits(view: NameView, texts: Iterable[str]) -> dict[str, tuple[float, float]]:
    """For each taxon, the share of mentions that its concepts have as a name, and as written."""
    named: Counter[str] = Counter()
    written: Counter[str] = Counter()
    total = 0
    for text in texts:
        total += 1
        rows = [row for row, _, kind in view.reached(text) if kind <= 2]
        named.update({view.taxa[row] for row in rows})
        written.update({view.taxa[row] for row in rows if text in view.names(row).written})
    return {t: (named[t] / total, written[t] / total) for t in named} if total else {}


def _candidates(
    view: NameView,
    mention: Mention,
    memory: Memory,
    evidence: Mapping[str, Mapping[str, float]],
    order: Sequence[str],
    words: frozenset[str],
    keys: Mapping[str, int],
    likely: Mapping[str, float],
    fits: Mapping[str, tuple[float, float]],
) -> MentionCandidates:
    kb, text = view.kb, mention.text
    key = key_of(text)
    found: dict[int, list[float]] = {}  # row -> name id, kind, kind by the long form
    none = float(len(KINDS))
    for row, name_id, kind in view.reached(text):
        found[row] = [name_id, kind, none]
    own_keys = {key}
    if mention.long_form:
        own_keys.add(key_of(mention.long_form))
        for row, name_id, kind in view.reached(mention.long_form):
            entry = found.setdefault(row, [name_id, none, none])
            entry[2] = kind
            if kind < entry[1]:
                entry[0] = name_id
    linked: Counter[int] = Counter()
    symbols: Counter[str] = Counter()
    for own in own_keys:
        for concept_id, count in memory.counts.get(own, {}).items():
            row_here = view.row_of(concept_id)
            if row_here is not None:
                linked[row_here] += count
                symbols[view.names(row_here).normalised[0]] += count
    for symbol in symbols:
        name_id = kb.name_id(symbol)
        for row in () if name_id is None else view.owners(name_id):
            if row in linked or kb.is_preferred(name_id, row):
                found.setdefault(row, [name_id, none, none])
    for row in linked:
        if row not in found:
            name_id = kb.name_id(view.names(row).normalised[0])
            if name_id is not None:
                found[row] = [name_id, none, none]
    orthologs = {}
    for row in list(found):
        for other in view.symbol_owners(row):
            if other not in found and other not in orthologs:
                orthologs[other] = found[row]
    found |= {row: [entry[0], none, none] for row, entry in orthologs.items()}
    kinds_of = {row: min(entry[1:]) for row, entry in {**found, **orthologs}.items()}
    if len(found) > _MOST:
        best = sorted(found, key=lambda r: (-linked[r], kinds_of[r], -view.name_counts[r], r))
        found = {row: found[row] for row in best[:_MOST]}
    return _featured(
        view,
        mention,
        memory,
        evidence,
        likely,
        order,
        words,
        keys,
        own_keys,
        found,
        linked,
        symbols,
        fits,
    )


def _featured(
    view: NameView,
    mention: Mention,
    memory: Memory,
    evidence: Mapping[str, Mapping[str, float]],
    likely: Mapping[str, float],
    order: Sequence[str],
    words: frozenset[str],
    keys: Mapping[str, int],
    own_keys: Iterable[str],
    found: Mapping[int, Sequence[float]],
    linked: Mapping[int, int],
    symbols: Mapping[str, int],
    fits: Mapping[str, tuple[float, float]],
) -> MentionCandidates:
    kb, text = view.kb, mention.text
    features = np.zeros((len(found), len(FEATURES)))
    places: list[str] = []
    in_taxon = Counter(view.taxa[row] for row in found)
    links, symbol_links = sum(linked.values()), sum(symbols.values())
    mention_words = set(_WORD.findall(text.lower()))
    if mention.long_form:
        mention_words |= set(_WORD.findall(mention.long_form.lower()))
    others = {key: n for key, n in keys.items() if key not in own_keys}
    letter = re.match(r"([hmrdz])(?=[A-Z]|\d)", text)
    for i, (row, (name_id, kind, long_kind)) in enumerate(found.items()):
        names = view.names(row)
        taxon = view.taxa[row]
        value: dict[str, float] = {}
        if kind < len(KINDS):
            value[KINDS[int(kind)]] = 1.0
        if long_kind == 0:
            value["long_exact"] = 1.0
        elif long_kind < len(KINDS):
            value["long_other"] = 1.0
        else:
            value["ortholog"] = float(kind == len(KINDS))
        name = kb.name_at(int(name_id))
        position = names.normalised.index(name) if name in names.normalised else 0
        if min(kind, long_kind) < len(KINDS):
            value["preferred"] = float(position == 0)
            value["position"] = math.log1p(position)
        value["written"] = float(text in names.written)
        value["owners"] = math.log(in_taxon[taxon])
        count = linked.get(row, 0)
        value["annotated"] = math.log1p(count)
        value["annotated_share"] = count / links if links else 0.0
        of_symbol = symbols.get(names.normalised[0], 0)
        value["symbol_annotated"] = math.log1p(of_symbol)
        value["symbol_share"] = of_symbol / symbol_links if symbol_links else 0.0
        value["popular"] = math.log1p(memory.popular[kb.id_at(row)])
        value["names"] = math.log(view.name_counts[row])
        value["coherent"] = math.log1p(sum(n for key, n in others.items() if key in names.keys))
        value["context"] = math.log1p(len((names.words - mention_words) & words))
        place = ""
        if order and taxon:
            for where in PLACES:
                if strength := evidence.get(taxon, {}).get(where, 0.0):
                    value[f"taxon_{where}"] = strength
                    place = place or where
            value["taxon_words"] = max(likely.get(taxon, -9.0), -9.0) if likely else 0.0
            value["taxon_fit"], value["taxon_written"] = fits.get(taxon, (0.0, 0.0))
            rank = order.index(taxon) if taxon in order else len(order)
            value["taxon_order"] = -math.log1p(rank)
            if not evidence:
                value["taxon_unsaid"] = float(rank == 0)
                place = "unsaid"
            elif not place:
                value["taxon_other"] = 1.0
            if letter:
                value["taxon_letter"] = float(_LETTERS[letter[1]] == taxon)
            value["capitals"] = float(
                _capitals(text) == _capitals(names.written[0]) and any(map(str.isupper, text))
            )
        places.append(place)
        features[i] = [value.get(name, 0.0) for name in FEATURES]
    exact = any(entry[1] == 0 or entry[2] == 0 for entry in found.values())
    nil = np.array(
        [1.0, float(not exact), float(not found), float(len(text) < 4), float(not linked)]
    )
    return MentionCandidates(
        np.array(list(found), dtype=np.int64),
        np.array([entry[0] for entry in found.values()], dtype=np.int64),
        features,
        nil,
        tuple(places),
    )


def _capitals(name: str) -> str:
    """The pattern of capitals: ``A`` for capitals only, ``Aa`` for the first only, and so on."""
    letters = [c for c in name if c.isalpha()]
    if not letters:
        return ""
    if all(map(str.isupper, letters)):
        return "A"
    if letters[0].isupper() and not any(map(str.isupper, letters[1:])):
        return "Aa"
    return "a" if not any(map(str.isupper, letters)) else "aA"
