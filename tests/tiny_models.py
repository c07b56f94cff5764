"""Small random models in the layouts that biolink loads, and concepts to go with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from biolink.kb import Concept

__all__ = ["CONCEPTS", "WORDS", "bart", "t5", "wordpiece"]

WORDS = """
fever cold heat body spinal bulbar muscular atrophy cancer of the breast lung tumor aspirin acid
acetyl salicylic disease kennedy start end is and with ill
"""

CONCEPTS = [
    Concept("D1", "Fever", ("Body heat", "Heat, body"), ("Hot.",), ("Disease",)),
    Concept("D2", "Aspirin", ("acetyl salicylic acid",), (), ("Chemical",)),
    Concept("D3", "Breast cancer", ("cancer of the breast", "breast tumor"), (), ("Disease",)),
    Concept("D4", "Lung cancer", ("lung tumor", "cancer"), (), ("Disease",)),
    Concept("D5", "Cancer", (), (), ("Disease",)),
    Concept("D6", "Spinal and bulbar muscular atrophy", ("Kennedy disease",), (), ("Disease",)),
    Concept("D7", "Cold", ("fever",), (), ("Chemical",)),
]


def wordpiece(folder: Path) -> Any:
    """A WordPiece tokeniser over a few words and all letters, saved into the folder."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = [chr(i) for i in range(97, 123)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[START]", "[END]"]
    vocabulary += [*letters, *(f"##{c}" for c in letters), *WORDS.split(), *"{}[]()."]
    ids = {piece: i for i, piece in enumerate(dict.fromkeys(vocabulary))}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens(["[START]", "[END]"])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        bos_token="[CLS]",
        eos_token="[SEP]",
    )
    fast.save_pretrained(folder)
    return fast


def bart(vocabulary: int, **changes: Any) -> Any:
    from transformers import BartConfig, BartForConditionalGeneration

    torch.manual_seed(0)
    values = {
        "vocab_size": vocabulary,
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
        "max_position_embeddings": 128,
        "pad_token_id": 0,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "decoder_start_token_id": 3,
        "forced_eos_token_id": None,
        "init_std": 0.3,
        "scale_embedding": True,
    }
    return BartForConditionalGeneration(BartConfig(**(values | changes))).eval()


def t5(vocabulary: int, **changes: Any) -> Any:
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    values = {
        "vocab_size": vocabulary,
        "d_model": 32,
        "d_kv": 8,
        "d_ff": 64,
        "num_layers": 2,
        "num_heads": 4,
        "pad_token_id": 0,
        "eos_token_id": 3,
        "decoder_start_token_id": 0,
    }
    model = T5ForConditionalGeneration(T5Config(**(values | changes))).eval()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data.mul_(3)
    return model
