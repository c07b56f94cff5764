"""Training of the recogniser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from biolink import Document, KnowledgeBase, Linker, Mention
from biolink.errors import ConfigError
from biolink.finetune import tagging
from biolink.finetune.tagging import (
    Recognising,
    partial_nll,
    recogniser_optimisation,
    run_recognising,
    tagged,
    train_tagger,
)
from biolink.infer.mentions.open_recogniser import OpenRecogniser
from biolink.infer.mentions.recognise import DictionaryRecogniser, TrainedRecogniser
from biolink.infer.mentions.shared_reader import SharedReader
from biolink.infer.mentions.tagger import TYPES, labels_of
from biolink.infer.seen_documents import SeenDocuments
from biolink.kb import Concept
from biolink.kb.model_files import TAGGER
from biolink.kb.model_folder import is_sealed, verify_model
from biolink.pipeline import load
from tests.interrupting import interrupted
from tests.tiny_models import CONCEPTS, bart, wordpiece

LABELS = labels_of(TYPES)


def documents() -> list[Document]:
    text = "aspirin and heat"
    return [
        Document(
            "1",
            text,
            mentions=(Mention(0, 7, "aspirin", "Chemical"), Mention(12, 16, "heat", "DRUG")),
        )
    ]


def test_an_unmarked_type_is_left_open(tmp_path: Path) -> None:
    dictionary = DictionaryRecogniser(KnowledgeBase.from_concepts(CONCEPTS))
    (text,) = tagged(documents(), ["Chemical"], wordpiece(tmp_path), [dictionary])
    allowed = [{LABELS[i] for i in np.flatnonzero(row)} for row in text.allowed]
    assert allowed == [
        {"B-Chemical"}, {"O", "B-Disease", "I-Disease"}, {"B-Chemical"},
    ]  # fmt: skip


def test_what_is_unsure_or_of_another_kind_is_left_open(tmp_path: Path) -> None:
    """A corpus may leave a span of a kind unmarked, and say of concepts only where some are."""
    given = [replace(documents()[0], mentions=documents()[0].mentions[:1])]
    tokenizer = wordpiece(tmp_path)
    (text,) = tagged(
        given, TYPES, tokenizer, (), concepts="some", unsure=lambda d: [(12, 16, "Disease")]
    )
    assert text.pieces.covered.shape == (3, 0)
    allowed = [{LABELS[i] for i in np.flatnonzero(row[:5])} for row in text.allowed]
    assert allowed == [{"B-Chemical"}, {"O"}, {"O", "B-Disease", "I-Disease"}]
    assert text.allowed[:, 5:].tolist() == [
        [False, True, False], [True, True, True], [True, True, True],
    ]  # fmt: skip
    # A corpus of concepts says nothing about types; variants are no concepts.
    variant = Mention(0, 7, "aspirin", "SequenceVariant")
    given = [replace(given[0], mentions=(variant, *documents()[0].mentions[1:]))]
    (text,) = tagged(given, (), tokenizer, (), concepts="all")
    assert text.allowed[:, :5].all()
    assert text.allowed[:, 5:].argmax(1).tolist() == [0, 0, 1]
    assert text.allowed[:, 5:].sum() == 3


def test_partial_nll_is_the_nll_of_the_allowed_labels() -> None:
    scores = torch.randn(3, 5)
    allowed = torch.tensor([[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]]).bool()
    probabilities = scores.softmax(1)
    expected = -(probabilities[0, 0].log() + probabilities[1, :2].sum().log()) / 2
    assert partial_nll(scores, allowed) == pytest.approx(float(expected), abs=1e-5)
    # Nothing is known about a token that may have every label.
    allowed[2] = True
    assert partial_nll(scores, allowed) == pytest.approx(float(expected), abs=1e-5)
    assert float(partial_nll(scores, torch.ones(3, 5).bool())) == 0.0


def test_the_tagger_learns_the_marked_mentions(tmp_path: Path) -> None:
    tokenizer = wordpiece(tmp_path)
    # The dictionary does not help, since it has other words.
    dictionary = DictionaryRecogniser(KnowledgeBase.from_concepts([Concept("X", "kennedy")]))
    model = bart(len(tokenizer), init_std=0.1)
    texts = tagged(documents(), ["Chemical", "Disease"], tokenizer, [dictionary])
    optimisation = recogniser_optimisation(60, 2, 3e-3, 0, "cpu")
    tagger = train_tagger(model, texts, tmp_path / "run", optimisation, shared=1)
    reader = SharedReader(tagger, tokenizer, [dictionary])
    (found,) = reader.recognise([documents()[0].with_mentions(())])
    assert [(m.text, m.type) for m in found.mentions] == [
        ("aspirin", "Chemical"), ("heat", "Chemical"),
    ]  # fmt: skip
    # The linking model's own weights are untouched.
    fresh = dict(bart(len(tokenizer), init_std=0.1).named_parameters())
    assert all(torch.equal(p, fresh[name]) for name, p in model.named_parameters())


def test_concepts_are_learned_beside_types(tmp_path: Path) -> None:
    """Each head learns from the corpus that says something about its labels."""
    tokenizer = wordpiece(tmp_path)
    model = bart(len(tokenizer), init_std=0.1)
    fever = Document("2", "fever and cold", mentions=(Mention(0, 5, "fever", "UnknownType"),))
    texts = [
        *tagged(documents(), TYPES, tokenizer, (), concepts="some"),
        *tagged([fever], (), tokenizer, (), concepts="all"),
    ]
    optimisation = recogniser_optimisation(60, 2, 3e-3, 0, "cpu")
    tagger = train_tagger(model, texts, tmp_path / "run", optimisation, shared=1)
    reader = SharedReader(tagger, tokenizer)
    (found,) = reader.concepts([fever])
    assert [(m.text, m.type) for m in found.mentions] == [("fever", "")]
    (found,) = reader.recognise(documents()[:1])
    assert [m.text for m in found.mentions] == ["aspirin", "heat"]


@pytest.fixture
def settings(tmp_path: Path) -> Recognising:
    """Settings with one type that stands for all, a small model and a small knowledge base."""
    tokenizer = wordpiece(tmp_path / "model")
    bart(len(tokenizer), init_std=0.1).save_pretrained(tmp_path / "model")
    KnowledgeBase.from_concepts(CONCEPTS).save(tmp_path / "small.kb")
    return Recognising(
        out=tmp_path / "out",
        model=tmp_path / "model",
        kb=tmp_path / "small.kb",
        train=(tmp_path / "none",),
        types=("Concept",),
        steps=60,
        batch_size=2,
        lr=3e-3,
    )


def test_a_model_gets_a_recogniser(tmp_path: Path, settings: Recognising) -> None:
    """The recogniser is used with the knowledge base it was trained with."""
    lines: list[dict[str, float]] = []
    folder = run_recognising(settings, documents(), lines.append)
    assert lines[0]["step"] == 50
    weights = (tmp_path / "model" / "model.safetensors").read_bytes()
    assert (folder / "model.safetensors").read_bytes() == weights
    assert is_sealed(folder)
    verify_model(folder)
    assert all(document in SeenDocuments(folder) for document in documents())
    linker = load(model=folder, kb=tmp_path / "small.kb")
    assert isinstance(linker, Linker) and isinstance(linker.recogniser, TrainedRecogniser)
    part = linker.with_kb(linker.kb.subset(types={"Disease"}))
    for one in (linker, part):
        assert one.recogniser is not None
        found = one.recogniser(Document("1", "aspirin and heat"))
        assert [(m.text, m.type) for m in found.mentions] == [
            ("aspirin", "Concept"), ("heat", "Concept"),
        ]  # fmt: skip
        assert all(0.5 < (m.probability or 0) <= 1 for m in found.mentions)
    other = load(model=folder, kb=KnowledgeBase.from_concepts(CONCEPTS[:3]))
    assert isinstance(other, Linker) and isinstance(other.recogniser, OpenRecogniser)
    with pytest.raises(ConfigError, match="expected mentions of the types"):
        run_recognising(settings, [Document("1", "aspirin")])


@pytest.mark.parametrize("damage", [False, True])
def test_an_interrupted_run_gives_the_bytes_of_an_uninterrupted_one(
    settings: Recognising, monkeypatch: pytest.MonkeyPatch, damage: bool
) -> None:
    monkeypatch.setattr(tagging, "_SAVED", 4)
    settings = replace(settings, steps=12)
    whole = run_recognising(replace(settings, out=settings.out / "whole"), documents())
    broken = replace(settings, out=settings.out / "broken")
    interrupted(monkeypatch, 10, lambda: run_recognising(broken, documents()))
    assert not (broken.out / "model").exists()
    checkpoints = [broken.out / "run" / f"checkpoint-{step}" for step in (4, 8)]
    assert all((checkpoint / "whole.json").is_file() for checkpoint in checkpoints)
    if damage:
        file = checkpoints[1] / "model.safetensors"
        file.write_bytes(file.read_bytes()[:-7])
    lines: list[dict[str, Any]] = []
    model = run_recognising(broken, documents(), lines.append)
    assert (model / TAGGER).read_bytes() == (whole / TAGGER).read_bytes()
    if damage:
        assert lines[0]["damaged checkpoint"] == "checkpoint-8"
        assert lines[1] == {"continues from": "checkpoint-4"}
    # A finished run gives the same weights again.
    again = run_recognising(broken, documents())
    assert (again / TAGGER).read_bytes() == (whole / TAGGER).read_bytes()


def test_checkpoints_of_other_settings_are_refused(
    settings: Recognising, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tagging, "_SAVED", 2)
    settings = replace(settings, steps=4)
    interrupted(monkeypatch, 3, lambda: run_recognising(settings, documents()))
    with pytest.raises(ConfigError, match=r"run has checkpoints of other settings \(lr, steps\)"):
        run_recognising(replace(settings, steps=5, lr=1e-3), documents())
    moved = settings.out.with_name("moved")
    settings.out.rename(moved)
    assert run_recognising(replace(settings, out=moved), documents()) == moved / "model"
