"""Tokeniser training and the extension of a vocabulary."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from biolink.errors import ConfigError, ModelError
from biolink.pretrain.vocabulary import extend_vocabulary, train_bpe
from tests.tiny_models import bart, wordpiece

GENERAL = ["the cat sat on the mat and the dog ran to the other cat", "a dog and a cat"] * 20
MEDICAL = ["hypertension with nephropathy", "nephropathy and hypertension, hypertension"] * 20


@pytest.fixture
def general() -> Any:
    return train_bpe(GENERAL, 300)


def test_bpe_has_barts_special_tokens(general: Any) -> None:
    ids = general("the cat")["input_ids"]
    assert ids[0] == general.bos_token_id == 0
    assert ids[-1] == general.eos_token_id == 2
    assert general.pad_token_id == 1
    assert general.mask_token_id == 4
    assert general.decode(ids, skip_special_tokens=True) == "the cat"
    assert len(general("the cat")["input_ids"]) == 4
    with pytest.raises(ConfigError, match="261 or more"):
        train_bpe(GENERAL, 200)


def test_extension_leaves_known_text_alone(general: Any) -> None:
    medical = train_bpe(MEDICAL, 320)
    model = bart(len(general), pad_token_id=1, bos_token_id=0, eos_token_id=2)
    model.final_logits_bias += torch.randn_like(model.final_logits_bias)
    known = general(["the cat sat on the dog"], return_tensors="pt")
    with torch.inference_mode():
        before = model(**known).logits
    embedding = model.get_input_embeddings().weight.detach().clone()
    tokenizer = extend_vocabulary(model, general, medical)
    again = tokenizer(["the cat sat on the dog"], return_tensors="pt")
    assert again["input_ids"].tolist() == known["input_ids"].tolist()
    with torch.inference_mode():
        after = model(**again).logits
    old = len(general)
    assert torch.allclose(after[..., :old], before, atol=1e-5)
    assert len(tokenizer) > old
    assert after.shape[-1] == len(tokenizer)
    # The union has every token of both; the old tokens keep their ids.
    vocabulary = tokenizer.get_vocab()
    assert all(vocabulary[token] == i for token, i in general.get_vocab().items())
    assert set(medical.get_vocab()) <= set(vocabulary)
    # Medical words have fewer tokens now; a new token starts as the mean of its old pieces.
    word = "nephropathy with hypertension"
    assert len(tokenizer(word)["input_ids"]) < len(general(word)["input_ids"])
    assert tokenizer.decode(tokenizer(word)["input_ids"], skip_special_tokens=True) == word
    new = next(t for t in medical.get_vocab() if t.endswith("hypertension"))
    pieces = [p.id for p in general.backend_tokenizer.model.tokenize(new)]
    assert len(pieces) > 1
    row = model.get_input_embeddings().weight[vocabulary[new]]
    assert torch.allclose(row, embedding[pieces].mean(0), atol=1e-6)


def test_only_bpe_can_be_extended(general: Any, tmp_path: Any) -> None:
    with pytest.raises(ModelError, match="WordPiece"):
        extend_vocabulary(bart(60), wordpiece(tmp_path), general)
