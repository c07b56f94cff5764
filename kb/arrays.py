"""Stored arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

__all__ = ["mapped_array"]


def mapped_array(path: str | Path) -> np.ndarray:
    """A ``.npy`` file, memory-mapped.

    Raises
    ------
    OSError, ValueError, EOFError
        When it cannot be read.
    """
    # As a plain array: every slice of a numpy.memmap runs Python code.
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    return array
