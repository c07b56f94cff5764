"""Models that are read without transformers equal those that transformers reads."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from biolink.errors import ModelError
from biolink.infer.network.bart import Bart
from biolink.infer.network.model import load_model
from biolink.infer.network.tokeniser import LightTokeniser

TEXTS = ["Fever [START] lung cancer [END] zzz-9.", "aspirin", "", "cold " * 40]


def test_weights_and_tokens_are_the_same(model_folder: Path) -> None:
    light, whole = load_model(model_folder, light=True), load_model(model_folder)
    assert isinstance(light.backbone.model, Bart)
    assert isinstance(light.tokenizer, LightTokeniser)
    mine, theirs = light.backbone.model.state_dict(), whole.backbone.model.state_dict()
    for name, tensor in mine.items():
        torch.testing.assert_close(tensor, theirs[name])
    assert light.weights_fingerprint == whole.weights_fingerprint
    assert light.tokeniser_fingerprint == whole.tokeniser_fingerprint
    for options in (
        {},
        {"add_special_tokens": False},
        {"add_special_tokens": False, "return_offsets_mapping": True},
        {"padding": True, "truncation": True, "max_length": 12},
        {"truncation": True, "max_length": 7, "add_special_tokens": False},
    ):
        found, wanted = light.tokenizer(TEXTS, **options), whole.tokenizer(TEXTS, **options)
        assert all(list(map(list, found[key])) == list(map(list, wanted[key])) for key in found)
        one, other = light.tokenizer(TEXTS[0], **options), whole.tokenizer(TEXTS[0], **options)
        assert all(list(one[key]) == list(other[key]) for key in one)
    assert light.tokenizer.get_vocab() == whole.tokenizer.get_vocab()
    assert light.tokenizer.unk_token_id == whole.tokenizer.unk_token_id
    for a, b in zip(light.tokens(TEXTS, 20), whole.tokens(TEXTS, 20), strict=True):
        assert torch.equal(a, b)
    with torch.inference_mode():
        ids, mask = whole.tokens(TEXTS[:2], 20)
        a, b = light.backbone.encode(ids, mask), whole.backbone.encode(ids, mask)
        torch.testing.assert_close(a, b)
        inner = light.backbone.model.get_encoder()(input_ids=ids, attention_mask=mask)[0]
        torch.testing.assert_close(inner, a)


def test_files_without_all_settings_are_left_to_transformers(
    model_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    del config["decoder_ffn_dim"]
    del config["encoder_ffn_dim"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError):  # transformers' defaults do not fit these weights
        load_model(folder, light=True)
    config |= {"decoder_ffn_dim": 64, "encoder_ffn_dim": 64, "activation_function": "gelu_new"}
    (folder / "config.json").write_text(json.dumps(config))
    assert not isinstance(load_model(folder, light=True).backbone.model, Bart)


def test_damaged_weights_are_reported(model_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    (folder / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ModelError, match=r"model\.safetensors is damaged"):
        load_model(folder, light=True)
    config = json.loads((folder / "config.json").read_text())
    shutil.copy(model_folder / "model.safetensors", folder)
    (folder / "config.json").write_text(json.dumps(config | {"d_model": 64}))
    with pytest.raises(ModelError, match="size mismatch"):
        load_model(folder, light=True)


def test_linking_starts_without_packages_it_does_not_need() -> None:
    code = (
        "import sys, biolink; biolink.link('Aspirin for asthma.')\n"
        "heavy = ('transformers', 'sklearn', 'spacy', 'pandas', 'datasets', 'torch._dynamo')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
