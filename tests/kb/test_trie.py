"""Laws of the name trie, as properties."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biolink.errors import KnowledgeBaseError
from biolink.kb.trie import NameTrie, trie_fingerprint

EOS = 0
bodies = st.lists(
    st.one_of(
        st.lists(st.integers(1, 5), max_size=12),
        st.lists(st.integers(1, 70_000), max_size=6),
    ),
    max_size=40,
)


def with_end(rows: list[list[int]]) -> list[list[int]]:
    return [[*row, EOS] for row in rows]


def equal(a: NameTrie, b: NameTrie) -> bool:
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("tokens", "first", "leaf_nodes", "leaf_indptr", "leaf_names", "levels")
    )


@given(bodies)
def test_enumerating_returns_exactly_what_was_put_in(rows: list[list[int]]) -> None:
    sequences = with_end(rows)
    found = [
        (seq, int(name)) for seq, names in NameTrie.from_sequences(sequences) for name in names
    ]
    assert sorted(found) == sorted((tuple(s), i) for i, s in enumerate(sequences))
    assert [s for s, _ in found] == sorted(s for s, _ in found)


@given(bodies)
def test_allowed_tokens_equal_brute_force_for_every_prefix(rows: list[list[int]]) -> None:
    sequences = with_end(rows)
    trie = NameTrie.from_sequences(sequences)
    prefixes = {tuple(s[:n]) for s in sequences for n in range(len(s) + 1)} | {(), (9, 9, 9)}
    for prefix in prefixes:
        size = len(prefix)
        expected = {s[size] for s in sequences if len(s) > size and tuple(s[:size]) == prefix}
        assert list(trie.allowed(prefix)) == sorted(expected)


@given(bodies, st.integers(1, 50))
def test_leaves_below_a_node_are_the_nearest_first(rows: list[list[int]], most: int) -> None:
    sequences = with_end(rows)
    trie = NameTrie.from_sequences(sequences)
    for prefix in {tuple(s[:n]) for s in sequences for n in range(len(s))}:
        longer = {tuple(s) for s in sequences if tuple(s[: len(prefix)]) == prefix}
        ordered = sorted(longer, key=lambda s: (len(s), s))[:most]
        node = trie.walk(prefix)
        assert node is not None
        leaves, steps = trie.below(node, most)
        # Of leaves that are equally near, any may be left out.
        assert steps == [len(s) - len(prefix) for s in ordered]
        assert set(leaves) <= {trie.walk(s) for s in longer} and len(set(leaves)) == len(leaves)


@given(bodies, st.data())
def test_restricting_equals_a_fresh_build(rows: list[list[int]], data: st.DataObject) -> None:
    sequences = with_end(rows)
    keep = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))), bool
    )
    restricted = NameTrie.from_sequences(sequences).restrict(keep)
    kept = [i for i in range(len(rows)) if keep[i]]
    offsets = np.cumsum([0, *(len(sequences[i]) for i in kept)])
    tokens = np.array([t for i in kept for t in sequences[i]], dtype=np.int32)
    fresh = NameTrie.build(tokens, offsets, np.array(kept, dtype=np.int32))
    assert equal(restricted, fresh)


@settings(max_examples=25)
@given(bodies)
def test_a_stored_trie_equals_the_original(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[int]]
) -> None:
    trie = NameTrie.from_sequences(with_end(rows))
    trie.fingerprint = trie_fingerprint("names", "norm", "tokeniser")
    folder = tmp_path_factory.mktemp("trie") / "t"
    trie.save(folder)
    assert equal(trie, NameTrie.open(folder, trie.fingerprint))


def test_a_name_that_is_a_prefix_of_another_keeps_its_end() -> None:
    trie = NameTrie.from_sequences([[7, 8, EOS], [7, EOS], [7, 8, 9, EOS]])
    assert list(trie.allowed([7])) == [EOS, 8]
    assert list(trie.names_at(trie.walk([7, EOS]))) == [1]
    assert list(trie.names_at(trie.walk([7, 8, EOS]))) == [0]
    assert len(trie.names_at(trie.walk([7, 8]))) == 0


def test_equal_sequences_share_a_leaf() -> None:
    trie = NameTrie.from_sequences([[7, EOS], [7, EOS]])
    assert list(trie.names_at(trie.walk([7, EOS]))) == [0, 1]


def test_missing_end_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="prefix of another"):
        NameTrie.from_sequences([[7], [7, 8]])
    with pytest.raises(ValueError, match="no tokens"):
        NameTrie.from_sequences([[7], []])


def test_empty_trie() -> None:
    trie = NameTrie.from_sequences([])
    assert len(trie) == 0
    assert list(trie) == []
    assert list(trie.allowed([])) == []
    assert len(trie.restrict(np.zeros(0, bool))) == 0


def test_damaged_and_foreign_folders_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    NameTrie.from_sequences([[1, EOS], [2, EOS]]).save(folder)
    with pytest.raises(KnowledgeBaseError, match="other names"):
        NameTrie.open(folder, "another")
    (folder / "tok.npy").write_bytes((folder / "tok.npy").read_bytes()[:-1])
    with pytest.raises(KnowledgeBaseError, match="damaged"):
        NameTrie.open(folder)
    (folder / "manifest.json").write_text(json.dumps({"format": "x"}))
    with pytest.raises(KnowledgeBaseError, match="not a name trie"):
        NameTrie.open(folder)
    with pytest.raises(KnowledgeBaseError, match="not a stored"):
        NameTrie.open(tmp_path / "none")
