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

__all__ = ["Packed", "name_log_probs", "name_sums", "pack"]

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
    most_names = max(map(len, names))
    trees = [_Tree(prompt) for prompt in prompts]
    paths: list[list[int]] = []
    targets: list[int] = []
    slots: list[int] = []
    for number, (tree, of_mention) in enumerate(zip(trees, names, strict=True)):
        for slot, name in enumerate(of_mention, number * most_names):
            paths.append(tree.add(name))
            targets += name
            slots += [slot] * len(name)
    size = max(len(tree.tokens) for tree in trees)
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


class _Tree:
    """A prompt and the prefix tree of the names, in the order in which the decoder reads them."""

    def __init__(self, prompt: Sequence[int]) -> None:
        self.prompt = len(prompt)
        self.tokens = list(prompt)
        self.positions = list(range(len(prompt)))
        self.parents = list(range(-1, len(prompt) - 1))
        self._children: dict[tuple[int, int], int] = {}

    def add(self, name: Sequence[int]) -> list[int]:
        """Add a name, and return for each of its tokens the index of the token that predicts it."""
        index = self.prompt - 1
        path = [index]
        for token in name[:-1]:
            child = self._children.setdefault((index, token), len(self.tokens))
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
