"""Models can be pickled and copied."""

from __future__ import annotations

import copy
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import biolink
from biolink.errors import ConfigError, ModelError
from biolink.infer.mentions.tagger import Tagger
from biolink.infer.network.backbone import Backbone
from biolink.infer.network.devices import check_device
from biolink.infer.network.model import LinkingModel, load_model
from biolink.infer.network.precision import Int8Linear, PackedLinear, Precision, in_precision

NAMES = ["fever", "cancer of the breast"]


@pytest.mark.parametrize("light", [True, False])
@pytest.mark.parametrize("precision", ["fp32", "int8", "bf16"])
def test_a_model_is_opened_again(model_folder: Path, light: bool, precision: Precision) -> None:
    model = load_model(model_folder, light=light).in_precision(precision)
    written = pickle.dumps(model)
    for other in (pickle.loads(written), copy.deepcopy(model), copy.copy(model)):
        assert other.precision == precision
        assert other.form == model.form
        np.testing.assert_array_equal(other.embed(NAMES), model.embed(NAMES))
    assert len(written) < (model_folder / "model.safetensors").stat().st_size / 2


def test_what_was_changed_stays_changed(model_folder: Path) -> None:
    model = replace(load_model(model_folder, light=True), ranker=None).in_precision("fp32")
    other = pickle.loads(pickle.dumps(model))
    assert other.ranker is None
    assert other.folder == model_folder


def test_other_weights_in_the_folder_are_noticed(model_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    written = pickle.dumps(load_model(folder, light=True))
    whole = load_model(folder)
    with torch.no_grad():
        whole.backbone.model.model.shared.weight.add_(1.0)
    whole.backbone.model.save_pretrained(folder)
    with pytest.raises(ModelError, match="weights have changed"):
        pickle.loads(written)


@pytest.mark.parametrize("precision", ["fp32", "int8", "bf16"])
def test_a_model_without_a_folder_is_pickled_with_its_weights(
    model_folder: Path, precision: Precision
) -> None:
    found = load_model(model_folder)
    with torch.no_grad():
        found.backbone.model.model.encoder.layers[0].fc1.weight.mul_(1.5)
    model = LinkingModel(Backbone(found.backbone.model), found.tokenizer, found.form)
    model = model.in_precision(precision)
    other = pickle.loads(pickle.dumps(model))
    assert other.weights_fingerprint == model.weights_fingerprint
    np.testing.assert_array_equal(other.embed(NAMES), model.embed(NAMES))


def test_a_model_in_training_is_pickled_with_its_weights(model_folder: Path) -> None:
    model = load_model(model_folder)
    with torch.no_grad():
        model.backbone.model.model.encoder.layers[0].fc1.weight.mul_(1.5)
    other = copy.deepcopy(model)
    np.testing.assert_array_equal(other.embed(NAMES), model.embed(NAMES))


@pytest.mark.parametrize("kind", [PackedLinear, Int8Linear])
@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_is_unpickled_as_it_was(kind: Any, bias: bool) -> None:
    layer = kind(nn.Linear(96, 160, bias=bias))
    states = torch.randn(7, 96)
    other = pickle.loads(pickle.dumps(layer))
    with torch.inference_mode():
        assert torch.equal(other(states), layer(states))
        assert torch.equal(copy.deepcopy(layer)(states), layer(states))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_tagger_is_unpickled_as_it_was(model_folder: Path, precision: Precision) -> None:
    model = load_model(model_folder, light=True)
    tagger = in_precision(Tagger(model.backbone.model, 1).eval(), precision)
    other = pickle.loads(pickle.dumps(tagger))
    ids = torch.tensor([[2, 8, 9, 3]])
    given = (ids, torch.ones_like(ids), torch.zeros_like(ids), torch.zeros_like(ids)[..., None])
    with torch.inference_mode():
        assert torch.equal(other(*given), tagger(*given))
    assert other.types == tagger.types


@pytest.mark.parametrize("device", ["cuda:77", "nowhere", "", "meta", "cpu:x", None, 3.5])
def test_a_device_that_does_not_exist_is_reported(model_folder: Path, device: Any) -> None:
    with pytest.raises(ConfigError, match=r"device .* expected cpu"):
        check_device(device)
    with pytest.raises(ConfigError, match="device"):
        load_model(model_folder, device)


@pytest.mark.parametrize("precision", ["fp32", "int8", "bf16"])
def test_a_tagger_of_a_folder_is_loaded_again(
    model_folder: Path, precision: Precision, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(model_folder, tmp_path / "model"))
    network = load_model(folder, light=True).backbone.model
    Tagger(network, 1).save(folder / "tagger.safetensors")
    loaded = Tagger.load(folder / "tagger.safetensors", network, of_folder=True)
    tagger = in_precision(loaded, precision)
    written = pickle.dumps(tagger)
    assert len(written) < 1_000
    ids = torch.tensor([[2, 8, 9, 3]])
    given = (ids, torch.ones_like(ids), torch.zeros_like(ids), torch.zeros_like(ids)[..., None])
    for other in (pickle.loads(written), copy.deepcopy(tagger)):
        with torch.inference_mode():
            assert torch.equal(other(*given), tagger(*given))
        assert pickle.dumps(other) == written
    with torch.no_grad():
        loaded.train().head.bias.add_(1.0)
    assert torch.equal(pickle.loads(pickle.dumps(loaded)).head.bias, loaded.head.bias)
    Tagger(network, 2).save(folder / "tagger.safetensors")
    with pytest.raises(ModelError, match=r"tagger\.safetensors has changed"):
        pickle.loads(written)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_pickle_of_the_default_is_small(precision: Precision) -> None:
    linker = biolink.load(precision=precision)
    written = pickle.dumps(linker)
    assert len(written) < 1_000_000
    text = "Methylprednisolone worsened the patient's spinal and bulbar muscular atrophy (SBMA)."
    assert pickle.loads(written)(text) == linker(text)
