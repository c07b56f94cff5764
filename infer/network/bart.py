"""The weights of BART, for inference without transformers.

Importing transformers' own module takes two seconds, and a linker uses nothing of it: the forward
passes are in :mod:`biolink.infer.network.encoder` and :mod:`biolink.infer.network.backbone`. The
modules here have the same names as those of transformers and hold the same weights.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import Tensor, nn

from biolink.infer.network.encoder import BartEncoder
from biolink.kb.model_files import CONFIG, WEIGHTS, config_values, damaged
from biolink.kb.model_loading import check_weights, tensors_of

__all__ = ["Bart", "Stack", "config_of"]

#: BART's learned positions begin at this row of their table.
_OFFSET = 2
#: The values of a configuration that are needed.
_NEEDED = {
    *("d_model", "vocab_size", "max_position_embeddings", "scale_embedding", "dropout"),
    *("encoder_layers", "encoder_attention_heads", "encoder_ffn_dim"),
    *("decoder_layers", "decoder_attention_heads", "decoder_ffn_dim"),
    *("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"),
}


class _Linear(nn.Linear):
    def reset_parameters(self) -> None:
        """Do nothing, because the weights are read from a file."""


class _Embedding(nn.Embedding):
    def reset_parameters(self) -> None:
        """Do nothing, because the weights are read from a file."""


class _Positions(_Embedding):
    offset = _OFFSET


class _Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.q_proj, self.k_proj = _Linear(width, width), _Linear(width, width)
        self.v_proj, self.out_proj = _Linear(width, width), _Linear(width, width)


class _Layer(nn.Module):
    def __init__(self, width: int, inner: int, activation: nn.Module, decoder: bool) -> None:
        super().__init__()
        self.self_attn = _Attention(width)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        if decoder:
            self.encoder_attn = _Attention(width)
            self.encoder_attn_layer_norm = nn.LayerNorm(width)
        self.activation_fn = activation
        self.fc1, self.fc2 = _Linear(width, inner), _Linear(inner, width)
        self.final_layer_norm = nn.LayerNorm(width)


class Stack(nn.Module):
    """The layers of the encoder or of the decoder."""

    def __init__(self, config: Any, decoder: bool) -> None:
        super().__init__()
        width = config.d_model
        self.config = config
        self.embed_tokens = _Embedding(config.vocab_size, width)
        self.embed_positions = _Positions(config.max_position_embeddings + _OFFSET, width)
        self.layernorm_embedding = nn.LayerNorm(width)
        inner = config.decoder_ffn_dim if decoder else config.encoder_ffn_dim
        count = config.decoder_layers if decoder else config.encoder_layers
        activation = _ACTIVATIONS[config.activation_function]()
        self.layers = nn.ModuleList(_Layer(width, inner, activation, decoder) for _ in range(count))

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
    ) -> tuple[Tensor]:
        """Run the encoder; the arguments and the result are those of transformers' encoder."""
        assert attention_mask is not None
        return (BartEncoder(self, self.config)(input_ids, attention_mask, inputs_embeds),)


_ACTIVATIONS: dict[str, type[nn.Module]] = {"gelu": nn.GELU, "relu": nn.ReLU}


def config_of(folder: Path) -> SimpleNamespace | None:
    """The ``config.json`` of a model folder, or None if :class:`Bart` cannot read the model."""
    if not (folder / CONFIG).is_file() or not (folder / WEIGHTS).is_file():
        return None
    values = config_values(folder)
    if values["model_type"] != "bart" or any(values.get(name) is None for name in _NEEDED):
        return None  # transformers knows the defaults of the values that are missing
    if values.get("activation_function") not in _ACTIVATIONS or isinstance(
        values["eos_token_id"], list
    ):
        return None
    return SimpleNamespace(**values)


class Bart(nn.Module):
    """The modules of ``BartForConditionalGeneration``, without its forward pass.

    Parameters
    ----------
    config
        A ``BartConfig`` from transformers, or the result of :func:`config_of`.
    """

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.model = nn.ModuleDict(
            {"encoder": Stack(config, decoder=False), "decoder": Stack(config, decoder=True)}
        )
        self.lm_head = _Linear(config.d_model, config.vocab_size, bias=False)
        self.register_buffer("final_logits_bias", torch.zeros(1, config.vocab_size))

    def get_encoder(self) -> Stack:
        """The encoder, as in transformers."""
        return cast(Stack, self.model["encoder"])

    def get_decoder(self) -> Stack:
        """The decoder, as in transformers."""
        return cast(Stack, self.model["decoder"])

    def get_output_embeddings(self) -> nn.Linear:
        """The layer that gives scores over the vocabulary, as in transformers."""
        return self.lm_head

    @classmethod
    def read(cls, folder: Path, config: Any) -> Bart:
        """Read ``model.safetensors`` of a model folder, in float32.

        Raises
        ------
        ModelError
            If the file is damaged or does not fit the configuration.
        """
        file = folder / WEIGHTS
        stored = tensors_of(file)
        check_weights(stored.items(), file)
        state = {name: tensor.float() for name, tensor in stored.items()}
        shared = state.pop("model.shared.weight", None)
        for name in ("model.encoder.embed_tokens", "model.decoder.embed_tokens", "lm_head"):
            if shared is not None:
                state.setdefault(f"{name}.weight", shared)
        with torch.device("meta"):
            model = cls(config)
        state.setdefault("final_logits_bias", torch.zeros(1, config.vocab_size))
        try:
            model.load_state_dict(state, assign=True)
        except RuntimeError as error:
            first = " ".join(str(error).split())[:200]
            raise damaged(file, f"it does not fit config.json ({first})") from None
        return model.requires_grad_(False).eval()
