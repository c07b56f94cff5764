"""The trained recogniser: labels and spans, windows, storage, types."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from biolink import Document, KnowledgeBase
from biolink.errors import ModelError
from biolink.infer.mentions.recognise import DictionaryRecogniser, TrainedRecogniser
from biolink.infer.mentions.tagger import (
    TYPES,
    Tagger,
    label_spans,
    labels_of,
    pieces_of,
    spans_of_labels,
    window_begins,
)
from tests.tiny_models import bart, t5, wordpiece

LABELS = labels_of(TYPES)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return wordpiece(tmp_path_factory.mktemp("tagger"))


@pytest.fixture(scope="module")
def model(tokenizer: Any) -> Any:
    return bart(len(tokenizer), max_position_embeddings=512)


def test_only_the_outermost_of_nested_mentions_is_kept() -> None:
    text = "lung cancer pain"
    offsets = np.array([[0, 4], [5, 11], [12, 16]])
    labels = label_spans(offsets, [(0, 11, "Disease"), (5, 11, "Disease")])
    assert [LABELS[i] for i in labels] == ["B-Disease", "I-Disease", "O"]
    # Of overlapping mentions the longer one stays; the rest of the other is a new mention.
    labels = label_spans(offsets, [(0, 11, "Chemical"), (5, 16, "Disease")])
    assert [LABELS[i] for i in labels] == ["B-Chemical", "B-Disease", "I-Disease"]
    labels = label_spans(offsets, [(0, 16, "Chemical"), (0, 4, "Disease")])
    assert spans_of_labels(labels.tolist(), offsets, text) == [(0, 16, "Chemical")]


def test_a_mention_does_not_end_inside_a_word() -> None:
    text = "xaspirin-fever"
    offsets = np.array([[0, 1], [1, 8], [8, 9], [9, 14]])
    labels = [LABELS.index(x) for x in ("B-Chemical", "O", "O", "B-Disease")]
    assert spans_of_labels(labels, offsets, text) == [(0, 8, "Chemical"), (9, 14, "Disease")]
    labels = [LABELS.index(x) for x in ("O", "I-Chemical", "O", "O")]
    assert spans_of_labels(labels, offsets, text) == []


@st.composite
def spans(draw: st.DrawFn) -> tuple[int, list[tuple[int, int, str]]]:
    size = draw(st.integers(1, 20))
    cuts = sorted(draw(st.sets(st.integers(0, size), max_size=8)))
    found = [
        (a, b, draw(st.sampled_from(["Disease", "Chemical"])))
        for a, b in itertools.pairwise(cuts)
        if draw(st.booleans())
    ]
    return size, found


@given(spans())
def test_labels_and_spans_are_inverse(case: tuple[int, list[tuple[int, int, str]]]) -> None:
    size, found = case
    # The text has words of one letter, separated by spaces.
    text = " ".join("a" * size)
    offsets = np.array([[2 * i, 2 * i + 1] for i in range(size)])
    written = [(2 * a, 2 * b - 1, kind) for a, b, kind in found]
    assert spans_of_labels(label_spans(offsets, written).tolist(), offsets, text) == written


def test_pieces_know_spelling_and_dictionary(kb: KnowledgeBase, tokenizer: Any) -> None:
    document = Document("1", "Aspirin for FEVER, b12 😀")
    pieces = pieces_of(document, tokenizer, DictionaryRecogniser(kb))
    words = [document.text[a:b] for a, b in pieces.offsets.tolist()]
    shapes = dict(zip(words, pieces.shapes.tolist(), strict=True))
    assert (shapes["Aspirin"], shapes["FEVER"], shapes[","]) == (1, 2, 5)
    covered = dict(zip(words, (LABELS[i] for i in pieces.covered), strict=True))
    assert covered["Aspirin"] == "B-Chemical" and covered["FEVER"] == "B-Disease"


def test_windows_cover_a_long_text(kb: KnowledgeBase, tokenizer: Any, model: Any) -> None:
    torch.manual_seed(1)
    tagger = Tagger(model, shared=1).eval()
    dictionary = DictionaryRecogniser(kb)
    short = pieces_of(Document("1", "fever with aspirin"), tokenizer, dictionary)
    long = pieces_of(Document("2", "fever with cold heat " * 200), tokenizer, dictionary)
    together = tagger.log_probs([short, long, short])
    assert [len(p) for p in together] == [3, 800, 3]
    # A batch gives the results of single calls, and every piece has a label.
    assert np.allclose(together[0], tagger.log_probs([short])[0], atol=1e-5)
    assert np.allclose(np.exp(together[1]).sum(1), 1, atol=1e-4)
    begins = window_begins(800)
    assert begins[0] == 0 and all(b - a < 384 for a, b in itertools.pairwise(begins))
    assert tagger.recognise([Document("3", "")], tokenizer, dictionary)[0].mentions == ()


def test_only_its_own_layers_are_stored(
    kb: KnowledgeBase, tokenizer: Any, model: Any, tmp_path: Path
) -> None:
    tagger = Tagger(model, shared=1).eval()
    tagger.save(tmp_path / "t.safetensors")
    again = Tagger.load(tmp_path / "t.safetensors", model)
    assert not any("layers.0" in name or "embed_tokens" in name for name in again.own_state())
    pieces = [pieces_of(Document("1", "fever and cold"), tokenizer, DictionaryRecogniser(kb))]
    assert np.allclose(tagger.log_probs(pieces)[0], again.log_probs(pieces)[0], atol=2e-2)
    with pytest.raises(ModelError, match="not a recogniser of this model"):
        Tagger.load(tmp_path / "t.safetensors", bart(len(tokenizer), d_model=16))
    (tmp_path / "t.safetensors").write_bytes(b"x")
    with pytest.raises(ModelError, match="not a recogniser of this model"):
        Tagger.load(tmp_path / "t.safetensors", model)


def test_a_part_of_the_base_keeps_its_types(kb: KnowledgeBase, tokenizer: Any, model: Any) -> None:
    tagger = Tagger(model).eval()
    # This head gives the labels of the dictionary.
    with torch.no_grad():
        tagger.covered.weight.zero_()
        tagger.head.weight.zero_()
        tagger.head.bias.zero_()
    tagger.log_probs = lambda texts: [  # type: ignore[method-assign, assignment]
        np.eye(len(LABELS))[p.covered] for p in texts
    ]
    whole = TrainedRecogniser(tagger, tokenizer, DictionaryRecogniser(kb), kb)
    document = Document("1", "aspirin against fever")
    assert [m.type for m in whole(document).mentions] == ["Chemical", "Disease"]
    part = whole.with_kb(kb.subset(types={"Disease"}))
    (mention,) = part(document).mentions
    assert document.text[mention.start : mention.end] == mention.text == "fever"


def test_another_architecture_is_refused(tokenizer: Any) -> None:
    with pytest.raises(ModelError, match="BART's encoder, not on t5"):
        Tagger(t5(len(tokenizer)))
