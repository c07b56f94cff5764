"""A damaged file of a model folder gives one error that names the file."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

import biolink
from biolink.errors import BiolinkError, ModelError
from biolink.infer.decide.calibration import Calibration
from biolink.infer.mentions.tagger import Tagger
from biolink.infer.network.model import load_model
from biolink.kb import KnowledgeBase
from biolink.kb.model_files import SEAL
from biolink.kb.model_folder import checked_form, seal_model, sealed_names
from biolink.kb.sealed import STAMP

FILES = (
    "tokenizer.json", "tokenizer_config.json", "config.json", "model.safetensors", "biolink.json",
    "annotations.json", "abbreviations.json", "stop_names.json", "tagger.safetensors",
    "calibration.json",
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(model_folder: Path, kb: KnowledgeBase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with every file that it can have."""
    folder = tmp_path_factory.mktemp("whole") / "model"
    shutil.copytree(model_folder, folder)
    tagger = Tagger(load_model(folder).backbone.model, 1)
    tagger.kb = kb.fingerprint
    tagger.save(folder / "tagger.safetensors")
    (folder / "stop_names.json").write_text('["end"]')
    Calibration("isotonic", (0.0, 1.0), (0.1, 0.9)).save(folder / "calibration.json")
    settings = json.loads((folder / "biolink.json").read_text())
    settings |= {"nil": {"kind": "threshold", "value": 0.1}, "linker": {"top_k": 3}}
    settings |= {"format": "biolink-model", "version": 1}
    (folder / "biolink.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "model"))


@pytest.fixture(params=[True, False], ids=["linked before", "new"])
def sealed(folder: Path, kb: KnowledgeBase, request: pytest.FixtureRequest) -> Path:
    """The same folder with a seal: once loaded before, and once as a new copy."""
    seal_model(folder)
    if request.param:
        linked(folder, kb)
        assert (folder / STAMP).exists()
    return folder


def linked(folder: Path, kb: KnowledgeBase) -> biolink.Document:
    linker = biolink.load(folder, kb)
    return linker("Fever and cancer of the breast. Aspirin.")


def refused(folder: Path, kb: KnowledgeBase, name: str) -> str:
    with pytest.raises(BiolinkError) as caught:
        linked(folder, kb)
    assert name in str(caught.value), str(caught.value)
    return str(caught.value)


def test_the_whole_folder_links(folder: Path, kb: KnowledgeBase) -> None:
    assert set(FILES) <= {file.name for file in folder.iterdir()}
    assert linked(folder, kb).mentions is not None


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_in_a_sealed_folder_is_noticed(
    sealed: Path, kb: KnowledgeBase, name: str
) -> None:
    content = (sealed / name).read_bytes()
    rng = random.Random(name)
    for _ in range(6):
        changed = bytearray(content)
        changed[rng.randrange(len(changed))] ^= rng.choice((1, 4, 32, 128, 255))
        (sealed / name).write_bytes(changed)
        assert "is not what was written" in refused(sealed, kb, name)
        with pytest.raises(ModelError, match=name):
            load_model(sealed)  # as a training does
    (sealed / name).write_bytes(content)
    linked(sealed, kb)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_of_a_sealed_folder_is_noticed(
    sealed: Path, kb: KnowledgeBase, name: str
) -> None:
    (sealed / name).unlink()
    assert f"{name} is missing" in refused(sealed, kb, name)


def test_a_damaged_seal_is_noticed(sealed: Path, kb: KnowledgeBase) -> None:
    assert set(FILES) <= set(sealed_names(sealed))
    content = (sealed / SEAL).read_text()
    digit = content.index('"sha256": "') + 11
    other = content[:digit] + ("0" if content[digit] != "0" else "1") + content[digit + 1 :]
    for changed in ("", "{}", content[:200], content.replace("bytes", "bites", 1), other):
        (sealed / SEAL).write_text(changed)
        refused(sealed, kb, SEAL)
    (sealed / SEAL).unlink()
    linked(sealed, kb)  # as folders of older versions


def test_a_folder_without_settings_is_not_taken_for_another_model(
    folder: Path, kb: KnowledgeBase
) -> None:
    (folder / "biolink.json").unlink()
    assert "it is missing" in refused(folder, kb, "biolink.json is damaged")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[[[1]]]", b"5", b"null", b"{}"])
@pytest.mark.parametrize("name", FILES)
def test_other_content_is_refused_or_has_no_effect(
    folder: Path, kb: KnowledgeBase, name: str, content: bytes
) -> None:
    (folder / name).write_bytes(content)
    means_nothing = content == b"{}" and name in (
        "biolink.json", "annotations.json", "abbreviations.json",
    )  # fmt: skip
    if means_nothing:
        assert linked(folder, kb).text.startswith("Fever")
    else:
        assert name in refused(folder, kb, name)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_nests_without_end_is_refused(
    folder: Path, kb: KnowledgeBase, name: str
) -> None:
    (folder / name).write_text('{"a":' * 100_000)
    assert name in refused(folder, kb, name)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_named(folder: Path, kb: KnowledgeBase, name: str) -> None:
    content = (folder / name).read_bytes()
    for share in (0.2, 0.5, 0.97):
        (folder / name).write_bytes(content[: int(len(content) * share)])
        assert name in refused(folder, kb, name)


@pytest.mark.parametrize("name", FILES)
def test_flipped_bytes_give_an_error_or_a_model(folder: Path, kb: KnowledgeBase, name: str) -> None:
    content = (folder / name).read_bytes()
    rng = random.Random(name)
    for _ in range(25):
        changed = bytearray(content)
        for _ in range(rng.randint(1, 4)):
            # The header of a file of weights describes its content.
            end = min(len(changed), 4000) if rng.random() < 0.7 else len(changed)
            changed[rng.randrange(end)] ^= rng.choice((1, 4, 32, 128, 255))
        (folder / name).write_bytes(changed)
        try:
            linked(folder, kb)
        except BiolinkError as error:
            assert str(error)


CHANGES: list[tuple[str, Callable[[Any], Any], str]] = [
    ("biolink.json", lambda v: v | {"version": 2}, "version"),
    ("biolink.json", lambda v: v | {"version": True}, "version"),
    ("biolink.json", lambda v: v | {"format": "other"}, "format"),
    ("biolink.json", lambda v: v | {"promt": {}}, "promt"),
    ("biolink.json", lambda v: v | {"prompt": []}, "prompt"),
    ("biolink.json", lambda v: v | {"prompt": {"widow": 3}}, "widow"),
    ("biolink.json", lambda v: v | {"prompt": {"window": "40"}}, "window"),
    ("biolink.json", lambda v: v | {"prompt": {"passage": 0}}, "passage"),
    ("biolink.json", lambda v: v | {"prompt": {"reading": "page"}}, "window or document"),
    ("biolink.json", lambda v: v | {"prompt": {"reading": ["window"]}}, "reading"),
    ("biolink.json", lambda v: v | {"prompt": {"window": 0}}, "window"),
    ("biolink.json", lambda v: v | {"prompt": {"window": 10**12}}, "window"),
    ("biolink.json", lambda v: v | {"prompt": {"window": 1.5}}, "window"),
    ("biolink.json", lambda v: v | {"prompt": {"start_marker": 7}}, "start_marker"),
    ("biolink.json", lambda v: v | {"prompt": {"end_marker": " "}}, "end_marker"),
    ("biolink.json", lambda v: v | {"prompt": {"end_marker": "x" * 10**5}}, "end_marker"),
    ("biolink.json", lambda v: v | {"prompt": {"lower": 1}}, "lower"),
    ("biolink.json", lambda v: v | {"linker": {"top_k": "5"}}, "top_k"),
    ("biolink.json", lambda v: v | {"linker": {"top_k": 0}}, "top_k"),
    ("biolink.json", lambda v: v | {"linker": {"method": None}}, "method"),
    ("biolink.json", lambda v: v | {"linker": {"method": "magic"}}, "method"),
    ("biolink.json", lambda v: v | {"linker": {"topk": 5}}, "topk"),
    ("biolink.json", lambda v: v | {"linker": {"decoding": {"beam": 5}}}, "decoding"),
    ("biolink.json", lambda v: v | {"task": "cooking"}, "cooking"),
    ("biolink.json", lambda v: v | {"task": 5}, "task"),
    ("biolink.json", lambda v: v | {"nil": {"kind": []}}, "NIL"),
    ("biolink.json", lambda v: v | {"nil": {"kind": "threshold", "value": "high"}}, "threshold"),
    ("biolink.json", lambda v: v | {"nil": {"kind": "any", "policies": [5]}}, "NIL"),
    ("biolink.json", lambda v: v | {"nil": {"kind": "any", "policies": "x"}}, "policies"),
    ("biolink.json", lambda v: v | {"nil": 0.5}, "nil"),
    ("biolink.json", lambda v: v | {"training": "much"}, "training"),
    ("biolink.json", lambda v: v | {"ranker": {}}, "ranker"),
    ("biolink.json", lambda v: v | {"ranker": v["ranker"] | {"nil": [1]}}, "ranker.nil"),
    ("biolink.json", lambda v: v | {"ranker": v["ranker"] | {"more": {}}}, "more"),
    ("biolink.json", lambda v: with_weight(v, "dense", "3"), "dense"),
    ("biolink.json", lambda v: with_weight(v, "dense", True), "dense"),
    ("biolink.json", lambda v: with_weight(v, "dense", float("nan")), "NaN"),
    ("biolink.json", lambda v: with_weight(v, "dense", float("inf")), "Infinity"),
    ("biolink.json", lambda v: with_weight(v, "dense", 10**400), "dense"),
    ("biolink.json", lambda v: with_weight(v, "density", 1.0), "density"),
    ("config.json", lambda v: v | {"d_model": "x"}, "d_model"),
    ("config.json", lambda v: v | {"d_model": 33}, "d_model"),
    ("config.json", lambda v: v | {"d_model": 16_000}, "fit"),
    ("config.json", lambda v: v | {"d_model": 64}, "fit"),
    ("config.json", lambda v: v | {"d_model": -1}, "d_model"),
    ("config.json", lambda v: v | {"d_model": 1.5}, "d_model"),
    ("config.json", lambda v: v | {"encoder_layers": 10**9}, "encoder_layers"),
    ("config.json", lambda v: v | {"encoder_layers": 1}, "layers"),
    ("config.json", lambda v: v | {"decoder_layers": 9}, "layers"),
    ("config.json", lambda v: v | {"decoder_layers": None}, "decoder_layers"),
    ("config.json", lambda v: v | {"vocab_size": 10**12}, "vocab_size"),
    ("config.json", lambda v: v | {"vocab_size": v["vocab_size"] + 1}, "fit"),
    ("config.json", lambda v: v | {"pad_token_id": 10**6}, "pad_token_id"),
    ("config.json", lambda v: v | {"eos_token_id": "x"}, "eos_token_id"),
    ("config.json", lambda v: v | {"eos_token_id": -3}, "eos_token_id"),
    ("config.json", lambda v: v | {"scale_embedding": "yes"}, "scale_embedding"),
    ("config.json", lambda v: v | {"activation_function": 5}, "activation_function"),
    ("config.json", lambda v: v | {"max_position_embeddings": 10**6}, "positions"),
    ("config.json", lambda v: v | {"model_type": "gpt2"}, "gpt2"),
    ("config.json", lambda v: {k: x for k, x in v.items() if k != "model_type"}, "model_type"),
    ("annotations.json", lambda v: {"fever": ["D1"]}, "fever"),
    ("annotations.json", lambda v: {"fever": {"D1": "3"}}, "D1"),
    ("annotations.json", lambda v: {"fever": {"D1": -3}}, "D1"),
    ("annotations.json", lambda v: {"fever": {"D1": 1.5}}, "D1"),
    ("abbreviations.json", lambda v: {"BT": 5}, "BT"),
    ("abbreviations.json", lambda v: {"BT": {"breast tumor": None}}, "breast tumor"),
    ("stop_names.json", lambda v: ["end", 5], "5"),
    ("stop_names.json", lambda v: {"end": 1}, "list"),
    ("calibration.json", lambda v: v | {"kind": "magic"}, "magic"),
    ("calibration.json", lambda v: v | {"x": [0.0]}, "values"),
    ("calibration.json", lambda v: v | {"x": "ab"}, "could not"),
    ("calibration.json", lambda v: v | {"y": [0.1, 7.0]}, "probabilities"),
    ("calibration.json", lambda v: v | {"x": [1.0, 0.0]}, "ascend"),
    ("calibration.json", lambda v: v | {"y": [0.1, float("nan")]}, "NaN"),
    ("tokenizer.json", lambda v: v | {"model": {"type": "WordPiece"}}, "tokenizer.json"),
    ("tokenizer.json", lambda v: v | {"model": 5}, "tokenizer.json"),
    ("tokenizer.json", lambda v: v | {"added_tokens": [5]}, "tokenizer.json"),
    ("tokenizer_config.json", lambda v: v | {"padding_side": 5}, "tokenizer_config.json"),
]  # fmt: skip


def with_weight(values: Any, name: str, weight: Any) -> Any:
    ranker = values["ranker"]
    return values | {"ranker": ranker | {"weights": ranker["weights"] | {name: weight}}}


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_a_wrong_value_is_named(folder: Path, kb: KnowledgeBase, number: int) -> None:
    name, change, word = CHANGES[number]
    file = folder / name
    file.write_text(json.dumps(change(json.loads(file.read_text()))))
    # If weights do not fit, either the configuration or the file may be wrong.
    named = "config.json" if name == "config.json" else name
    assert word in refused(folder, kb, named)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("light", [True, False])
def test_weights_that_are_not_numbers(folder: Path, value: float, light: bool) -> None:
    file = folder / "model.safetensors"
    weights = load_file(file)
    for name in ("model.decoder.layers.1.fc2.weight", "model.encoder.layernorm_embedding.bias"):
        changed = {k: v.copy() for k, v in weights.items()}
        changed[name].flat[-1] = value
        save_file(changed, file, metadata={"format": "pt"})
        with pytest.raises(ModelError, match=rf"model\.safetensors.*{name}"):
            load_model(folder, light=light)


@pytest.mark.parametrize("light", [True, False])
def test_missing_and_misshapen_weights(folder: Path, light: bool) -> None:
    file = folder / "model.safetensors"
    weights = load_file(file)
    name = "model.decoder.layers.1.fc2.weight"
    for change in ({}, {name: weights[name][:, :-1].copy()}):
        changed = {k: v for k, v in weights.items() if k != name} | change
        save_file(changed, file, metadata={"format": "pt"})
        with pytest.raises(ModelError, match=r"layers\.1\.fc2") as caught:
            load_model(folder, light=light)
        assert str(folder) in str(caught.value)


def test_a_tagger_with_weights_that_are_not_numbers(folder: Path, kb: KnowledgeBase) -> None:
    from safetensors import safe_open

    file = folder / "tagger.safetensors"
    with safe_open(file, "np") as stored:
        about = stored.metadata()
    weights = load_file(file)
    changed = {k: v.copy() for k, v in weights.items()}
    changed["head.bias"][0] = np.nan
    save_file(changed, file, metadata=about)
    assert "not a number" in refused(folder, kb, "tagger.safetensors")
    for wrong in ({"shared": "99"}, {"shared": "x"}, {"types": "[5]"}, {"types": "{"}):
        save_file(weights, file, metadata=about | wrong)
        refused(folder, kb, "tagger.safetensors")


def test_scores_that_are_not_numbers_are_an_error(folder: Path, kb: KnowledgeBase) -> None:
    linker = biolink.load(folder, kb)
    model = linker.model.backbone.model
    with torch.inference_mode():
        model.get_encoder().layernorm_embedding.weight.mul_(1e38)
    with pytest.raises(ModelError, match="infinite or not a number"):
        linker("Fever and cancer of the breast.")


def test_code_of_a_folder_never_runs(
    folder: Path, kb: KnowledgeBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    (folder / "evil.py").write_text(
        f"open({str(ran)!r}, 'w')\n"
        "from transformers import BartConfig, BartForConditionalGeneration\n"
        "class C(BartConfig): pass\n"
        "class M(BartForConditionalGeneration): pass\n"
        "class T: pass\n"
    )
    monkeypatch.setattr("builtins.input", lambda *args: "y")
    whole = {name: (folder / name).read_text() for name in ("config.json", "tokenizer_config.json")}
    own = {"AutoConfig": "evil.C", "AutoModelForSeq2SeqLM": "evil.M", "AutoModel": "evil.M"}
    for name, changes in (
        ("config.json", {"auto_map": own, "model_type": "zzz"}),
        ("config.json", {"auto_map": own}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.T", "evil.T"]}}),
        (
            "tokenizer_config.json",
            {"auto_map": {"AutoTokenizer": ["evil.T", "evil.T"]}, "tokenizer_class": "T"},
        ),
    ):
        (folder / name).write_text(json.dumps(json.loads(whole[name]) | changes))
        for light in (True, False):
            try:
                load_model(folder, light=light)
            except ModelError as error:
                assert str(folder) in str(error)
        (folder / name).write_text(whole[name])
    assert not ran.exists()


def test_a_form_is_checked() -> None:
    assert checked_form({"window": 3}).window == 3
    with pytest.raises(BiolinkError, match="window"):
        checked_form({"window": None})


@pytest.mark.parametrize(
    ("weights", "feature", "name", "empty"),
    [
        ("weights", "prior", "annotations.json", "{}"),
        ("weights", "annotated", "annotations.json", "{}"),
        ("weights", "annotated_share", "annotations.json", "{}"),
        ("weights", "abbreviation", "abbreviations.json", "{}"),
        ("nil", "unmarked", "stop_names.json", "[]"),
    ],
)
def test_a_missing_file_that_a_weight_needs_is_noticed(
    folder: Path, kb: KnowledgeBase, weights: str, feature: str, name: str, empty: str
) -> None:
    settings = json.loads((folder / "biolink.json").read_text())
    for kind in ("weights", "nil"):
        for every in settings["ranker"][kind]:
            settings["ranker"][kind][every] = float(every in ("dense", "one"))
    (folder / name).unlink()
    (folder / "biolink.json").write_text(json.dumps(settings))
    linked(folder, kb)
    settings["ranker"][weights][feature] = 0.5
    (folder / "biolink.json").write_text(json.dumps(settings))
    told = refused(folder, kb, name)
    assert f"the weight of '{feature}' in biolink.json needs it" in told
    (folder / name).write_text(empty)
    linked(folder, kb)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_or_a_broken_link_in_place_of_a_file_is_named(
    folder: Path, kb: KnowledgeBase, name: str
) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    assert "it is a folder" in refused(folder, kb, name)
    (folder / name).rmdir()
    (folder / name).symlink_to("nowhere")
    assert "a link that leads nowhere" in refused(folder, kb, name)


@pytest.mark.parametrize("content", ["", " \n"])
@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".json")])
def test_an_empty_file_is_called_empty(
    folder: Path, kb: KnowledgeBase, name: str, content: str
) -> None:
    (folder / name).write_text(content)
    assert f"{name} is damaged: it is empty" in refused(folder, kb, name)


def test_files_that_may_be_missing(folder: Path, kb: KnowledgeBase) -> None:
    for name in ("tagger.safetensors", "calibration.json", "stop_names.json"):
        (folder / name).unlink()
        linked(folder, kb)
    linker = biolink.load(folder, kb)
    assert type(linker.recogniser).__name__ == "OpenRecogniser"
    assert linker.calibration is None


def test_a_missing_tokeniser_is_named(folder: Path, kb: KnowledgeBase) -> None:
    (folder / "tokenizer.json").unlink()
    assert "tokenizer.json is damaged: it is missing" in refused(folder, kb, "tokenizer.json")
