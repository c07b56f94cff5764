"""The sequence-to-sequence model in the form that decoding needs: encode once, decode any rows.

transformers owns the weights. The decoder's forward pass is written out here for BART and T5 (and
that of BART's encoder in :mod:`biolink.infer.network.encoder`), because generation under a trie
needs what transformers' ``generate`` does not offer: cross-attention keys and values that are
computed once per mention and shared by all of its hypotheses, custom positions and masks, and
several names scored in one pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from biolink.errors import ModelError
from biolink.infer.network.encoder import BartEncoder, attend
from biolink.infer.network.precision import activated, added, projections

__all__ = ["FEW_ENOUGH", "Backbone", "Memory"]

#: If at most this share of the mentions still has rows, a smaller memory is made for those alone.
FEW_ENOUGH = 0.75

#: Keys and values of one layer, each [rows, heads, positions, head size].
KeyValue = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Memory:
    """What the decoder reads from the encoder, for a batch of mentions.

    Attributes
    ----------
    layers
        For each decoder layer, the keys and values of its cross-attention, [mentions, heads,
        source, size] each.
    mask
        The additive attention mask [mentions, 1, 1, source].
    slots, each
        Which mention each row of the decoder belongs to: row r is hypothesis ``slots[r] % each``
        of mention ``slots[r] // each``. If ``slots`` is None, row r is mention r.
    sources
        Which source each mention is read in, int64 [mentions], if several mentions share one. The
        first dimension of all tensors is then that of the sources. None if each mention has its
        own.
    """

    layers: tuple[KeyValue, ...]
    mask: Tensor
    slots: Tensor | None = None
    each: int = 1
    sources: Tensor | None = None

    @property
    def sizes(self) -> list[int]:
        """The number of tokens of each mention's source."""
        sizes = (self.mask[:, 0, 0] == 0).sum(1)
        of_mentions: list[int] = (sizes if self.sources is None else sizes[self.sources]).tolist()
        return of_mentions

    def apart(self) -> Memory:
        """The memory in which each mention has a copy of its source."""
        return (
            self
            if self.sources is None
            else self.select(torch.arange(len(self.sources), device=self.mask.device))
        )

    def select(self, mentions: Tensor, size: int | None = None) -> Memory:
        """The memory of a few mentions, given by their indices [n].

        If a size is given, the sources are cut after it, or filled up to it.
        """
        if self.sources is not None:
            mentions = self.sources[mentions]
        layers = tuple(
            (k.index_select(0, mentions), v.index_select(0, mentions)) for k, v in self.layers
        )
        mask = self.mask.index_select(0, mentions)
        if size is not None:
            # A negative number of positions to add cuts them off.
            missing = size - mask.shape[3]
            below = (0, 0, 0, missing)
            layers = tuple((F.pad(k, below), F.pad(v, below)) for k, v in layers)
            mask = F.pad(mask, (0, missing), value=torch.finfo(mask.dtype).min)
        return Memory(layers, mask)

    def for_rows(self, mention_of_row: Tensor) -> Memory:
        """The memory for rows of the decoder that are hypotheses of these mentions.

        Parameters
        ----------
        mention_of_row
            [rows]: the index of each row's mention, in ascending order.
        """
        present, group, counts = torch.unique_consecutive(
            mention_of_row, return_inverse=True, return_counts=True
        )
        each = int(counts.max())
        starts = torch.cumsum(counts, 0) - counts
        order = torch.arange(len(mention_of_row), device=counts.device)
        memory = self
        if len(present) <= FEW_ENOUGH * self.mask.shape[0]:
            memory = self.select(present)
        else:
            group = mention_of_row
        hypothesis = order - starts.repeat_interleave(counts)
        return Memory(memory.layers, memory.mask, group * each + hypothesis, each)


class Backbone:
    """A BART or T5 model from transformers, for constrained decoding.

    Parameters
    ----------
    model
        A ``BartForConditionalGeneration``, a ``T5ForConditionalGeneration``, or another model with
        the same modules.

    Raises
    ------
    ModelError
        If the model has another architecture.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.config = model.config
        kind = self.config.model_type
        if kind == "bart":
            self._decoder: _BartDecoder | _T5Decoder = _BartDecoder(model)
            self._encoder: BartEncoder | None = BartEncoder(model.get_encoder(), self.config)
        elif kind in ("t5", "mt5"):
            self._decoder = _T5Decoder(model)
            self._encoder = None
        else:
            raise ModelError(
                f"the architecture {kind!r} is not supported; expected bart, t5 or mt5"
            )
        self.kind = "bart" if kind == "bart" else "t5"

    @property
    def device(self) -> torch.device:
        """The device that the weights are on."""
        return next(self.model.parameters()).device

    @property
    def eos_id(self) -> int:
        """The token that ends a name."""
        eos = self.config.eos_token_id
        return int(eos[0] if isinstance(eos, list) else eos)

    @property
    def pad_id(self) -> int:
        """The token that fills up shorter rows."""
        pad = self.config.pad_token_id
        return self.eos_id if pad is None else int(pad)

    @property
    def start_id(self) -> int:
        """The token that the decoder starts with."""
        start = getattr(self.config, "decoder_start_token_id", None)
        return self.eos_id if start is None else int(start)

    @property
    def vocabulary_size(self) -> int:
        """The number of tokens that the model can generate."""
        return int(self.model.get_output_embeddings().out_features)

    @property
    def max_source(self) -> int:
        """The length of the longest source that the encoder can read, in tokens."""
        if self.kind == "bart":
            return int(self.config.max_position_embeddings)
        return 4096

    def encode(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Run the encoder.

        Parameters
        ----------
        input_ids
            Token ids [mentions, source].
        attention_mask
            [mentions, source]: 1 for a token, 0 for padding.

        Returns
        -------
        The encoder's states [mentions, source, d].
        """
        if self._encoder is not None and torch.is_inference_mode_enabled():
            return self._encoder(input_ids, attention_mask)
        encoder = self.model.get_encoder()
        states: Tensor = encoder(input_ids=input_ids, attention_mask=attention_mask)[0]
        return states

    def memory(self, states: Tensor, attention_mask: Tensor) -> Memory:
        """The keys and values of cross-attention in all layers, computed once per mention."""
        mask = torch.zeros(attention_mask.shape, dtype=states.dtype, device=states.device)
        mask.masked_fill_(attention_mask == 0, torch.finfo(states.dtype).min)
        return Memory(self._decoder.cross(states), mask[:, None, None, :])

    def decode(
        self,
        tokens: Tensor,
        positions: Tensor,
        mask: Tensor,
        memory: Memory,
        past: tuple[KeyValue, ...] | None = None,
        past_positions: Tensor | None = None,
    ) -> tuple[Tensor, tuple[KeyValue, ...]]:
        """Run the decoder over the next tokens of each row.

        Parameters
        ----------
        tokens, positions
            [rows, T]: the ids of the tokens and their positions, counted from 0.
        mask
            bool [rows, T, past + T]: which tokens each token may attend to.
        memory
            The memory of the rows' mentions. If rows are hypotheses, use :meth:`Memory.for_rows`.
        past
            For each layer, the keys and values of the earlier positions.
        past_positions
            [rows, past]: the earlier positions. T5 needs them for its relative positions.

        Returns
        -------
        The states [rows, T, d], and for each layer the keys and values of the past tokens followed
        by the new ones.
        """
        additive = torch.zeros(mask.shape, dtype=torch.float32, device=mask.device)
        additive.masked_fill_(~mask, torch.finfo(torch.float32).min)
        return self._decoder.run(tokens, positions, additive[:, None], memory, past, past_positions)

    def logits(self, states: Tensor) -> Tensor:
        """Scores over the vocabulary [..., vocabulary] for decoder states [..., d]."""
        return self._decoder.logits(states)


def _attend_own(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float | None
) -> Tensor:
    """Attend with queries [rows, heads, T, size]; the result is [rows, T, heads * size]."""
    rows, heads, steps, size = query.shape
    out = attend(query, key, value, mask.to(query.dtype), scale)
    return out.transpose(1, 2).reshape(rows, steps, heads * size)


def _attend_memory(query: Tensor, memory: Memory, layer: int, scale: float | None) -> Tensor:
    """Cross-attention, where all hypotheses of a mention are queries against the same keys."""
    key, value = memory.layers[layer]
    if memory.slots is None:
        return _attend_own(query, key, value, memory.mask.to(query.dtype), scale)
    _, heads, steps, size = query.shape
    groups, each = key.shape[0], memory.each
    padded = query.new_zeros(groups * each, heads, steps, size)
    padded[memory.slots] = query
    padded = padded.view(groups, each, heads, steps, size).transpose(1, 2)
    padded = padded.reshape(groups, heads, each * steps, size)
    mask = memory.mask.to(query.dtype)
    out = attend(padded, key, value, mask, scale)
    out = out.view(groups, heads, each, steps, size).permute(0, 2, 3, 1, 4)
    return out.reshape(groups * each, steps, heads * size)[memory.slots]


def _extended(past: KeyValue | None, new: KeyValue) -> KeyValue:
    if past is None:
        return new
    return torch.cat([past[0], new[0]], 2), torch.cat([past[1], new[1]], 2)


def _residual(states: Tensor, linear: Any, inner: Tensor, dropout: float) -> Tensor:
    if dropout:
        return states + F.dropout(linear(inner), dropout)
    return added(states, linear, inner)


class _BartDecoder:
    """The decoder of BART, with layer norms after each block (Lewis et al., 2020)."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.decoder = model.get_decoder()
        self.heads = model.config.decoder_attention_heads
        self.dropout = float(model.config.dropout)
        embed = self.decoder.embed_tokens
        self.scale = math.sqrt(model.config.d_model) if model.config.scale_embedding else 1.0
        self.embed = embed

    def split(self, states: Tensor) -> Tensor:
        rows, steps, width = states.shape
        return states.view(rows, steps, self.heads, width // self.heads).transpose(1, 2)

    def cross(self, states: Tensor) -> tuple[KeyValue, ...]:
        layers = []
        for layer in self.decoder.layers:
            attention = layer.encoder_attn
            key, value = projections(states, attention.k_proj, attention.v_proj)
            # These are read at every step, so they are made contiguous once.
            layers.append((self.split(key).contiguous(), self.split(value).contiguous()))
        return tuple(layers)

    def run(
        self,
        tokens: Tensor,
        positions: Tensor,
        mask: Tensor,
        memory: Memory,
        past: tuple[KeyValue, ...] | None,
        past_positions: Tensor | None,
    ) -> tuple[Tensor, tuple[KeyValue, ...]]:
        p = self.dropout if self.model.training else 0.0
        table = self.decoder.embed_positions
        # Whether embed_tokens scales its output depends on the version of transformers, so its
        # weights are read directly.
        embedded = F.embedding(tokens, self.embed.weight) * self.scale
        embedded = embedded + F.embedding(positions + table.offset, table.weight)
        states = F.dropout(self.decoder.layernorm_embedding(embedded), p, p > 0)
        mask = mask.to(states.dtype)
        keys_and_values = []
        for number, layer in enumerate(self.decoder.layers):
            attention = layer.self_attn
            query, key, value = projections(
                states, attention.q_proj, attention.k_proj, attention.v_proj
            )
            new = (self.split(key), self.split(value))
            keys, values = _extended(past[number] if past else None, new)
            keys_and_values.append((keys, values))
            attended = _attend_own(self.split(query), keys, values, mask, None)
            states = layer.self_attn_layer_norm(_residual(states, attention.out_proj, attended, p))
            attention = layer.encoder_attn
            query = self.split(attention.q_proj(states))
            attended = _attend_memory(query, memory, number, None)
            states = layer.encoder_attn_layer_norm(
                _residual(states, attention.out_proj, attended, p)
            )
            inner = activated(layer.fc1, layer.activation_fn, states)
            states = layer.final_layer_norm(_residual(states, layer.fc2, inner, p))
        return states, tuple(keys_and_values)

    def logits(self, states: Tensor) -> Tensor:
        out: Tensor = self.model.lm_head(states) + self.model.final_logits_bias
        return out


class _T5Decoder:
    """The decoder of T5, with layer norms before each block and relative positions.

    Source: Raffel et al. (JMLR 2020).
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.decoder = model.get_decoder()
        self.heads = model.config.num_heads
        self.size = model.config.d_kv
        self.dropout = float(model.config.dropout_rate)
        self.bias = self.decoder.block[0].layer[0].SelfAttention

    def split(self, states: Tensor) -> Tensor:
        rows, steps, _ = states.shape
        return states.view(rows, steps, self.heads, self.size).transpose(1, 2)

    def cross(self, states: Tensor) -> tuple[KeyValue, ...]:
        layers = []
        for block in self.decoder.block:
            attention = block.layer[1].EncDecAttention
            key, value = projections(states, attention.k, attention.v)
            layers.append((self.split(key).contiguous(), self.split(value).contiguous()))
        return tuple(layers)

    def run(
        self,
        tokens: Tensor,
        positions: Tensor,
        mask: Tensor,
        memory: Memory,
        past: tuple[KeyValue, ...] | None,
        past_positions: Tensor | None,
    ) -> tuple[Tensor, tuple[KeyValue, ...]]:
        p = self.dropout if self.model.training else 0.0
        states = F.dropout(self.decoder.embed_tokens(tokens), p, p > 0)
        if past_positions is None:
            all_positions = positions
        else:
            all_positions = torch.cat([past_positions, positions], 1)
        distance = all_positions[:, None, :] - positions[:, :, None]
        buckets = self.bias._relative_position_bucket(
            distance,
            bidirectional=False,
            num_buckets=self.bias.relative_attention_num_buckets,
            max_distance=self.bias.relative_attention_max_distance,
        )
        bias = self.bias.relative_attention_bias(buckets).permute(0, 3, 1, 2)
        mask = mask.to(states.dtype) + bias
        keys_and_values = []
        for number, block in enumerate(self.decoder.block):
            layer = block.layer[0]
            attention = layer.SelfAttention
            normed = layer.layer_norm(states)
            new = (self.split(attention.k(normed)), self.split(attention.v(normed)))
            keys, values = _extended(past[number] if past else None, new)
            keys_and_values.append((keys, values))
            attended = _attend_own(self.split(attention.q(normed)), keys, values, mask, 1.0)
            states = _residual(states, attention.o, attended, p)
            layer = block.layer[1]
            attention = layer.EncDecAttention
            query = self.split(attention.q(layer.layer_norm(states)))
            states = _residual(states, attention.o, _attend_memory(query, memory, number, 1.0), p)
            layer = block.layer[2]
            attended = layer.DenseReluDense(layer.layer_norm(states))
            states = states + F.dropout(attended, p, p > 0)
        states = F.dropout(self.decoder.final_layer_norm(states), p, p > 0)
        return states, tuple(keys_and_values)

    def logits(self, states: Tensor) -> Tensor:
        if getattr(self.model.config, "tie_word_embeddings", True) and getattr(
            self.model.config, "scale_decoder_outputs", True
        ):
            states = states * self.model.config.d_model**-0.5
        out: Tensor = self.model.lm_head(states)
        return out
