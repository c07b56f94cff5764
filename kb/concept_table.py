"""Concepts, looked up by row and by id."""

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
    """The concepts of a knowledge base or of a subset, looked up by row and by id.

    Attributes
    ----------
    data
        The contents of the whole base.
    row_mask
        bool [rows of the base]: the rows of this subset, or None for a whole base.
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
        """Return the row of the concept with this id, alternative id or CURIE, or None."""
        if not isinstance(concept_id, str):
            need_text("the id of a concept", concept_id)
        for key in (concept_id, self.bare_id(concept_id)):
            index = self.data.ids.get(key)
            if index is not None:
                row = int(self.data.id_rows[index])
                if self.row_mask is None or self.row_mask[row]:
                    return row
        return None

    def bare_id(self, concept_id: str) -> str:
        """Return the id without the prefixes of this base and without those used by corpora."""
        if not isinstance(concept_id, str):
            need_text("the id of a concept", concept_id)
        return self.prefixes.bare(concept_id)

    def resolve(self, concept_id: str) -> str | None:
        """Return the concept's main id, given any of its ids, or None if there is no concept."""
        row = self.row_of(concept_id)
        return None if row is None else self.id_at(row)

    def curie(self, concept_id: str) -> str:
        """Return the id with its prefix; an id that already has one is returned unchanged."""
        if not isinstance(concept_id, str):
            need_text("the id of a concept", concept_id)
        return self.prefixes.curie(concept_id)

    @cached_property
    def prefixes(self) -> Prefixes:
        """The CURIE prefixes of the ids."""
        return Prefixes.in_manifest(self.data.manifest)

    def concept_at(self, row: int) -> Concept:
        """Return the concept in this row."""
        try:
            record = self.data.table.slice(row, 1).to_pylist()[0]
        except (IndexError, TypeError, ValueError, OverflowError):
            raise ConfigError(f"{shown(row)} is not a row of this knowledge base") from None
        return concept_of(record)

    def id_at(self, row: int) -> str:
        """Return the id of the concept in this row."""
        return str(self._cell("id", row))

    def preferred_name_at(self, row: int) -> str:
        """Return the preferred name of the concept in this row, not normalised."""
        return str(self._cell("name", row))

    def types_at(self, row: int) -> tuple[str, ...]:
        """Return the semantic types of the concept in this row."""
        return tuple(self._cell("types", row) or ())

    def _cell(self, column: str, row: int) -> Any:
        try:
            if row < 0:
                raise IndexError
            return self.data.table.column(column)[row].as_py()
        except (IndexError, TypeError, ValueError, OverflowError):
            raise ConfigError(f"{shown(row)} is not a row of this knowledge base") from None

    @cached_property
    def types(self) -> frozenset[str]:
        """The first semantic type of each concept of this base or subset.

        Only the first type of a concept counts, so that a base of diseases does not count as one
        of chemicals because a few of its diseases are also chemicals.
        """
        # Arrow's own functions are avoided here, because the first call imports pandas.
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
        """All semantic types of all concepts of the whole base."""
        column = self.data.table.column("types").combine_chunks()
        return frozenset(kind for kind in column.flatten().unique().to_pylist() if kind)

    @cached_property
    def letters(self) -> frozenset[str]:
        """The letters outside ASCII that occur in names of the whole base, in lower case."""
        characters: set[str] = set()
        for chunk in chain.from_iterable(
            self.data.table.column(name).chunks for name in ("name", "synonyms")
        ):
            texts = chunk if pa.types.is_string(chunk.type) else chunk.values
            buffer = texts.buffers()[2]
            if buffer is not None:
                data = np.frombuffer(buffer, np.uint8)
                characters.update(data[data > 127].tobytes().decode(errors="ignore"))
        folded = chain.from_iterable((c.lower(), fold(c).lower()) for c in characters)
        return frozenset(c for text in folded for c in text if c.isalpha())
