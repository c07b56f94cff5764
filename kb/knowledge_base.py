"""The knowledge base: an immutable set of concepts, found by id or by name.

The data have the same form in memory and on disk (:mod:`biolink.kb.contents`): an Arrow table with
one row per concept, a marisa-trie that maps normalised names to name ids, a marisa-trie of concept
ids, and arrays that map name ids to the rows of their owners. A stored base is memory-mapped, so
opening it takes milliseconds and processes share the memory. A subset shares all data with its
base, and adds a mask of its rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biolink.errors import ConfigError, KnowledgeBaseError, UnknownConceptError
from biolink.kb.arguments import need, need_callable, need_iterable, need_path, texts_of
from biolink.kb.build import built, named
from biolink.kb.concept import Concept, Record
from biolink.kb.contents import Contents
from biolink.kb.curies import Prefixes
from biolink.kb.derive import merged, with_names
from biolink.kb.hierarchy import HierarchyTable
from biolink.kb.parts import known_values, rows_in_hierarchy, rows_with_ids
from biolink.kb.problems import OnProblem
from biolink.kb.readers import read_contents
from biolink.kb.store import is_store, open_store, save_store
from biolink.kb.wording import counted

__all__ = ["KnowledgeBase"]

_A_BASE = "the path of a stored or readable knowledge base"


class KnowledgeBase(HierarchyTable):
    """An immutable set of concepts.

    Make one with :meth:`read`, :meth:`open` or :meth:`from_concepts`. Iterating over it gives the
    concepts in their stored order.

    Rows and name ids are integers that never change in a base and are the same in all of its
    subsets; the linker's indexes use them as keys.

    Attributes
    ----------
    manifest
        Where the concepts come from, and the problems that were counted when they were read.
    path
        The folder of a stored base, or None.
    base
        The base of which this is a subset; a base that is not a subset is its own base.

    >>> diabetes = Concept("D003920", "Diabetes Mellitus", synonyms=("diabetes",))
    >>> type_2 = Concept("D003924", "Diabetes Mellitus, Type 2", synonyms=("T2DM",))
    >>> kb = KnowledgeBase.from_concepts([diabetes, type_2], prefix="mesh")
    >>> kb
    <KnowledgeBase: 2 concepts, 4 names>
    >>> [concept.id for concept in kb.lookup("diabetes mellitus type-2")]
    ['D003924']
    >>> kb["mesh:D003920"].name, "D000001" in kb, kb.get("D000001")
    ('Diabetes Mellitus', False, None)
    >>> kb.subset(ids=["D003920"])
    <KnowledgeBase: 1 concept, 2 names>
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
        """Build a knowledge base from concepts.

        The concepts may be a stream, of which at most one batch is kept as Python objects.
        Concepts with the same id are merged into the first of them, and empty names are left out;
        the manifest counts both under ``problems``. A concept without any name is left out, and
        counted under ``dropped``.

        Parameters
        ----------
        concepts
            The concepts. The stream may also contain records that a reader left out
            (:class:`biolink.kb.concept.Dropped`). The manifest counts them by reason under
            ``dropped``, and an obsolete id finds the concept that replaced it.
        prefix
            The CURIE prefix of the ids, such as ``mesh``. Default: "", which adds none.
        prefixes
            Pairs (regular expression, prefix) for ids that take another prefix, such as
            ``[("[0-9]{6}", "OMIM")]``. The first expression that matches the whole id decides.
        sources
            Where the concepts come from, for the manifest.
        options
            How the concepts were read, for the manifest.

        Raises
        ------
        ConfigError
            If an argument has the wrong type.
        KnowledgeBaseError
            If there is no concept with a name, a concept has no id or a field of the wrong type, or
            a rule of ``prefixes`` is not a pair of a regular expression and a prefix.
        """
        need_iterable("prefixes", prefixes, "pairs (regular expression, prefix)")
        need_iterable("sources", sources, "mappings")
        sources = list(sources)  # it may be a stream
        for source in sources:
            need("an item of sources", source, Mapping, "a mapping of strings")
        if options is not None:
            need("options", options, Mapping, "a mapping")
        return cls(named(built(concepts, Prefixes.of(prefix, prefixes), sources, options)))

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
        """Read a knowledge base in any of the formats that ``biolink formats`` lists.

        Parameters
        ----------
        path
            A file, a folder (UMLS RRF, MeSH tables), or the folder of a stored knowledge base
            (``NAME.kb``), which is opened.
        format
            The name of the format. Default: None, which recognises the format by the content.
        progress
            A function that is called after every thousand records with the number of records read
            so far, and None, because the total is not known.
        on_problem
            A function that is called with the problem of each row that cannot be read; the base
            then contains the other rows. Default: None, which raises the first problem.
        options
            Options of the reader.

        Raises
        ------
        InputError
            If the file does not have its format, naming file and line, or if it contains no
            concept or no name.
        ConfigError
            If the format or an option is unknown, or an option has the wrong type.

        >>> _ = Path("fevers.csv").write_text("id,name,synonyms\\n1,fever,pyrexia|febris\\n")
        >>> KnowledgeBase.read("fevers.csv")["1"].names
        ('fever', 'pyrexia', 'febris')
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
        """Open a stored knowledge base (``NAME.kb``) by memory-mapping its files.

        Sizes and ranges are checked each time, checksums once for each copy of the folder; see
        :mod:`biolink.kb.sealed`.

        Raises
        ------
        KnowledgeBaseError
            If the folder is not a stored knowledge base, or is damaged or truncated.
        """
        folder = Path(need_path(path, "the folder of a stored knowledge base"))
        return cls(open_store(folder), folder)

    def save(self, path: str | Path) -> None:
        """Store the base in a folder, usually called ``NAME.kb``; see :mod:`biolink.kb.store`.

        >>> KnowledgeBase.from_concepts([Concept("1", "fever")]).save("fevers.kb")
        >>> KnowledgeBase.open("fevers.kb")["1"].name
        'fever'

        Raises
        ------
        InputError
            If anything but an empty folder or a stored knowledge base stands at the path, or it
            cannot be written.
        """
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
        # A pickled stored base is its path, and a pickled subset is its base and its mask.
        if self.base is not self:
            return _subset_of, (self.base, self.row_mask)
        if self.path is not None:
            return _opened_again, (self.path.absolute(), self.fingerprint)
        return KnowledgeBase, (self.data,)

    def __repr__(self) -> str:
        concepts, names = counted(len(self), "concept"), counted(self.name_count, "name")
        return f"<KnowledgeBase: {concepts}, {names}>"

    def get(self, concept_id: str) -> Concept | None:
        """Return the concept with this id, alternative id or CURIE, or None."""
        row = self.row_of(concept_id)
        return None if row is None else self.concept_at(row)

    def lookup(self, name: str) -> list[Concept]:
        """Return the concepts that have this name after normalisation.

        Those whose preferred name it is come first. The list is empty if there are none.
        """
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
        ids: str | Iterable[str] | None = None,
        types: str | Iterable[str] | None = None,
        sources: str | Iterable[str] | None = None,
        branch: str | Iterable[str] | None = None,
        predicate: Callable[[Concept], bool] | None = None,
    ) -> KnowledgeBase:
        """Return the concepts that meet all the given conditions, sharing the memory of this base.

        Parameters
        ----------
        ids
            Keep the concepts with these ids, alternative ids or CURIEs. A single string is one
            id. If some ids do not occur, a warning says how many; if none occurs, it is an error.
        types
            Keep the concepts with any of these semantic types, in upper or lower case. A single
            string is one type or, if the base has no such type, several separated by commas.
        sources
            Keep the concepts from any of these sources; otherwise as for types.
        branch
            Keep the concepts with these ids and all concepts below them in the hierarchy. A single
            string is one id or, if the base has no such id, several separated by commas.
        predicate
            Keep the concepts for which this function returns True. It is called only with concepts
            that meet the other conditions.

        Raises
        ------
        ConfigError
            If no id occurs, or the base has no concept of a type or source; the message lists the
            types or sources that it has. If an id of ``branch`` is unknown, or no concept of the
            base has a parent.

        >>> concepts = [Concept("1", "neoplasms"), Concept("2", "carcinoma", parents=("1",))]
        >>> kb = KnowledgeBase.from_concepts([*concepts, Concept("3", "fever")])
        >>> [concept.id for concept in kb.subset(branch="1")]
        ['1', '2']
        """
        need_callable("predicate", predicate, "a function of a concept")
        mask = np.ones(self.data.table.num_rows, dtype=bool)
        if self.row_mask is not None:
            mask &= self.row_mask
        if ids is not None:
            wanted = np.zeros_like(mask)
            wanted[rows_with_ids(self, ids)] = True
            mask &= wanted
        if types is not None:
            column = self.data.table.column("types").combine_chunks()
            known = known_values("types", types, self.every_type)
            matches = pc.is_in(pc.list_flatten(column), pa.array(known, pa.string()))
            has_type = np.zeros_like(mask)
            has_type[pc.filter(pc.list_parent_indices(column), matches).to_numpy()] = True
            mask &= has_type
        if sources is not None:
            column = self.data.table.column("source")
            every = frozenset(filter(None, column.unique().to_pylist()))
            known = known_values("sources", sources, every)
            mask &= pc.is_in(column, pa.array(known, pa.string())).to_numpy()
        if branch is not None:
            mask &= self.branch(rows_in_hierarchy("branch", self, branch))
        if predicate is not None:
            for row in map(int, np.flatnonzero(mask)):
                mask[row] = predicate(self.concept_at(row))
        return _subset_of(self.base, mask)

    def without(self, part: KnowledgeBase) -> KnowledgeBase:
        """Return the concepts of this base or subset that are not in ``part``.

        Parameters
        ----------
        part
            A subset of the same base.

        Raises
        ------
        KnowledgeBaseError
            If ``part`` is a subset of another base.
        """
        need("part", part, KnowledgeBase, "a subset of this KnowledgeBase")
        if part.base is not self.base:
            raise KnowledgeBaseError("only a subset of the same knowledge base can be left out")
        count = self.data.table.num_rows
        mask = np.ones(count, dtype=bool) if self.row_mask is None else self.row_mask
        left_out = np.ones(count, dtype=bool) if part.row_mask is None else part.row_mask
        return _subset_of(self.base, mask & ~left_out)

    def merge(
        self,
        other: KnowledgeBase,
        mapping: Mapping[str, Collection[str]] | None = None,
        *,
        unmatched: bool = True,
    ) -> KnowledgeBase:
        """Return this base with the names, definitions and cross references of another added.

        Each concept of ``other`` is merged into the concepts of this base that have its id, an id
        that ``mapping`` gives for it, or an id among its cross references.

        Parameters
        ----------
        other
            The other knowledge base.
        mapping
            Maps ids of ``other`` to lists of ids of this base; an SSSOM file is one source of it.
        unmatched
            Whether concepts of ``other`` that match no concept of this base are added as concepts
            of their own. Default: True.

        >>> mesh = KnowledgeBase.from_concepts([Concept("D005334", "Fever")])
        >>> hpo = KnowledgeBase.from_concepts([Concept("HP:0001945", "Pyrexia")])
        >>> mesh.merge(hpo, {"HP:0001945": ["D005334"]})["D005334"].names
        ('Fever', 'Pyrexia')
        """
        need("other", other, KnowledgeBase, "a KnowledgeBase")
        if mapping is not None:
            need("mapping", mapping, Mapping, "a mapping of ids to lists of ids")
            mapping = {i: texts_of("a value of mapping", ids) for i, ids in mapping.items()}
        return KnowledgeBase(merged(self, other, mapping, unmatched))

    def with_names(self, names: Iterable[tuple[str, str]]) -> KnowledgeBase:
        """Return this base with further synonyms, given as pairs (concept id, name).

        The ``biosyn`` protocol adds the mentions of training and development sets in this way. A
        concept that this base does not have is added; its most frequent name becomes its preferred
        name.

        >>> kb = KnowledgeBase.from_concepts([Concept("1", "fever")])
        >>> kb.with_names([("1", "pyrexia")])["1"].names
        ('fever', 'pyrexia')
        """
        return KnowledgeBase(with_names(self, names))

    def materialise(self) -> KnowledgeBase:
        """Return a subset as a base of its own, with new rows and name ids."""
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


def _subset_of(base: KnowledgeBase, mask: np.ndarray) -> KnowledgeBase:
    return KnowledgeBase(base.data, base=base, row_mask=mask)


def _opened_again(path: Path, fingerprint: str) -> KnowledgeBase:
    kb = KnowledgeBase.open(path)
    if kb.fingerprint != fingerprint:
        raise KnowledgeBaseError(f"{path} is no longer the knowledge base that was pickled")
    return kb
