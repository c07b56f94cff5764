"""Scoring given names of each mention in one decoder pass.

The names of a mention share a row: behind one copy of the decoder prompt stand the tokens of their
prefix tree, and a mask lets each see the prompt and its own prefix. So the encoder, the
cross-attention's keys, the prompt and common beginnings are computed once, and nothing depends on
the other names.
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

#: Predictions whose log-probabilities over the vocabulary are in the memory together.
_TOGETHER = 256


@dataclass(frozen=True, slots=True)
class Packed:
    """Decoder input for several names of each mention.

    Attributes
    ----------
    tokens, positions
        [mentions, T].
    mask
        bool [mentions, T, T]: each token sees the prompt and its own prefix.
    places
        [predictions]: the tokens (``mention * T + place``) behind which a name goes on.
    at, targets, slots
        Parallel, one entry for each token of each name, name by name: the prediction that it is
        read from, the token, and the name (``mention * names + number``).
    names
        The most names of a mention.
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
        """The same on a device."""
        moved: dict[str, Any] = {
            name: value.to(device)
            for name in self.__slots__
            if isinstance(value := getattr(self, name), Tensor)
        }
        return replace(self, **moved)


def pack(
    prompts: Sequence[Sequence[int]], names: Sequence[Sequence[Sequence[int]]], pad_id: int
) -> Packed:
    """Lay out prompts and names (each name ends with the end token)."""
    most = max(map(len, names))
    trees = [_Tree(prompt) for prompt in prompts]
    at: list[list[int]] = []
    targets: list[int] = []
    slots: list[int] = []
    for number, (tree, of_mention) in enumerate(zip(trees, names, strict=True)):
        for slot, name in enumerate(of_mention, number * most):
            at.append(tree.add(name))
            targets += name
            slots += [slot] * len(name)
    size = max(len(tree.tokens) for tree in trees)
    shape = (len(trees), size)
    tokens = np.full(shape, pad_id, dtype=np.int64)
    positions = np.zeros(shape, dtype=np.int64)
    # Padding sees itself, or its softmax would not be a number.
    mask = np.broadcast_to(np.eye(size, dtype=bool), (len(trees), size, size)).copy()
    for row, tree in enumerate(trees):
        tokens[row, : len(tree.tokens)] = tree.tokens
        positions[row, : len(tree.tokens)] = tree.positions
        for place, parent in enumerate(tree.parents):
            if parent >= 0:
                mask[row, place] |= mask[row, parent]
    rows = np.asarray(slots, dtype=np.int64) // most
    flat = rows * size + np.fromiter((p for path in at for p in path), np.int64, len(rows))
    places, predictions = np.unique(flat, return_inverse=True)
    return Packed(
        torch.from_numpy(tokens),
        torch.from_numpy(positions),
        torch.from_numpy(mask),
        torch.from_numpy(places),
        torch.from_numpy(predictions.reshape(-1)),
        torch.tensor(targets, dtype=torch.long),
        torch.tensor(slots, dtype=torch.long),
        most,
    )


class _Tree:
    """A prompt and the prefix tree behind it, in the order in which the decoder reads them."""

    def __init__(self, prompt: Sequence[int]) -> None:
        self.prompt = len(prompt)
        self.tokens = list(prompt)
        self.positions = list(range(len(prompt)))
        self.parents = list(range(-1, len(prompt) - 1))
        self._children: dict[tuple[int, int], int] = {}

    def add(self, name: Sequence[int]) -> list[int]:
        """For each token of a name the place that predicts it."""
        place = self.prompt - 1
        path = [place]
        for token in name[:-1]:
            below = self._children.setdefault((place, token), len(self.tokens))
            if below == len(self.tokens):
                self.tokens.append(token)
                self.positions.append(self.positions[place] + 1)
                self.parents.append(place)
            place = below
            path.append(place)
        return path


def name_log_probs(
    backbone: Backbone, memory: Memory, packed: Packed
) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probabilities of every name's tokens, softmax over the whole vocabulary.

    Returns
    -------
    sums, lengths
        As :func:`name_sums`.
    log_probs
        [predictions, vocabulary]: the log-probabilities behind the sums, as ``packed.places``.
    """
    log_probs = _log_probs(backbone, _states(backbone, memory, packed))
    return *_summed(packed, log_probs[packed.at, packed.targets]), log_probs


@torch.inference_mode()
def name_sums(backbone: Backbone, memory: Memory, packed: Packed) -> tuple[Tensor, Tensor]:
    """Log-probability of every name, without keeping those of all other tokens.

    Returns
    -------
    sums
        [mentions, most names]: sum over each name's tokens, end token included.
    lengths
        [mentions, most names]: number of those tokens, 0 where a mention has fewer names.
    """
    states = _states(backbone, memory, packed)
    order = torch.argsort(packed.at, stable=True)
    at = packed.at[order]
    chosen = states.new_empty(len(at), dtype=torch.float32)
    for begin in range(0, len(states), _TOGETHER):
        log_probs = _log_probs(backbone, states[begin : begin + _TOGETHER])
        borders = at.new_tensor([begin, begin + _TOGETHER])
        first, behind = torch.searchsorted(at, borders).tolist()
        of_these = order[first:behind]
        chosen[of_these] = log_probs[at[first:behind] - begin, packed.targets[of_these]]
    return _summed(packed, chosen)


def _states(backbone: Backbone, memory: Memory, packed: Packed) -> Tensor:
    """[predictions, d]."""
    states, _ = backbone.decode(packed.tokens, packed.positions, packed.mask, memory)
    return states.flatten(0, 1)[packed.places]


def _log_probs(backbone: Backbone, states: Tensor) -> Tensor:
    return torch.log_softmax(backbone.logits(states).float(), -1)


def _summed(packed: Packed, chosen: Tensor) -> tuple[Tensor, Tensor]:
    empty = chosen.new_zeros(len(packed.tokens) * packed.names)
    sums = empty.index_add(0, packed.slots, chosen)
    lengths = empty.index_add(0, packed.slots, torch.ones_like(chosen))
    return sums.view(-1, packed.names), lengths.view(-1, packed.names)
