"""Corruption of text, packing, the stream and its resumption."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biolink.errors import ConfigError, InputError
from biolink.pretrain.denoising import Noise, infill, noised, pack_documents, permute_sentences
from biolink.pretrain.stream import DenoisingStream, packed_dataset
from biolink.pretrain.training.order import shuffled
from biolink.pretrain.vocabulary import train_bpe
from biolink.texts import TextReader, read_texts

MASK = 999
BEGIN, END = 0, 2


@given(st.lists(st.integers(10, 99), max_size=60), st.integers(0, 30))
def test_infilling_only_masks(tokens: list[int], seed: int) -> None:
    result = infill(tokens, MASK, np.random.default_rng(seed), Noise(0.3, 2.0))
    # The remaining tokens are a subsequence, and every gap has a mask.
    rest = iter(tokens)
    assert all(token in rest for token in result if token != MASK)
    if len([t for t in result if t != MASK]) < len(tokens):
        assert MASK in result
    assert infill(tokens, MASK, np.random.default_rng(seed), Noise(0.0)) == tokens


def test_infilling_has_the_papers_rates() -> None:
    tokens = list(range(1000, 21_000))
    result = infill(tokens, MASK, np.random.default_rng(0), Noise())
    masks = result.count(MASK)
    kept = len(result) - masks
    # A span starts at a tenth of the tokens outside spans; its mean length is 3.
    assert masks / (kept + masks) == pytest.approx(0.1, abs=0.02)
    assert (len(tokens) - kept) / masks == pytest.approx(3.0, abs=0.2)
    empty = infill(tokens, MASK, np.random.default_rng(0), Noise(0.1, 0.0))
    assert [t for t in empty if t != MASK] == tokens
    place = empty.index(MASK)
    assert empty[place - 1] != MASK


def test_sentences_are_permuted_whole() -> None:
    tokens = [5, 6, 1, 7, 1, 8, 9, 1, 4]
    orders = {
        tuple(permute_sentences(tokens, {1}.__contains__, np.random.default_rng(seed)))
        for seed in range(200)
    }
    assert len(orders) == 24
    assert all(sorted(order) == sorted(tokens) for order in orders)
    assert all("5, 6, 1" in str(list(order)) for order in orders)


@given(st.lists(st.lists(st.integers(10, 99), max_size=25), max_size=12), st.integers(4, 20))
def test_packing_keeps_documents_apart(documents: list[list[int]], length: int) -> None:
    packed = list(pack_documents(documents, length, BEGIN, END))
    assert all(len(row) <= length and row[0] == BEGIN and row[-1] == END for row in packed)
    assert [t for row in packed for t in row if t >= 10] == [t for d in documents for t in d]
    # A document that fits into one sequence is not cut.
    whole = {tuple(d) for d in documents if 0 < len(d) <= length - 2}
    pieces = {
        tuple(piece)
        for row in packed
        for is_text, group in itertools.groupby(row[1:], lambda t: t != END)
        if is_text and (piece := list(group))
    }
    assert whole <= pieces


def test_noise_stays_within_documents_and_the_length() -> None:
    sequence = [BEGIN, *range(10, 40), END, *range(40, 60), END]
    for number in range(50):
        result = noised(sequence, number, 0, Noise(0.5, 0.3), MASK, END, set().__contains__)
        assert result == noised(sequence, number, 0, Noise(0.5, 0.3), MASK, END, set().__contains__)
        assert len(result) <= len(sequence)
        assert result[0] == BEGIN
        assert result[-1] == END
        first = result[: result.index(END)]
        assert all(token < 40 or token == MASK for token in first)


@given(st.integers(1, 500), st.integers(0, 5))
def test_the_computed_shuffle_is_a_permutation(size: int, seed: int) -> None:
    epochs = [[shuffled(e * size + i, size, seed) for i in range(size)] for e in range(2)]
    assert all(sorted(epoch) == list(range(size)) for epoch in epochs)
    if size > 20:
        assert epochs[0] != epochs[1]
        assert epochs[0] != list(range(size))


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    for shard in range(3):
        lines = [
            {"pmid": f"{shard}{n}", "title": f"Title {n}.", "abstract": f"Fever {n} and cold. " * 9}
            for n in range(120)
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (tmp_path / f"{shard}.jsonl").write_text(text)
    return [str(tmp_path / f"{shard}.jsonl") for shard in range(3)]


@pytest.fixture
def tokenizer(files: list[str]) -> Any:
    return train_bpe(read_texts(files), 300)


def test_texts_of_every_form(tmp_path: Path, files: list[str]) -> None:
    assert next(iter(read_texts(files))).startswith("Title 0. Fever 0 and cold.")
    record = {"title": "A.", "abstract": "B.", "body": ["C.", "D."]}
    (tmp_path / "full.jsonl").write_text(json.dumps(record) + "\n[1]\n")
    texts = read_texts([str(tmp_path / "full.jsonl")])
    assert next(texts) == "A. B. C. D."
    with pytest.raises(InputError, match=r"full.jsonl:2"):
        next(texts)
    reader = TextReader()
    for _ in range(2):
        assert list(reader([str(tmp_path / "full.jsonl")])) == ["A. B. C. D."]
    assert len(reader.problems) == 1
    (tmp_path / "plain.txt").write_text("One text\nof two lines.\n")
    assert list(read_texts([str(tmp_path / "plain.txt")])) == ["One text of two lines."]


def stream(files: list[str], tokenizer: Any) -> DenoisingStream:
    return DenoisingStream(packed_dataset(files, read_texts, tokenizer, 64), tokenizer, Noise(), 3)


def test_a_stream_resumes_where_it_was(files: list[str], tokenizer: Any) -> None:
    whole = stream(files, tokenizer)
    seen = list(itertools.islice(whole, 2500))
    assert whole.packed.num_shards == 3
    tokens = {token for example in seen for token in example["source"]}
    assert tokenizer.mask_token_id in tokens
    epoch = next(
        n for n in range(1, len(seen)) if seen[n]["target"] == seen[0]["target"]
        and seen[n + 1]["target"] == seen[1]["target"]
    )  # fmt: skip
    # Another epoch has other noise.
    assert [e["source"] for e in seen[:20]] != [e["source"] for e in seen[epoch : epoch + 20]]
    for consumed in (0, 5, 300, epoch, 1400):
        later = stream(files, tokenizer)
        later.resume(consumed, json.loads(json.dumps(whole.marks)))
        assert list(itertools.islice(later, 40)) == seen[consumed : consumed + 40], consumed


def test_a_stream_needs_text_and_a_mask(tmp_path: Path, tokenizer: Any) -> None:
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(ConfigError, match="empty"):
        next(iter(stream([str(tmp_path / "empty.txt")], tokenizer)))
    tokenizer.mask_token = None
    with pytest.raises(ConfigError, match="no mask token"):
        stream([], tokenizer)
