"""Weights in eight and sixteen bits, and the encoder without padding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import biolink
from biolink.errors import ConfigError
from biolink.infer.network import precision
from biolink.infer.network.backbone import Backbone
from biolink.infer.network.model import load_model
from biolink.infer.network.precision import (
    Int8Linear,
    PackedLinear,
    Precision,
    activated,
    added,
    in_precision,
    whole_rows,
)
from biolink.infer.rank.beam_search import constrained_beam_search
from biolink.kb import KnowledgeBase
from biolink.kb.trie import NameTrie
from tests.tiny_models import bart, t5


def test_int8_is_accurate_and_rows_are_independent() -> None:
    torch.manual_seed(0)
    linear = nn.Linear(96, 80)
    rows = torch.randn(50, 96) * torch.logspace(-3, 3, 50)[:, None]
    with torch.inference_mode():
        wanted, found = linear(rows), Int8Linear(linear)(rows)
        error = (wanted - found).norm(dim=1) / wanted.norm(dim=1)
        assert 0 < float(error.max()) < 0.03
        assert torch.equal(Int8Linear(linear)(rows[7:9]), found[7:9])
        assert torch.equal(Int8Linear(linear)(rows.view(5, 10, 96)).view(50, 80), found)
        nothing = Int8Linear(nn.Linear(96, 80, bias=False))(torch.zeros(2, 96))
        none = Int8Linear(linear)(torch.zeros(0, 96))
    assert torch.equal(nothing, torch.zeros(2, 80))
    assert none.shape == (0, 80)


@pytest.mark.parametrize("bias", [True, False])
def test_packed_layers_are_the_layers(bias: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(96, 80, bias=bias), nn.GELU())
    packed = in_precision(model, "fp32")
    assert isinstance(packed[0], PackedLinear)
    assert isinstance(model[0], nn.Linear)
    with torch.inference_mode():
        for rows in (torch.randn(1, 96), torch.randn(3, 7, 96), torch.randn(9, 4, 96)[:, 1]):
            torch.testing.assert_close(packed(rows), model(rows))
            torch.testing.assert_close(activated(packed[0], packed[1], rows), model(rows))
            others = torch.randn(*rows.shape[:-1], 80)
            wanted = others + model[0](rows)
            torch.testing.assert_close(added(others, packed[0], rows), wanted)
        assert packed(torch.empty(0, 96)).shape == (0, 80)
    with pytest.raises(ConfigError, match="already"):
        in_precision(packed, "int8")


def test_matrix_products_come_in_few_sizes() -> None:
    sizes = [whole_rows(rows) for rows in range(1, 8193)]
    assert all(0 <= size - rows < max(8, 0.25 * rows) for rows, size in enumerate(sizes, 1))
    assert len(set(sizes)) < 50
    assert all(whole_rows(size) == size for size in sizes)


def test_layers_stay_the_same_without_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_packs", lambda kind: False)
    model = bart(60)
    assert in_precision(model, "fp32") is model


def some_sources(rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(3)
    ids = torch.from_numpy(rng.integers(4, 60, (rows, 90)))
    lengths = torch.from_numpy(rng.integers(1, 91, rows))
    mask = (torch.arange(90)[None] < lengths[:, None]).long()
    mask[0, 0] = 0  # padding in front is padding, too
    mask[1] = 1
    return ids * mask, mask


@pytest.mark.parametrize("scale", [True, False])
def test_the_encoder_is_that_of_transformers(scale: bool) -> None:
    model = bart(60, scale_embedding=scale)
    ids, mask = some_sources(70)  # several blocks
    backbone = Backbone(model)
    with torch.no_grad():
        wanted = backbone.encode(ids, mask)
    with torch.inference_mode():
        found = backbone.encode(ids, mask)
        nothing = backbone.encode(ids[:2], torch.zeros_like(mask[:2]))
    torch.testing.assert_close(found * mask[..., None], wanted * mask[..., None])
    assert not found[mask == 0].any()
    assert not nothing.any()


@pytest.mark.parametrize("make", [bart, t5])
@pytest.mark.parametrize("kind", ["int8", "bf16"])
def test_search_in_other_precisions(make: Any, kind: Precision) -> None:
    rng = np.random.default_rng(0)
    names = {tuple(rng.integers(4, 60, rng.integers(1, 6)).tolist()) for _ in range(100)}
    trie = NameTrie.from_sequences([[*name, 3] for name in sorted(names)])
    model = make(60, d_model=64)
    ids, mask = some_sources(12)
    scores = {}
    for each in ("fp32", kind):
        backbone = Backbone(in_precision(model, each))
        with torch.inference_mode():
            memory = backbone.memory(backbone.encode(ids, mask), mask)
        found = constrained_beam_search(backbone, trie, memory, [[backbone.start_id]] * 12)
        assert all(len(of_mention) == 5 for of_mention in found)
        scores[each] = [of_mention[0].score for of_mention in found]
    error = np.abs(np.subtract(scores["fp32"], scores[kind]))
    assert error.max() > 0
    assert error.mean() < 0.25
    assert all(type(m) is not Int8Linear for m in model.modules())


def test_unknown_precisions_are_refused() -> None:
    with pytest.raises(ConfigError, match="fp32, bf16, int8"):
        in_precision(bart(60), "int4")  # type: ignore[arg-type]


def test_int8_needs_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="oneDNN"):
        in_precision(bart(60), "int8")


def test_a_linker_in_int8(model_folder: Path, kb: KnowledgeBase, tmp_path: Path) -> None:
    kb.save(tmp_path / "x.kb")
    linker = biolink.load(model_folder, tmp_path / "x.kb", precision="int8", method="generate")
    assert isinstance(linker, biolink.Linker)
    assert linker.model.precision == "int8"
    document = linker("Fever and lung cancer.")
    assert all(m.best is not None for m in document.mentions)
    # Embeddings of names by quantised weights are not used for other weights.
    _ = linker.indexes.dense
    plain = biolink.load(model_folder, tmp_path / "x.kb", method="generate")
    assert isinstance(plain, biolink.Linker)
    _ = plain.indexes.dense
    assert len(list((tmp_path / "x.kb" / "index").glob("dense-*"))) == 2
    assert load_model(model_folder).precision == "fp32"


def test_weights_keep_their_fingerprint(model_folder: Path) -> None:
    model = replace(load_model(model_folder), folder=None)
    wanted = model.weights_fingerprint
    assert model.in_precision("int8").weights_fingerprint == wanted
    assert model.in_precision("fp32").weights_fingerprint == wanted


def test_a_mention_that_comes_again_is_not_embedded_again(
    model_folder: Path, kb: KnowledgeBase
) -> None:
    linker = biolink.load(model_folder, kb)
    assert isinstance(linker, biolink.Linker)
    linker.prepare()
    embedded: list[str] = []
    embed = linker.model.embed

    def noted(texts: Any) -> Any:
        embedded.extend(texts)
        return embed(texts)

    object.__setattr__(linker.model, "embed", noted)
    first = linker("Fever and lung cancer.", spans=[(0, 5), (10, 21)])
    assert sorted(embedded) == ["Fever", "lung cancer"]
    again = linker("A fever, then lung cancer. Fever.", spans=[(2, 7), (14, 25), (27, 32)])
    assert sorted(embedded) == ["Fever", "fever", "lung cancer"]
    # What is known from before changes nothing.
    other = biolink.load(model_folder, kb)
    assert isinstance(other, biolink.Linker)
    assert other("A fever, then lung cancer. Fever.", [(2, 7), (14, 25), (27, 32)]) == again
    assert other("Fever and lung cancer.", [(0, 5), (10, 21)]) == first
    # A subset of the knowledge base has rankings of its own.
    part = linker.with_kb(kb.subset(ids=["D1"]))
    assert {
        link.concept_id
        for mention in part("Fever and lung cancer.", spans=[(0, 5)]).mentions
        for link in mention.links
    } <= {"D1"}
