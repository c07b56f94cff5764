"""Training a recogniser to read for the linking model: batches, losses, stage and use."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from biolink import Document, KnowledgeBase, Linker, Mention, load
from biolink.errors import ConfigError
from biolink.finetune.reading import training
from biolink.finetune.reading.stage import SharedReading, run_shared_reading
from biolink.finetune.reading.texts import NameTable, ReadMention, read_texts
from biolink.finetune.reading.training import Mixture
from biolink.finetune.tagging import Recognising, run_recognising, tagged
from biolink.infer.linkers.mention_linker import LinkerOptions
from biolink.infer.mentions.tagger import Tagger
from biolink.infer.mentions.word_pieces import pieces_of
from biolink.infer.network.model import load_model
from biolink.kb.model_files import TAGGER
from biolink.kb.model_folder import settings_of
from tests.interrupting import interrupted
from tests.tiny_models import CONCEPTS, bart, wordpiece


def documents() -> list[Document]:
    texts = (("aspirin and heat of the body", "body heat"), ("kennedy disease with fever", "x"))
    gold = {"aspirin": ("Chemical", "D2"), "heat": ("Disease", "D1"), "fever": ("Disease", "D1"),
            "kennedy disease": ("Disease", "D6")}  # fmt: skip
    return [
        Document(
            str(number), text,
            mentions=tuple(
                Mention(text.index(word), text.index(word) + len(word), word, kind, (concept,))
                for word, (kind, concept) in gold.items()
                if word in text
            ),
        )
        for number, (text, _) in enumerate(texts)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a knowledge base, and a model with a recogniser for it."""
    folder = tmp_path_factory.mktemp("reading")
    tokenizer = wordpiece(folder / "model")
    torch.manual_seed(0)
    bart(len(tokenizer), init_std=0.1, max_position_embeddings=512).save_pretrained(
        folder / "model"
    )
    KnowledgeBase.from_concepts(CONCEPTS).save(folder / "small.kb")
    run_recognising(
        Recognising(
            folder / "tagged", folder / "model", folder / "small.kb", (Path("none"),), steps=60,
            batch_size=2, lr=3e-3,
        ),
        documents(),
    )  # fmt: skip
    return folder


@pytest.fixture
def settings(start: Path, tmp_path: Path) -> SharedReading:
    return SharedReading(
        tmp_path / "out", start / "tagged" / "model", start / "small.kb", (Path("none"),),
        steps=60, mixture=Mixture(2, 0, 8, 3, lr=1e-3, decoder_lr=3e-3, heads_lr=1e-2),
    )  # fmt: skip


def test_a_model_reads_documents_once(settings: SharedReading, start: Path) -> None:
    lines: list[dict[str, Any]] = []
    folder = run_shared_reading(settings, documents(), lines.append)
    assert {"types", "teacher", "context", "generation", "ranking"} <= lines[0].keys()
    stored = settings_of(folder)
    assert stored.prompt.reading == "shared" and stored.stages[-1]["stage"] == "SharedReading"
    before, after = (
        load_model(f).backbone.model.state_dict() for f in (start / "tagged" / "model", folder)
    )
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith("model.decoder.") for name in changed)
    assert not any("embed_tokens" in name for name in changed)
    linker = load(model=folder, kb=start / "small.kb")
    assert isinstance(linker, Linker) and linker.scope.reader is linker.reader
    (linked,) = linker.pipe([documents()[0].with_mentions(())])
    assert [(m.text, m.best and m.best.concept_id) for m in linked.mentions] == [
        ("aspirin", "D2"), ("heat", "D1"),
    ]  # fmt: skip
    # Given mentions are read in the same way, also by a linker without a recogniser.
    alone = Linker(linker.model, linker.kb)
    (given,) = alone.link_documents([documents()[0]])
    assert [m.best and m.best.concept_id for m in given.mentions] == ["D2", "D1"]
    assert alone.scope.reader is not None
    window = alone.with_settings(reading="window")
    assert window.scope.reader is None and window.link_documents([documents()[0]])


def test_an_interrupted_run_gives_the_bytes_of_an_uninterrupted_one(
    settings: SharedReading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("biolink.finetune.reading.stage._SAVED", 4)
    settings = replace(settings, steps=12)
    whole = run_shared_reading(replace(settings, out=settings.out / "whole"), documents())
    broken = replace(settings, out=settings.out / "broken")
    interrupted(monkeypatch, 10, lambda: run_shared_reading(broken, documents()))
    model = run_shared_reading(broken, documents())
    for name in ("tagger.safetensors", "model.safetensors"):
        assert (model / name).read_bytes() == (whole / name).read_bytes()


def test_what_is_missing_is_said(settings: SharedReading, start: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no recogniser .*biolink train recogniser"):
        run_shared_reading(replace(settings, model=start / "model"), documents())
    nothing = [Document("1", "fever")]
    with pytest.raises(ConfigError, match="expected mentions with ids"):
        run_shared_reading(settings, nothing)
    kb = KnowledgeBase.open(start / "small.kb")
    model = load_model(start / "model")
    shared = Linker(model, kb, LinkerOptions(method="generate", reading="shared"))
    with pytest.raises(Exception, match="expected the recogniser that reads for the model"):
        shared.link_documents(documents())


def test_texts_have_the_mentions_and_what_is_near(start: Path) -> None:
    kb = KnowledgeBase.open(start / "small.kb")
    model = load_model(start / "tagged" / "model")
    linker = Linker(model, kb)
    names = NameTable(linker)
    texts = tagged(documents(), ("Disease", "Chemical"), model.tokenizer, ())
    first, second = read_texts(linker, names, documents(), texts)
    words = [
        documents()[0].text[first.pieces.offsets[a, 0] : first.pieces.offsets[b - 1, 1]]
        for a, b, _ in first.mentions
    ]
    assert words == ["aspirin", "heat"]
    (_, _, aspirin), _ = first.mentions
    assert aspirin.rows == (kb.row_of("D2"),) and not aspirin.plain
    assert np.linalg.norm(aspirin.vector.astype(float)) == pytest.approx(1, abs=1e-2)
    assert len(second.mentions) == 2
    # The mentions of a document without gold ids are those of a plain text.
    plain = [d.with_mentions(replace(m, concept_ids=()) for m in d.mentions) for d in documents()]
    pieces = [pieces_of(d, model.tokenizer, ()) for d in plain]
    read = read_texts(linker, names, plain, pieces)
    assert all(m.plain for text in read for *_, m in text.mentions)
    assert all(text.allowed is None for text in read)


def test_a_recogniser_can_stay_as_it_is(
    settings: SharedReading, start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then only the layers for linking and the decoder learn, and each window is encoded once."""
    encoded: list[int] = []
    states = Tagger.states
    monkeypatch.setattr(
        Tagger, "states", lambda self, *a: encoded.append(len(a[0])) or states(self, *a)
    )
    lines: list[dict[str, Any]] = []
    fixed = replace(settings, mixture=replace(settings.mixture, lr=0.0))
    folder = run_shared_reading(fixed, documents(), lines.append)
    assert "generation" in lines[0] and "types" not in lines[0]
    assert sum(encoded) == 2
    before = Tagger.load(start / "tagged" / "model" / TAGGER, load_model(folder).backbone.model)
    after = Tagger.load(folder / TAGGER, load_model(folder).backbone.model)
    own = after.own_state()
    for name, tensor in before.own_state().items():
        assert torch.equal(tensor, own[name]), name
    assert after.reading is not None and after.reading.span[2].weight.any()


def test_only_vectors_come_from_the_recogniser(settings: SharedReading, start: Path) -> None:
    """With ``staged``, the linking model stays as it is, and windows are read for generation."""
    lines: list[dict[str, Any]] = []
    staged = replace(settings, reading="staged", mixture=replace(settings.mixture, lr=0.0))
    folder = run_shared_reading(staged, documents(), lines.append)
    assert {"teacher", "context"} <= lines[0].keys() and "generation" not in lines[0]
    before, after = (
        load_model(f).backbone.model.state_dict() for f in (start / "tagged" / "model", folder)
    )
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert settings_of(folder).prompt.reading == "staged"
    linker = load(model=folder, kb=start / "small.kb")
    assert isinstance(linker, Linker)
    (document, _), sources = documents(), []
    read = linker.model.read

    def noted(texts: Any, spans: Any = None) -> Any:
        sources.extend(texts)
        return read(texts, spans)

    object.__setattr__(linker.model, "read", noted)
    staged_links, window_links = (
        linker.with_settings(reading=reading).link_documents([document])[0].mentions
        for reading in ("staged", "window")
    )
    # The decoder reads the same windows in both ways.
    half = len(sources) // 2
    assert sources[:half] == sources[half:] and "START" in sources[0]
    assert [m.links for m in staged_links] == [m.links for m in window_links]
    vectors, memory = linker.scope.read(linker.tasks(document))
    assert memory is None and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    with pytest.raises(ConfigError, match=r"reading = 'window'; expected shared or staged"):
        replace(settings, reading="window")  # type: ignore[arg-type]


def test_windows_without_mentions_are_read(settings: SharedReading) -> None:
    """A step may have none; recognition still learns from it."""
    documents_of_both = [*documents()[:1], *(Document(f"n{i}", "cold and ill") for i in range(9))]
    few = replace(settings, steps=6, mixture=Mixture(1, 0, 4, 2))
    assert run_shared_reading(few, documents_of_both).is_dir()


@pytest.mark.parametrize(
    "wrong", [{"annotated": 0}, {"plain": -1}, {"share": 1.5}, {"lr": -1.0}, {"heads_lr": -1.0}]
)
def test_a_mixture_is_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"mixture.{next(iter(wrong))} = .*expected"):
        Mixture(**wrong)


class _Names:
    """Four names of two concepts: 0 and 1 of the first, 2 and 3 of the second."""

    texts = ("fever", "body heat", "cold", "chill")

    def __init__(self, of_row: dict[int, list[int]]) -> None:
        self.of_row = of_row

    def owned(self, places: np.ndarray, rows: tuple[int, ...]) -> np.ndarray:
        return np.isin(places // 2, rows)


def test_the_mention_itself_is_often_no_name_to_generate() -> None:
    names: Any = _Names({0: [0, 1], 1: [2, 3]})
    mention = ReadMention(
        [1], "fever", (0,), *np.zeros((2, 2), np.float16), np.array([2, 0, 3]), False
    )

    def drawn(mention: ReadMention, seed: int) -> Any:
        return training._generated(names, 7, mention, 2, random.Random(seed))

    every = [drawn(mention, seed)[0] for seed in range(60)]
    assert all(g.number == 7 and g.names[0] in (0, 1) and g.right >= 1 for g in every)
    assert all(set(g.names[: g.right]) <= {0, 1} for g in every)
    assert all(set(g.names[g.right :]) <= {2, 3} for g in every)
    left_out = [0 not in g.names for g in every]
    assert 0.1 < sum(left_out) / len(left_out) < 0.9
    plain = replace(mention, plain=True)
    assert all(0 not in drawn(plain, seed)[0].names for seed in range(9))
    assert drawn(replace(mention, rows=()), 0) == []
    # If the mention is the only name of its concept, it is generated after all.
    names.of_row = {0: [0]}
    (only,) = drawn(replace(plain, near=np.array([2])), 1)
    assert only.names == [0, 2] and only.right == 1
