"""The names of a knowledge base, looked up by id, and the concepts that own them."""

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
    """The names of a knowledge base or of a subset, and their owners.

    The owners of a name are the concepts that have it. Name ids and rows are those of the whole
    base, also in a subset.
    """

    @property
    def name_slots(self) -> int:
        """The number of name ids of the whole base; ids run from 0 to this number, exclusive."""
        return len(self.data.name_indptr) - 1

    @cached_property
    def name_mask(self) -> np.ndarray:
        """bool [name_slots]: whether a concept of this base or subset owns the name."""
        if self.row_mask is None:
            return np.ones(self.name_slots, dtype=bool)
        owned = self.row_mask[self.data.name_rows]
        counts = np.concatenate([[0], np.cumsum(owned, dtype=np.int64)])
        return counts[self.data.name_indptr[1:]] > counts[self.data.name_indptr[:-1]]

    @property
    def name_count(self) -> int:
        """The number of distinct normalised names of this base or subset."""
        return self.name_slots if self.row_mask is None else int(self.name_mask.sum())

    def name_id(self, name: str) -> int | None:
        """Return the id of the name after normalisation, or None if no concept here owns it."""
        if not isinstance(name, str):
            need_text("a name", name)
        name_id = self.data.names.get(normalise_name(name))
        if name_id is None or not (self.row_mask is None or self.name_mask[name_id]):
            return None
        return int(name_id)

    def name_at(self, name_id: int) -> str:
        """Return the normalised name with this id."""
        try:
            return str(self.data.names.restore_key(name_id))
        except (KeyError, TypeError, OverflowError):
            raise ConfigError(f"{shown(name_id)} is not the id of a name here") from None

    def normalised_names(self) -> list[str]:
        """Return all normalised names of the whole base, in the order of their ids."""
        names = [""] * self.name_slots
        for name, name_id in self.data.names.iteritems():
            names[name_id] = name
        return names

    def owners(self, name_id: int) -> list[int]:
        """Return the rows of the concepts that own the name.

        Those whose preferred name it is come first; equals are sorted by id.
        """
        rows = self.data.name_rows[self._span(name_id)]
        if self.row_mask is not None:
            rows = rows[self.row_mask[rows]]
        return [int(row) for row in rows]

    def _span(self, name_id: int) -> slice:
        """The part of ``name_rows`` with the owners of a name."""
        try:
            if name_id < 0:
                raise IndexError
            return slice(self.data.name_indptr[name_id], self.data.name_indptr[name_id + 1])
        except (IndexError, TypeError):
            raise ConfigError(f"{shown(name_id)} is not the id of a name here") from None

    def is_preferred(self, name_id: int, row: int) -> bool:
        """Return whether the name is the preferred name of the concept in this row."""
        span = self._span(name_id)
        return bool((self.data.name_preferred[span] & (self.data.name_rows[span] == row)).any())

    @property
    def ownership(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The owners of all names of the whole base, as three arrays (indptr, rows, preferred).

        The owners of name ``i`` are ``rows[indptr[i]:indptr[i + 1]]``, where ``indptr`` has
        ``name_slots + 1`` elements. ``preferred`` says for each owner whether it is its preferred
        name. The ``row_mask`` of a subset is not applied.
        """
        return self.data.name_indptr, self.data.name_rows, self.data.name_preferred

    def written_name(self, row: int, name_id: int) -> str:
        """Return the name as the concept in this row writes it."""
        return next(iter(self.written_names(row, name_id)), self.name_at(name_id))

    def written_names(self, row: int, name_id: int) -> Iterator[str]:
        """Yield the concept's names that normalise to this name, the preferred name first."""
        wanted = self.name_at(name_id)
        for name in (self._cell("name", row), *(self._cell("synonyms", row) or ())):
            if normalise_name(name) == wanted:
                yield str(name)
