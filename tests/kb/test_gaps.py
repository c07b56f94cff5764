"""Ascending numbers survive their encoding as gaps, in as few bytes as the largest gap needs."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biolink.kb import gaps as module
from biolink.kb.gaps import blocks_of_gaps, from_gaps, to_gaps


@given(st.lists(st.integers(0, 300) | st.integers(0, 2**33), max_size=40), st.integers(1, 9))
def test_gaps_give_the_numbers_back(steps: list[int], block: int) -> None:
    values = np.array(list(accumulate(steps)), dtype=np.int64)
    encoded = to_gaps(values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        assert from_gaps(encoded).tolist() == values.tolist()
        assert all(len(part) <= block for part in blocks_of_gaps(encoded))
    largest = np.diff(values, prepend=-1).max(initial=0)
    assert len(encoded) == max(1, -(-int(largest).bit_length() // 8))
