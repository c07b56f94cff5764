"""The knowledge base: an immutable set of concepts, found by id or by name.

In memory and on disk the data have one shape (:mod:`biolink.kb.contents`): an Arrow table with a
row per concept, a marisa-trie of normalised names (name <-> name id), a marisa-trie of ids, and
arrays from name ids to the rows that own them. An opened store maps its files, so opening costs
milliseconds and processes share the memory. A subset shares everything with its base but for one
bit a concept.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biolink.errors import ConfigError, KnowledgeBaseError, UnknownConceptError
from biolink.kb.arguments import listed, need, need_callable, need_iterable, need_path, texts_of
from biolink.kb.build import built
from biolink.kb.concept import Concept, Record
from biolink.kb.contents import Contents
from biolink.kb.curies import Prefixes
from biolink.kb.derive import merged, with_names
from biolink.kb.name_table import NameTable
from biolink.kb.problems import OnProblem
from biolink.kb.readers import read_contents
from biolink.kb.store import is_store, open_store, save_store

__all__ = ["KnowledgeBase"]

log = logging.getLogger(__name__)

_A_BASE = "the path of a stored or readable knowledge base"


class KnowledgeBase(NameTable):
    """An immutable set of concepts.

    Make one with :meth:`read`, :meth:`open` or :meth:`from_concepts`. Iterating gives the
    concepts in their stored order.

    Rows and name ids (integers) are stable for the life of a base and all of its subsets; the
    linker's indexes are keyed by them.

    Attributes
    ----------
    manifest
        Where the concepts come from, and what was noticed on the way.
    path
        The folder of a stored base, or None.
    base
        The base of which this is a subset; itself when it is none.
    """

    def __init__(
        self,
        data: Contents,
        path: Path | None = None,
        base: KnowledgeBase | None = None,
        row_mask: np.ndarray | None = None,
    ) -> None:
        super().__init__(data, row_mask)
        self.path = path
        self.base = base or self
        self.manifest = data.manifest
        if base is not None:
            self.manifest = {**data.manifest, "subset_of": base.fingerprint}

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
        need_iterable("prefixes", prefixes, "pairs (regular expression, prefix)")
        need_iterable("sources", sources, "mappings")
        for source in sources:
            need("one of sources", source, Mapping, "a mapping of texts")
        if options is not None:
            need("options", options, Mapping, "a mapping")
        return cls(built(concepts, Prefixes.of(prefix, prefixes), sources, options))

    @classmethod
    def read(
        cls,
        path: str | Path,
        format: str | None = None,
        *,
        progress: Callable[[int, None], None] | None = None,
        on_problem: OnProblem = None,
        **options: Any,
    ) -> KnowledgeBase:
        """Read a knowledge base from any readable format (``biolink formats`` lists them).

        Parameters
        ----------
        path
            A file, a folder (UMLS RRF, MeSH tables) or a stored ``NAME.kb`` folder, which is
            opened.
        format
            Name of the reader; found from the content when None.
        progress
            Called with the number of records that were read, and None for that of all, every
            thousand.
        on_problem
            Called with the problem of each row that cannot be read, instead of raising it; the
            base holds the others.
        options
            Passed to the reader.

        Raises
        ------
        InputError
            When the file is not what its format says, with file and line, or holds no concept or
            no name.
        """
        path = need_path(path, _A_BASE)
        if format is None and Path(path).is_dir() and is_store(path):
            if options:
                raise ConfigError(
                    f"{path} is a stored knowledge base, which takes no options; expected none"
                )
            return cls.open(path)
        return cls(read_contents(path, format, progress, on_problem, **options))

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
        folder = Path(need_path(path, "the folder of a stored knowledge base"))
        return cls(open_store(folder), folder)

    def save(self, path: str | Path) -> None:
        """Write the ``NAME.kb`` folder; see :mod:`biolink.kb.store`."""
        save_store(self.materialise().data, need_path(path, "the folder to write"))

    # ------------------------------------------------------------------ looking up

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
        if self.base is not self:
            return _part_of, (self.base, self.row_mask)
        if self.path is not None:
            return _opened_again, (self.path.absolute(), self.fingerprint)
        return KnowledgeBase, (self.data,)

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

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal digest of the names, their owners and the normalisation."""
        if self.row_mask is None:
            return self.data.fingerprint
        digest = hashlib.sha256(self.base.fingerprint.encode())
        digest.update(np.packbits(self.row_mask).tobytes())
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
        mask = np.ones(self.data.table.num_rows, dtype=bool)
        if self.row_mask is not None:
            mask &= self.row_mask
        if ids is not None:
            wanted = np.zeros_like(mask)
            wanted[_rows_of(self, texts_of("ids", ids))] = True
            mask &= wanted
        if types is not None:
            column = self.data.table.column("types").combine_chunks()
            known = _known("types", texts_of("types", types), self.every_type)
            hits = pc.is_in(pc.list_flatten(column), pa.array(known, pa.string()))
            typed = np.zeros_like(mask)
            typed[pc.filter(pc.list_parent_indices(column), hits).to_numpy()] = True
            mask &= typed
        if sources is not None:
            column = self.data.table.column("source")
            every = frozenset(filter(None, column.unique().to_pylist()))
            known = _known("sources", texts_of("sources", sources), every)
            mask &= pc.is_in(column, pa.array(known, pa.string())).to_numpy()
        if predicate is not None:
            for chosen in map(int, np.flatnonzero(mask)):
                mask[chosen] = predicate(self.concept_at(chosen))
        return _part_of(self.base, mask)

    def without(self, part: KnowledgeBase) -> KnowledgeBase:
        """The concepts of this (sub)set that are not in another subset of the same base."""
        need("part", part, KnowledgeBase, "a part of this KnowledgeBase")
        if part.base is not self.base:
            raise KnowledgeBaseError("only a part of the same knowledge base can be left out")
        rows = self.data.table.num_rows
        mask = np.ones(rows, dtype=bool) if self.row_mask is None else self.row_mask
        taken = np.ones(rows, dtype=bool) if part.row_mask is None else part.row_mask
        return _part_of(self.base, mask & ~taken)

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
        return KnowledgeBase(merged(self, other, mapping, unmatched))

    def with_names(self, names: Iterable[tuple[str, str]]) -> KnowledgeBase:
        """This base with further synonyms given as (concept id, name) pairs.

        The ``biosyn`` protocol adds the mentions of training and development sets so. A concept
        that does not occur here is added, its most frequent name the preferred one.
        """
        return KnowledgeBase(with_names(self, names))

    def materialise(self) -> KnowledgeBase:
        """A subset as a base of its own (rows and name ids are numbered anew)."""
        if self.base is self:
            return self
        return KnowledgeBase(
            built(
                self,
                self.prefixes,
                self.manifest.get("sources", ()),
                self.manifest.get("options", {}),
            )
        )


def _rows_of(kb: KnowledgeBase, ids: list[str]) -> list[int]:
    """Rows of the concepts with these ids; what is unknown is told."""
    found = [kb.row_of(concept_id) for concept_id in ids]
    rows = [row for row in found if row is not None]
    absent = [i for i, row in zip(ids, found, strict=True) if row is None]
    if absent:
        examples = ", ".join(map(repr, absent[:3])) + (", ..." if len(absent) > 3 else "")
        said = f"{len(absent):,} of {len(ids):,} ids are not in the knowledge base: {examples}"
        if not rows:
            raise ConfigError(f"{said}; expected ids such as {_example(kb)}")
        log.warning("biolink: warning: %s", said)
    return rows


def _example(kb: KnowledgeBase) -> str:
    first = next(iter(kb.base), None)
    return "those of its concepts" if first is None else repr(first.id)


def _known(what: str, wanted: list[str], every: frozenset[str]) -> list[str]:
    """How a base writes these types or sources, whatever their case."""
    written: dict[str, list[str]] = {}
    for value in every:
        written.setdefault(value.lower(), []).append(value)
    exist = f"expected {what} among {listed(every)}" if every else f"it has no {what} at all"
    if not any(value.strip() for value in wanted):
        raise ConfigError(f"the {what} are an empty list; {exist}")
    unknown = [value for value in wanted if value.strip().lower() not in written]
    if unknown:
        named = ", ".join(map(repr, unknown))
        raise ConfigError(f"the knowledge base has no concept of the {what} {named}; {exist}")
    return [value for given in wanted for value in written[given.strip().lower()]]


def _part_of(base: KnowledgeBase, mask: np.ndarray) -> KnowledgeBase:
    return KnowledgeBase(base.data, base=base, row_mask=mask)


def _opened_again(path: Path, fingerprint: str) -> KnowledgeBase:
    kb = KnowledgeBase.open(path)
    if kb.fingerprint != fingerprint:
        raise KnowledgeBaseError(f"{path} is another knowledge base than the one that was pickled")
    return kb
