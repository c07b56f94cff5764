"""What every way of ranking needs: a model, a subset of a knowledge base, and its indexes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch

from biolink.infer.mentions.shared_reader import SharedReader
from biolink.infer.network.backbone import Memory
from biolink.infer.network.model import LinkingModel
from biolink.infer.rank.candidates import RankedConcept
from biolink.infer.rank.task import LinkerOptions, Meaning, Task, sources_of, windows_of
from biolink.infer.retrieve.indexes import Indexes
from biolink.kb import KnowledgeBase, normalise_name
from biolink.kb.trie import NameTrie
from biolink.kb.types import type_agreement, type_name

__all__ = ["Scope"]


@dataclass
class Scope:
    """A model and the subset of a knowledge base that is linked to, with look-ups that are cached.

    Attributes
    ----------
    model
        The linking model.
    kb
        The knowledge base, or the subset of it, that is linked to.
    indexes
        The indexes over the whole knowledge base.
    options
        The options of the linker.
    reader
        The recogniser's encoder if it reads mentions in context for the model, otherwise None.
    by_meaning
        What :mod:`biolink.infer.rank.combined` knows about the last mentions without their context.
    """

    model: LinkingModel
    kb: KnowledgeBase
    indexes: Indexes
    options: LinkerOptions
    reader: SharedReader | None = None
    by_meaning: OrderedDict[Meaning, Any] = field(default_factory=OrderedDict)

    def read(self, tasks: Sequence[Task]) -> tuple[np.ndarray, Memory | None]:
        """The vectors of mentions in context, and what the decoder reads if that comes with them.

        If it does not, :meth:`memory` gives it.
        """
        if self.reader is None:
            memory, vectors = self.model.read(*sources_of(tasks))
            return vectors, memory
        return self.reader.vectors(*self._read_by_recogniser(tasks)), None

    @torch.inference_mode()
    def memory(self, tasks: Sequence[Task]) -> Memory:
        """What the decoder reads of mentions."""
        if self.reader is None:
            return self.model.read(*sources_of(tasks))[0]
        if self.reader.reads_for("staged"):
            return self.model.read(windows_of(tasks, self.model.form))[0]
        states, mask = self.reader.attended(*self._read_by_recogniser(tasks))
        return self.model.backbone.memory(states, mask)

    def _read_by_recogniser(
        self, tasks: Sequence[Task]
    ) -> tuple[list[str], list[tuple[int, int]], np.ndarray]:
        """The texts and spans of mentions, and their vectors without context."""
        sources, spans = sources_of(tasks)
        alone = self.model.embed([task.mention for task in tasks])
        return sources, [span for span in spans if span is not None], alone

    @cached_property
    def trie(self) -> NameTrie:
        """The trie of the subset's names."""
        full = self.indexes.trie
        return full if self.kb.row_mask is None else full.restrict(self.kb.name_mask)

    @cached_property
    def index_mask(self) -> np.ndarray | None:
        """Which names of the n-gram and dense indexes are in the subset: bool [indexed names].

        None stands for all.
        """
        if self.kb.row_mask is None:
            return None
        mask: np.ndarray = self.kb.name_mask[self.indexes.lexical.name_ids]
        return mask

    @cached_property
    def index_rows(self) -> np.ndarray:
        """The position of each name in the n-gram and dense indexes, or -1: int64 [name ids]."""
        name_ids = self.indexes.lexical.name_ids
        rows = np.full(self.kb.base.name_slots, -1, dtype=np.int64)
        rows[name_ids] = np.arange(len(name_ids))
        return rows

    @cached_property
    def priors(self) -> dict[int, int]:
        """How often training documents link to the concept of each row.

        A concept counts even if the knowledge base now has it under another id.
        """
        return self._by_row(self.model.ranker.priors if self.model.ranker else {})

    def annotated(self, mention: str) -> dict[int, int]:
        """How often training documents link this mention to the concept of each row."""
        ranker = self.model.ranker
        counts = ranker.annotations.get(normalise_name(mention)) if ranker else None
        return self._by_row(counts) if counts else {}

    def _by_row(self, counts: dict[str, int]) -> dict[int, int]:
        """Turn counts by concept id into counts by row. Unknown concepts are left out."""
        by_row: dict[int, int] = {}
        for concept_id, count in counts.items():
            row = self.kb.base.row_of(concept_id)
            if row is not None:
                by_row[row] = by_row.get(row, 0) + count
        return by_row

    def type_agreement(self, mention_type: str, row: int) -> float:
        """Whether the types of a mention and a concept agree.

        See :func:`biolink.kb.types.type_agreement`.
        """
        return type_agreement(mention_type, self.kb.types_at(row), self._types)

    @cached_property
    def _types(self) -> set[str]:
        return set(map(type_name, self.kb.base.every_type))

    def owners(self, name_id: int, mention_type: str) -> list[int]:
        """The rows of the concepts that own a name, in the order of the homonym policy."""
        owners = self.kb.owners(name_id)
        agreement = {row: self.type_agreement(mention_type, row) for row in owners}
        if self.options.match_types:
            owners = [row for row in owners if agreement[row] >= 0]
        if len(owners) > 1:
            owners.sort(
                key=lambda row: (
                    not self.kb.is_preferred(name_id, row),
                    -self.priors.get(row, 0),
                    -agreement[row],
                    self.kb.id_at(row),
                )
            )
        return owners

    def concepts(
        self, names: Iterable[tuple[int, float, float]], task: Task
    ) -> list[RankedConcept]:
        """The concepts of ranked names, each once.

        Names are given as (name id, score, probability), best first.
        """
        ranked: dict[int, RankedConcept] = {}
        for name_id, score, probability in names:
            owners = self.owners(name_id, task.type)
            for row in owners if self.options.homonyms == "all" else owners[:1]:
                ranked.setdefault(row, RankedConcept(row, name_id, score, probability))
        return list(ranked.values())

    def names_at(self, leaf: int) -> Iterator[int]:
        """The ids of the subset's names at a leaf of the trie."""
        allowed = self.kb.name_mask
        for name_id in map(int, self.trie.names_at(leaf)):
            if allowed[name_id]:
                yield name_id
