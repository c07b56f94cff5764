"""BART's encoder, which spends no time on padding.

Sources are encoded in blocks of similar length. Within a block, everything except attention itself
is computed only for the tokens that are not padding. Blocks are small enough for the states of a
layer to stay in the processor's cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from biolink.infer.network.precision import activated, added, projections, whole_rows

__all__ = [
    "BartEncoder",
    "attend",
    "most_tokens",
    "of_equal_size",
    "of_similar_size",
    "padded_size",
]

#: The most tokens of a block, padding included.
_CPU_TOKENS = 1024
_GPU_TOKENS = 65_536


def most_tokens(device: torch.device) -> int:
    """The number of tokens, padding included, that are run together on a device."""
    return _CPU_TOKENS if device.type == "cpu" else _GPU_TOKENS


def of_similar_size(sizes: Sequence[int] | np.ndarray, most: int) -> Iterator[list[int]]:
    """Group entries of similar size, so that they can be padded to one size together.

    Parameters
    ----------
    sizes
        The size of each entry.
    most
        The largest total size of a group after padding. An entry that is larger is a group of its
        own.

    Yields
    ------
    The indices of the entries of a group, smallest first.

    Examples
    --------
    >>> list(of_similar_size([3, 9, 2, 3], most=9))
    [[2, 0, 3], [1]]
    """
    group: list[int] = []
    for index in np.argsort(sizes, kind="stable").tolist():
        if group and (len(group) + 1) * sizes[index] > most:
            yield group
            group = []
        group.append(index)
    if group:
        yield group


#: The number of tokens of a row is filled up to a multiple of this one before attention.
_STEP = 8


def padded_size(tokens: int) -> int:
    """The number of tokens to which a row is filled up before attention.

    It depends on nothing but the row, so a row's result does not depend on the rows beside it.

    >>> [padded_size(tokens) for tokens in (1, 16, 17)]
    [8, 16, 24]
    """
    return -(-tokens // _STEP) * _STEP


def of_equal_size(sizes: Sequence[int] | np.ndarray, most: int) -> Iterator[tuple[int, list[int]]]:
    """Group entries of the same size.

    Parameters
    ----------
    sizes, most
        See :func:`of_similar_size`.

    Yields
    ------
    A size, and the indices of some entries of this size.

    Examples
    --------
    >>> list(of_equal_size([16, 32, 16, 16], most=32))
    [(16, [0, 2]), (16, [3]), (32, [1])]
    """
    for group in of_similar_size(sizes, most):
        for size, indices in groupby(group, key=lambda index: int(sizes[index])):
            yield size, list(indices)


#: Up to this number of queries, attention on a CPU is two matrix products. The first number holds
#: for one thread: with more queries, fused attention gives a row the same bits among any other
#: rows. The second holds for several threads, with which fused attention is slower.
_FEW, _FEW_OF_SEVERAL = 7, 160


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float | None = None
) -> Tensor:
    """Attention of queries to keys and values.

    Parameters
    ----------
    query
        [rows, heads, T, size].
    key, value
        [rows, heads, S, size].
    mask
        An additive mask that can be broadcast to [rows, heads, T, S], or None.
    scale
        The factor on the products of queries and keys. Default: ``size ** -0.5``.

    Returns
    -------
    [rows, heads, T, size].
    """
    few = _FEW if torch.get_num_threads() == 1 else _FEW_OF_SEVERAL
    if query.device.type != "cpu" or query.shape[2] > few:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale)
    # The queries are scaled, not the scores, because they are fewer numbers.
    query = query * (query.shape[3] ** -0.5 if scale is None else scale)
    scores = torch.matmul(query, key.transpose(2, 3))
    if mask is not None:
        scores += mask
    return torch.matmul(torch.softmax(scores, -1), value)


class BartEncoder:
    """The forward pass of BART's encoder (Lewis et al., 2020), for inference.

    Parameters
    ----------
    encoder
        The encoder module of transformers, or a :class:`biolink.infer.network.bart.Stack`. Its
        weights are read at each call, so changes to them take effect.
    config
        The configuration of the model.
    """

    def __init__(self, encoder: Any, config: Any) -> None:
        self.encoder = encoder
        self.heads = config.encoder_attention_heads
        self.scale = math.sqrt(config.d_model) if config.scale_embedding else 1.0

    def __call__(
        self,
        input_ids: Tensor | None,
        attention_mask: Tensor,
        inputs_embeds: Tensor | None = None,
    ) -> Tensor:
        """Encode a batch of sources.

        Parameters
        ----------
        input_ids
            Token ids [sources, tokens].
        attention_mask
            [sources, tokens]: 1 for a token, 0 for padding.
        inputs_embeds
            Embeddings [sources, tokens, d] to be used in place of token ids. They must be scaled
            already.

        Returns
        -------
        States [sources, tokens, d], which are 0 at padding.
        """
        real = attention_mask.bool()
        ends = (real * torch.arange(1, real.shape[1] + 1, device=real.device)).amax(1)
        norm = self.encoder.layernorm_embedding.weight
        states = norm.new_zeros(*real.shape, norm.shape[0])
        sizes = np.array([padded_size(end) for end in ends.tolist()])
        # All sources of a block are filled up to the same size, or cut off after it.
        missing = int(sizes.max(initial=0)) - real.shape[1]
        if missing > 0:
            real = F.pad(real, (0, missing))
            if input_ids is not None:
                input_ids = F.pad(input_ids, (0, missing))
            if inputs_embeds is not None:
                inputs_embeds = F.pad(inputs_embeds, (0, 0, 0, missing))
        for size, indices in of_equal_size(sizes, most_tokens(ends.device)):
            if not size:
                continue
            block = torch.tensor(indices, device=real.device)
            mask = real[block, :size]
            real_positions = mask.flatten().nonzero()[:, 0]
            # The last rows of the matrix products are filled up with copies of the first token.
            copies = whole_rows(len(real_positions)) - len(real_positions)
            filled = torch.cat([real_positions, real_positions[:1].expand(copies)])
            if inputs_embeds is None:
                assert input_ids is not None
                ids = input_ids[block, :size].flatten()[filled]
                embedded = F.embedding(ids, self.encoder.embed_tokens.weight) * self.scale
            else:
                embedded = inputs_embeds[block, :size].flatten(0, 1)[filled]
            padded = states.new_zeros(mask.numel(), states.shape[2])
            padded[real_positions] = self.run(embedded, mask, real_positions, filled)
            width = min(size, states.shape[1])
            states[block, :width] = padded.view(len(block), size, -1)[:, :width]
        return states

    def run(self, embedded: Tensor, mask: Tensor, real_positions: Tensor, filled: Tensor) -> Tensor:
        """Encode one block.

        Parameters
        ----------
        embedded
            Embeddings of the tokens at the positions ``filled``.
        mask
            bool [sources, tokens]: which tokens are not padding.
        real_positions
            The positions of those tokens in the flattened block.
        filled
            The same positions, followed by repetitions of the first.

        Returns
        -------
        The states [tokens that are not padding, d].
        """
        encoder = self.encoder
        rows, size = mask.shape
        table = encoder.embed_positions
        positions = F.embedding((filled % size) + table.offset, table.weight)
        states = encoder.layernorm_embedding(embedded + positions)
        real = len(real_positions)
        full = real == rows * size
        allowed = None
        if not full:
            allowed = states.new_zeros(rows, 1, 1, size)
            allowed.masked_fill_(~mask[:, None, None, :], torch.finfo(states.dtype).min)
            # Padding gets a copy of the first token's states, which no token attends to.
            source = real_positions.new_zeros(rows * size)
            source[real_positions] = torch.arange(real, device=real_positions.device)

        def split(projected: Tensor) -> Tensor:
            projected = projected[:real] if full else projected.index_select(0, source)
            return projected.view(rows, size, self.heads, -1).transpose(1, 2)

        for layer in encoder.layers:
            attention = layer.self_attn
            query, key, value = projections(
                states, attention.q_proj, attention.k_proj, attention.v_proj
            )
            attended = attend(split(query), split(key), split(value), allowed)
            attended = attended.transpose(1, 2).reshape(rows * size, -1).index_select(0, filled)
            states = layer.self_attn_layer_norm(added(states, attention.out_proj, attended))
            inner = activated(layer.fc1, layer.activation_fn, states)
            states = layer.final_layer_norm(added(states, layer.fc2, inner))
        out: Tensor = states[:real]
        return out
