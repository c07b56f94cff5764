"""BART's encoder without padding.

Sources are run in blocks of similar length, and within a block everything but the attention itself
is computed for real tokens alone. Blocks are small enough that a layer's states stay in the
processor's cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from biolink.infer.network.precision import activated, added, projections, whole_rows

__all__ = ["BartEncoder", "attend", "most_tokens", "of_similar_size"]

#: Padded tokens of a block.
_CPU_TOKENS = 1024
_GPU_TOKENS = 65_536


def most_tokens(device: torch.device) -> int:
    """Padded tokens that are run together on a device."""
    return _CPU_TOKENS if device.type == "cpu" else _GPU_TOKENS


def of_similar_size(sizes: Sequence[int] | np.ndarray, most: int) -> Iterator[list[int]]:
    """Places of entries that are padded to one size together: not too much of it in all.

    >>> list(of_similar_size([3, 9, 2, 3], most=9))
    [[2, 0, 3], [1]]
    """
    part: list[int] = []
    for place in np.argsort(sizes, kind="stable").tolist():
        if part and (len(part) + 1) * sizes[place] > most:
            yield part
            part = []
        part.append(place)
    if part:
        yield part


#: Queries up to which the CPU's fused attention is slower than two matrix products, with one
#: thread and with several.
_FEW, _FEW_OF_SEVERAL = 8, 160


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float | None = None
) -> Tensor:
    """Attention of [rows, heads, T, size] queries, of that shape, with an additive mask."""
    few = _FEW if torch.get_num_threads() == 1 else _FEW_OF_SEVERAL
    if query.device.type != "cpu" or query.shape[2] > few:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale)
    # The queries are fewer numbers than the scores.
    query = query * (query.shape[3] ** -0.5 if scale is None else scale)
    scores = torch.matmul(query, key.transpose(2, 3))
    if mask is not None:
        scores += mask
    return torch.matmul(torch.softmax(scores, -1), value)


class BartEncoder:
    """The forward pass of BART's encoder (post-norm; Lewis et al., 2020), for inference.

    Parameters
    ----------
    encoder
        transformers' module, or :class:`biolink.infer.network.bart.Stack`; its weights are used as
        they are at each call.
    config
        The model's.
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
        """States [sources, tokens, d], 0 where there is padding.

        Parameters
        ----------
        input_ids
            Token ids [sources, tokens].
        attention_mask
            1 for real tokens.
        inputs_embeds
            [sources, tokens, d], scaled already, in place of token ids.
        """
        real = attention_mask.bool()
        # Padding behind the longest source of a block is cut off; padding anywhere is skipped.
        ends = (real * torch.arange(1, real.shape[1] + 1, device=real.device)).amax(1)
        norm = self.encoder.layernorm_embedding.weight
        states = norm.new_zeros(*real.shape, norm.shape[0])
        sizes = ends.cpu().numpy()
        for part in of_similar_size(sizes, most_tokens(ends.device)):
            block = torch.tensor(part, device=real.device)
            size = int(sizes[part[-1]])
            if not size:
                continue
            mask = real[block, :size]
            place = mask.flatten().nonzero()[:, 0]
            # Repeated tokens fill up the last rows of the matrix products.
            more = whole_rows(len(place)) - len(place)
            filled = torch.cat([place, place[:1].expand(more)])
            if inputs_embeds is None:
                assert input_ids is not None
                ids = input_ids[block, :size].flatten()[filled]
                embedded = F.embedding(ids, self.encoder.embed_tokens.weight) * self.scale
            else:
                embedded = inputs_embeds[block, :size].flatten(0, 1)[filled]
            padded = states.new_zeros(mask.numel(), states.shape[2])
            padded[place] = self._run(embedded, mask, place, filled)
            states[block, :size] = padded.view(len(block), size, -1)
        return states

    def _run(self, embedded: Tensor, mask: Tensor, place: Tensor, filled: Tensor) -> Tensor:
        """States [real tokens, d] of a block's real tokens, which stand in these places.

        ``embedded`` is of the tokens in the places ``filled``, which are these and a few again.
        """
        encoder = self.encoder
        rows, size = mask.shape
        table = encoder.embed_positions
        positions = F.embedding((filled % size) + table.offset, table.weight)
        states = encoder.layernorm_embedding(embedded + positions)
        real = len(place)
        full = real == rows * size
        allowed = None
        if not full:
            allowed = states.new_zeros(rows, 1, 1, size)
            allowed.masked_fill_(~mask[:, None, None, :], torch.finfo(states.dtype).min)
            # Padding gets the first token's, which nothing sees.
            source = place.new_zeros(rows * size)
            source[place] = torch.arange(real, device=place.device)

        def split(projected: Tensor) -> Tensor:
            projected = projected[:real] if full else projected.index_select(0, source)
            return projected.view(rows, size, self.heads, -1).transpose(1, 2)

        for layer in encoder.layers:
            own = layer.self_attn
            query, key, value = projections(states, own.q_proj, own.k_proj, own.v_proj)
            mixed = attend(split(query), split(key), split(value), allowed)
            mixed = mixed.transpose(1, 2).reshape(rows * size, -1).index_select(0, filled)
            states = layer.self_attn_layer_norm(added(states, own.out_proj, mixed))
            inner = activated(layer.fc1, layer.activation_fn, states)
            states = layer.final_layer_norm(added(states, layer.fc2, inner))
        out: Tensor = states[:real]
        return out
