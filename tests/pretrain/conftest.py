"""A folder with everything that a small pre-training needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from biolink.kb import KnowledgeBase
from biolink.pretrain.vocabulary import train_bpe
from biolink.texts import read_texts
from tests.tiny_models import CONCEPTS

SMALL = """
[config]
d_model = 16
encoder_layers = 1
decoder_layers = 1
encoder_attention_heads = 2
decoder_attention_heads = 2
encoder_ffn_dim = 16
decoder_ffn_dim = 16
max_position_embeddings = 64

[training]
steps = 8
batch_size = 3
lr = 1e-2
save_every = 3
log_every = 2
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Text, a knowledge base, a tokeniser and settings for both stages."""
    lines = [{"title": f"Fever {n}.", "abstract": "A cold. Body heat. " * 4} for n in range(200)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "a.jsonl").write_text(text)
    (tmp_path / "b.jsonl").write_text(text.replace("cold", "cancer"))
    train_bpe(read_texts([str(tmp_path / "a.jsonl")]), 300).save_pretrained(tmp_path / "bpe")
    KnowledgeBase.from_concepts(CONCEPTS).save(tmp_path / "small.kb")
    (tmp_path / "denoise.toml").write_text(
        'out = "denoised"\ntext = ["a.jsonl", "b.jsonl"]\ntokenizer = "bpe"\nlength = 40\n' + SMALL
    )
    (tmp_path / "kb.toml").write_text(
        'out = "guided"\nkb = "small.kb"\ntokenizer = "bpe"\n' + SMALL
        + '\n[prompt]\nwindow = 20\n'
    )  # fmt: skip
    return tmp_path
