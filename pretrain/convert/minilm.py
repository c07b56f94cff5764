"""A starting model in the form of BART, made from a BERT sentence encoder (all-MiniLM-L6-v2).

The encoder's weights map onto BART's one to one; only the epsilon of LayerNorm changes from 1e-12
to 1e-5. The decoder starts from some layers of the encoder, and its cross-attention from their
self-attention. The vocabulary is pruned to the pieces that the given texts use.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from biolink.errors import ModelError
from biolink.kb.model_files import CONFIG, WEIGHTS

__all__ = ["END_MARKER", "START_MARKER", "bart_from_bert", "count_pieces", "prune_wordpiece"]

START_MARKER = "[START]"
END_MARKER = "[END]"
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def count_pieces(tokenizer_file: Path, texts: Iterable[str]) -> Counter[int]:
    """Count how often each piece of a tokeniser occurs in texts."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    counts: Counter[int] = Counter()
    block: list[str] = []
    for text in texts:
        block.append(text)
        if len(block) == 10_000:
            for encoding in tokenizer.encode_batch(block, add_special_tokens=False):
                counts.update(encoding.ids)
            block = []
    for encoding in tokenizer.encode_batch(block, add_special_tokens=False):
        counts.update(encoding.ids)
    return counts


def prune_wordpiece(
    tokenizer_file: Path, keep: Iterable[int], markers: Sequence[str] = (START_MARKER, END_MARKER)
) -> tuple[dict[str, Any], list[int]]:
    """Remove the pieces of a WordPiece tokeniser that are not to be kept.

    Special tokens and all single characters stay, so every word that had a tokenisation still has
    one.

    Parameters
    ----------
    tokenizer_file
        The tokeniser, a file of the tokenizers library.
    keep
        Ids of the pieces to keep.
    markers
        Special tokens to add after the pieces.

    Returns
    -------
    The tokeniser as the JSON of the tokenizers library, and the old id of every new piece.
    """
    spec = json.loads(tokenizer_file.read_text(encoding="utf-8"))
    old = spec["model"]["vocab"]
    wanted = set(keep)
    pieces = [
        (piece, number)
        for piece, number in sorted(old.items(), key=lambda item: item[1])
        if piece in _SPECIAL or number in wanted or len(piece.removeprefix("##")) == 1
    ]
    vocabulary = {piece: new for new, (piece, _) in enumerate(pieces)}
    spec["model"]["vocab"] = vocabulary
    for token in spec["added_tokens"]:
        token["id"] = vocabulary[token["content"]]
    for marker in markers:
        spec["added_tokens"].append(
            {
                "id": len(vocabulary),
                "content": marker,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
        )
        vocabulary[marker] = len(vocabulary)
    processor = spec.get("post_processor") or {}
    for name, token in processor.get("special_tokens", {}).items():
        token["ids"] = [vocabulary[name]]
    for side in ("cls", "sep"):
        if side in processor:
            processor[side][1] = vocabulary[processor[side][0]]
    spec["padding"] = None
    spec["truncation"] = None
    return spec, [number for _, number in pieces]


def bart_from_bert(
    folder: Path, old_ids: Sequence[int], markers: dict[str, int], decoder_layers: Sequence[int]
) -> Any:
    """Make a ``BartForConditionalGeneration`` from a BERT folder (config.json, model.safetensors).

    Parameters
    ----------
    folder
        The folder of the BERT model.
    old_ids
        The old id of every piece of the new vocabulary.
    markers
        Marker -> old id of the piece from whose embedding it starts.
    decoder_layers
        The encoder layers from which the decoder's layers start.
    """
    # Long because it lists the target of each weight.
    from transformers import BartConfig, BartForConditionalGeneration

    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        weights = load_file(folder / WEIGHTS)
    except OSError as error:
        raise ModelError(f"{folder} is not a BERT model folder: {error}") from None
    weights = {name.removeprefix("bert."): tensor.float() for name, tensor in weights.items()}
    rows = [*old_ids, *markers.values()]
    ids = {old: new for new, old in enumerate(old_ids)}
    model = BartForConditionalGeneration(
        BartConfig(
            vocab_size=len(rows),
            d_model=config["hidden_size"],
            encoder_layers=config["num_hidden_layers"],
            decoder_layers=len(decoder_layers),
            encoder_attention_heads=config["num_attention_heads"],
            decoder_attention_heads=config["num_attention_heads"],
            encoder_ffn_dim=config["intermediate_size"],
            decoder_ffn_dim=config["intermediate_size"],
            max_position_embeddings=config["max_position_embeddings"],
            activation_function="gelu",
            dropout=0.1,
            attention_dropout=0.0,
            scale_embedding=False,
            pad_token_id=ids[0],
            bos_token_id=ids[101],
            eos_token_id=ids[102],
            decoder_start_token_id=ids[102],
            forced_eos_token_id=None,
            tie_word_embeddings=True,
        )
    )
    state = model.state_dict()

    def put(target: str, tensor: torch.Tensor) -> None:
        if state[target].shape != tensor.shape:
            shape, expected = tuple(tensor.shape), tuple(state[target].shape)
            raise ModelError(f"{folder}: {target} has the shape {shape}; expected {expected}")
        state[target].copy_(tensor)

    words = weights["embeddings.word_embeddings.weight"][torch.tensor(rows)]
    put("model.shared.weight", words)
    positions = weights["embeddings.position_embeddings.weight"]
    positions = positions + weights["embeddings.token_type_embeddings.weight"][0]
    for side in ("encoder", "decoder"):
        state[f"model.{side}.embed_positions.weight"][2:].copy_(positions)
        for kind in ("weight", "bias"):
            put(f"model.{side}.layernorm_embedding.{kind}", weights[f"embeddings.LayerNorm.{kind}"])
    attention = {
        "q_proj": "attention.self.query",
        "k_proj": "attention.self.key",
        "v_proj": "attention.self.value",
        "out_proj": "attention.output.dense",
    }
    rest = {
        "self_attn_layer_norm": "attention.output.LayerNorm",
        "fc1": "intermediate.dense",
        "fc2": "output.dense",
        "final_layer_norm": "output.LayerNorm",
    }
    sides = [("encoder", range(config["num_hidden_layers"])), ("decoder", decoder_layers)]
    for side, layers in sides:
        for number, origin in enumerate(layers):
            for kind in ("weight", "bias"):
                target, source = f"model.{side}.layers.{number}", f"encoder.layer.{origin}"
                for ours, theirs in attention.items():
                    tensor = weights[f"{source}.{theirs}.{kind}"]
                    put(f"{target}.self_attn.{ours}.{kind}", tensor)
                    if side == "decoder":
                        put(f"{target}.encoder_attn.{ours}.{kind}", tensor)
                for ours, theirs in rest.items():
                    put(f"{target}.{ours}.{kind}", weights[f"{source}.{theirs}.{kind}"])
                if side == "decoder":
                    tensor = weights[f"{source}.attention.output.LayerNorm.{kind}"]
                    put(f"{target}.encoder_attn_layer_norm.{kind}", tensor)
    model.tie_weights()
    return model
