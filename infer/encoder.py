"""BART's encoder without padding.

Sources are run in blocks of similar length, and within a block everything but the attention itself
is computed for real tokens alone. Blocks are small enough that a layer's states stay in the
processor's cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from biolink.infer.precision import projections

__all__ = ["BartEncoder"]

#: Padded tokens of a block.
_CPU_TOKENS = 1024
_GPU_TOKENS = 65_536


class BartEncoder:
    """The forward pass of BART's encoder (post-norm; Lewis et al., 2020), for inference.

    Parameters
    ----------
    model
        ``BartForConditionalGeneration``; its weights are used as they are at each call.
    """

    def __init__(self, model: Any) -> None:
        self.encoder = model.get_encoder()
        self.heads = model.config.encoder_attention_heads
        self.scale = math.sqrt(model.config.d_model) if model.config.scale_embedding else 1.0

    def __call__(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """States [sources, tokens, d] of token ids [sources, tokens], 0 where there is padding."""
        real = attention_mask.bool()
        lengths = real.sum(1)
        # Padding behind the longest source of a block is cut off; padding anywhere is skipped.
        ends = (real * torch.arange(1, real.shape[1] + 1, device=real.device)).amax(1)
        width = self.encoder.layernorm_embedding.weight
        states = width.new_zeros(*input_ids.shape, width.shape[0])
        for block in self._blocks(ends):
            size = int(ends[block].max())
            mask = real[block, :size]
            if int(lengths[block].sum()):
                found = self._run(input_ids[block, :size], mask)
                padded = states.new_zeros(len(block) * size, states.shape[2])
                padded[mask.flatten()] = found
                states[block, :size] = padded.view(len(block), size, -1)
        return states

    def _blocks(self, ends: Tensor) -> Iterator[Tensor]:
        most = _CPU_TOKENS if ends.device.type == "cpu" else _GPU_TOKENS
        order = torch.argsort(ends, stable=True)
        sizes = ends[order].tolist()
        begin = 0
        for end in range(1, len(sizes) + 1):
            # The next source is the longest so far, and all are padded to it.
            if end == len(sizes) or (end + 1 - begin) * sizes[end] > most:
                yield order[begin:end]
                begin = end

    def _run(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """States [real tokens, d] of a block."""
        encoder = self.encoder
        rows, size = input_ids.shape
        flat = mask.flatten()
        place = flat.nonzero()[:, 0]
        table = encoder.embed_positions
        positions = (place % size) + table.offset
        embedded = F.embedding(input_ids.flatten()[place], encoder.embed_tokens.weight) * self.scale
        states = encoder.layernorm_embedding(embedded + F.embedding(positions, table.weight))
        full = len(place) == len(flat)
        allowed = None if full else mask[:, None, None, :]

        def split(projected: Tensor) -> Tensor:
            if not full:
                padded = projected.new_zeros(len(flat), projected.shape[1])
                padded[place] = projected
                projected = padded
            return projected.view(rows, size, self.heads, -1).transpose(1, 2)

        for layer in encoder.layers:
            attention = layer.self_attn
            query, key, value = projections(
                states, attention.q_proj, attention.k_proj, attention.v_proj
            )
            mixed = F.scaled_dot_product_attention(
                split(query), split(key), split(value), attn_mask=allowed
            )
            mixed = mixed.transpose(1, 2).reshape(rows * size, -1)
            if not full:
                mixed = mixed[place]
            states = layer.self_attn_layer_norm(states + attention.out_proj(mixed))
            inner = layer.activation_fn(layer.fc1(states))
            states = layer.final_layer_norm(states + layer.fc2(inner))
        out: Tensor = states
        return out
