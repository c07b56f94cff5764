"""The knowledge base: an immutable set of concepts, found by id or by name.

In memory and on disk the data have one shape: an Arrow table with a row per concept, a
marisa-trie of normalised names (name <-> name id), a marisa-trie of ids, and arrays from name
ids to the rows that own them. An opened store maps its files, so opening costs milliseconds and
processes share the memory. A subset shares everything with its base but for one bit a concept.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any

import marisa_trie
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biolink.errors import ConfigError, KnowledgeBaseError, UnknownConceptError, shown
from biolink.kb.arguments import listed, need, need_callable, need_path, need_text, texts_of
from biolink.kb.concept import Columns, Concept, Dropped, Record
from biolink.kb.curies import Prefixes
from biolink.kb.names import NORMALISATION, fold, normalise_name

__all__ = ["KnowledgeBase"]

log = logging.getLogger(__name__)

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("name", pa.string()),
        ("synonyms", pa.list_(pa.string())),
        ("definitions", pa.list_(pa.string())),
        ("types", pa.list_(pa.string())),
        ("xrefs", pa.list_(pa.string())),
        ("alternative_ids", pa.list_(pa.string())),
        ("source", pa.string()),
    ]
)
_LIST_FIELDS = ("synonyms", "definitions", "types", "xrefs", "alternative_ids")
_lists_of = attrgetter(*_LIST_FIELDS)
_BATCH = 20_000
_EXAMPLES = 20
_A_BASE = "the path of a stored or readable knowledge base"
_HELD = 25  # batches that are held in memory while a base is built


class KnowledgeBase:
    """An immutable set of concepts.

    Make one with :meth:`read`, :meth:`open` or :meth:`from_concepts`. Iterating gives the
    concepts in their stored order.

    Rows and name ids (integers) are stable for the life of a base and all of its subsets; the
    linker's indexes are keyed by them.
    """

    def __init__(
        self,
        table: pa.Table,
        names: marisa_trie.Trie,
        ids: marisa_trie.Trie,
        id_rows: np.ndarray,
        name_indptr: np.ndarray,
        name_rows: np.ndarray,
        name_preferred: np.ndarray,
        manifest: dict[str, Any],
        path: Path | None = None,
        base: KnowledgeBase | None = None,
        row_mask: np.ndarray | None = None,
    ) -> None:
        self._table = table
        self._names = names
        self._ids = ids
        self._id_rows = id_rows
        self._name_indptr = name_indptr
        self._name_rows = name_rows
        self._name_preferred = name_preferred
        self.manifest = manifest
        self.path = path
        self._base = base
        self._row_mask = row_mask

    # ------------------------------------------------------------------ making

    @classmethod
    def from_concepts(
        cls,
        concepts: Iterable[Record],
        *,
        prefix: str = "",
        prefixes: Iterable[tuple[str, str]] = (),
        sources: Iterable[Mapping[str, str]] = (),
        options: Mapping[str, Any] | None = None,
    ) -> KnowledgeBase:
        """Build from concepts, which may be a stream; at most one batch is held as objects.

        Concepts that repeat an id are merged into its first occurrence. Empty names are left
        out, and a concept without any name is kept with its id as its name; the manifest counts
        all three under ``problems``.

        Parameters
        ----------
        concepts
            The concepts. What readers say of records that they leave out
            (:class:`biolink.kb.concept.Dropped`) may stand among them: it is counted by reason
            under ``dropped``, and an obsolete id leads on to the concept that replaced it.
        prefix
            CURIE prefix of the ids (``mesh``).
        prefixes
            (regular expression, prefix) for ids of other origin: the first expression that
            matches the whole id decides (``[("[0-9]{6}", "OMIM")]``).
        sources
            Where the concepts come from, for the manifest.
        options
            How they were read, for the manifest.
        """
        _need_iterable("prefixes", prefixes, "pairs (regular expression, prefix)")
        _need_iterable("sources", sources, "mappings")
        for source in sources:
            need("one of sources", source, Mapping, "a mapping of texts")
        if options is not None:
            need("options", options, Mapping, "a mapping")
        return cls._built(concepts, Prefixes.of(prefix, prefixes), sources, options)

    @classmethod
    def _built(
        cls,
        concepts: Iterable[Record],
        prefixes: Prefixes,
        sources: Iterable[Mapping[str, str]] = (),
        options: Mapping[str, Any] | None = None,
    ) -> KnowledgeBase:
        _need_iterable("concepts", concepts, "concepts")
        builder = _Builder()
        for concept in concepts:
            builder.add(concept)
        return builder.finish(cls, prefixes, list(map(dict, sources)), dict(options or {}))

    @classmethod
    def read(cls, path: str | Path, format: str | None = None, **options: Any) -> KnowledgeBase:
        """Read a knowledge base from any readable format (``biolink formats`` lists them).

        Parameters
        ----------
        path
            A file, a folder (UMLS RRF, MeSH tables) or a stored ``NAME.kb`` folder.
        format
            Name of the reader; found from the content when None.
        options
            Passed to the reader.

        Raises
        ------
        InputError
            When the file is not what its format says, with file and line.
        """
        from biolink.kb.readers import read_knowledge_base

        return read_knowledge_base(need_path(path, _A_BASE), format, **options)

    @classmethod
    def open(cls, path: str | Path) -> KnowledgeBase:
        """Open a stored ``NAME.kb`` folder, memory-mapped.

        Sizes and ranges are checked at each opening, contents once for each copy; see
        :mod:`biolink.kb.sealed`.

        Raises
        ------
        KnowledgeBaseError
            When the folder is not a store, or is damaged or truncated.
        """
        from biolink.kb.store import open_store

        return open_store(need_path(path, "the folder of a stored knowledge base"))

    def save(self, path: str | Path) -> None:
        """Write the ``NAME.kb`` folder; see :mod:`biolink.kb.store`."""
        from biolink.kb.store import save_store

        save_store(self, need_path(path, "the folder to write"))

    # ------------------------------------------------------------------ looking up

    def __len__(self) -> int:
        return self._table.num_rows if self._row_mask is None else int(self._row_mask.sum())

    def __iter__(self) -> Iterator[Concept]:
        row = 0
        for batch in self._table.to_batches(max_chunksize=4096):
            for record in batch.to_pylist():
                if self._row_mask is None or self._row_mask[row]:
                    yield _concept(record)
                row += 1

    def __contains__(self, concept_id: object) -> bool:
        return isinstance(concept_id, str) and self.row_of(concept_id) is not None

    def __getitem__(self, concept_id: str) -> Concept:
        row = self.row_of(concept_id)
        if row is None:
            raise UnknownConceptError(
                f"the knowledge base has no concept {concept_id!r}; get() gives None there"
            )
        return self.concept_at(row)

    def __reduce__(self) -> tuple[Any, ...]:
        # A stored base is opened again, a part is one bit a concept.
        if self._base is not None:
            return _part_of, (self._base, self._row_mask)
        if self.path is not None:
            return _opened_again, (self.path.absolute(), self.fingerprint)
        return KnowledgeBase, (
            self._table,
            self._names,
            self._ids,
            self._id_rows,
            self._name_indptr,
            self._name_rows,
            self._name_preferred,
            self.manifest,
        )

    def __repr__(self) -> str:
        return f"<KnowledgeBase: {len(self):,} concepts, {self.name_count:,} names>"

    def get(self, concept_id: str) -> Concept | None:
        """The concept with this id, alternative id or CURIE, or None."""
        row = self.row_of(concept_id)
        return None if row is None else self.concept_at(row)

    def lookup(self, name: str) -> list[Concept]:
        """All concepts that own the name after normalisation; preferred owners first."""
        name_id = self.name_id(name)
        return [] if name_id is None else [self.concept_at(row) for row in self.owners(name_id)]

    def row_of(self, concept_id: str) -> int | None:
        """Row of the concept with this id, alternative id or CURIE, or None."""
        if not isinstance(concept_id, str):
            need_text("the id of a concept", concept_id)
        for key in (concept_id, self.bare_id(concept_id)):
            found = self._ids.get(key)
            if found is not None:
                row = int(self._id_rows[found])
                if self._row_mask is None or self._row_mask[row]:
                    return row
        return None

    def bare_id(self, concept_id: str) -> str:
        """The id without one of this base's prefixes or of those that corpora put on ids."""
        if not isinstance(concept_id, str):
            need_text("the id of a concept", concept_id)
        return self.prefixes.bare(concept_id)

    def resolve(self, concept_id: str) -> str | None:
        """The id under which this base holds the concept, or None."""
        row = self.row_of(concept_id)
        return None if row is None else self.id_at(row)

    def curie(self, concept_id: str) -> str:
        """The id with its prefix; an id that has one already is returned as it is."""
        if not isinstance(concept_id, str):
            need_text("the id of a concept", concept_id)
        return self.prefixes.curie(concept_id)

    @cached_property
    def prefixes(self) -> Prefixes:
        """The CURIE prefixes of the ids."""
        return Prefixes.in_manifest(self.manifest)

    # ------------------------------------------------------------------ rows and name ids

    @property
    def base(self) -> KnowledgeBase:
        """The base of which this is a subset; itself when it is none."""
        return self if self._base is None else self._base

    @property
    def row_mask(self) -> np.ndarray | None:
        """bool [rows of the base]: what this subset keeps, or None for a whole base."""
        return self._row_mask

    @property
    def name_slots(self) -> int:
        """Number of name ids of the base; ids run from 0 to this, exclusive."""
        return len(self._name_indptr) - 1

    @cached_property
    def name_mask(self) -> np.ndarray:
        """bool [name_slots]: names that a concept of this (sub)set owns."""
        if self._row_mask is None:
            return np.ones(self.name_slots, dtype=bool)
        owned = self._row_mask[self._name_rows]
        counts = np.concatenate([[0], np.cumsum(owned, dtype=np.int64)])
        return counts[self._name_indptr[1:]] > counts[self._name_indptr[:-1]]

    @property
    def has_synonyms(self) -> bool:
        """Whether any concept of the base has a name beside its preferred one."""
        return any(len(chunk.values) for chunk in self._table.column("synonyms").chunks)

    @property
    def name_count(self) -> int:
        """Number of distinct normalised names."""
        return self.name_slots if self._row_mask is None else int(self.name_mask.sum())

    def name_id(self, name: str) -> int | None:
        """Id of the name after normalisation, or None when no concept of this set owns it."""
        if not isinstance(name, str):
            need_text("a name", name)
        found = self._names.get(normalise_name(name))
        if found is None or not (self._row_mask is None or self.name_mask[found]):
            return None
        return int(found)

    def name_at(self, name_id: int) -> str:
        """The normalised name with this id."""
        try:
            return str(self._names.restore_key(name_id))
        except (KeyError, TypeError, OverflowError):
            raise ConfigError(f"{shown(name_id)} is no id of a name here") from None

    def normalised_names(self) -> list[str]:
        """All normalised names of the base, in the order of their ids."""
        names = [""] * self.name_slots
        for name, name_id in self._names.iteritems():
            names[name_id] = name
        return names

    def owners(self, name_id: int) -> list[int]:
        """Rows of the concepts that own the name, preferred owners first, then by id."""
        try:
            rows = self._name_rows[self._name_indptr[name_id] : self._name_indptr[name_id + 1]]
        except (IndexError, TypeError):
            raise ConfigError(f"{shown(name_id)} is no id of a name here") from None
        if self._row_mask is not None:
            rows = rows[self._row_mask[rows]]
        return [int(row) for row in rows]

    def is_preferred(self, name_id: int, row: int) -> bool:
        """Whether the name is the preferred name of the concept in this row."""
        span = slice(self._name_indptr[name_id], self._name_indptr[name_id + 1])
        return bool((self._name_preferred[span] & (self._name_rows[span] == row)).any())

    @property
    def ownership(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(indptr [name_slots + 1], rows, preferred): owners of name i are rows[indptr[i]:...].

        Of the base: a subset's ``row_mask`` is not applied.
        """
        return self._name_indptr, self._name_rows, self._name_preferred

    def concept_at(self, row: int) -> Concept:
        """The concept in this row."""
        try:
            record = self._table.slice(row, 1).to_pylist()[0]
        except (IndexError, TypeError, ValueError, OverflowError):
            raise ConfigError(f"{shown(row)} is no row of this knowledge base") from None
        return _concept(record)

    def id_at(self, row: int) -> str:
        """Id of the concept in this row."""
        return str(self._cell("id", row))

    def preferred_name_at(self, row: int) -> str:
        """Preferred name of the concept in this row, as it is written."""
        return str(self._cell("name", row))

    def types_at(self, row: int) -> tuple[str, ...]:
        """Semantic types of the concept in this row."""
        return tuple(self._cell("types", row) or ())

    def _cell(self, column: str, row: int) -> Any:
        try:
            return self._table.column(column)[row].as_py()
        except (IndexError, TypeError, ValueError, OverflowError):
            raise ConfigError(f"{shown(row)} is no row of this knowledge base") from None

    @cached_property
    def types(self) -> frozenset[str]:
        """Semantic types of the concepts of this (sub)set, where a concept has several its first.

        So the diseases of a base do not count as chemicals for the sake of a few that are both.
        """
        # Without Arrow's functions, of which each imports pandas first.
        column = self._table.column("types").combine_chunks()
        encoded = column.values.dictionary_encode()
        offsets = np.from_dlpack(column.offsets)
        first, some = offsets[:-1], offsets[1:] > offsets[:-1]
        if self._row_mask is not None:
            some &= self._row_mask
        codes = np.unique(np.from_dlpack(encoded.indices)[first[some]])
        return frozenset(encoded.dictionary[int(code)].as_py() for code in codes)

    @cached_property
    def every_type(self) -> frozenset[str]:
        """All semantic types of the concepts of the base, also where a concept has several."""
        column = self._table.column("types").combine_chunks()
        return frozenset(kind for kind in column.flatten().unique().to_pylist() if kind)

    @cached_property
    def letters(self) -> frozenset[str]:
        """The letters beside those of ASCII that names of the base have, small ones."""
        seen: set[str] = set()
        for chunk in chain.from_iterable(
            self._table.column(name).chunks for name in ("name", "synonyms")
        ):
            texts = chunk if pa.types.is_string(chunk.type) else chunk.values
            written = texts.buffers()[2]
            if written is not None:
                data = np.frombuffer(written, np.uint8)
                seen.update(data[data > 127].tobytes().decode(errors="ignore"))
        folded = chain.from_iterable((one.lower(), fold(one).lower()) for one in seen)
        return frozenset(c for text in folded for c in text if c.isalpha())

    def written_name(self, row: int, name_id: int) -> str:
        """The name as the concept in this row writes it."""
        return next(iter(self.written_names(row, name_id)), self.name_at(name_id))

    def written_names(self, row: int, name_id: int) -> Iterator[str]:
        """The ways in which the concept in this row writes the name, the preferred name first."""
        wanted = self.name_at(name_id)
        for name in (self._cell("name", row), *(self._cell("synonyms", row) or ())):
            if normalise_name(name) == wanted:
                yield str(name)

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal digest of the names, their owners and the normalisation."""
        if self._base is not None:
            assert self._row_mask is not None
            digest = hashlib.sha256(self._base.fingerprint.encode())
            digest.update(np.packbits(self._row_mask).tobytes())
            return digest.hexdigest()
        stored = self.manifest.get("fingerprint")
        return str(stored) if stored else self._compute_fingerprint()

    def _compute_fingerprint(self) -> str:
        digest = hashlib.sha256(NORMALISATION.encode())
        digest.update(self._names.tobytes())
        digest.update(self._ids.tobytes())
        for values in (self._id_rows, self._name_indptr, self._name_rows):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    # ------------------------------------------------------------------ deriving

    def subset(
        self,
        *,
        ids: Iterable[str] | None = None,
        types: Iterable[str] | None = None,
        sources: Iterable[str] | None = None,
        predicate: Callable[[Concept], bool] | None = None,
    ) -> KnowledgeBase:
        """The concepts that meet every condition given, sharing this base's memory.

        Parameters
        ----------
        ids
            Ids, alternative ids or CURIEs; a text is one id. Of those that do not occur a warning
            says how many they are; if none of several occurs, it is an error.
        types
            Keep concepts with any of these semantic types, whatever their case; a text is one type.
        sources
            Keep concepts from any of these sources; a text is one source.
        predicate
            Keep concepts for which it is true; it sees concepts that met the other conditions.

        Raises
        ------
        ConfigError
            For types and sources that the base does not have, naming those that it has.
        """
        need_callable("predicate", predicate, "a function of a concept")
        mask = np.ones(self._table.num_rows, dtype=bool)
        if self._row_mask is not None:
            mask &= self._row_mask
        if ids is not None:
            wanted = np.zeros_like(mask)
            wanted[self._rows_of(texts_of("ids", ids))] = True
            mask &= wanted
        if types is not None:
            column = self._table.column("types").combine_chunks()
            known = _known("types", texts_of("types", types), self.every_type)
            hits = pc.is_in(pc.list_flatten(column), pa.array(known, pa.string()))
            typed = np.zeros_like(mask)
            typed[pc.filter(pc.list_parent_indices(column), hits).to_numpy()] = True
            mask &= typed
        if sources is not None:
            column = self._table.column("source")
            every = frozenset(filter(None, column.unique().to_pylist()))
            known = _known("sources", texts_of("sources", sources), every)
            mask &= pc.is_in(column, pa.array(known, pa.string())).to_numpy()
        if predicate is not None:
            for chosen in map(int, np.flatnonzero(mask)):
                mask[chosen] = predicate(self.concept_at(chosen))
        return self._masked(mask)

    def _rows_of(self, ids: list[str]) -> list[int]:
        """Rows of the concepts with these ids; what is unknown is told."""
        found = [self.row_of(concept_id) for concept_id in ids]
        rows = [row for row in found if row is not None]
        absent = [i for i, row in zip(ids, found, strict=True) if row is None]
        if absent:
            examples = ", ".join(map(repr, absent[:3])) + (", ..." if len(absent) > 3 else "")
            said = f"{len(absent):,} of {len(ids):,} ids are not in the knowledge base: {examples}"
            if not rows:
                raise ConfigError(f"{said}; expected ids such as {self._example()}")
            log.warning("biolink: warning: %s", said)
        return rows

    def _example(self) -> str:
        first = next(iter(self.base), None)
        return "those of its concepts" if first is None else repr(first.id)

    def without(self, part: KnowledgeBase) -> KnowledgeBase:
        """The concepts of this (sub)set that are not in another subset of the same base."""
        need("part", part, KnowledgeBase, "a part of this KnowledgeBase")
        if part.base is not self.base:
            raise KnowledgeBaseError("only a part of the same knowledge base can be left out")
        rows = self._table.num_rows
        mask = np.ones(rows, dtype=bool) if self._row_mask is None else self._row_mask
        taken = np.ones(rows, dtype=bool) if part._row_mask is None else part._row_mask
        return self._masked(mask & ~taken)

    def _masked(self, mask: np.ndarray) -> KnowledgeBase:
        return KnowledgeBase(
            self._table,
            self._names,
            self._ids,
            self._id_rows,
            self._name_indptr,
            self._name_rows,
            self._name_preferred,
            {**self.manifest, "subset_of": self.base.fingerprint},
            base=self.base,
            row_mask=mask,
        )

    def merge(
        self,
        other: KnowledgeBase,
        mapping: Mapping[str, Collection[str]] | None = None,
        *,
        unmatched: bool = True,
    ) -> KnowledgeBase:
        """This base with the names, definitions and cross references of another.

        Parameters
        ----------
        other
            Its concepts are added to those of this base that have the same id, that the mapping
            names, or that its cross references name.
        mapping
            Id in ``other`` -> ids in this base (from SSSOM, say).
        unmatched
            Keep the concepts of ``other`` that match none; False drops them.
        """
        need("other", other, KnowledgeBase, "a KnowledgeBase")
        if mapping is not None:
            need("mapping", mapping, Mapping, "a mapping of ids to lists of ids")
        additions: dict[str, list[Concept]] = {}
        appended: list[Concept] = []
        for concept in other:
            targets = {concept.id, *concept.xrefs, *(mapping or {}).get(concept.id, ())}
            rows = {row for row in map(self.row_of, targets) if row is not None}
            for row in sorted(rows):
                additions.setdefault(self.id_at(row), []).append(concept)
            if not rows and unmatched:
                appended.append(concept)

        def merged() -> Iterator[Concept]:
            for concept in self:
                for addition in additions.get(concept.id, ()):
                    concept = _united(concept, addition)
                yield concept
            yield from appended

        dropped = (
            Dropped(reason, entry["examples"][0], entry["count"])
            for kb in (self, other)
            for reason, entry in kb.manifest.get("dropped", {}).items()
        )
        return KnowledgeBase._built(
            chain(merged(), dropped),
            self.prefixes.joined(other.prefixes),
            sources=[*self.manifest.get("sources", ()), *other.manifest.get("sources", ())],
            options=self.manifest.get("options", {}),
        )

    def with_names(self, names: Iterable[tuple[str, str]]) -> KnowledgeBase:
        """This base with further synonyms given as (concept id, name) pairs.

        The ``biosyn`` protocol adds the mentions of training and development sets so. A concept
        that does not occur here is added, its most frequent name the preferred one.
        """
        _need_iterable("names", names, "pairs (concept id, name)")
        extra: dict[str, list[str]] = {}
        new: dict[str, list[str]] = {}
        for pair in names:
            if not isinstance(pair, tuple | list) or [type(part) for part in pair] != [str, str]:
                raise ConfigError(f"names has {shown(pair)}; expected pairs (concept id, name)")
            concept_id, name = pair
            found = self.resolve(concept_id)
            if found is not None:
                extra.setdefault(found, []).append(name)
            else:
                new.setdefault(self.bare_id(concept_id), []).append(name)
        added = (
            (i, [name for name, _ in Counter(given).most_common()]) for i, given in new.items()
        )
        return KnowledgeBase._built(
            chain(
                (
                    replace(concept, synonyms=(*concept.synonyms, *extra.get(concept.id, ())))
                    for concept in self
                ),
                (Concept(id=i, name=given[0], synonyms=tuple(given[1:])) for i, given in added),
            ),
            self.prefixes,
            sources=self.manifest.get("sources", ()),
            options=self.manifest.get("options", {}),
        )

    def materialise(self) -> KnowledgeBase:
        """A subset as a base of its own (rows and name ids are numbered anew)."""
        if self._base is None:
            return self
        return KnowledgeBase._built(
            self,
            self.prefixes,
            sources=self.manifest.get("sources", ()),
            options=self.manifest.get("options", {}),
        )


def _need_iterable(name: str, given: object, expected: str) -> None:
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise ConfigError(f"{name} is {shown(given)}; expected {expected}")


def _known(what: str, wanted: list[str], every: frozenset[str]) -> list[str]:
    """How a base writes these types or sources, whatever their case."""
    written: dict[str, list[str]] = {}
    for value in every:
        written.setdefault(value.lower(), []).append(value)
    unknown = [value for value in wanted if value.strip().lower() not in written]
    if unknown or not wanted:
        exist = f"its {what} are {listed(every)}" if every else f"it has no {what}"
        named = ", ".join(map(repr, unknown)) or "none"
        raise ConfigError(f"the knowledge base has no concept of the {what} {named}: {exist}")
    return [value for given in wanted for value in written[given.strip().lower()]]


def _part_of(base: KnowledgeBase, mask: np.ndarray) -> KnowledgeBase:
    return base._masked(mask)


def _opened_again(path: Path, fingerprint: str) -> KnowledgeBase:
    kb = KnowledgeBase.open(path)
    if kb.fingerprint != fingerprint:
        raise KnowledgeBaseError(f"{path} is another knowledge base than the one that was pickled")
    return kb


def _concept(record: dict[str, Any]) -> Concept:
    lists = {key: tuple(record[key] or ()) for key in _LIST_FIELDS}
    return Concept(id=record["id"], name=record["name"], source=record["source"], **lists)


def _united(first: Concept, second: Concept) -> Concept:
    """The first concept with what the second adds; its own id and preferred name stay."""

    def union(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*a, *b)))

    return replace(
        first,
        synonyms=union(first.synonyms, tuple(n for n in second.names if n != first.name)),
        definitions=union(first.definitions, second.definitions),
        types=union(first.types, second.types),
        xrefs=union(first.xrefs, second.xrefs),
        alternative_ids=union(first.alternative_ids, second.alternative_ids),
    )


class _Builder:
    """Collects a stream of concepts into columns, a batch at a time."""

    def __init__(self) -> None:
        self.batches: list[pa.RecordBatch] = []
        self.pending: list[Concept] = []
        self.rows: dict[str, int] = {}
        self.repeats: dict[int, list[Concept]] = {}
        self.problems: dict[str, dict[str, Any]] = {}
        self.dropped: dict[str, dict[str, Any]] = {}
        self.replaced: dict[str, str] = {}
        self.columns: tuple[str, ...] = ()

    def note(self, problem: str, example: str) -> None:
        _count(self.problems, problem, example, 1)

    def add(self, record: Record) -> None:
        if isinstance(record, Concept):
            self.add_concept(record)
        elif isinstance(record, Columns):
            self.columns = record.names
        elif not isinstance(record, Dropped):
            raise ConfigError(f"concepts has {shown(record)}; expected Concept")
        elif record.replaced_by and "\0" not in record.example:
            self.replaced.setdefault(record.example, record.replaced_by)
        else:
            _count(self.dropped, record.reason, record.example, record.count)

    def add_concept(self, concept: Concept) -> None:
        if not set(map(type, _lists_of(concept))) <= {tuple, list} or not all(
            isinstance(text, str) for text in (concept.id, *concept.names)
        ):
            _check_texts(concept)
        ids = (concept.id, *concept.alternative_ids)
        if not concept.id.strip() or any("\0" in i for i in ids):
            raise KnowledgeBaseError(
                f"the concept named {concept.name!r} has the ids {ids!r}; expected texts"
            )
        concept = self.tidied(concept)
        known = len(self.rows)
        row = self.rows.setdefault(concept.id, known)
        if row < known:
            self.note("duplicate ids", concept.id)
            self.repeats.setdefault(row, []).append(concept)
            return
        self.pending.append(concept)
        if len(self.pending) == _BATCH:
            self.flush()

    def tidied(self, concept: Concept) -> Concept:
        kept = []
        for name in concept.names:
            if name.strip():
                kept.append(" ".join(name.split()))
            else:
                self.note("empty names", concept.id)
        if not kept:
            self.note("concepts without a name", concept.id)
            kept = [concept.id]
        kept = list(dict.fromkeys(kept))
        return replace(concept, name=kept[0], synonyms=tuple(kept[1:]))

    def flush(self) -> None:
        if self.pending:
            batch = _batch(self.pending)
            self.batches.append(batch if len(self.batches) < _HELD else _on_disk(batch))
            self.pending = []

    def finish(
        self,
        cls: type[KnowledgeBase],
        prefixes: Prefixes,
        sources: list[dict[str, str]],
        options: dict[str, Any],
    ) -> KnowledgeBase:
        self.flush()
        led_on = self.lead_on()
        for number in sorted({row // _BATCH for row in (*self.repeats, *led_on)}):
            concepts = [_concept(record) for record in self.batches[number].to_pylist()]
            for offset, concept in enumerate(concepts):
                row = number * _BATCH + offset
                for repeat in self.repeats.get(row, ()):
                    concept = _united(concept, repeat)
                former = dict.fromkeys((*concept.alternative_ids, *led_on.get(row, ())))
                concepts[offset] = replace(concept, alternative_ids=tuple(former))
            self.batches[number] = _batch(concepts)
        table = pa.Table.from_batches(self.batches, schema=SCHEMA)
        ids, id_rows = self.index_ids(table)
        names, arrays = self.index_names(table)
        manifest = {
            **prefixes.to_manifest(),
            "normalisation": NORMALISATION,
            "sources": sources,
            "options": options,
            "problems": self.problems,
            **({"dropped": self.dropped} if self.dropped else {}),
            **({"columns": list(self.columns)} if self.columns else {}),
        }
        return cls(table, names, ids, id_rows, *arrays, manifest)

    def lead_on(self) -> dict[int, list[str]]:
        """Row -> obsolete ids that lead to its concept, over any number of steps."""
        alternatives: dict[str, int] = {}
        if self.replaced:
            columns = ["id", "alternative_ids"]
            for batch in self.batches:
                for record in batch.select(columns).to_pylist():
                    for alternative in record["alternative_ids"] or ():
                        alternatives.setdefault(alternative, self.rows[record["id"]])
        led_on: dict[int, list[str]] = {}
        for old in self.replaced:
            new, seen = old, set()
            while new not in self.rows and new in self.replaced and new not in seen:
                seen.add(new)
                new = self.replaced[new]
            row = self.rows.get(new, alternatives.get(new))
            if row is None:
                _count(self.dropped, "obsolete, and what replaced it is not here", old, 1)
            elif new != old:
                _count(self.dropped, "obsolete, and lead on to what replaced them", old, 1)
                led_on.setdefault(row, []).append(old)
        return led_on

    def index_ids(self, table: pa.Table) -> tuple[marisa_trie.Trie, np.ndarray]:
        for row, alternatives in enumerate(_column(table, "alternative_ids")):
            for alternative in filter(None, alternatives or ()):
                self.rows.setdefault(alternative, row)
        trie = marisa_trie.Trie(self.rows)
        id_rows = np.empty(len(self.rows), dtype=np.int32)
        for concept_id, row in self.rows.items():
            id_rows[trie[concept_id]] = row
        return trie, id_rows

    def index_names(
        self, table: pa.Table
    ) -> tuple[marisa_trie.Trie, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        # Twice, so that the names are held once, by the trie that is made of them.
        trie = marisa_trie.Trie(key for names in self.names_of(table) for key in names)
        counts = np.zeros(table.num_rows, dtype=np.int64)
        found, first = array("i"), array("b")
        for row, names in enumerate(self.names_of(table, quiet=True)):
            counts[row] = len(names)
            for key, preferred in names.items():
                found.append(trie[key])
                first.append(preferred)
        name_ids = np.frombuffer(found, np.int32) if found else np.empty(0, np.int32)
        flags = np.frombuffer(first, np.int8).astype(bool) if first else np.empty(0, bool)
        rows = np.repeat(np.arange(table.num_rows, dtype=np.int32), counts)
        # Owners of a name: preferred before synonym, then by id, so that ties are stable
        # whatever the order of the source.
        id_order = np.empty(table.num_rows, dtype=np.int64)
        id_order[pc.sort_indices(table.column("id")).to_numpy()] = np.arange(table.num_rows)
        order = np.lexsort((id_order[rows], ~flags, name_ids))
        indptr = np.zeros(len(trie) + 1, dtype=np.int64)
        np.cumsum(np.bincount(name_ids, minlength=len(trie)), out=indptr[1:])
        return trie, (indptr, rows[order], flags[order])

    def names_of(self, table: pa.Table, quiet: bool = False) -> Iterator[dict[str, bool]]:
        """For each concept: normalised name -> whether it is the preferred one."""
        columns = zip(
            _column(table, "id"), _column(table, "name"), _column(table, "synonyms"), strict=True
        )
        for concept_id, name, synonyms in columns:
            names: dict[str, bool] = {}
            for position, written in enumerate((name, *synonyms)):
                key = normalise_name(written)
                if key:
                    names.setdefault(key, position == 0)
                elif not quiet:
                    self.note("names that normalise to nothing", f"{concept_id}: {written}")
            yield names


def _count(entries: dict[str, dict[str, Any]], reason: str, example: str, count: int) -> None:
    entry = entries.setdefault(reason, {"count": 0, "examples": []})
    entry["count"] += count
    if len(entry["examples"]) < _EXAMPLES:
        entry["examples"].append(example)


def _on_disk(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same, mapped from a file that is gone with it: its pages can leave the memory."""
    handle, path = tempfile.mkstemp(prefix="biolink-")
    os.close(handle)
    try:
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
            writer.write_batch(batch)
        return pa.ipc.open_file(pa.memory_map(path)).get_batch(0)
    finally:
        Path(path).unlink()


def _column(table: pa.Table, name: str) -> Iterator[Any]:
    """Values of a column, converted a batch at a time."""
    for batch in table.select([name]).to_batches():
        yield from batch.column(0).to_pylist()


def _batch(concepts: list[Concept]) -> pa.RecordBatch:
    columns = [[getattr(concept, field.name) for concept in concepts] for field in SCHEMA]
    try:
        return pa.RecordBatch.from_arrays(
            [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)],
            schema=SCHEMA,
        )
    except (pa.ArrowException, UnicodeError, TypeError) as error:
        for concept in concepts:
            _check_texts(concept)
        raise KnowledgeBaseError(f"concepts that cannot be stored: {error}") from None


def _check_texts(concept: Concept) -> None:
    for field in SCHEMA:
        value = getattr(concept, field.name)
        if field.name in _LIST_FIELDS and not isinstance(value, tuple | list):
            found = f"{shown(value)}; expected a list of texts"
            raise KnowledgeBaseError(f"the concept {concept.id!r} has under {field.name} {found}")
        for text in value if field.name in _LIST_FIELDS else (value,):
            if not isinstance(text, str):
                found = f"{text!r}, which is no text"
            elif any("\ud800" <= character <= "\udfff" for character in text):
                found = f"{text!r}, which holds half of a character (a lone surrogate)"
            else:
                continue
            raise KnowledgeBaseError(f"the concept {concept.id!r} has under {field.name} {found}")
