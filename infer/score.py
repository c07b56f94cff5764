"""Scoring given names of each mention in one decoder pass.

The names of a mention stand behind one another in one row, after one copy of the decoder prompt;
a mask lets each name see the prompt and itself, and positions start again after the prompt. So the
encoder, the cross-attention's keys and the prompt are shared, and nothing depends on the other
names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from biolink.infer.backbone import Backbone, Memory

__all__ = ["Packed", "name_log_probs", "pack"]


@dataclass(frozen=True, slots=True)
class Packed:
    """Decoder input for several names of each mention.

    Attributes
    ----------
    tokens, positions
        [mentions, T].
    segments
        [mentions, T]: 0 is the shared part of the prompt, 1, 2, ... are the names, -1 is padding.
    targets
        [mentions, T]: the token that each position predicts, -1 where none is wanted.
    names
        The most names of a mention.
    """

    tokens: Tensor
    positions: Tensor
    segments: Tensor
    targets: Tensor
    names: int

    @property
    def owner(self) -> Tensor:
        """[mentions, T]: which of the mention's names the prediction belongs to, -1 for none."""
        return torch.where(self.segments > 0, self.segments - 1, -1)

    @property
    def mask(self) -> Tensor:
        """bool [mentions, T, T]: each name sees the prompt and itself."""
        order = torch.arange(self.segments.shape[1], device=self.segments.device)
        earlier = order[None, :, None] >= order[None, None, :]
        own = self.segments[:, :, None] == self.segments[:, None, :]
        return earlier & (own | (self.segments[:, None, :] == 0))

    def to(self, device: torch.device) -> Packed:
        """The same on a device."""
        return Packed(
            self.tokens.to(device),
            self.positions.to(device),
            self.segments.to(device),
            self.targets.to(device),
            self.names,
        )


def pack(
    prompts: Sequence[Sequence[int]], names: Sequence[Sequence[Sequence[int]]], pad_id: int
) -> Packed:
    """Lay out prompts and names (each name ends with the end token).

    The last prompt token predicts the first token of *every* name; since a position can hold only
    one target, that token is repeated at the head of each name, at the prompt's last position.
    """
    lengths = [
        len(prompt) - 1 + sum(len(name) for name in of_mention)
        for prompt, of_mention in zip(prompts, names, strict=True)
    ]
    shape = (len(prompts), max(lengths))
    tokens = np.full(shape, pad_id, dtype=np.int64)
    positions = np.zeros(shape, dtype=np.int64)
    segments = np.full(shape, -1, dtype=np.int64)
    targets = np.full(shape, -1, dtype=np.int64)
    for row, (prompt, of_mention) in enumerate(zip(prompts, names, strict=True)):
        shared = len(prompt) - 1
        sizes = np.array([len(name) for name in of_mention], dtype=np.int64)
        begins = shared + np.cumsum(sizes) - sizes
        end = lengths[row]
        tokens[row, :shared] = prompt[:-1]
        positions[row, :shared] = np.arange(shared)
        segments[row, :shared] = 0
        flat = np.fromiter(chain.from_iterable(of_mention), np.int64, end - shared)
        targets[row, shared:end] = flat
        tokens[row, shared + 1 : end] = flat[:-1]
        tokens[row, begins] = prompt[-1]
        positions[row, shared:end] = np.arange(shared, end) - np.repeat(begins - shared, sizes)
        segments[row, shared:end] = np.repeat(np.arange(1, len(sizes) + 1), sizes)
    return Packed(
        torch.from_numpy(tokens),
        torch.from_numpy(positions),
        torch.from_numpy(segments),
        torch.from_numpy(targets),
        max(map(len, names)),
    )


def name_log_probs(
    backbone: Backbone, memory: Memory, packed: Packed
) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probabilities of every name's tokens, softmax over the whole vocabulary.

    Returns
    -------
    sums
        [mentions, most names]: sum over each name's tokens, end token included.
    lengths
        [mentions, most names]: number of those tokens, 0 where a mention has fewer names.
    wanted
        [predictions, vocabulary]: the log-probabilities behind the sums, row by row of
        ``packed.targets >= 0``.
    """
    states, _ = backbone.decode(packed.tokens, packed.positions, packed.mask, memory)
    wanted = packed.targets >= 0
    log_probs = torch.log_softmax(backbone.logits(states[wanted]).float(), -1)
    chosen = log_probs.gather(1, packed.targets[wanted][:, None])[:, 0]
    count, most = len(packed.tokens), packed.names
    rows = torch.arange(count, device=chosen.device)[:, None].expand_as(packed.targets)[wanted]
    slots = rows * most + packed.owner[wanted]
    empty = chosen.new_zeros(count * most)
    sums = empty.index_add(0, slots, chosen)
    lengths = empty.index_add(0, slots, torch.ones_like(chosen))
    return sums.view(-1, most), lengths.view(-1, most), log_probs
