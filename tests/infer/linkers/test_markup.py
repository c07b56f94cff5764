"""Chunks, markup and the state machine: every output contains the whole text."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biolink.errors import ModelError
from biolink.infer.linkers.end_to_end import pieces_of_text
from biolink.infer.linkers.markup import (
    DONE,
    Machine,
    Marks,
    State,
    marked,
    marked_ids,
    source_of,
    unmarked,
    without_brackets,
)
from biolink.infer.mentions.chunks import chunks, sentences
from biolink.kb.trie import NameTrie
from tests.tiny_models import wordpiece

NAMES = ["fever", "breast cancer", "breast tumor", "cancer", "acetyl salicylic acid"]
TEXTS = st.text(alphabet="abc fever{}[]().,\n\té é😀1-", max_size=200)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return wordpiece(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def trie(tokenizer: Any) -> NameTrie:
    rows = tokenizer(NAMES, add_special_tokens=False)["input_ids"]
    return NameTrie.from_sequences([[*row, 3] for row in rows])


@given(TEXTS, st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_chunks_lose_nothing(text: str, words: int) -> None:
    spans = chunks(text, words)
    last = 0
    for begin, end in spans:
        assert not text[last:begin].strip()
        assert 0 < len(text[begin:end].split()) <= words
        last = end
    assert not text[last:].strip()


def test_chunks_end_with_sentences() -> None:
    text = "Fever was high. It fell at 0.5 mg. Then, e.g. by aspirin, it went."
    assert [text[b:e] for b, e in sentences(text)][:2] == ["Fever was high.", "It fell at 0.5 mg."]
    assert next(text[b:e] for b, e in chunks(text, 9)) == "Fever was high. It fell at 0.5 mg."


@given(TEXTS, st.data())
@settings(max_examples=60, deadline=None)
def test_markup_can_be_removed(text: str, data: st.DataObject) -> None:
    places = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    links = [(a, b, "a [name]") for a, b in zip(places[::2], places[1::2], strict=False) if a < b]
    assert unmarked(marked(text, links)) == without_brackets(text)
    assert len(without_brackets(text)) == len(text)


def test_overlapping_marks_are_refused() -> None:
    with pytest.raises(ValueError, match="overlaps"):
        marked("abcdef", [(0, 3, "x"), (2, 4, "y")])


def walk(machine: Machine, rng: random.Random) -> list[int]:
    """Draw an output that the machine allows."""
    state, tokens = State(), []
    while state.kind != DONE:
        token = rng.choice(machine.allowed(state, len(tokens)).tolist())
        state = machine.after(state, token)
        tokens.append(token)
    return tokens


@given(TEXTS, st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_every_allowed_output_contains_the_source(
    tokenizer: Any, trie: NameTrie, text: str, seed: int
) -> None:
    source = source_of(text, tokenizer)
    marks = Marks.of(tokenizer)
    limit = len(source.ids) + 30
    tokens = walk(Machine(source, trie, marks, 3, limit), random.Random(seed))
    assert len(tokens) <= limit
    copied, place = [], 0
    while place < len(tokens) - 1:
        if tokens[place] == marks.close:
            # The name is a path of the trie up to its end mark.
            end = tokens.index(marks.end, place)
            assert tokens[place + 1] == marks.begin
            assert trie.walk([*tokens[place + 2 : end], 3]) is not None
            place = end
        elif tokens[place] != marks.open:
            copied.append(tokens[place])
        place += 1
    assert copied == list(source.ids)
    assert tokens[-1] == 3


def test_mentions_end_at_words_only(tokenizer: Any, trie: NameTrie) -> None:
    source = source_of("feverx (fever).", tokenizer)
    pieces = [("feverx (fever)."[b:e]) for b, e in source.offsets]
    assert "".join(pieces) == "feverx(fever)."
    inside = pieces.index("(") - 1
    assert not source.border[inside] and source.border[0] and source.border[-1]
    machine = Machine(source, trie, Marks.of(tokenizer), 3, 100)
    begun = machine.after(State(), Marks.of(tokenizer).open)
    assert Marks.of(tokenizer).close not in machine.allowed(begun, 1)


def test_there_is_room_to_close_every_mention(tokenizer: Any, trie: NameTrie) -> None:
    source = source_of("fever", tokenizer)
    with pytest.raises(ValueError, match="does not fit"):
        Machine(source, trie, Marks.of(tokenizer), 3, 1)
    tight = Machine(source, trie, Marks.of(tokenizer), 3, 2)
    assert tight.allowed(State(), 0).tolist() == list(source.ids)
    empty = Machine(source, NameTrie.from_sequences([]), Marks.of(tokenizer), 3, 50)
    assert empty.allowed(State(), 0).tolist() == list(source.ids)


def test_training_targets_are_allowed(tokenizer: Any, trie: NameTrie) -> None:
    source = source_of("fever and breast tumor.", tokenizer)
    marks = Marks.of(tokenizer)
    name = tokenizer("breast cancer", add_special_tokens=False)["input_ids"]
    target = marked_ids(source, [(2, 4, name)], marks, 3)
    state = State()
    machine = Machine(source, trie, marks, 3, 100)
    for used, token in enumerate(target):
        assert token in machine.allowed(state, used)
        state = machine.after(state, token)
    assert state.kind == DONE


@given(TEXTS, st.integers(4, 30))
@settings(max_examples=40, deadline=None)
def test_pieces_fit_and_lose_nothing(tokenizer: Any, text: str, most: int) -> None:
    last = 0
    for begin, source in pieces_of_text(text, tokenizer, 20, most):
        assert len(source.ids) <= most
        for start, end in source.offsets:
            assert begin + start >= last
            assert not text[last : begin + start].strip()
            last = begin + end
    assert not text[last:].strip()


def test_marks_must_be_tokens(tmp_path: Path, tokenizer: Any) -> None:
    class Without:
        unk_token_id = 1

        def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
            return {"input_ids": [1]}

    with pytest.raises(ModelError, match="lacks them"):
        Marks.of(Without())
