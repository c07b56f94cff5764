"""Products of codes and queries are the same in bytes and in floats."""

from __future__ import annotations

import numpy as np
import pytest

from biolink.infer.retrieve import nearest as module


def test_bytes_and_floats_give_the_same_names(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    codes = rng.integers(-127, 128, (40_000, 128), dtype=np.int8)
    levels = rng.integers(-63, 64, (5, 128), dtype=np.int8)
    mask = rng.random(len(codes)) < 0.3
    found = []
    for fast in (True, False):
        monkeypatch.setattr(module, "_bytes_are_fast", lambda fast=fast: fast)
        found.append(module.nearest(codes, levels, 20, [None, mask]))
    for first, second in zip(*found, strict=True):
        assert [a.tolist() for a in first] == [b.tolist() for b in second]
