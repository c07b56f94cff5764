"""The name trie: the token sequences of all names as flat arrays.

The nodes are numbered breadth first, and the children of a node are adjacent and sorted by token.
``tokens[n]`` is the token that leads to node n, and the children of node i are the nodes
``first[i]`` to ``first[i + 1]`` (exclusive). Every sequence ends with the end token, so its last
node is a leaf, even if the name is a prefix of another name. Each leaf has the ids of the names
with its sequence. Node 0 is the root; its token is 0 and has no meaning.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from biolink.kb.arrays import check_ascending, check_range, mapped_array
from biolink.kb.files import replace_folder
from biolink.kb.sealed import Kind, checked_manifest, foreign_in_index, seal
from biolink.kb.sequence_order import sorted_order

__all__ = ["NameTrie", "trie_fingerprint"]

FORMAT = "biolink-trie"
VERSION = 2
#: The attributes of a trie that are stored, and the names of their files without ``.npy``.
_FILES = {
    "tokens": "tok",
    "first": "first",
    "leaf_nodes": "leaf_nodes",
    "leaf_indptr": "leaf_indptr",
    "leaf_names": "leaf_names",
    "levels": "levels",
}
KIND = Kind(
    FORMAT,
    VERSION,
    "name trie",
    tuple(f"{name}.npy" for name in _FILES.values()),
    "build it again",
)


def trie_fingerprint(names: str, normalisation: str, tokeniser: str, form: str = "") -> str:
    """Return the fingerprint of a stored trie, which changes with the names and their tokens.

    Parameters
    ----------
    names
        The fingerprint of the knowledge base.
    normalisation
        The name of the normalisation.
    tokeniser
        The fingerprint of the tokeniser.
    form
        A text that identifies the form in which names are tokenised. Default: "".
    """
    parts = json.dumps([1, names, normalisation, tokeniser, form])
    return hashlib.sha256(parts.encode()).hexdigest()


class NameTrie:
    """A prefix trie over token ids, in flat arrays that may be memory-mapped.

    Attributes
    ----------
    tokens
        uint16 or int32 [nodes]: the token that leads to each node.
    first
        int32 [nodes + 1]: the first child of each node.
    leaf_nodes
        int32 [leaves]: the leaves, ascending.
    leaf_indptr, leaf_names
        int32: the names of leaf j are ``leaf_names[leaf_indptr[j]:leaf_indptr[j + 1]]``.
    levels
        int32 [depth + 2]: the nodes of depth d are ``levels[d]`` to ``levels[d + 1]`` (exclusive).

    >>> trie = NameTrie.from_sequences([[5, 2], [5, 7, 2]])  # 2 is the end token
    >>> len(trie), trie.allowed([5]).tolist()
    (2, [2, 7])
    >>> trie.names_at(trie.walk([5, 7, 2])).tolist()
    [1]
    """

    def __init__(
        self,
        tokens: np.ndarray,
        first: np.ndarray,
        leaf_nodes: np.ndarray,
        leaf_indptr: np.ndarray,
        leaf_names: np.ndarray,
        levels: np.ndarray,
        fingerprint: str = "",
    ) -> None:
        self.tokens, self.first = tokens, first
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
        """Build a trie from the token sequences of all names.

        Parameters
        ----------
        tokens
            The token ids of all names in one array, each name with its end token.
        offsets
            int64 [names + 1]: the tokens of name i are ``tokens[offsets[i]:offsets[i + 1]]``.
        name_ids
            [names]: the ids of the names. Default: None, for 0, 1, 2 and so on.
        fingerprint
            The fingerprint of the names and the tokeniser. Default: "".

        Raises
        ------
        ValueError
            If a sequence is empty, or is a proper prefix of another, so that its end token must be
            missing.
        """
        # Long because the arrays of each level follow from those of the level above it.
        count = len(offsets) - 1
        lengths = np.diff(offsets)
        if name_ids is None:
            name_ids = np.arange(count, dtype=np.int32)
        if count and lengths.min() < 1:
            raise ValueError("a name has no tokens, not even the end token")
        dtype: type = np.uint16 if not len(tokens) or int(tokens.max()) < 65_536 else np.int32
        order = sorted_order(tokens, offsets)
        starts, lengths = offsets[:-1][order], lengths[order]

        node_tokens: list[np.ndarray] = [np.zeros(1, dtype)]
        child_counts: list[np.ndarray] = []
        levels = [0, 1]
        leaf_nodes: list[np.ndarray] = []
        leaf_sequences: list[np.ndarray] = []
        # The node of each sorted sequence at the current depth.
        node_of = np.zeros(count, dtype=np.int64)
        active = np.arange(count)
        previous_size, nodes, depth = 1, 1, 0
        while len(active):
            parents = node_of[active]
            level = tokens[starts[active] + depth]
            new = np.ones(len(active), dtype=bool)
            new[1:] = (parents[1:] != parents[:-1]) | (level[1:] != level[:-1])
            numbers = nodes + np.cumsum(new) - 1
            node_of[active] = numbers
            node_tokens.append(level[new].astype(dtype))
            children = np.bincount(parents[new] - (nodes - previous_size), minlength=previous_size)
            child_counts.append(children)
            size = int(new.sum())
            ending = lengths[active] == depth + 1
            leaf_nodes.append(numbers[ending])
            leaf_sequences.append(active[ending])
            # A sequence that ends at a node where another continues has no end token of its own.
            if (new[1:] < ending[:-1])[~ending[1:]].any():
                raise ValueError("a name is a proper prefix of another: end tokens are missing")
            active = active[~ending]
            previous_size = size
            nodes += size
            levels.append(nodes)
            depth += 1
        child_counts.append(np.zeros(previous_size, dtype=np.int64))
        first = np.empty(nodes + 1, dtype=np.int32)
        first[0] = 1
        np.cumsum(np.concatenate(child_counts)[:nodes], out=first[1:])
        first[1:] += 1
        all_leaves = np.concatenate(leaf_nodes) if leaf_nodes else np.empty(0, np.int64)
        all_sequences = np.concatenate(leaf_sequences) if leaf_sequences else np.empty(0, np.int64)
        distinct, counts = np.unique(all_leaves, return_counts=True)
        indptr = np.zeros(len(distinct) + 1, dtype=np.int32)
        np.cumsum(counts, out=indptr[1:])
        leaf_names = np.asarray(name_ids)[order[all_sequences]].astype(np.int32)
        leaf_names = leaf_names[np.lexsort((leaf_names, all_leaves))]
        return cls(
            np.concatenate(node_tokens),
            first,
            distinct.astype(np.int32),
            indptr,
            leaf_names,
            np.array(levels, dtype=np.int32),
            fingerprint,
        )

    @classmethod
    def from_sequences(cls, sequences: Sequence[Sequence[int]]) -> NameTrie:
        """Build a trie from token sequences with end tokens; name i is ``sequences[i]``."""
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
        """The number of nodes."""
        return len(self.tokens)

    @property
    def depth(self) -> int:
        """The number of tokens of the longest name, with its end token."""
        return len(self.levels) - 2

    @property
    def nbytes(self) -> int:
        """The size of the arrays in bytes."""
        return sum(getattr(self, name).nbytes for name in _FILES)

    def children(self, node: int) -> tuple[np.ndarray, int]:
        """Return the tokens that may follow a node, ascending, and the first child node."""
        begin, end = int(self.first[node]), int(self.first[node + 1])
        return self.tokens[begin:end], begin

    def walk(self, prefix: Sequence[int]) -> int | None:
        """Return the node that a prefix leads to, or None if no name begins with it."""
        node = 0
        for token in prefix:
            tokens, begin = self.children(node)
            index = int(np.searchsorted(tokens, token))
            if index == len(tokens) or tokens[index] != token:
                return None
            node = begin + index
        return node

    def below(self, node: int, most: int) -> tuple[list[int], list[int]]:
        """Return the leaves below a node and their distances, the nearest leaves first.

        Parameters
        ----------
        node
            The node where the search begins.
        most
            The greatest number of leaves. The search stops at the level that reaches it.

        Returns
        -------
        The leaves, and for each the number of steps down to it. Leaves of equal distance are in
        the order of their tokens.
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
        """Return the tokens that may follow a prefix, ascending.

        The array is empty if no name begins with the prefix, or if the prefix is a whole name.
        """
        node = self.walk(prefix)
        return np.empty(0, self.tokens.dtype) if node is None else self.children(node)[0]

    @cached_property
    def height(self) -> np.ndarray:
        """uint16 [nodes]: the length of the longest path down from each node, 0 for a leaf."""
        height = np.zeros(self.nodes, dtype=np.uint16)
        for begin, end in self._inner_levels():
            spans = np.asarray(self.first[begin : end + 1])
            inner = np.flatnonzero(np.diff(spans)) + begin
            if len(inner):
                # Only inner nodes have slices, and these are adjacent: each ends where the next
                # begins, as reduceat requires.
                below = height[spans[0] : spans[-1]]
                tallest = np.maximum.reduceat(below, self.first[inner] - spans[0])
                height[inner] = tallest + 1
        return height

    def _inner_levels(self) -> Iterator[tuple[int, int]]:
        """Yield the first and last node (exclusive) of each level but the last, deepest first."""
        for level in range(len(self.levels) - 3, -1, -1):
            yield int(self.levels[level]), int(self.levels[level + 1])

    def names_at(self, node: int) -> np.ndarray:
        """Return the ids of the names that end in this leaf; an inner node has none."""
        leaf = int(np.searchsorted(self.leaf_nodes, node))
        if leaf == len(self.leaf_nodes) or self.leaf_nodes[leaf] != node:
            return np.empty(0, np.int32)
        return self.leaf_names[self.leaf_indptr[leaf] : self.leaf_indptr[leaf + 1]]

    def __iter__(self) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
        """Iterate over all sequences in order, each with the ids of its names."""
        stack: list[tuple[int, tuple[int, ...]]] = [(0, ())]
        while stack:
            node, prefix = stack.pop()
            begin, end = int(self.first[node]), int(self.first[node + 1])
            if begin == end and node:
                yield prefix, self.names_at(node)
            for child in range(end - 1, begin - 1, -1):
                stack.append((child, (*prefix, int(self.tokens[child]))))

    # ------------------------------------------------------------------ restricting

    def restrict(self, name_mask: np.ndarray) -> NameTrie:
        """Return the trie of some of the names.

        It is made by marking the leaves of these names and then, level by level, their ancestors.

        Parameters
        ----------
        name_mask
            bool [name ids]: whether each name is kept. Names keep their ids.
        """
        kept_names = name_mask[self.leaf_names]
        totals = np.concatenate([[0], np.cumsum(kept_names, dtype=np.int32)])
        per_leaf = totals[self.leaf_indptr[1:]] - totals[self.leaf_indptr[:-1]]
        leaves = per_leaf > 0
        alive = np.zeros(self.nodes, dtype=bool)
        alive[self.leaf_nodes[leaves]] = True
        alive[0] = True
        nodes: list[np.ndarray] = []  # the nodes that are kept of each level, deepest first
        parents: list[np.ndarray] = []  # the parents of these nodes
        for level in range(len(self.levels) - 2, 0, -1):
            above, begin, end = (int(x) for x in self.levels[level - 1 : level + 2])
            kept_in_level = np.flatnonzero(alive[begin:end])
            children = np.diff(self.first[above : begin + 1])
            parent = np.repeat(np.arange(above, begin, dtype=np.int32), children)[kept_in_level]
            alive[parent] = True
            nodes.append((kept_in_level + begin).astype(np.int32))
            parents.append(parent)
        kept = np.concatenate([np.zeros(1, np.int32), *nodes[::-1]])
        parent = np.concatenate(parents[::-1]) if parents else np.empty(0, np.int32)
        # The children of a node stay adjacent and in the order of their parents, so the length of
        # each run of equal parents is the number of children of an inner node.
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
            np.asarray(self.tokens)[kept],
            first,
            np.flatnonzero(~inner).astype(np.int32),
            np.concatenate([[0], np.cumsum(per_leaf[leaves])]).astype(np.int32),
            np.asarray(self.leaf_names)[kept_names],
            levels,
        )

    # ------------------------------------------------------------------ storing

    def save(self, path: str | Path) -> None:
        """Write a folder of ``.npy`` arrays with a manifest, under a temporary name at first.

        Raises
        ------
        InputError
            If anything but an empty folder or another index stands at the path, or it cannot be
            written.
        """
        with replace_folder(path, foreign_in_index, "a stored trie") as folder:
            self.write(folder)

    def write(self, folder: Path) -> None:
        """Write the same files into an existing folder."""
        for name, file in _FILES.items():
            np.save(folder / f"{file}.npy", getattr(self, name), allow_pickle=False)
        seal(folder, KIND, {"fingerprint": self.fingerprint})

    @classmethod
    def open(
        cls, path: str | Path, fingerprint: str | None = None, names: int | None = None
    ) -> NameTrie:
        """Memory-map a stored trie.

        Parameters
        ----------
        path
            The folder.
        fingerprint
            The fingerprint that the trie must have. Default: None, which accepts any.
        names
            The number of name ids of the knowledge base. Default: None, if it is not known.

        Raises
        ------
        KnowledgeBaseError
            If the folder is not a stored trie, or the trie is damaged or has another fingerprint.
        """
        folder = Path(path)
        manifest = checked_manifest(folder, KIND, fingerprint)
        file = {name: folder / f"{stem}.npy" for name, stem in _FILES.items()}
        tokens = mapped_array(file["tokens"], np.uint16, np.int32)
        arrays = {name: mapped_array(file[name], np.int32) for name in _FILES if name != "tokens"}
        nodes, leaves = len(tokens), len(arrays["leaf_nodes"])
        for name, size in (("first", nodes + 1), ("leaf_indptr", leaves + 1)):
            if len(arrays[name]) != size:
                raise KIND.damage(file[name], f"has {len(arrays[name]):,} elements, not {size:,}")
        check_ascending(file["first"], arrays["first"], 1, nodes)
        check_range(file["leaf_nodes"], arrays["leaf_nodes"], nodes, distinct=True)
        leaf_names = arrays["leaf_names"]
        check_ascending(file["leaf_indptr"], arrays["leaf_indptr"], 0, len(leaf_names))
        check_range(file["leaf_names"], leaf_names, 2**31 if names is None else names)
        check_ascending(file["levels"], arrays["levels"], 0, nodes, strictly=True)
        return cls(tokens, **arrays, fingerprint=str(manifest.get("fingerprint", "")))
