"""The hierarchy of a knowledge base: which concepts are above and below others.

Each concept may have several parents, so the hierarchy is a directed graph, and usually one without
cycles. Walks down the hierarchy look at each pair of a concept and a parent once, and so do walks
up from one concept; cycles do not stop them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from biolink.errors import ConfigError, UnknownConceptError
from biolink.kb.name_table import NameTable

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["HierarchyTable"]


class HierarchyTable(NameTable):
    """The concepts of a knowledge base or of a subset, with the parents that are in it.

    The hierarchy of a subset consists of its own concepts, as if it were stored alone: a concept
    whose parents are all outside the subset is one of its tops.
    """

    @property
    def has_hierarchy(self) -> bool:
        """Whether any concept of the whole base has a parent in it."""
        return len(self.data.parent_rows) > 0

    def need_hierarchy(self) -> None:
        """Raise an error unless the base has a hierarchy.

        Raises
        ------
        ConfigError
            If no concept of the base has a parent in it.
        """
        if not self.has_hierarchy:
            raise ConfigError(
                "no concept of the knowledge base has a parent in it; expected a base with a "
                "hierarchy, built from a source that gives the parents of its concepts"
            )

    def parents_at(self, row: int) -> list[int]:
        """Return the rows of the parents of the concept in this row."""
        indptr = self.data.parent_indptr
        rows = self.data.parent_rows[indptr[row] : indptr[row + 1]]
        if self.row_mask is not None:
            rows = rows[self.row_mask[rows]]
        return [int(parent) for parent in rows]

    def steps_up(self, row: int) -> dict[int, int]:
        """Map a row and the rows of its ancestors to the least number of steps up to them.

        The nearest come first; equals are in the order in which the source lists parents.
        """
        steps = {row: 0}
        waiting = deque([row])
        while waiting:
            current = waiting.popleft()
            for parent in self.parents_at(current):
                if parent not in steps:
                    steps[parent] = steps[current] + 1
                    waiting.append(parent)
        return steps

    def ancestors(self, concept_id: str) -> tuple[str, ...]:
        """Return the ids of all concepts above a concept, the nearest first, each once.

        Equally near ones are in the order in which the source lists parents.

        Parameters
        ----------
        concept_id
            The id, an alternative id or the CURIE of the concept.

        >>> from biolink.kb import Concept, KnowledgeBase
        >>> kb = KnowledgeBase.from_concepts(
        ...     [
        ...         Concept("1", "neoplasms"),
        ...         Concept("2", "neoplasms by site", parents=("1",)),
        ...         Concept("3", "breast diseases"),
        ...         Concept("4", "breast neoplasms", parents=("2", "3")),
        ...     ]
        ... )
        >>> kb.ancestors("4")
        ('2', '3', '1')

        Raises
        ------
        UnknownConceptError
            If there is no such concept.
        """
        _, *above = self.steps_up(self._row_needed(concept_id))
        return tuple(map(self.id_at, above))

    def distance(self, first: str, second: str) -> int | None:
        """Return the number of steps from one concept to another through a common ancestor.

        The path leads up from the first concept and down to the second, and is the shortest of
        these; one of the two may itself be the common ancestor. It is the distance of Rada et al.
        (1989), "Development and application of a metric on semantic nets", who measured it in
        MeSH. As a measure of errors, it is called the tree-induced error (Dekel, Keshet and Singer
        (2004), "Large margin hierarchical classification").

        Returns
        -------
        0 for the same concept, 1 for a concept and its parent, 2 for two children of a parent; None
        if they have no common ancestor.

        >>> from biolink.kb import Concept, KnowledgeBase
        >>> concepts = [Concept("1", "fever"), Concept("2", "Q fever", parents=("1",))]
        >>> kb = KnowledgeBase.from_concepts([*concepts, Concept("3", "cold")])
        >>> kb.distance("1", "2"), kb.distance("1", "3")
        (1, None)

        Raises
        ------
        UnknownConceptError
            If there is no such concept.
        """
        ups = self.steps_up(self._row_needed(first))
        others = self.steps_up(self._row_needed(second))
        return min((ups[row] + others[row] for row in ups.keys() & others.keys()), default=None)

    def _row_needed(self, concept_id: str) -> int:
        row = self.row_of(concept_id)
        if row is None:
            raise UnknownConceptError(f"the knowledge base has no concept {concept_id!r}")
        return row

    def branch(self, rows: Sequence[int]) -> np.ndarray:
        """Return a mask of the rows of these concepts and of all concepts below them.

        Returns
        -------
        bool [rows of the base].
        """
        inside = np.zeros(self.data.table.num_rows, dtype=bool)
        for level in _levels(self._children(), np.unique(rows)):
            inside[level] = True
        return inside

    def depths(self) -> np.ndarray:
        """Return the depth of each concept, the least number of steps from a top down to it.

        A top is a concept without a parent, and has depth 0.

        Returns
        -------
        int32 [rows of the base]; -1 for concepts outside this subset, and for those that are below
        no top, because they are in a cycle or below one.
        """
        children = self._children()
        has_parent = np.zeros(children.shape[0], dtype=bool)
        has_parent[children.indices] = True
        tops = ~has_parent if self.row_mask is None else ~has_parent & self.row_mask
        depths = np.full(len(tops), -1, dtype=np.int32)
        for depth, level in enumerate(_levels(children, np.flatnonzero(tops))):
            depths[level] = depth
        return depths

    def rows_in_cycles(self) -> list[int]:
        """Return the rows of the concepts that are their own ancestors."""
        from scipy.sparse.csgraph import connected_components

        children = self._children()
        count, component = connected_components(children, connection="strong")
        alone = np.bincount(component, minlength=count) == 1
        own_parent = children.diagonal()
        return [int(row) for row in np.flatnonzero(~alone[component] | own_parent)]

    def _children(self) -> csr_array:
        """The children of each row of the base, as a sparse matrix [parents, children]."""
        from scipy.sparse import csr_array

        count = self.data.table.num_rows
        parents = self.data.parent_rows
        children = np.repeat(np.arange(count, dtype=np.int32), np.diff(self.data.parent_indptr))
        if self.row_mask is not None:
            inside = self.row_mask[parents] & self.row_mask[children]
            parents, children = parents[inside], children[inside]
        ones = np.ones(len(parents), dtype=bool)
        return csr_array((ones, (parents, children)), shape=(count, count))


def _levels(children: csr_array, first: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the given rows, those one step below them, and so on; each row once."""
    seen = np.zeros(children.shape[0], dtype=bool)
    while len(first):
        seen[first] = True
        yield first
        below = children[first].indices
        first = np.unique(below[~seen[below]])
