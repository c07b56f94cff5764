"""The indexes in which a linker looks names up: the trie, the n-gram index and the embeddings.

Each is built when it is first needed. If the knowledge base is stored in a folder, its indexes are
cached beside it; see :mod:`biolink.kb.index_cache`.
"""

from __future__ import annotations

import logging
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
from biolink.kb.sealed import FROZEN, is_frozen
from biolink.kb.trie import NameTrie, trie_fingerprint
from biolink.kb.wording import counted

__all__ = ["FROZEN", "Indexes"]

log = logging.getLogger(__name__)

#: Embedding this many names takes a few seconds, so it is logged, and progress is shown.
_LONG = 1000

T = TypeVar("T", NameTrie, DenseIndex)
#: A function that is called while an index is built, with a label, the number of names done so far
#: and the number of all names.
Progress = Callable[[str, int, int], None]


class Indexes:
    """Indexes over all names of a knowledge base. Subsets of the base are masks over these indexes.

    Parameters
    ----------
    kb
        The knowledge base, or a subset; in any case the whole base is indexed.
    model
        The model that tokenises and embeds the names.
    progress
        A function that is told about long work. If it is None, a progress bar is shown on a
        terminal.
    donor
        Indexes of another base for the same model. The embeddings of names that both bases have
        are copied from it.
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
        #: The kinds of indexes that are stored beside the base.
        self._stored: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        # Stored indexes are mapped again when needed. The function for progress is dropped.
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
        """The trie over the token ids of all names."""
        model = self.model
        key = trie_fingerprint(self.kb.fingerprint, NORMALISATION, model.tokeniser_fingerprint)

        def build() -> NameTrie:
            names = self.kb.normalised_names()
            rows = model.form.name_rows(model.tokenizer, names, model.backbone.eos_id)
            return NameTrie.build(*rows, fingerprint=key)

        return self._cached("trie", key, NameTrie.open, build, NameTrie.write)

    @cached_property
    def lexical(self) -> LexicalIndex:
        """The index of the character n-grams of the names."""
        index, stored = lexical_index(self.kb)
        if stored:
            self._stored.add("lexical")
        return index

    @cached_property
    def dense(self) -> DenseIndex:
        """The index of embeddings; it has the same names as ``lexical``, in the same order."""
        weights = self.model.weights_fingerprint
        key = trie_fingerprint(self.kb.fingerprint, "dense", weights)
        if self.model.precision != "fp32" and not self._has_dense(key):
            # Embeddings by fp32 weights serve every precision, but not the other way round.
            weights += self.model.precision
            key = trie_fingerprint(self.kb.fingerprint, "dense", weights)

        def build() -> DenseIndex:
            name_ids = self.lexical.name_ids
            names = [self.kb.name_at(int(i)) for i in name_ids]
            report, donor = self.progress, self._donor
            embed = self.model.packed().embed
            places = None if donor is None else donor.places(names)
            new = len(names) if places is None else int((places < 0).sum())
            if new >= _LONG:
                log.info("%s", self._announced(new, index_folder(self.kb, "dense", key)))
            with shown("embedding names", 0 if report else new, _LONG) as bar:
                step = bar if report is None else lambda done, size: report("names", done, size)
                if donor is not None and places is not None:
                    return donor.dense.extended(names, name_ids, places, embed, step)
                return DenseIndex.build(names, name_ids, embed, step)

        index = self._cached(
            "dense", key, DenseIndex.load, build, lambda index, folder: index.save(folder, key)
        )
        index.device = self.model.backbone.device
        return index

    def _announced(self, new: int, folder: Path | None) -> str:
        """What is said before names are embedded."""
        names = counted(self.kb.name_slots, "name")
        what = f"making the index of {names}, of which {new:,} must be embedded"
        if folder is None or is_frozen(self.kb.path or folder):
            return f"{what}; a knowledge base stored by `biolink kb build` keeps it"
        return f"{what}; this is done once, and kept in {folder.parent}"

    def _has_dense(self, key: str) -> bool:
        folder = index_folder(self.kb, "dense", key)
        return folder is not None and folder.is_dir()

    def places(self, names: Sequence[str]) -> np.ndarray:
        """The positions of normalised names in the n-gram and dense indexes: int64 [names].

        The position of a name that is not in the knowledge base is -1.
        """
        row_of = np.full(self.kb.name_slots, -1, dtype=np.int64)
        row_of[self.lexical.name_ids] = np.arange(len(self.lexical.name_ids))
        ids = [self.kb.name_id(name) for name in names]
        return np.array([-1 if i is None else row_of[i] for i in ids], dtype=np.int64)
