"""Fine-tuning: every option's effect on the loss or the batch, early stopping, resumption."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from biolink import Document, KnowledgeBase, evaluate, write
from biolink.cli.app import app
from biolink.errors import ConfigError, InputError
from biolink.finetune import tune
from biolink.finetune.generation.negatives import read_pairs
from biolink.finetune.generation.noise import add_hidden_noise
from biolink.finetune.generation.objectives import wrong_continuations
from biolink.finetune.generation.soft_prompt import add_soft_prompts
from biolink.finetune.tune import FineTuning, run_fine_tuning, run_negatives
from biolink.infer.network.model import load_model
from biolink.infer.seen_documents import SeenDocuments, write_seen_documents
from biolink.kb.model_folder import is_sealed, verify_model
from biolink.kb.prompt import PromptForm, source_text
from biolink.kb.trie import NameTrie
from biolink.pretrain.training.settings import read_settings
from tests.finetune.test_finetune import documents
from tests.interrupting import interrupted
from tests.tiny_models import CONCEPTS, bart, t5, wordpiece

SETTINGS = """
out = "out"
model = "start"
kb = "small.kb"
train = ["train.jsonl"]
dev = ["train.jsonl"]
evaluate_every = 4

[prompt]
start_marker = "[START]"
end_marker = "[END]"
window = 12
name_prefix = ""

[training]
steps = 12
batch_size = 2
lr = 5e-3
warmup = 0
clip = 1.0
save_every = 4
log_every = 4
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tokenizer = wordpiece(tmp_path / "start")
    bart(len(tokenizer), init_std=0.02).save_pretrained(tmp_path / "start")
    KnowledgeBase.from_concepts(CONCEPTS).save(tmp_path / "small.kb")
    write(documents(), tmp_path / "train.jsonl")
    (tmp_path / "tune.toml").write_text(SETTINGS)
    return tmp_path


def recall(linked: Iterable[Document], kb: KnowledgeBase) -> float:
    return evaluate(linked, kb).strict.recall_at_1


def settings(folder: Path, *overrides: str) -> FineTuning:
    placed = [f"out={folder}/{o[4:]}" if o.startswith("out=") else o for o in overrides]
    return read_settings(FineTuning, folder / "tune.toml", placed)


def run(folder: Path, *overrides: str) -> Path:
    return run_fine_tuning(settings(folder, *overrides), documents(), documents(), recall)


def log_of(folder: Path, out: str = "out") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / out / "run/log.jsonl").open()]


def start(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "start/model.safetensors")


def trained(model: Path) -> dict[str, torch.Tensor]:
    return load_file(model / "model.safetensors")


def test_a_run_learns_resumes_and_keeps_the_best(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(run(folder, "out=whole"))
    interrupted(monkeypatch, 6, lambda: run(folder, "out=broken"))
    assert all(torch.equal(whole[k], v) for k, v in trained(run(folder, "out=broken")).items())
    history = json.loads((folder / "whole/run/validation.json").read_text())
    assert [entry["step"] for entry in history] == [4, 8, 12]
    assert history == json.loads((folder / "broken/run/validation.json").read_text())
    assert history[-1]["figure"] >= 2 / 3
    log = log_of(folder, "whole")
    assert log[2]["nll"] < log[0]["nll"]
    linking = load_model(folder / "whole/model")
    assert linking.form.start_marker == "[START]"
    assert linking.settings.training[-1]["stage"] == "FineTuning"
    assert is_sealed(folder / "whole/model")
    verify_model(folder / "whole/model")


@pytest.mark.parametrize("with_development", [True, False])
def test_the_model_knows_its_documents_and_those_of_the_one_before(
    folder: Path, with_development: bool
) -> None:
    earlier, development = Document("0", "Gout and asthma."), Document("9", "A body heat.")
    write_seen_documents(folder / "start", [earlier])
    given = [development] if with_development else []
    chosen = settings(folder, "training.steps=1", "evaluate_every=1")
    model = run_fine_tuning(chosen, documents(), given, lambda linked, kb: 0.5)
    seen = SeenDocuments(model)
    assert all(document in seen for document in (*documents(), earlier, *given))
    assert (development in seen) == with_development
    assert development not in SeenDocuments(folder / "start")


def test_patience_stops_early(folder: Path) -> None:
    run(folder, "patience=2", "evaluate_every=1", "training.lr=1e-12")
    assert [e["step"] for e in json.loads((folder / "out/run/validation.json").read_text())] == [
        1, 2, 3,
    ]  # fmt: skip


def test_decoder_prompt_off(folder: Path) -> None:
    parts = tune._prepare(settings(folder), documents(), [])
    with_prompt = parts.batch(["[START] cold [END]"], ["cold"], ["fever"])
    assert with_prompt["labels"][0].tolist()[:2] == [-100, -100]
    parts = tune._prepare(settings(folder, "prompt.decoder_prompt=''"), documents(), [])
    without = parts.batch(["[START] cold [END]"], ["cold"], ["fever"])
    ids = parts.tokenizer("fever", add_special_tokens=False)["input_ids"]
    assert without["labels"][0].tolist() == [*ids, 3]
    assert without["decoder_input_ids"][0].tolist() == [3, *ids]


def test_abbreviations_and_targets_reach_the_batch(folder: Path) -> None:
    written = tune._prepare(settings(folder), documents(), []).samples
    left = tune._prepare(settings(folder, "abbreviations=none"), documents(), []).samples
    assert [s.mention for s in written][1] == "spinal and bulbar muscular atrophy"
    assert [s.mention for s in left][1] == "SBMA"


@pytest.mark.parametrize("option", ["r_drop", "unlikelihood"])
def test_regularisers_add_to_the_loss(folder: Path, option: str) -> None:
    run(folder, "label_smoothing=0", "training.lr=1e-9", f"{option}=5.0")
    for record in log_of(folder)[:3]:
        assert record[option] > 0
        # R-Drop's likelihood is the mean of two passes; the log shows that of the first.
        added = record["loss"] - record["nll"]
        assert added == pytest.approx(5 * record[option], abs=0.1)


def test_label_smoothing_changes_the_loss(folder: Path) -> None:
    losses = {}
    for change in ("label_smoothing=0", "label_smoothing=0.2", "smoothing_form=huggingface"):
        run(folder, f"out={change}", "training.steps=4", "training.lr=1e-12", "dropout=0", change)
        losses[change] = log_of(folder, change)[0]
    assert losses["label_smoothing=0"]["loss"] == pytest.approx(
        losses["label_smoothing=0"]["nll"], rel=1e-4
    )
    assert len({round(entry["loss"], 4) for entry in losses.values()}) == 3


def test_the_decoder_can_be_frozen(folder: Path) -> None:
    before, after = start(folder), trained(run(folder, "freeze_decoder=true", "training.steps=4"))
    shared = {"model.shared.weight", "lm_head.weight"}
    moved = {k for k, v in after.items() if not torch.equal(v, before[k])}
    assert moved
    assert not {k for k in moved - shared if "decoder" in k}


def test_only_soft_prompts_are_trained(folder: Path) -> None:
    model = run(folder, "soft_prompt=3", "training.steps=4")
    before, after = start(folder), trained(model)
    linking = load_model(model)
    new = [linking.tokenizer.convert_tokens_to_ids(f"<source-prompt-{i}>") for i in range(3)]
    rows = len(before["model.shared.weight"])
    assert min(new) >= rows
    for name, tensor in before.items():
        assert torch.equal(after[name][tuple(slice(n) for n in tensor.shape)], tensor), name
    fresh = bart(rows)
    fresh.load_state_dict(load_file(folder / "start/model.safetensors"), strict=False)
    add_soft_prompts(fresh, wordpiece(folder / "t"), PromptForm(), 3)
    assert not torch.equal(
        fresh.get_input_embeddings().weight[new], after["model.shared.weight"][new]
    )
    # They come before both inputs, also when the saved model links.
    source = source_text("a cold", 2, 6, linking.form)
    assert source.startswith("<source-prompt-0><source-prompt-1><source-prompt-2> ")
    assert linking.tokens([source], 64)[0][0, 1:4].tolist() == new
    long = "fever " * 40
    (prompt,) = linking.prompts([long])
    decoder = linking.tokenizer.convert_tokens_to_ids([f"<decoder-prompt-{i}>" for i in range(3)])
    assert prompt[1:4] == decoder
    assert len(prompt) == 4 + 24


def test_hidden_noise_acts_in_training_only() -> None:
    model = bart(60, dropout=0.0, attention_dropout=0.0)
    batch = {"input_ids": torch.tensor([[2, 9, 3]]), "decoder_input_ids": torch.tensor([[3, 8]])}
    plain = model(**batch).logits
    for kind in ("normal", "uniform"):
        handles = add_hidden_noise(model, kind, 1e-2)  # type: ignore[arg-type]
        assert torch.equal(model.eval()(**batch).logits, plain)
        noisy = model.train()(**batch).logits
        assert not torch.equal(noisy, plain)
        assert (noisy - plain).abs().max() < 1
        for handle in handles:
            handle.remove()
    assert torch.equal(model.train()(**batch).logits, plain)


def test_hidden_noise_is_a_setting(folder: Path) -> None:
    plain = trained(run(folder, "out=a", "dropout=0", "training.steps=2"))
    noise = ("hidden_noise=uniform", "hidden_noise_scale=0.1")
    noisy = trained(run(folder, "out=b", "dropout=0", "training.steps=2", *noise))
    assert any(not torch.equal(plain[k], noisy[k]) for k in plain)


def test_wrong_continuations_are_those_of_the_trie() -> None:
    trie = NameTrie.from_sequences([[5, 6, 3], [5, 7, 3], [8, 3]])
    rows, tokens = wrong_continuations(trie, [[5, 6, 3], [8, 3], [9, 3]])
    assert list(zip(rows.tolist(), tokens.tolist(), strict=True)) == [
        (0, 8), (1, 7), (3, 5), (5, 5), (5, 8),
    ]  # fmt: skip


def test_t5_is_fine_tuned_too(folder: Path) -> None:
    t5(len(wordpiece(folder / "start"))).save_pretrained(folder / "start")
    run(folder, "training.lr=1e-2", "hidden_noise=normal")
    log = log_of(folder)
    assert log[2]["nll"] < log[0]["nll"]


def test_negatives_are_the_models_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(folder, "out=first", "training.steps=2")
    change = [f"model={first}", "out=second", "training.steps=8", "training.lr=1e-3"]
    chosen = settings(folder, *change)
    model = run_negatives(chosen, documents(), [], recall)
    pairs = read_pairs(folder / "second/pairs.jsonl")
    assert pairs
    assert {pair.right for pair in pairs} <= {name for c in CONCEPTS for name in c.names}
    assert all(pair.wrong != pair.right.lower() for pair in pairs)
    log = log_of(folder, "second")
    assert log[-2]["loss"] < log[0]["loss"] <= 0.75
    assert load_model(model).settings.training[-1]["stage"] == "Negatives"
    (folder / "second/pairs.jsonl").write_text('{"source": 1}\n')
    with pytest.raises(InputError, match=r"pairs.jsonl:1.*source, mention, right and wrong"):
        read_pairs(folder / "second/pairs.jsonl")


def test_commands(folder: Path) -> None:
    runner = CliRunner()
    toml = str(folder / "tune.toml")
    done = runner.invoke(app, ["finetune", toml, "--set", "training.steps=4"])
    assert done.exit_code == 0, done.output
    assert "dev Recall@1" in done.stderr
    done = runner.invoke(app, ["export-pairs", toml, "-o", str(folder / "pairs")])
    assert done.exit_code == 0, done.output
    sources = (folder / "pairs/train.source").read_text().splitlines()
    targets = (folder / "pairs/train.target").read_text().splitlines()
    assert len(sources) == len(targets) == 3
    assert targets[2] == "fever is fever"
    assert "[START] fever [END]" in sources[2]


def test_a_bad_document_does_not_affect_others(folder: Path) -> None:
    runner, toml, corpus = CliRunner(), str(folder / "tune.toml"), folder / "train.jsonl"
    short = ["--set", "training.steps=1", "--set", "evaluate_every=1"]
    good = corpus.read_text()
    corpus.write_text('{"id": "9", "text": 5}\n' + good)
    for command in (["finetune", toml, *short], ["export-pairs", toml, "-o", f"{folder}/pairs"]):
        done = runner.invoke(app, command)
        assert done.exit_code == 1, done.output
        assert f"{corpus}:1" in done.stderr
        # The same file is used for training and development.
        assert "biolink: 2 problems; everything else was done" in done.stderr
    assert (folder / "out/model/model.safetensors").is_file()
    assert len((folder / "pairs/train.source").read_text().splitlines()) == 3
    corpus.write_text('{"id": "9", "text": 5}\n')
    done = runner.invoke(app, ["finetune", toml, *short, "--set", f"out={folder}/none"])
    assert isinstance(done.exception, ConfigError)
    assert "no document could be read" in str(done.exception)
    assert f"{corpus}:1" in done.stderr and "everything else" not in done.stderr
    assert not (folder / "none").exists()
    corpus.write_text(good)
    absent = ["--set", f"train=['{corpus}', '{folder}/absent.jsonl']"]
    done = runner.invoke(app, ["finetune", toml, *short, *absent])
    assert isinstance(done.exception, InputError) and "no such file" in str(done.exception)


def test_nothing_to_learn_from(folder: Path) -> None:
    with pytest.raises(ConfigError, match="expected mentions with ids of the knowledge base"):
        run_fine_tuning(settings(folder), [Document("1", "x")], [], recall)
    with pytest.raises(ConfigError, match="train is empty"):
        settings(folder, "train=[]")
