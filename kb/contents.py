"""What a knowledge base consists of, in memory and on disk: one table, two tries and arrays."""

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

#: Columns of the table: the fields of a concept.
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
#: Columns that hold lists.
LIST_FIELDS = ("synonyms", "definitions", "types", "xrefs", "alternative_ids")
lists_of = attrgetter(*LIST_FIELDS)


@dataclass(frozen=True, slots=True)
class Contents:
    """The concepts of a base, and the ways to find them.

    Attributes
    ----------
    table
        A row for each concept; the columns of :data:`SCHEMA`.
    names
        Normalised name <-> name id.
    ids
        Ids and alternative ids -> index into ``id_rows``.
    id_rows
        int32 [ids]: row of the concept.
    name_indptr, name_rows, name_preferred
        The owners of name ``i`` are the rows ``name_rows[name_indptr[i]:name_indptr[i + 1]]``;
        ``name_preferred`` says whether it is the preferred name of each.
    manifest
        Where the concepts come from, and what was noticed on the way.
    """

    table: pa.Table
    names: marisa_trie.Trie
    ids: marisa_trie.Trie
    id_rows: np.ndarray
    name_indptr: np.ndarray
    name_rows: np.ndarray
    name_preferred: np.ndarray
    manifest: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of the names, their owners and the normalisation."""
        stored = self.manifest.get("fingerprint")
        return str(stored) if stored else _digest(self)

    @property
    def has_synonyms(self) -> bool:
        """Whether any concept has a name beside its preferred one."""
        return any(len(chunk.values) for chunk in self.table.column("synonyms").chunks)

    def concepts(self) -> Iterator[Concept]:
        """All concepts, in their stored order."""
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
    """The concept in a row of the table, which is given as a dictionary."""
    lists = {key: tuple(record[key] or ()) for key in LIST_FIELDS}
    return Concept(id=record["id"], name=record["name"], source=record["source"], **lists)
