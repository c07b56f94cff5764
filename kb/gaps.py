"""Ascending whole numbers as the gaps between them, in as few bytes as the gaps need.

An inverted index stores the gaps between neighbouring entries, because most of them are small
(Witten, Moffat and Bell, Managing Gigabytes, 1999, section 3.3). Here the lowest bytes of all gaps
come first, then all second bytes, and so on. The higher bytes are mostly zero, so what compresses
the file afterwards, such as the wheel, makes them small.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["blocks_of_gaps", "from_gaps", "to_gaps"]

_BLOCK = 2**18  # The number of gaps that are added up together.


def to_gaps(values: np.ndarray) -> np.ndarray:
    """Return the gaps between values: uint8 [bytes of the largest gap, n].

    Parameters
    ----------
    values
        Whole numbers [n] of at least 0 that never descend. A gap of 0 stands for a repeated value;
        the first gap is counted from -1.

    >>> to_gaps(np.array([0, 0, 7, 300]))
    array([[ 1,  0,  7, 37],
           [ 0,  0,  0,  1]], dtype=uint8)
    """
    gaps = np.diff(values.astype(np.int64), prepend=-1)
    width = max(1, (int(gaps.max(initial=0)).bit_length() + 7) // 8)
    of_bytes = gaps.astype("<i8").view(np.uint8).reshape(-1, 8)
    return np.ascontiguousarray(of_bytes.T[:width])


def blocks_of_gaps(gaps: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the values that :func:`to_gaps` encoded, as blocks of int64."""
    last = -1
    for begin in range(0, gaps.shape[1], _BLOCK):
        block = gaps[:, begin : begin + _BLOCK]
        values = np.zeros(block.shape[1], dtype=np.int64)
        for of_byte in block[::-1]:
            values <<= 8
            values |= of_byte
        values[0] += last
        np.cumsum(values, out=values)
        last = int(values[-1])
        yield values


def from_gaps(gaps: np.ndarray) -> np.ndarray:
    """Return all values that :func:`to_gaps` encoded: int64 [n].

    >>> from_gaps(to_gaps(np.array([0, 0, 7, 300])))
    array([  0,   0,   7, 300])
    """
    return np.concatenate([np.empty(0, np.int64), *blocks_of_gaps(gaps)])
