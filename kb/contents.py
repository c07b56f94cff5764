"""The data of a knowledge base, in memory and on disk: one table, two tries and some arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import marisa_trie
import numpy as np
import pyarrow as pa

from biolink.kb.concept import Concept
from biolink.kb.names import NORMALISATION

__all__ = ["LIST_FIELDS", "SCHEMA", "Contents", "concept_of", "lists_of"]

#: The columns of the table are the fields of a concept.
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
        ("parents", pa.list_(pa.string())),
        ("taxon", pa.string()),
    ]
)
#: Columns that hold lists.
LIST_FIELDS = ("synonyms", "definitions", "types", "xrefs", "alternative_ids", "parents")
lists_of = attrgetter(*LIST_FIELDS)


@dataclass(frozen=True, slots=True)
class Contents:
    """The concepts of a knowledge base, and the indexes that find them by id and by name.

    Attributes
    ----------
    table
        One row for each concept, with the columns of :data:`SCHEMA`.
    names
        A trie that maps each normalised name to its name id, and back.
    ids
        A trie that maps each id and alternative id to an index into ``id_rows``.
    id_rows
        int32 [ids and alternative ids]: the row of the concept that has the id.
    name_indptr
        int64 [names + 1]: the owners of name ``i``, that is, the concepts that have this name, are
        the rows ``name_rows[name_indptr[i]:name_indptr[i + 1]]``.
    name_rows
        int32 [pairs of a name and an owner]: the rows of the owners.
    name_preferred
        bool [pairs of a name and an owner]: whether the name is the owner's preferred name.
    parent_indptr
        int64 [concepts + 1]: the parents of the concept in row ``i`` are the concepts in the rows
        ``parent_rows[parent_indptr[i]:parent_indptr[i + 1]]``, in the order of the source.
    parent_rows
        int32 [pairs of a concept and a parent]: the rows of the parents. Parents that the base
        lacks have no row; only the table has their ids.
    manifest
        Where the concepts come from, and the problems that were counted when they were read.
    """

    table: pa.Table
    names: marisa_trie.Trie
    ids: marisa_trie.Trie
    id_rows: np.ndarray
    name_indptr: np.ndarray
    name_rows: np.ndarray
    name_preferred: np.ndarray
    parent_indptr: np.ndarray
    parent_rows: np.ndarray
    manifest: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of the names, their owners and the normalisation."""
        stored = self.manifest.get("fingerprint")
        return str(stored) if stored else _digest(self)

    @property
    def has_synonyms(self) -> bool:
        """Whether any concept has a synonym."""
        return any(len(chunk.values) for chunk in self.table.column("synonyms").chunks)

    def concepts(self) -> Iterator[Concept]:
        """Iterate over all concepts in their stored order."""
        for batch in self.table.to_batches(max_chunksize=4096):
            yield from map(concept_of, batch.to_pylist())


def _digest(data: Contents) -> str:
    digest = hashlib.sha256(NORMALISATION.encode())
    digest.update(data.names.tobytes())
    digest.update(data.ids.tobytes())
    for values in (data.id_rows, data.name_indptr, data.name_rows):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def concept_of(record: dict[str, Any]) -> Concept:
    """Return the concept of a row of the table; the row is given as a dictionary."""
    lists = {key: tuple(record[key] or ()) for key in LIST_FIELDS}
    return Concept(
        id=record["id"],
        name=record["name"],
        source=record["source"],
        taxon=record["taxon"] or "",
        **lists,
    )
