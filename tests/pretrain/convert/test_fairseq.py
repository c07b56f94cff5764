"""fairseq checkpoints, with a fixture in their layout and a forward pass written out."""

from __future__ import annotations

import argparse
import json
import math
import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from biolink.errors import BiolinkError, ModelError
from biolink.kb.model_folder import is_sealed, verify_model
from biolink.pretrain.convert.fairseq import convert, read_dictionary

D, HEADS, FFN, ROWS, POSITIONS = 32, 4, 48, 40, 50


class Foreign:
    """A class that a checkpoint must not contain."""


def weights() -> dict[str, Tensor]:
    """Random tensors under fairseq's names for BART with two layers on each side."""
    random = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random) * 0.2

    shared = draw(ROWS, D)
    tensors = {"encoder.version": torch.tensor([3.0]), "decoder.version": torch.tensor([3.0])}
    for side in ("encoder", "decoder"):
        tensors |= {
            f"{side}.embed_tokens.weight": shared,
            f"{side}.embed_positions.weight": draw(POSITIONS + 2, D),
            f"{side}.layernorm_embedding.weight": 1 + draw(D),
            f"{side}.layernorm_embedding.bias": draw(D),
        }
        for layer in range(2):
            at = f"{side}.layers.{layer}"
            for attention in ("self_attn", "encoder_attn")[: 1 + (side == "decoder")]:
                for part in ("k_proj", "v_proj", "q_proj", "out_proj"):
                    tensors[f"{at}.{attention}.{part}.weight"] = draw(D, D)
                    tensors[f"{at}.{attention}.{part}.bias"] = draw(D)
                tensors[f"{at}.{attention}_layer_norm.weight"] = 1 + draw(D)
                tensors[f"{at}.{attention}_layer_norm.bias"] = draw(D)
            tensors |= {
                f"{at}.fc1.weight": draw(FFN, D), f"{at}.fc1.bias": draw(FFN),
                f"{at}.fc2.weight": draw(D, FFN), f"{at}.fc2.bias": draw(D),
                f"{at}.final_layer_norm.weight": 1 + draw(D),
                f"{at}.final_layer_norm.bias": draw(D),
            }  # fmt: skip
    tensors["decoder.output_projection.weight"] = shared
    tensors["classification_heads.mnli.dense.weight"] = draw(3, 3)
    return tensors


def attend(t: dict[str, Tensor], at: str, query: Tensor, memory: Tensor, causal: bool) -> Tensor:
    def project(part: str, x: Tensor) -> Tensor:
        y = x @ t[f"{at}.{part}.weight"].T + t[f"{at}.{part}.bias"]
        return y.view(len(y), HEADS, D // HEADS).transpose(0, 1)

    q, k, v = project("q_proj", query), project("k_proj", memory), project("v_proj", memory)
    scores = q @ k.transpose(1, 2) / math.sqrt(D // HEADS)
    if causal:
        scores += torch.full(scores.shape[1:], -torch.inf).triu(1)
    mixed = (scores.softmax(-1) @ v).transpose(0, 1).reshape(len(query), D)
    return mixed @ t[f"{at}.out_proj.weight"].T + t[f"{at}.out_proj.bias"]


def norm(t: dict[str, Tensor], at: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, (D,), t[f"{at}.weight"], t[f"{at}.bias"])


def forward(t: dict[str, Tensor], source: list[int], target: list[int]) -> Tensor:
    """BART's forward pass for one text, from the tensors."""

    def embedded(side: str, ids: list[int]) -> Tensor:
        positions = t[f"{side}.embed_positions.weight"][2 : 2 + len(ids)]
        return norm(
            t, f"{side}.layernorm_embedding", t[f"{side}.embed_tokens.weight"][ids] + positions
        )

    def feed_forward(at: str, x: Tensor) -> Tensor:
        hidden = F.gelu(x @ t[f"{at}.fc1.weight"].T + t[f"{at}.fc1.bias"])
        return norm(
            t, f"{at}.final_layer_norm", x + hidden @ t[f"{at}.fc2.weight"].T + t[f"{at}.fc2.bias"]
        )

    x = embedded("encoder", source)
    for layer in range(2):
        at = f"encoder.layers.{layer}"
        x = norm(t, f"{at}.self_attn_layer_norm", x + attend(t, f"{at}.self_attn", x, x, False))
        x = feed_forward(at, x)
    y = embedded("decoder", target)
    for layer in range(2):
        at = f"decoder.layers.{layer}"
        y = norm(t, f"{at}.self_attn_layer_norm", y + attend(t, f"{at}.self_attn", y, y, True))
        y = norm(
            t, f"{at}.encoder_attn_layer_norm", y + attend(t, f"{at}.encoder_attn", y, x, False)
        )
        y = feed_forward(at, y)
    return y @ t["decoder.output_projection.weight"].T


def write(folder: Path, extra: Any = None, **changes: Any) -> Path:
    arguments = argparse.Namespace(
        arch="bart_large", encoder_attention_heads=HEADS, decoder_attention_heads=HEADS,
        activation_fn="gelu", no_scale_embedding=True, dropout=0.1,
    )  # fmt: skip
    saved = {"args": arguments, "model": weights() | changes, "extra_state": extra}
    torch.save(saved, folder / "model.pt")
    vocabulary = {chr(97 + i): i for i in range(20)} | {"ab": 20, "abc": 21}
    (folder / "encoder.json").write_text(json.dumps(vocabulary))
    (folder / "vocab.bpe").write_text("#version: 0.2\na b\nab c\n")
    # fairseq orders its dictionary by frequency, not by GPT-2's ids.
    order = [21, 3, 20, *range(4, 20), 2, 1, 0]
    (folder / "dict.txt").write_text("".join(f"{i} {100 - n}\n" for n, i in enumerate(order)))
    return folder / "model.pt"


def test_logits_equal_the_forward_pass_written_out(tmp_path: Path) -> None:
    checkpoint = write(tmp_path)
    convert(checkpoint, tmp_path / "out")
    assert is_sealed(tmp_path / "out")
    verify_model(tmp_path / "out")
    from transformers import AutoTokenizer, BartForConditionalGeneration

    model = BartForConditionalGeneration.from_pretrained(tmp_path / "out").eval()
    source, target = [0, 7, 9, 11, 30, 2], [2, 0, 8, 12]
    with torch.inference_mode():
        found = model(
            input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([target])
        ).logits[0]
    assert torch.allclose(found, forward(weights(), source, target), atol=1e-4)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    # abc is the dictionary's first symbol, so it comes right after the four special ones.
    assert tokenizer("abcd")["input_ids"] == [0, 4, 5, 2]
    assert tokenizer.mask_token_id == 4 + 22


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Foreign"):
        convert(write(tmp_path, extra=Foreign()), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_faults_of_a_checkpoint_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        convert(tmp_path / "none.pt", tmp_path / "out")
    (tmp_path / "text.pt").write_text("x")
    with pytest.raises(ModelError, match=r"text\.pt"):
        convert(tmp_path / "text.pt", tmp_path / "out")
    torch.save({"a": 1}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="no weights under 'model'"):
        convert(tmp_path / "other.pt", tmp_path / "out")
    extra = {"encoder.layers.0.adapter.weight": torch.zeros(1)}
    with pytest.raises(ModelError, match="adapter"):
        convert(write(tmp_path, **extra), tmp_path / "out")
    (tmp_path / "dict.txt").write_text("a 1\nbroken\n")
    with pytest.raises(ModelError, match=r"dict.txt:2.*expected a symbol and a count"):
        read_dictionary(tmp_path / "dict.txt")


class Running:
    """A pickle that runs code when it is read."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.target),)


def refused(folder: Path, match: str) -> None:
    with pytest.raises(ModelError, match=match) as caught:
        convert(folder / "model.pt", folder / "out")
    assert str(folder) in str(caught.value)
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"hello", b"PK", b"PK\x03\x04 and no more", b"\x80", b"\x80\x04.", b"\x80\x02]q\x00.",
        b"\x80\x04cos\nsystem\n(S'touch RAN'\ntR.", b"cos\nsystem\n(S'touch RAN'\ntR.",
        b"\x1f\x8b\x08",
        b"(lp0\nI1\na.", b"\x00" * 5000, b"\xff" * 5000,
    ],
)  # fmt: skip
def test_files_that_are_not_checkpoints_are_refused(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path).write_bytes(content)
    refused(tmp_path, r"model\.pt")
    assert not (tmp_path / "RAN").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_never_runs(tmp_path: Path, zipped: bool) -> None:
    ran = tmp_path / "ran"
    write(tmp_path)
    for saved in (Running(ran), {"model": Running(ran)}, {"model": {}, "args": Running(ran)}):
        torch.save(saved, tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
        refused(tmp_path, "holds objects|without running code")
    assert not ran.exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_checkpoints_are_refused(tmp_path: Path, zipped: bool) -> None:
    saved = torch.load(write(tmp_path), weights_only=False)
    torch.save(saved, tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
    content = (tmp_path / "model.pt").read_bytes()
    rng = random.Random(3)
    for share in (0.01, 0.3, 0.9, 0.999):
        (tmp_path / "model.pt").write_bytes(content[: int(len(content) * share)])
        refused(tmp_path, r"model\.pt")
    for _ in range(40):
        changed = bytearray(content)
        for _ in range(3):
            changed[rng.randrange(min(6000, len(changed)))] ^= rng.choice((1, 16, 128, 255))
        (tmp_path / "model.pt").write_bytes(changed)
        try:
            convert(tmp_path / "model.pt", tmp_path / "out")
        except BiolinkError as error:
            assert "model.pt" in str(error)


WRONG: list[tuple[Any, str]] = [
    ({"model": 5}, "no weights"),
    ({"model": {"a": 5}}, "not a tensor"),
    ({"model": {5: torch.zeros(1)}}, "not a tensor"),
    ({"model": {}}, "encoder.embed_tokens"),
    ({"args": 7}, "arguments"),
    ({"args": None, "cfg": [1]}, None),
    ({"args": {"encoder_attention_heads": "many"}}, "encoder_attention_heads"),
    ({"args": {"encoder_attention_heads": 3}}, "multiple"),
    ({"args": {"dropout": "high"}}, "dropout"),
    ({"args": {"activation_fn": "swish"}}, "swish"),
]


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_wrong_contents_are_reported(tmp_path: Path, number: int) -> None:
    changes, match = WRONG[number]
    saved = torch.load(write(tmp_path), weights_only=False)
    torch.save(saved | changes, tmp_path / "model.pt")
    if match is None:
        convert(tmp_path / "model.pt", tmp_path / "out")
        assert (tmp_path / "out" / "model.safetensors").is_file()
    else:
        refused(tmp_path, match)
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "tensor", "match"),
    [
        ("encoder.embed_tokens.weight", torch.zeros(5), "matrix"),
        ("encoder.embed_tokens.weight", torch.zeros(0, 4), "matrix"),
        ("encoder.embed_positions.weight", torch.zeros(2, 4), "positions"),
        ("decoder.layers.1.fc1.bias", torch.zeros(3), "decoder.layers.1.fc1.bias"),
        ("decoder.layers.1.fc1.bias", torch.full((3,), float("nan")), "not a number"),
        ("decoder.layers.7.fc1.bias", torch.zeros(3), "layers"),
        ("encoder.layers.0.fc1.weight", torch.eye(4).to_sparse(), "plain tensor"),
    ],
)
def test_wrong_weights_are_reported(
    tmp_path: Path, name: str, tensor: torch.Tensor, match: str
) -> None:
    write(tmp_path, **{name: tensor})
    refused(tmp_path, match)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("dict.txt", b"", "empty"),
        ("dict.txt", b"a 1\nbroken\n", r"dict\.txt:2"),
        ("dict.txt", b"\xff\xfe 1\n", "UTF-8"),
        ("dict.txt", b"1 5\n1 5\n", r"dict\.txt:2.*again"),
        ("dict.txt", b"1 \xc2\xb2\n", r"dict\.txt:1"),
        ("dict.txt", b"999 5\n", "999"),
        ("encoder.json", b"{", r"encoder\.json"),
        ("encoder.json", b"[]", r"encoder\.json"),
        ("encoder.json", b'{"a": "x"}', r"encoder\.json"),
        ("encoder.json", b'{"a": 1, "b": 1}', "the same id"),
        ("vocab.bpe", b"a b c\n", r"vocab\.bpe:1"),
        ("vocab.bpe", b"\xff\n", "UTF-8"),
    ],
)
def test_damaged_files_of_the_tokeniser_are_reported(
    tmp_path: Path, name: str, content: bytes, match: str
) -> None:
    write(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=match):
        convert(tmp_path / "model.pt", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    checkpoint = write(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(BiolinkError, match="mine"):
        convert(checkpoint, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "x"
