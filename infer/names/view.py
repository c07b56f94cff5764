"""A knowledge base, and what training documents teach about its names, as ranking reads them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import pyarrow as pa

from biolink.infer.names.spellings import KINDS, spellings
from biolink.kb import KnowledgeBase, normalise_name

__all__ = [
    "ConceptNames",
    "Memory",
    "NameView",
    "cased_key",
    "describing_words",
    "key_of",
    "roles_in",
]

#: Words in names that say nothing about which concept is meant.
_COMMON = frozenset(
    "protein proteins receptor receptors factor factors member family kinase subunit domain "
    "containing like type gene genes group complex associated related alpha beta gamma delta "
    "homolog class chain binding inhibitor activator regulator component cell cells human mouse "
    "with from putative isoform precursor strain virus".split()
)
#: Words for what a gene does to the one that its name begins with: "HGF activator" is not HGF.
_ROLES = frozenset(
    "receptor inhibitor activator ligand antagonist transporter channel phosphatase kinase "
    "transferase oxidase synthase repressor convertase peptidase exchanger chaperone ligase "
    "dehydrogenase reductase adaptor antisense binding associated interacting related like "
    "inducible subunit".split()
)
_WORD = re.compile(r"[^\W\d_]{4,}")
#: The spellings that make less similar ones unnecessary, if one of them is found.
_NEAR = KINDS.index("affix")
_COUSIN = KINDS.index("cousin")
#: The most concepts that the spellings of a mention lead to.
_MOST = 240
#: The most longer names that begin with a name, and by how many characters they are longer.
_LONGER, _ADDED, _ADDED_WORDS = 12, 6, 30


def describing_words(text: str) -> frozenset[str]:
    """Return the words of four letters or more of a text in lower case.

    >>> sorted(describing_words("The NRG1 protein of neurons"))
    ['neurons', 'protein']
    """
    return frozenset(_WORD.findall(text.lower()))


def roles_in(text: str) -> frozenset[str]:
    """Return the words of a text that say what a gene does to another, in the singular.

    >>> sorted(roles_in("IL-6 receptors and HGF activator"))
    ['activator', 'receptor']
    """
    words = describing_words(text)
    return _ROLES & (words | {word[:-1] for word in words if word.endswith("s")})


def cased_key(name: str) -> str:
    """Return the letters and digits of a name, whose case is kept.

    >>> cased_key("NRG-1")
    'NRG1'
    """
    return "".join(filter(str.isalnum, name))


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
    cased
        The names as they are written, without spaces and punctuation.
    words
        The words that describe the concept.
    roles
        The words in the names that say what a gene does to another one.
    """

    written: tuple[str, ...]
    normalised: tuple[str, ...]
    keys: frozenset[str]
    cased: frozenset[str]
    words: frozenset[str]
    roles: frozenset[str]


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
        self._namesakes: dict[int, list[tuple[int, int]]] = {}
        self.names = lru_cache(maxsize=20_000)(self._names)
        self.reached = lru_cache(maxsize=20_000)(self._reached)

    @cached_property
    def taxa(self) -> list[str]:
        """The taxon of each row, or ""."""
        return [taxon or "" for taxon in self.kb.data.table.column("taxon").to_pylist()]

    @cached_property
    def all_taxa(self) -> frozenset[str]:
        """The taxa that some concept of the base has, wanted or not."""
        return frozenset(self.taxa)

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
        words = describing_words(" ".join(normalised))
        return ConceptNames(
            concept.names,
            normalised,
            frozenset(name.replace(" ", "") for name in normalised),
            frozenset(map(cased_key, concept.names)),
            words - _COMMON,
            roles_in(" ".join(normalised)),
        )

    def _longer(self, stem: str) -> list[int]:
        """The ids of the shortest names that begin with a name and add a number or the like."""
        names = self.kb.data.names
        found = [
            name
            for name in names.iterkeys(stem)
            if len(name) <= len(stem) + (_ADDED_WORDS if stem.endswith(" ") else _ADDED)
        ]
        ids = (self.kb.name_id(name) for name in sorted(found, key=lambda n: (len(n), n))[:_LONGER])
        return [name_id for name_id in ids if name_id is not None]

    def first_name(self, row: int) -> int | None:
        """The id of the preferred name of the concept in a row."""
        return self.kb.name_id(self.names(row).normalised[0])

    def namesakes(self, row: int) -> list[tuple[int, int]]:
        """The (row, name id) of the concepts whose preferred name is that of this row."""
        name_id = self.first_name(row)
        if name_id is None:
            return []
        if name_id not in self._namesakes:
            self._namesakes[name_id] = [
                (r, name_id) for r in self.owners(name_id) if self.kb.is_preferred(name_id, r)
            ]
        return self._namesakes[name_id]

    def _reached(self, text: str) -> tuple[tuple[int, int, int], ...]:
        """Return (row, name id, index of the kind) of each concept that a spelling leads to."""
        found: dict[int, tuple[int, int]] = {}
        near: set[str] = set()  # the species with a concept of a near name
        for name, kind in spellings(text):
            index = KINDS.index(kind)
            if near and index > _NEAR:
                if kind != "member":
                    continue
                index = _COUSIN
            name_id = self.kb.name_id(name)
            ids = [] if name_id is None else [name_id]
            if kind == "member":
                ids = self._longer(name) if len(name) > 2 else []
            for name_id in ids:
                for row in self.owners(name_id):
                    if row not in found and not (index > _NEAR and self.taxa[row] in near):
                        found[row] = name_id, index
                        if index < _NEAR:
                            near.add(self.taxa[row])
            if len(found) > _MOST:
                break
        return tuple((row, name_id, kind) for row, (name_id, kind) in found.items())


@dataclass(frozen=True)
class Memory:
    """What training documents teach about names.

    Attributes
    ----------
    counts
        For each mention without spaces (:func:`key_of`), how many documents link it to each id.
    """

    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @cached_property
    def popular(self) -> Counter[str]:
        """How often documents link to each id, by one mention or another."""
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
