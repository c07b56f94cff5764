"""Scoring given names of each mention in one decoder pass.

The names of a mention stand behind one another in one row, after one copy of the decoder prompt;
a mask lets each name see the prompt and itself, and positions start again after the prompt. So the
encoder, the cross-attention's keys and the prompt are shared, and nothing depends on the other
names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    mask
        bool [mentions, T, T].
    targets
        [mentions, T]: the token that each position predicts, -1 where none is wanted.
    owner
        [mentions, T]: which of the mention's names the prediction belongs to, -1 for none.
    counts
        Names per mention.
    """

    tokens: Tensor
    positions: Tensor
    mask: Tensor
    targets: Tensor
    owner: Tensor
    counts: list[int]


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
    size = max(lengths)
    shape = (len(prompts), size)
    tokens = torch.full(shape, pad_id, dtype=torch.long)
    positions = torch.zeros(shape, dtype=torch.long)
    targets = torch.full(shape, -1, dtype=torch.long)
    owner = torch.full(shape, -1, dtype=torch.long)
    # Segment 0 is the shared part of the prompt, 1, 2, ... are the names, -1 is padding.
    segment = torch.full(shape, -1, dtype=torch.long)
    for row, (prompt, of_mention) in enumerate(zip(prompts, names, strict=True)):
        shared = len(prompt) - 1
        flat, place, wanted, part = (
            list(prompt[:-1]),
            list(range(shared)),
            [-1] * shared,
            [0] * shared,
        )
        for number, name in enumerate(of_mention, 1):
            flat += [prompt[-1], *name[:-1]]
            place += range(shared, shared + len(name))
            wanted += name
            part += [number] * len(name)
        end = len(flat)
        tokens[row, :end] = torch.tensor(flat)
        positions[row, :end] = torch.tensor(place)
        targets[row, :end] = torch.tensor(wanted)
        segment[row, :end] = torch.tensor(part)
    owner = torch.where(segment > 0, segment - 1, -1)
    order = torch.arange(size)
    earlier = order[None, :, None] >= order[None, None, :]
    same = (segment[:, :, None] == segment[:, None, :]) | (segment[:, None, :] == 0)
    mask = earlier & same
    return Packed(tokens, positions, mask, targets, owner, [len(n) for n in names])


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
    most = max(packed.counts)
    rows = torch.arange(len(packed.counts))[:, None].expand_as(packed.targets)[wanted]
    slots = rows * most + packed.owner[wanted]
    sums = torch.zeros(len(packed.counts) * most, dtype=chosen.dtype).index_add(0, slots, chosen)
    lengths = torch.zeros(len(packed.counts) * most).index_add(0, slots, torch.ones(len(slots)))
    return sums.view(-1, most), lengths.view(-1, most), log_probs
