"""What a linker looks names up in: the trie, the n-gram index and the embeddings of a base.

Each is built when it is first needed and cached beside a stored knowledge base; see
:mod:`biolink.kb.index_cache`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from biolink.infer.network.model import LinkingModel
from biolink.infer.retrieve.dense import DenseIndex
from biolink.infer.retrieve.progress import shown
from biolink.kb import KnowledgeBase
from biolink.kb.index_cache import cached, index_folder
from biolink.kb.lexical import LexicalIndex, lexical_index
from biolink.kb.names import NORMALISATION
from biolink.kb.sealed import FROZEN
from biolink.kb.trie import NameTrie, trie_fingerprint

__all__ = ["FROZEN", "Indexes"]

#: Names whose embedding takes some seconds.
_LONG = 1000

T = TypeVar("T", NameTrie, DenseIndex)
#: Called with (what is done, done, all) while an index is built.
Progress = Callable[[str, int, int], None]


class Indexes:
    """Indexes over the names of a base (never of a subset: those are masks over it).

    Parameters
    ----------
    kb, model
        What is indexed, and the model that embeds names and tokenises them.
    progress
        Told about long work. When None, a terminal is shown a bar.
    donor
        Indexes of another base for the same model, from which embeddings of names that both have
        are taken.
    """

    def __init__(
        self,
        kb: KnowledgeBase,
        model: LinkingModel,
        progress: Progress | None = None,
        donor: Indexes | None = None,
    ) -> None:
        self.kb = kb.base
        self.model = model
        self.progress = progress
        self._donor = donor
        #: Kinds of indexes that lie beside the base.
        self._stored: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        # What lies beside the base is mapped again; whom to tell of progress is not known there.
        kept = {name: value for name, value in vars(self).items() if name not in self._stored}
        return kept | {"progress": None}

    def _cached(
        self,
        kind: str,
        key: str,
        load: Callable[[Path, str, int], T],
        build: Callable[[], T],
        save: Callable[[T, Path], None],
    ) -> T:
        index, stored = cached(self.kb, kind, key, load, build, save)
        if stored:
            self._stored.add(kind)
        return index

    @cached_property
    def trie(self) -> NameTrie:
        """Token sequences of all names."""
        model = self.model
        key = trie_fingerprint(self.kb.fingerprint, NORMALISATION, model.tokeniser_fingerprint)

        def build() -> NameTrie:
            names = self.kb.normalised_names()
            rows = model.form.name_rows(model.tokenizer, names, model.backbone.eos_id)
            return NameTrie.build(*rows, fingerprint=key)

        return self._cached("trie", key, NameTrie.open, build, NameTrie.write)

    @cached_property
    def lexical(self) -> LexicalIndex:
        """Character n-grams of the names."""
        index, stored = lexical_index(self.kb)
        if stored:
            self._stored.add("lexical")
        return index

    @cached_property
    def dense(self) -> DenseIndex:
        """Embeddings of the same names as ``lexical``, in the same order."""
        weights = self.model.weights_fingerprint
        key = trie_fingerprint(self.kb.fingerprint, "dense", weights)
        if self.model.precision != "fp32" and not self._has_dense(key):
            # Embeddings by full weights serve every precision, not the other way round.
            weights += self.model.precision
            key = trie_fingerprint(self.kb.fingerprint, "dense", weights)

        def build() -> DenseIndex:
            name_ids = self.lexical.name_ids
            names = [self.kb.name_at(int(i)) for i in name_ids]
            report, donor = self.progress, self._donor
            embed = self.model.packed().embed
            places = None if donor is None else donor.places(names)
            new = len(names) if places is None else int((places < 0).sum())
            with shown("embedding names", 0 if report else new, _LONG) as bar:
                step = bar if report is None else lambda done, size: report("names", done, size)
                if donor is not None and places is not None:
                    return donor.dense.extended(names, name_ids, places, embed, step)
                return DenseIndex.build(names, name_ids, embed, step)

        return self._cached(
            "dense", key, DenseIndex.load, build, lambda index, folder: index.save(folder, key)
        )

    def _has_dense(self, key: str) -> bool:
        folder = index_folder(self.kb, "dense", key)
        return folder is not None and folder.is_dir()

    def places(self, names: Sequence[str]) -> np.ndarray:
        """Where each normalised name stands in the n-gram and dense indexes, -1 for nowhere."""
        row_of = np.full(self.kb.name_slots, -1, dtype=np.int64)
        row_of[self.lexical.name_ids] = np.arange(len(self.lexical.name_ids))
        ids = [self.kb.name_id(name) for name in names]
        return np.array([-1 if i is None else row_of[i] for i in ids], dtype=np.int64)
