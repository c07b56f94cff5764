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

from biolink import Document, KnowledgeBase, Mention
from biolink.errors import ModelError
from biolink.infer.mentions.recognise import DictionaryRecogniser, TrainedRecogniser
from biolink.infer.mentions.shared_reader import SharedReader
from biolink.infer.mentions.tagger import (
    TYPES,
    Tagger,
    label_spans,
    labels_of,
    pieces_of,
    spans_of_labels,
    window_begins,
)
from biolink.infer.mentions.word_pieces import joined_labels
from biolink.kb import Concept
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


def test_diseases_with_a_space_between_them_are_one() -> None:
    offsets = np.array([[0, 8], [9, 15], [17, 20], [21, 24]])
    text, types = "sporadic tumour, TNF IL6", ("Disease", "Gene")
    assert joined_labels([1, 1, 3, 3], offsets, text, types) == [1, 2, 3, 3]
    assert joined_labels([1, 0, 1, 1], offsets, text, types) == [1, 0, 1, 2]
    assert joined_labels([1, 2, 1, 3], offsets, text, types) == [1, 2, 1, 3]


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
    pieces = pieces_of(document, tokenizer, [DictionaryRecogniser(kb)])
    words = [document.text[a:b] for a, b in pieces.offsets.tolist()]
    shapes = dict(zip(words, pieces.shapes.tolist(), strict=True))
    assert (shapes["Aspirin"], shapes["FEVER"], shapes[","]) == (1, 2, 5)
    covered = dict(zip(words, (LABELS[i] for i in pieces.covered[:, 0]), strict=True))
    assert covered["Aspirin"] == "B-Chemical" and covered["FEVER"] == "B-Disease"


def test_windows_cover_a_long_text(kb: KnowledgeBase, tokenizer: Any, model: Any) -> None:
    torch.manual_seed(1)
    tagger = Tagger(model, shared=1).eval()
    reader = SharedReader(tagger, tokenizer, [DictionaryRecogniser(kb)])
    short, long = "fever with aspirin", "fever with cold heat " * 200
    together = reader.label_log_probs([short, long, short])
    assert [len(p) for p in together] == [3, 800, 3]
    # A batch gives the results of single calls, and every piece has a label.
    again = SharedReader(tagger, tokenizer, [DictionaryRecogniser(kb)])
    assert np.allclose(together[0], again.label_log_probs([short])[0], atol=1e-5)
    assert np.allclose(np.exp(together[1]).sum(1), 1, atol=1e-4)
    begins = window_begins(800)
    assert begins[0] == 0 and all(b - a < 384 for a, b in itertools.pairwise(begins))
    assert reader.recognise([Document("3", "")])[0].mentions == ()


def test_only_its_own_layers_are_stored(
    kb: KnowledgeBase, tokenizer: Any, model: Any, tmp_path: Path
) -> None:
    tagger = Tagger(model, shared=1).eval()
    tagger.save(tmp_path / "t.safetensors")
    again = Tagger.load(tmp_path / "t.safetensors", model)
    assert not any("layers.0" in name or "embed_tokens" in name for name in again.own_state())
    before, after = (
        SharedReader(t, tokenizer, [DictionaryRecogniser(kb)]).label_log_probs(["fever and cold"])[
            0
        ]
        for t in (tagger, again)
    )
    assert np.allclose(before, after, atol=2e-2)
    with pytest.raises(ModelError, match="not a recogniser of this model"):
        Tagger.load(tmp_path / "t.safetensors", bart(len(tokenizer), d_model=16))
    (tmp_path / "t.safetensors").write_bytes(b"x")
    with pytest.raises(ModelError, match="not a recogniser of this model"):
        Tagger.load(tmp_path / "t.safetensors", model)


def test_a_part_of_the_base_keeps_its_types(kb: KnowledgeBase) -> None:
    reader: Any = _Fixed(("aspirin", "Chemical"), ("fever", "Disease"))
    whole = TrainedRecogniser(reader, DictionaryRecogniser(kb), kb)
    document = Document("1", "aspirin against fever")
    assert [m.type for m in whole(document).mentions] == ["Chemical", "Disease"]
    part = whole.with_kb(kb.subset(types={"Disease"}))
    (mention,) = part(document).mentions
    assert document.text[mention.start : mention.end] == mention.text == "fever"


def test_each_dictionary_has_a_column(kb: KnowledgeBase, tokenizer: Any, model: Any) -> None:
    """A dictionary that finds nothing changes nothing, wherever it stands."""
    torch.manual_seed(2)
    tagger = Tagger(model, shared=1).eval()
    names = DictionaryRecogniser(kb)

    def silent(document: Document) -> Document:
        return document.with_mentions(())

    def scores(*dictionaries: Any) -> np.ndarray:
        return SharedReader(tagger, tokenizer, dictionaries).label_log_probs(
            ["fever with aspirin"]
        )[0]

    one, *others = scores(names), scores(names, silent), scores(silent, names)
    alone, none = scores(silent), scores()
    assert all(np.allclose(one, other, atol=1e-5) for other in others)
    assert np.allclose(alone, none, atol=1e-5) and not np.allclose(one, none, atol=1e-3)
    # With two dictionaries that say the same, the classifier sees more than with one.
    twice = scores(names, names)
    assert not np.allclose(one, twice, atol=1e-3)


def test_concepts_have_a_head_of_their_own(
    kb: KnowledgeBase, tokenizer: Any, model: Any, tmp_path: Path
) -> None:
    """A classifier with that head is stored with it, and the head does not change the types."""
    torch.manual_seed(3)
    types = (*TYPES, "Gene")
    tagger = Tagger(model, 1, types, concepts=True).eval()
    document = Document("1", "fever with aspirin " * 200)
    reader = SharedReader(tagger, tokenizer)
    for kinds, labels in (("types", 7), ("concepts", 3)):
        (scores,) = reader.label_log_probs([document.text], kinds)  # type: ignore[arg-type]
        assert scores.shape == (len(pieces_of(document, tokenizer, ()).ids), labels)
        assert np.allclose(np.exp(scores).sum(1), 1, atol=1e-4)
    tagger.save(tmp_path / "t.safetensors")
    again = Tagger.load(tmp_path / "t.safetensors", model)
    assert again.types == types and again.concept_head is not None
    (found,) = SharedReader(again, tokenizer).concepts([document])
    assert found.mentions and {m.type for m in found.mentions} == {""}
    assert all(document.text[m.start : m.end] == m.text for m in found.mentions)
    assert all(0 < m.probability <= 1 for m in found.mentions if m.probability is not None)
    with pytest.raises(ModelError, match="was not trained to find concepts"):
        SharedReader(Tagger(model, 1), tokenizer).concepts([document])


class _Fixed:
    """A reader that finds given spans where they are."""

    def __init__(self, *spans: tuple[str, str]) -> None:
        self.spans = spans

    def recognise(self, documents: list[Document], *_: Any) -> list[Document]:
        return [
            d.with_mentions(
                Mention(d.text.index(t), d.text.index(t) + len(t), t, kind, probability=0.9)
                for t, kind in self.spans
                if t in d.text
            )
            for d in documents
        ]


def test_only_wanted_types_are_kept_and_variants_keep_their_signs(kb: KnowledgeBase) -> None:
    document = Document("1", "the -509C>T variant with fever, HEK- cells")
    reader: Any = _Fixed(("-509C>T", "Variant"), ("fever,", "Disease"), ("HEK-", "CellLine"))
    dictionary = DictionaryRecogniser(kb)
    every = TrainedRecogniser(reader, dictionary, kb)
    assert [m.text for m in every(document).mentions] == ["-509C>T", "fever", "HEK"]
    some = TrainedRecogniser(reader, dictionary, kb, types=["SequenceVariant", "cell line"])
    assert [m.text for m in some(document).mentions] == ["-509C>T", "HEK"]
    assert [m.text for m in some.with_kb(kb)(document).mentions] == ["-509C>T", "HEK"]


def test_a_word_at_the_beginning_of_a_sentence_is_no_name(kb: KnowledgeBase) -> None:
    document = Document("1", "He had As in HE cells.")
    reader: Any = _Fixed(("He", "CellLine"), ("As", "Chemical"), ("HE", "CellLine"))
    recogniser = TrainedRecogniser(reader, DictionaryRecogniser(kb), kb)
    assert [m.text for m in recogniser(document).mentions] == ["As", "HE"]


def test_a_further_base_says_what_belongs_to_a_name(kb: KnowledgeBase) -> None:
    document = Document("1", "of IL-6 cells")
    reader: Any = _Fixed(("IL", "Gene"))
    genes = KnowledgeBase.from_concepts([Concept("3569", "IL-6", types=("Gene",))])
    further = [DictionaryRecogniser(genes)]
    recogniser = TrainedRecogniser(reader, DictionaryRecogniser(kb), kb, further)
    assert [m.text for m in recogniser(document).mentions] == ["IL-6"]


def test_another_architecture_is_refused(tokenizer: Any) -> None:
    with pytest.raises(ModelError, match="BART's encoder, not on t5"):
        Tagger(t5(len(tokenizer)))
