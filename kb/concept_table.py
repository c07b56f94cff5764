"""Concepts by their rows and ids."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from biolink.errors import ConfigError, shown
from biolink.kb.arguments import need_text
from biolink.kb.concept import Concept
from biolink.kb.contents import Contents, concept_of
from biolink.kb.curies import Prefixes
from biolink.kb.names import fold

__all__ = ["ConceptTable"]


class ConceptTable:
    """The concepts of a base, or of a part of it, by row and id.

    Attributes
    ----------
    data
        The contents of the whole base.
    row_mask
        bool [rows of the base]: what this part keeps, or None for a whole base.
    """

    def __init__(self, data: Contents, row_mask: np.ndarray | None = None) -> None:
        self.data = data
        self.row_mask = row_mask

    def __len__(self) -> int:
        return self.data.table.num_rows if self.row_mask is None else int(self.row_mask.sum())

    def __iter__(self) -> Iterator[Concept]:
        for row, concept in enumerate(self.data.concepts()):
            if self.row_mask is None or self.row_mask[row]:
                yield concept

    def row_of(self, concept_id: str) -> int | None:
        """Row of the concept with this id, alternative id or CURIE, or None."""
        if not isinstance(concept_id, str):
            need_text("the id of a concept", concept_id)
        for key in (concept_id, self.bare_id(concept_id)):
            found = self.data.ids.get(key)
            if found is not None:
                row = int(self.data.id_rows[found])
                if self.row_mask is None or self.row_mask[row]:
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
        return Prefixes.in_manifest(self.data.manifest)

    def concept_at(self, row: int) -> Concept:
        """The concept in this row."""
        try:
            record = self.data.table.slice(row, 1).to_pylist()[0]
        except (IndexError, TypeError, ValueError, OverflowError):
            raise ConfigError(f"{shown(row)} is not a row of this knowledge base") from None
        return concept_of(record)

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
            return self.data.table.column(column)[row].as_py()
        except (IndexError, TypeError, ValueError, OverflowError):
            raise ConfigError(f"{shown(row)} is not a row of this knowledge base") from None

    @cached_property
    def types(self) -> frozenset[str]:
        """Semantic types of the concepts of this (sub)set, where a concept has several its first.

        So the diseases of a base do not count as chemicals for the sake of a few that are both.
        """
        # Without Arrow's functions, of which each imports pandas first.
        column = self.data.table.column("types").combine_chunks()
        encoded = column.values.dictionary_encode()
        offsets = np.from_dlpack(column.offsets)
        first, some = offsets[:-1], offsets[1:] > offsets[:-1]
        if self.row_mask is not None:
            some &= self.row_mask
        codes = np.unique(np.from_dlpack(encoded.indices)[first[some]])
        return frozenset(encoded.dictionary[int(code)].as_py() for code in codes)

    @cached_property
    def every_type(self) -> frozenset[str]:
        """All semantic types of the concepts of the base, also where a concept has several."""
        column = self.data.table.column("types").combine_chunks()
        return frozenset(kind for kind in column.flatten().unique().to_pylist() if kind)

    @cached_property
    def letters(self) -> frozenset[str]:
        """The letters beside those of ASCII that names of the base have, small ones."""
        seen: set[str] = set()
        for chunk in chain.from_iterable(
            self.data.table.column(name).chunks for name in ("name", "synonyms")
        ):
            texts = chunk if pa.types.is_string(chunk.type) else chunk.values
            written = texts.buffers()[2]
            if written is not None:
                data = np.frombuffer(written, np.uint8)
                seen.update(data[data > 127].tobytes().decode(errors="ignore"))
        folded = chain.from_iterable((one.lower(), fold(one).lower()) for one in seen)
        return frozenset(c for text in folded for c in text if c.isalpha())
