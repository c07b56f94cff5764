"""Scoring given names of each mention in one pass of the decoder.

The names of a mention share a row. It holds one copy of the decoder prompt, followed by the tokens
of the names' prefix tree; a mask lets each token attend only to the prompt and to its own prefix.
So the encoder, the keys of cross-attention, the prompt and common beginnings of names are computed
once, and no score depends on the other names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from biolink.infer.network.backbone import Backbone, Memory

__all__ = ["NameTree", "Packed", "name_log_probs", "name_sums", "pack", "pack_trees"]

#: The log-probabilities over the vocabulary are computed for this many predictions at a time.
_TOGETHER = 256


@dataclass(frozen=True, slots=True)
class Packed:
    """The decoder's input for several names of each mention.

    Attributes
    ----------
    tokens, positions
        [mentions, T]: the token ids and their positions.
    mask
        bool [mentions, T, T]: each token attends to the prompt and to its own prefix.
    places
        [predictions]: the tokens after which some name continues, as ``mention * T + index``.
    at, targets, slots
        Parallel, with one entry for each token of each name, name by name: the prediction that
        the token is read from, the token, and the name as ``mention * names + number``.
    names
        The largest number of names of a mention.
    """

    tokens: Tensor
    positions: Tensor
    mask: Tensor
    places: Tensor
    at: Tensor
    targets: Tensor
    slots: Tensor
    names: int

    def to(self, device: torch.device) -> Packed:
        """The same input on a device."""
        moved: dict[str, Any] = {
            name: value.to(device)
            for name in self.__slots__
            if isinstance(value := getattr(self, name), Tensor)
        }
        return replace(self, **moved)


def pack(
    prompts: Sequence[Sequence[int]], names: Sequence[Sequence[Sequence[int]]], pad_id: int
) -> Packed:
    """Lay out prompts and names as input for the decoder.

    Parameters
    ----------
    prompts
        The decoder prompt of each mention.
    names
        The names of each mention as token ids, each with the end token.
    pad_id
        The token that fills up shorter rows.
    """
    trees = [
        NameTree(prompt, of_mention) for prompt, of_mention in zip(prompts, names, strict=True)
    ]
    return pack_trees(trees, max(map(len, trees)), pad_id)


def pack_trees(trees: Sequence[NameTree], size: int, pad_id: int) -> Packed:
    """Lay out prefix trees as input for the decoder.

    Parameters
    ----------
    trees
        The tree of each mention.
    size
        The number of tokens to which every row is filled up.
    pad_id
        See :func:`pack`.
    """
    most_names = max(len(tree.paths) for tree in trees)
    paths = [path for tree in trees for path in tree.paths]
    targets = [token for tree in trees for token in tree.targets]
    slots = [
        slot
        for number, tree in enumerate(trees)
        for slot, path in enumerate(tree.paths, number * most_names)
        for _ in path
    ]
    shape = (len(trees), size)
    tokens = np.full(shape, pad_id, dtype=np.int64)
    positions = np.zeros(shape, dtype=np.int64)
    # Padding attends to itself, or its softmax would not be a number.
    mask = np.broadcast_to(np.eye(size, dtype=bool), (len(trees), size, size)).copy()
    for row, tree in enumerate(trees):
        tokens[row, : len(tree.tokens)] = tree.tokens
        positions[row, : len(tree.tokens)] = tree.positions
        for index, parent in enumerate(tree.parents):
            if parent >= 0:
                mask[row, index] |= mask[row, parent]
    mentions = np.asarray(slots, dtype=np.int64) // most_names
    flat = mentions * size + np.fromiter(
        (p for path in paths for p in path), np.int64, len(mentions)
    )
    prediction_tokens, predictions = np.unique(flat, return_inverse=True)
    return Packed(
        torch.from_numpy(tokens),
        torch.from_numpy(positions),
        torch.from_numpy(mask),
        torch.from_numpy(prediction_tokens),
        torch.from_numpy(predictions.reshape(-1)),
        torch.tensor(targets, dtype=torch.long),
        torch.tensor(slots, dtype=torch.long),
        most_names,
    )


class NameTree:
    """A prompt and the prefix tree of some names, in the order in which the decoder reads them.

    Parameters
    ----------
    prompt
        The decoder prompt of a mention.
    names
        The names as token ids, each with the end token.

    Attributes
    ----------
    tokens, positions, parents
        Parallel lists over the tokens of the tree: their ids, their positions, and the index of the
        token before each, or -1.
    paths
        For each name and each of its tokens, the index of the token that predicts it.
    targets
        The tokens of all names, name by name.
    """

    def __init__(self, prompt: Sequence[int], names: Sequence[Sequence[int]]) -> None:
        self.tokens = list(prompt)
        self.positions = list(range(len(prompt)))
        self.parents = list(range(-1, len(prompt) - 1))
        self.targets = [token for name in names for token in name]
        children: dict[tuple[int, int], int] = {}
        self.paths = [self._added(name, len(prompt) - 1, children) for name in names]

    def __len__(self) -> int:
        return len(self.tokens)

    def _added(
        self, name: Sequence[int], index: int, children: dict[tuple[int, int], int]
    ) -> list[int]:
        path = [index]
        for token in name[:-1]:
            child = children.setdefault((index, token), len(self.tokens))
            if child == len(self.tokens):
                self.tokens.append(token)
                self.positions.append(self.positions[index] + 1)
                self.parents.append(index)
            index = child
            path.append(index)
        return path


def name_log_probs(
    backbone: Backbone, memory: Memory, packed: Packed
) -> tuple[Tensor, Tensor, Tensor]:
    """The log-probability of every name, along with those of all tokens of the vocabulary.

    Returns
    -------
    sums, lengths
        See :func:`name_sums`.
    log_probs
        [predictions, vocabulary]: the log-probabilities from which the sums are made, in the order
        of ``packed.places``.
    """
    log_probs = _log_probs(backbone, _states(backbone, memory, packed))
    return *_summed(packed, log_probs[packed.at, packed.targets]), log_probs


@torch.inference_mode()
def name_sums(backbone: Backbone, memory: Memory, packed: Packed) -> tuple[Tensor, Tensor]:
    """The log-probability of every name. Those of other tokens are not kept.

    Returns
    -------
    sums
        [mentions, names]: the sum of the log-probabilities of each name's tokens, end token
        included.
    lengths
        [mentions, names]: the number of these tokens, or 0 if a mention has fewer names.
    """
    states = _states(backbone, memory, packed)
    order = torch.argsort(packed.at, stable=True)
    at = packed.at[order]
    chosen = states.new_empty(len(at), dtype=torch.float32)
    for begin in range(0, len(states), _TOGETHER):
        log_probs = _log_probs(backbone, states[begin : begin + _TOGETHER])
        borders = at.new_tensor([begin, begin + _TOGETHER])
        first, end = torch.searchsorted(at, borders).tolist()
        indices = order[first:end]
        chosen[indices] = log_probs[at[first:end] - begin, packed.targets[indices]]
    return _summed(packed, chosen)


def _states(backbone: Backbone, memory: Memory, packed: Packed) -> Tensor:
    """The decoder's states [predictions, d]."""
    states, _ = backbone.decode(packed.tokens, packed.positions, packed.mask, memory)
    return states.flatten(0, 1)[packed.places]


def _log_probs(backbone: Backbone, states: Tensor) -> Tensor:
    return torch.log_softmax(backbone.logits(states).float(), -1)


def _summed(packed: Packed, chosen: Tensor) -> tuple[Tensor, Tensor]:
    empty = chosen.new_zeros(len(packed.tokens) * packed.names)
    sums = empty.index_add(0, packed.slots, chosen)
    lengths = empty.index_add(0, packed.slots, torch.ones_like(chosen))
    return sums.view(-1, packed.names), lengths.view(-1, packed.names)
