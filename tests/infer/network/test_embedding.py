"""Embedding of many names: batches by length, a core for each."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from biolink.infer.network.cores import each_on_a_core
from biolink.infer.network.encoder import of_similar_size
from biolink.infer.network.model import LinkingModel, load_model
from biolink.infer.network.precision import is_packed
from biolink.infer.retrieve.indexes import Indexes
from tests.tiny_models import WORDS, t5, wordpiece


@pytest.fixture(scope="module")
def model(model_folder: Path) -> LinkingModel:
    return load_model(model_folder)


@pytest.fixture
def names() -> list[str]:
    rng = random.Random(5)
    words = WORDS.split()
    return [" ".join(rng.choices(words, k=rng.randint(1, 12))) for _ in range(400)]


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """Set the number of torch's threads while a test runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_an_embedding_does_not_depend_on_the_batch(
    model: LinkingModel, names: list[str], threads: int
) -> None:
    together = model.embed(names)
    assert torch.get_num_threads() == threads
    alone = np.concatenate([model.embed([name]) for name in names[:40]])
    np.testing.assert_allclose(together[:40], alone, atol=1e-5)
    backwards = model.embed(names[::-1])[::-1]
    np.testing.assert_allclose(together, backwards, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_packed_weights_give_the_same_embeddings(model: LinkingModel, names: list[str]) -> None:
    packed = model.packed()
    np.testing.assert_allclose(packed.embed(names), model.embed(names), atol=1e-5)
    assert not is_packed(model.backbone.model)
    if is_packed(packed.backbone.model):
        assert packed.packed() is packed


def test_t5_embeds_in_batches_by_length(tmp_path: Path, names: list[str]) -> None:
    t5(len(wordpiece(tmp_path))).save_pretrained(tmp_path)
    model = load_model(tmp_path)
    alone = np.concatenate([model.embed([name]) for name in names[:20]])
    np.testing.assert_allclose(model.embed(names)[:20], alone, atol=1e-5)


def test_no_names_give_no_embeddings(model: LinkingModel) -> None:
    assert model.embed([]).shape == (0, model.width)


def test_entries_of_similar_size_go_together() -> None:
    rng = random.Random(1)
    sizes = [rng.randint(1, 30) for _ in range(300)]
    parts = list(of_similar_size(sizes, 64))
    assert sorted(place for part in parts for place in part) == list(range(300))
    assert all(len(part) * sizes[part[-1]] <= 64 for part in parts)
    in_order = [sizes[place] for part in parts for place in part]
    assert in_order == sorted(sizes)
    # An entry that is too large for a batch is in a batch of its own.
    assert list(of_similar_size([100], 64)) == [[0]]


def test_an_error_in_one_piece_is_raised_and_threads_come_back(threads: int) -> None:
    def work(piece: int) -> None:
        if piece == 7:
            raise ValueError("seven")

    with pytest.raises(ValueError, match="seven"):
        each_on_a_core(work, list(range(20)))
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_shows_the_progress_of_a_long_build(
    model: LinkingModel,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    terminal: bool,
) -> None:
    from biolink.kb import Concept, KnowledgeBase

    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for count, told in ((3, False), (1200, True)):
        kb = KnowledgeBase.from_concepts(Concept(f"X{i}", f"fever {i}") for i in range(count))
        assert len(Indexes(kb, model).dense.name_ids) == count
        written = capsys.readouterr()
        assert ("embedding names" in written.err) == (told and terminal)
        assert written.out == ""
    records: list[tuple[str, int, int]] = []
    assert Indexes(kb, model, lambda *record: records.append(record)).dense
    assert records == [("names", 1200, 1200)]
    assert capsys.readouterr().err == ""
