"""Both ways to find the nearest names give what a comparison of all names gives."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from biolink.infer.retrieve import nearest as module
from biolink.infer.retrieve.dense import DenseIndex
from biolink.infer.retrieve.nearest import nearest, nearest_on_card


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    """Let few names make several blocks."""
    patch = pytest.MonkeyPatch()
    patch.setattr(module, "_BLOCK", 40)
    patch.setattr(module, "_BLOCK_ON_CARD", 56)
    yield
    patch.undo()


@given(st.integers(0, 2**32 - 1), st.integers(1, 130), st.integers(1, 9), st.integers(1, 40))
def test_the_nearest_names_are_found(seed: int, names: int, queries: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    # Few levels give many equal products.
    most = int(rng.choice([1, 3, 127]))
    codes = rng.integers(-most, most + 1, (names, 16), dtype=np.int8)
    levels = rng.integers(-63, 64, (queries, 16), dtype=np.int8)
    levels[0] = 0
    masks = [None, rng.random(names) < 0.3, np.zeros(names, dtype=bool)]
    expected = []
    for mask in masks:
        inside = np.arange(names) if mask is None else np.flatnonzero(mask)
        products = levels.astype(int) @ codes[inside].T.astype(int)
        order = np.argsort(-products, axis=1, kind="stable")[:, :k]
        expected.append([np.sort(inside[row]) for row in order])
    for found in (
        nearest(codes, levels, k, masks),
        nearest_on_card(torch.from_numpy(codes), levels, k, masks),
    ):
        for of_mask, of_expected in zip(found, expected, strict=True):
            for positions, right in zip(of_mask, of_expected, strict=True):
                np.testing.assert_array_equal(positions, right)


def test_an_index_on_a_card_compares_there(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(90, 24)).astype(np.float32)
    index = DenseIndex.compress(vectors, np.arange(90))
    queries = index.queries(vectors[:5])
    expected = index.search(queries, 4)
    compared: list[torch.device] = []

    def noted(codes: torch.Tensor, *rest: object) -> object:
        compared.append(codes.device)
        return nearest_on_card(codes, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("biolink.infer.retrieve.dense.nearest_on_card", noted)
    # There need not be a card: the codes are moved to where the index is said to be.
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, device: tensor)
    index.device = torch.device("cuda")
    for other in (index, copy.deepcopy(index), pickle.loads(pickle.dumps(index))):
        found = other.search(queries, 4)
        np.testing.assert_array_equal(found, expected)
    assert len(compared) == 3
    assert "_codes_on_card" not in pickle.loads(pickle.dumps(index)).__dict__
