"""One reading of a text: states for linking, spans and windows, and what is kept."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from biolink import Document, KnowledgeBase
from biolink.errors import ModelError
from biolink.infer.mentions.recognise import DictionaryRecogniser
from biolink.infer.mentions.shared_reader import SharedReader
from biolink.infer.mentions.tagger import WINDOW, Tagger
from biolink.infer.network.reading_heads import AROUND, around, span_means
from tests.tiny_models import bart, wordpiece


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return wordpiece(tmp_path_factory.mktemp("reader"))


@pytest.fixture(scope="module")
def tagger(tokenizer: Any) -> Tagger:
    torch.manual_seed(4)
    model = bart(len(tokenizer), max_position_embeddings=512, init_std=0.2)
    tagger = Tagger(model, 1, reads="shared").eval()
    assert tagger.reading is not None
    torch.nn.init.normal_(tagger.reading.span[2].weight, std=0.3)
    return tagger


def unit(count: int) -> np.ndarray:
    """Vectors of mentions without context."""
    drawn = np.random.default_rng(0).normal(size=(count, 32)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@torch.inference_mode()
def test_a_mention_is_the_mean_of_its_states_and_reads_those_around_it(
    kb: KnowledgeBase, tagger: Tagger, tokenizer: Any
) -> None:
    reader = SharedReader(tagger, tokenizer, [DictionaryRecogniser(kb)])
    text = "cold heat fever " * 60
    start = text.index("fever", 400)
    alone = unit(2)
    spans = [(start, start + 5), (0, 9)]
    states, mask = reader.attended([text, text], spans, alone)
    vectors = reader.vectors([text, text], spans, alone)
    assert states.shape == (2, 1 + AROUND, 32) and mask.sum(1).tolist() == [1 + AROUND] * 2
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    # The same by hand.
    (reading,) = reader._read([text])
    (window,) = reading.states.values()
    piece = int(np.flatnonzero(reading.pieces.offsets[:, 0] == start)[0]) + 1
    assert tagger.reading is not None
    first, second = torch.from_numpy(alone)[:, None]
    by_hand = tagger.reading.vectors(window[None, piece], first)[0].detach().numpy()
    assert np.allclose(vectors[0], by_hand, atol=1e-5)
    two = tagger.reading.vectors(window[1:3].mean(0)[None], second)[0].detach().numpy()
    assert np.allclose(vectors[1], two, atol=1e-5)
    near = tagger.reading.states(window[piece - AROUND // 2 : piece + AROUND // 2 + 1])
    assert torch.allclose(states[0, 1:], near, atol=1e-5)


def test_a_mention_in_a_long_text_is_read_where_it_is_far_from_the_border(
    tagger: Tagger, tokenizer: Any
) -> None:
    reader = SharedReader(tagger, tokenizer)
    text = "fever with cold heat " * 200
    (reading,) = reader._read([text])
    for first in range(0, 800, 7):
        start, end = reading.pieces.offsets[first].tolist()
        number, begin, after = reading.place(start, end)
        assert reading.begins[number] + begin - 1 == first and after == begin + 1
        assert 1 <= begin < after <= len(reading.states[number]) - 1
    # A mention that is longer than a window is read as far as the window goes.
    number, begin, after = reading.place(0, len(text))
    assert 1 <= begin < after <= WINDOW + 2
    assert np.isfinite(reader.vectors([text], [(0, len(text))], unit(1))).all()


@pytest.mark.parametrize(("text", "span"), [("", (0, 0)), ("   ", (0, 2)), ("fever  ", (5, 7))])
def test_a_span_without_word_pieces_is_read(
    tagger: Tagger, tokenizer: Any, text: str, span: tuple[int, int]
) -> None:
    reader = SharedReader(tagger, tokenizer)
    assert reader.attended([text], [span], unit(1))[1].any()
    assert np.isfinite(reader.vectors([text], [span], unit(1))).all()


def test_only_the_windows_with_mentions_are_read(
    tagger: Tagger, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are missing are read later, with the same result as all together."""
    counted: list[int] = []
    states = tagger.states
    monkeypatch.setattr(tagger, "states", lambda *a: counted.append(len(a[0])) or states(*a))
    text = "fever with cold heat " * 200
    spans = [(0, 5), (text.rindex("fever"), text.rindex("fever") + 5)]
    reader = SharedReader(tagger, tokenizer)
    first = reader.vectors([text], spans[:1], unit(2)[:1])
    assert counted == [1]
    both = reader.vectors([text] * 2, spans, unit(2))
    assert counted == [1, 1]
    assert np.allclose(both[:1], first, atol=1e-6)
    (reading,) = reader._read([text])
    assert sum(counted) == len(reading.begins) > 2
    again = SharedReader(tagger, tokenizer)
    again._read([text])
    assert np.allclose(again.vectors([text] * 2, spans, unit(2)), both, atol=1e-6)


def test_a_text_is_encoded_once_and_pickles_hold_no_states(
    tagger: Tagger, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = SharedReader(tagger, tokenizer)
    document = Document("1", "fever with aspirin")
    counted: list[int] = []
    states = tagger.states
    monkeypatch.setattr(tagger, "states", lambda *a: counted.append(len(a[0])) or states(*a))
    reader.recognise([document, document])
    found = reader.vectors([document.text], [(0, 5)], unit(1))
    assert counted == [1]
    monkeypatch.undo()
    again = pickle.loads(pickle.dumps(reader))
    assert not again._kept
    assert np.allclose(again.vectors([document.text], [(0, 5)], unit(1)), found, atol=1e-6)


def test_kept_states_have_a_limit(
    tagger: Tagger, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("biolink.infer.mentions.shared_reader._KEPT", 5000)
    reader = SharedReader(tagger, tokenizer)
    texts = [f"fever {'cold ' * i}" for i in range(8)]
    together = reader.label_log_probs(texts)
    assert 0 < sum(reading.size for reading in reader._kept.values()) <= 5000
    alone = [SharedReader(tagger, tokenizer).label_log_probs([text])[0] for text in texts]
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(together, alone, strict=True))


def test_nothing_is_kept_that_linking_does_not_need(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long texts are read in groups, with the same result."""
    tagger = Tagger(bart(len(tokenizer), max_position_embeddings=512), 1).eval()
    reader = SharedReader(tagger, tokenizer)
    documents = [Document(str(i), "fever and cold " * i) for i in range(1, 9)]
    together = reader.recognise(documents)
    assert not reader._kept
    monkeypatch.setattr("biolink.infer.mentions.shared_reader._TOGETHER", 100)
    sizes: list[int] = []
    read = reader._read
    monkeypatch.setattr(reader, "_read", lambda texts: sizes.append(len(texts)) or read(texts))
    assert reader.recognise(documents) == together
    assert sum(sizes) == 8 and len(sizes) > 3


def test_heads_are_stored_and_a_classifier_without_them_reads_nothing(
    tokenizer: Any, tmp_path: Path
) -> None:
    model = bart(len(tokenizer), max_position_embeddings=512)
    file = tmp_path / "t.safetensors"
    sizes = []
    for reading, other in (("shared", "staged"), ("staged", "shared")):
        Tagger(model, 1, reads=reading).save(file)  # type: ignore[arg-type]
        reader = SharedReader(Tagger.load(file, model), tokenizer)
        assert reader.reads_for(reading) and not reader.reads_for(other)  # type: ignore[arg-type]
        sizes.append(file.stat().st_size)
    # Vectors alone need two layers of five.
    assert sizes[0] - sizes[1] > 3 * 2 * 32 * 32
    stored = file.read_bytes()
    file.write_bytes(stored.replace(b'"reads":"staged"', b'"reads":"folded"'))
    with pytest.raises(ModelError, match=r"it reads in the way 'folded', which is unknown"):
        Tagger.load(file, model)
    plain = SharedReader(Tagger(model, 1).eval(), tokenizer)
    assert not plain.reads_for("shared")
    with pytest.raises(ModelError, match="not trained to read for linking"):
        plain.vectors(["fever"], [(0, 5)], unit(1))


def test_states_around_a_span_end_with_the_text() -> None:
    states = torch.arange(2 * (AROUND + 10), dtype=torch.float32).view(2, -1, 1)
    spans = torch.tensor([[0, 2], [AROUND + 8, AROUND + 9]])
    near, real = around(states, torch.tensor([0, 1]), torch.tensor([20, AROUND + 10]), spans)
    assert real.sum(1).tolist() == [20, AROUND]
    assert near[0, :20, 0].tolist() == list(range(20))
    assert near[1, -1, 0] == states[1, -1, 0]
    assert span_means(states, torch.tensor([1]), torch.tensor([[0, 3]]))[0, 0] == states[1, 1, 0]
