"""The name trie: token sequences of all names as flat arrays.

Nodes stand breadth first and the children of a node are contiguous and sorted by token, so a node
is a slice: ``tok[n]`` is the token that leads to node n, and the children of node i are
``first[i]`` to ``first[i + 1]``. Every sequence ends with the end token, so its last node is a
leaf and a name that is a prefix of another keeps its end. A leaf leads to the ids of the names
that have its sequence. Node 0 is the root; its ``tok`` is 0 and means nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from biolink.errors import KnowledgeBaseError
from biolink.kb.arrays import check_ascending, check_range, mapped_array
from biolink.kb.files import replace_folder
from biolink.kb.sealed import Kind, check_files, foreign_in_index, read_manifest, seal

__all__ = ["NameTrie", "trie_fingerprint"]

FORMAT = "biolink-trie"
VERSION = 2
_ARRAYS = ("tok", "first", "leaf_nodes", "leaf_indptr", "leaf_names", "levels")
KIND = Kind(
    FORMAT,
    VERSION,
    "name trie",
    tuple(f"{name}.npy" for name in _ARRAYS),
    "build it again",
)


def trie_fingerprint(names: str, normalisation: str, tokeniser: str, form: str = "") -> str:
    """Fingerprint under which a trie is stored: it fits these names, tokenised so, only."""
    parts = json.dumps([1, names, normalisation, tokeniser, form])
    return hashlib.sha256(parts.encode()).hexdigest()


class NameTrie:
    """A prefix trie over token ids, in flat arrays that may be memory-mapped.

    Attributes
    ----------
    tok
        uint16 or int32 [nodes].
    first
        int32 [nodes + 1].
    leaf_nodes
        int32 [leaves], ascending.
    leaf_indptr, leaf_names
        int32: names of leaf j are ``leaf_names[leaf_indptr[j]:leaf_indptr[j + 1]]``.
    levels
        int32 [depth + 2]: nodes of depth d are ``levels[d]`` to ``levels[d + 1]``.
    """

    def __init__(
        self,
        tok: np.ndarray,
        first: np.ndarray,
        leaf_nodes: np.ndarray,
        leaf_indptr: np.ndarray,
        leaf_names: np.ndarray,
        levels: np.ndarray,
        fingerprint: str = "",
    ) -> None:
        self.tok, self.first = tok, first
        self.leaf_nodes, self.leaf_indptr, self.leaf_names = leaf_nodes, leaf_indptr, leaf_names
        self.levels = levels
        self.fingerprint = fingerprint

    # ------------------------------------------------------------------ building

    @classmethod
    def build(
        cls,
        tokens: np.ndarray,
        offsets: np.ndarray,
        name_ids: np.ndarray | None = None,
        fingerprint: str = "",
    ) -> NameTrie:
        """Build from ragged token rows.

        Parameters
        ----------
        tokens
            Token ids of all names behind one another, each name with its end token.
        offsets
            [names + 1]: name i is ``tokens[offsets[i]:offsets[i + 1]]``.
        name_ids
            [names]; 0, 1, ... when None.

        Raises
        ------
        ValueError
            For an empty row, or a row that is a proper prefix of another (its end token is
            missing).
        """
        # Long because a level's arrays all follow from those of the level above it.
        count = len(offsets) - 1
        lengths = np.diff(offsets)
        if name_ids is None:
            name_ids = np.arange(count, dtype=np.int32)
        if count and lengths.min() < 1:
            raise ValueError("a name has no tokens, not even the end token")
        dtype: type = np.uint16 if not len(tokens) or int(tokens.max()) < 65_536 else np.int32
        order = _sorted_rows(tokens, offsets)
        starts, lengths = offsets[:-1][order], lengths[order]

        toks: list[np.ndarray] = [np.zeros(1, dtype)]
        firsts: list[np.ndarray] = []
        levels = [0, 1]
        leaf_nodes: list[np.ndarray] = []
        leaf_rows: list[np.ndarray] = []
        node_of = np.zeros(count, dtype=np.int64)  # of each sorted row at the current depth
        active = np.arange(count)
        previous_size, nodes, depth = 1, 1, 0
        while len(active):
            parents = node_of[active]
            level = tokens[starts[active] + depth]
            new = np.ones(len(active), dtype=bool)
            new[1:] = (parents[1:] != parents[:-1]) | (level[1:] != level[:-1])
            numbers = nodes + np.cumsum(new) - 1
            node_of[active] = numbers
            toks.append(level[new].astype(dtype))
            children = np.bincount(parents[new] - (nodes - previous_size), minlength=previous_size)
            firsts.append(children)
            size = int(new.sum())
            ending = lengths[active] == depth + 1
            leaf_nodes.append(numbers[ending])
            leaf_rows.append(active[ending])
            # A row that ends where another goes on has no end token of its own.
            if (new[1:] < ending[:-1])[~ending[1:]].any():
                raise ValueError("a name is a proper prefix of another: end tokens are missing")
            active = active[~ending]
            previous_size = size
            nodes += size
            levels.append(nodes)
            depth += 1
        firsts.append(np.zeros(previous_size, dtype=np.int64))
        first = np.empty(nodes + 1, dtype=np.int32)
        first[0] = 1
        np.cumsum(np.concatenate(firsts)[:nodes], out=first[1:])
        first[1:] += 1
        all_leaves = np.concatenate(leaf_nodes) if leaf_nodes else np.empty(0, np.int64)
        all_rows = np.concatenate(leaf_rows) if leaf_rows else np.empty(0, np.int64)
        distinct, counts = np.unique(all_leaves, return_counts=True)
        indptr = np.zeros(len(distinct) + 1, dtype=np.int32)
        np.cumsum(counts, out=indptr[1:])
        named = np.asarray(name_ids)[order[all_rows]].astype(np.int32)
        named = named[np.lexsort((named, all_leaves))]
        return cls(
            np.concatenate(toks),
            first,
            distinct.astype(np.int32),
            indptr,
            named,
            np.array(levels, dtype=np.int32),
            fingerprint,
        )

    @classmethod
    def from_sequences(cls, sequences: Sequence[Sequence[int]]) -> NameTrie:
        """Build from token sequences, each with its end token; name i is ``sequences[i]``."""
        offsets = np.zeros(len(sequences) + 1, dtype=np.int64)
        np.cumsum([len(s) for s in sequences], out=offsets[1:])
        flat = (token for sequence in sequences for token in sequence)
        return cls.build(np.fromiter(flat, np.int32, int(offsets[-1])), offsets)

    # ------------------------------------------------------------------ asking

    def __len__(self) -> int:
        """Number of names."""
        return len(self.leaf_names)

    @property
    def nodes(self) -> int:
        return len(self.tok)

    @property
    def depth(self) -> int:
        """Tokens of the longest name, end token included."""
        return len(self.levels) - 2

    @property
    def nbytes(self) -> int:
        return sum(getattr(self, name).nbytes for name in _ARRAYS)

    def children(self, node: int) -> tuple[np.ndarray, int]:
        """Tokens that may follow, ascending, and the node of the first of them."""
        begin, end = int(self.first[node]), int(self.first[node + 1])
        return self.tok[begin:end], begin

    def walk(self, prefix: Sequence[int]) -> int | None:
        """The node that a prefix leads to, or None when no name begins so."""
        node = 0
        for token in prefix:
            tokens, begin = self.children(node)
            place = int(np.searchsorted(tokens, token))
            if place == len(tokens) or tokens[place] != token:
                return None
            node = begin + place
        return node

    def below(self, node: int, most: int) -> tuple[list[int], list[int]]:
        """Leaves below a node, the nearest first and those as near by token, and how far they are.

        Parameters
        ----------
        most
            Leaves after which the search ends; it reads no level further down than it must.
        """
        leaves: list[int] = []
        steps: list[int] = []
        level = np.array([node], dtype=np.int64)
        step = 0
        while len(level) and len(leaves) < most:
            step += 1
            begin = np.asarray(self.first[level], dtype=np.int64)
            counts = np.asarray(self.first[level + 1], dtype=np.int64) - begin
            before = np.cumsum(counts) - counts
            level = np.arange(counts.sum()) + np.repeat(begin - before, counts)
            ends = self.first[level] == self.first[level + 1]
            leaves += level[ends].tolist()
            steps += [step] * (len(leaves) - len(steps))
            level = level[~ends]
        return leaves[:most], steps[:most]

    def allowed(self, prefix: Sequence[int]) -> np.ndarray:
        """Tokens that may follow a prefix; empty when no name begins so or one ends there."""
        node = self.walk(prefix)
        return np.empty(0, self.tok.dtype) if node is None else self.children(node)[0]

    @cached_property
    def height(self) -> np.ndarray:
        """uint16 [nodes]: tokens on the longest way down from each node, 0 for a leaf."""
        height = np.zeros(self.nodes, dtype=np.uint16)
        for begin, end in self._inner_levels():
            spans = np.asarray(self.first[begin : end + 1])
            inner = np.flatnonzero(np.diff(spans)) + begin
            if len(inner):
                # reduceat over inner nodes only: their slices are adjacent, so each ends where
                # the next begins.
                below = height[spans[0] : spans[-1]]
                tallest = np.maximum.reduceat(below, self.first[inner] - spans[0])
                height[inner] = tallest + 1
        return height

    def _inner_levels(self) -> Iterator[tuple[int, int]]:
        """Nodes of each level but the last, deepest first."""
        for level in range(len(self.levels) - 3, -1, -1):
            yield int(self.levels[level]), int(self.levels[level + 1])

    def names_at(self, node: int) -> np.ndarray:
        """Ids of the names that end in this leaf; empty for an inner node."""
        place = int(np.searchsorted(self.leaf_nodes, node))
        if place == len(self.leaf_nodes) or self.leaf_nodes[place] != node:
            return np.empty(0, np.int32)
        return self.leaf_names[self.leaf_indptr[place] : self.leaf_indptr[place + 1]]

    def __iter__(self) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
        """All sequences in order, with the ids of their names."""
        stack: list[tuple[int, tuple[int, ...]]] = [(0, ())]
        while stack:
            node, prefix = stack.pop()
            begin, end = int(self.first[node]), int(self.first[node + 1])
            if begin == end and node:
                yield prefix, self.names_at(node)
            for child in range(end - 1, begin - 1, -1):
                stack.append((child, (*prefix, int(self.tok[child]))))

    # ------------------------------------------------------------------ restricting

    def restrict(self, name_mask: np.ndarray) -> NameTrie:
        """The trie of some of the names, derived by masking leaves and propagating upwards.

        Parameters
        ----------
        name_mask
            bool [name ids]: names that stay. They keep their ids.
        """
        kept_names = name_mask[self.leaf_names]
        totals = np.concatenate([[0], np.cumsum(kept_names, dtype=np.int32)])
        per_leaf = totals[self.leaf_indptr[1:]] - totals[self.leaf_indptr[:-1]]
        leaves = per_leaf > 0
        alive = np.zeros(self.nodes, dtype=bool)
        alive[self.leaf_nodes[leaves]] = True
        alive[0] = True
        nodes: list[np.ndarray] = []  # that stay, of each level, deepest first
        parents: list[np.ndarray] = []  # of each of them
        for level in range(len(self.levels) - 2, 0, -1):
            above, begin, end = (int(x) for x in self.levels[level - 1 : level + 2])
            places = np.flatnonzero(alive[begin:end])
            children = np.diff(self.first[above : begin + 1])
            parent = np.repeat(np.arange(above, begin, dtype=np.int32), children)[places]
            alive[parent] = True
            nodes.append((places + begin).astype(np.int32))
            parents.append(parent)
        kept = np.concatenate([np.zeros(1, np.int32), *nodes[::-1]])
        parent = np.concatenate(parents[::-1]) if parents else np.empty(0, np.int32)
        # The children of a node stay contiguous and in the order of their parents, so the lengths
        # of the runs of equal parents are the inner nodes' numbers of children.
        inner = np.ones(len(kept), dtype=bool)
        inner[1:] = self.first[kept[1:]] < self.first[kept[1:] + 1]
        begins = np.flatnonzero(np.diff(parent, prepend=-1))
        counts = np.zeros(len(kept), dtype=np.int32)
        if len(begins):
            counts[inner] = np.diff(begins, append=len(parent))
        first = np.ones(len(kept) + 1, dtype=np.int32)
        np.cumsum(counts, dtype=np.int32, out=first[1:])
        first[1:] += 1
        levels = np.searchsorted(kept, self.levels).astype(np.int32)
        levels = np.append(levels[:1], levels[1:][np.diff(levels) > 0])
        return NameTrie(
            np.asarray(self.tok)[kept],
            first,
            np.flatnonzero(~inner).astype(np.int32),
            np.concatenate([[0], np.cumsum(per_leaf[leaves])]).astype(np.int32),
            np.asarray(self.leaf_names)[kept_names],
            levels,
        )

    # ------------------------------------------------------------------ storing

    def save(self, path: str | Path) -> None:
        """Write a folder of ``.npy`` arrays with a manifest, under a temporary name first."""
        with replace_folder(path, foreign_in_index, "a stored trie") as folder:
            self.write(folder)

    def write(self, folder: Path) -> None:
        """Write the same files into an existing folder."""
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)
        seal(folder, KIND, {"fingerprint": self.fingerprint})

    @classmethod
    def open(
        cls, path: str | Path, fingerprint: str | None = None, names: int | None = None
    ) -> NameTrie:
        """Map a stored trie.

        Parameters
        ----------
        path
            The folder.
        fingerprint
            What it must have been built from; None for anything.
        names
            How many name ids there are; None when it is not known.

        Raises
        ------
        KnowledgeBaseError
            When it is damaged, foreign, or stored under another fingerprint.
        """
        folder = Path(path)
        manifest = read_manifest(folder, KIND)
        if fingerprint is not None and manifest.get("fingerprint") != fingerprint:
            raise KnowledgeBaseError(
                f"{folder} was built from other names or another tokeniser: build it again"
            )
        check_files(folder, KIND, manifest)
        file = {name: folder / f"{name}.npy" for name in _ARRAYS}
        arrays = {name: mapped_array(file[name], np.int32) for name in _ARRAYS[1:]}
        tok = mapped_array(file["tok"], np.uint16, np.int32)
        nodes, leaves = len(tok), len(arrays["leaf_nodes"])
        for name, size in (("first", nodes + 1), ("leaf_indptr", leaves + 1)):
            if len(arrays[name]) != size:
                raise KIND.damage(file[name], f"has {len(arrays[name]):,} elements, not {size:,}")
        check_ascending(file["first"], arrays["first"], 1, nodes)
        check_range(file["leaf_nodes"], arrays["leaf_nodes"], nodes, distinct=True)
        leaf_names = arrays["leaf_names"]
        check_ascending(file["leaf_indptr"], arrays["leaf_indptr"], 0, len(leaf_names))
        check_range(file["leaf_names"], leaf_names, 2**31 if names is None else names)
        check_ascending(file["levels"], arrays["levels"], 0, nodes, strictly=True)
        return cls(tok, **arrays, fingerprint=str(manifest.get("fingerprint", "")))


def _sorted_rows(tokens: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Order of the rows, lexicographic by token.

    Tokens go into 64-bit words, four at a time (two where ids need more than 16 bits), shifted by
    one so that the padding of shorter rows sorts first. Only rows that are still tied are refined
    by their next word.
    """
    count = len(offsets) - 1
    lengths = np.diff(offsets)
    wide = len(tokens) > 0 and int(tokens.max()) >= 65_535
    per_word, bits = (2, 32) if wide else (4, 16)

    def words(rows: np.ndarray, begin: int) -> np.ndarray:
        word = np.zeros(len(rows), dtype=np.uint64)
        for step in range(begin, begin + per_word):
            present = lengths[rows] > step
            values = np.zeros(len(rows), dtype=np.uint64)
            values[present] = tokens[offsets[rows[present]] + step].astype(np.uint64) + np.uint64(1)
            word = (word << np.uint64(bits)) | values
        return word

    order = np.arange(count)
    key = words(order, 0)
    order = np.argsort(key, kind="stable")
    key = key[order]
    begin = per_word
    # Positions in the order that are tied with a neighbour, and their group.
    breaks = np.ones(count, dtype=bool)
    breaks[1:] = key[1:] != key[:-1]
    groups = np.cumsum(breaks)
    tied = np.arange(count)
    while True:
        open_ = np.zeros(len(tied), dtype=bool)
        if len(tied) > 1:
            same = groups[1:] == groups[:-1]
            open_[1:] |= same
            open_[:-1] |= same
        # A group in which every row has ended is a set of equal names.
        open_ &= np.isin(groups, np.unique(groups[lengths[order[tied]] > begin]))
        tied, groups = tied[open_], groups[open_]
        if not len(tied):
            return order
        rows = order[tied]
        key = words(rows, begin)
        local = np.lexsort((key, groups))
        order[tied] = rows[local]
        key, groups = key[local], groups[local]
        breaks = np.ones(len(tied), dtype=bool)
        breaks[1:] = (groups[1:] != groups[:-1]) | (key[1:] != key[:-1])
        groups = np.cumsum(breaks)
        begin += per_word
