"""Names: their ids, and the concepts that own them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from biolink.errors import ConfigError, shown
from biolink.kb.arguments import need_text
from biolink.kb.concept_table import ConceptTable
from biolink.kb.names import normalise_name

__all__ = ["NameTable"]


class NameTable(ConceptTable):
    """The names of a base, or of a part of it, and their owners.

    Name ids, like rows, are those of the whole base.
    """

    @property
    def name_slots(self) -> int:
        """Number of name ids of the base; ids run from 0 to this, exclusive."""
        return len(self.data.name_indptr) - 1

    @cached_property
    def name_mask(self) -> np.ndarray:
        """bool [name_slots]: names that a concept of this (sub)set owns."""
        if self.row_mask is None:
            return np.ones(self.name_slots, dtype=bool)
        owned = self.row_mask[self.data.name_rows]
        counts = np.concatenate([[0], np.cumsum(owned, dtype=np.int64)])
        return counts[self.data.name_indptr[1:]] > counts[self.data.name_indptr[:-1]]

    @property
    def name_count(self) -> int:
        """Number of distinct normalised names."""
        return self.name_slots if self.row_mask is None else int(self.name_mask.sum())

    def name_id(self, name: str) -> int | None:
        """Id of the name after normalisation, or None when no concept of this set owns it."""
        if not isinstance(name, str):
            need_text("a name", name)
        found = self.data.names.get(normalise_name(name))
        if found is None or not (self.row_mask is None or self.name_mask[found]):
            return None
        return int(found)

    def name_at(self, name_id: int) -> str:
        """The normalised name with this id."""
        try:
            return str(self.data.names.restore_key(name_id))
        except (KeyError, TypeError, OverflowError):
            raise ConfigError(f"{shown(name_id)} is not an id of a name here") from None

    def normalised_names(self) -> list[str]:
        """All normalised names of the base, in the order of their ids."""
        names = [""] * self.name_slots
        for name, name_id in self.data.names.iteritems():
            names[name_id] = name
        return names

    def owners(self, name_id: int) -> list[int]:
        """Rows of the concepts that own the name, preferred owners first, then by id."""
        try:
            rows = self.data.name_rows[
                self.data.name_indptr[name_id] : self.data.name_indptr[name_id + 1]
            ]
        except (IndexError, TypeError):
            raise ConfigError(f"{shown(name_id)} is not an id of a name here") from None
        if self.row_mask is not None:
            rows = rows[self.row_mask[rows]]
        return [int(row) for row in rows]

    def is_preferred(self, name_id: int, row: int) -> bool:
        """Whether the name is the preferred name of the concept in this row."""
        span = slice(self.data.name_indptr[name_id], self.data.name_indptr[name_id + 1])
        return bool((self.data.name_preferred[span] & (self.data.name_rows[span] == row)).any())

    @property
    def ownership(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(indptr [name_slots + 1], rows, preferred): owners of name i are rows[indptr[i]:...].

        Of the base: a subset's ``row_mask`` is not applied.
        """
        return self.data.name_indptr, self.data.name_rows, self.data.name_preferred

    def written_name(self, row: int, name_id: int) -> str:
        """The name as the concept in this row writes it."""
        return next(iter(self.written_names(row, name_id)), self.name_at(name_id))

    def written_names(self, row: int, name_id: int) -> Iterator[str]:
        """The ways in which the concept in this row writes the name, the preferred name first."""
        wanted = self.name_at(name_id)
        for name in (self._cell("name", row), *(self._cell("synonyms", row) or ())):
            if normalise_name(name) == wanted:
                yield str(name)
