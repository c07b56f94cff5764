"""Stored arrays: mapped, and checked for what those who index with them rely on.

An array of up to ``SCANNED`` elements is looked through when it is opened, which takes a few
milliseconds; of a larger one only the ends, and its checksum vouches for the rest.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from biolink.errors import KnowledgeBaseError

__all__ = ["check_ascending", "check_finite", "check_range", "mapped_array"]

SCANNED = 2**20


def mapped_array(path: str | Path, *dtypes: type, dimensions: int = 1) -> np.ndarray:
    """A ``.npy`` file, memory-mapped.

    Parameters
    ----------
    path
        The file.
    dtypes
        Types of elements, one of which it must have.
    dimensions
        How many it must have.

    Raises
    ------
    KnowledgeBaseError
        When it cannot be read or is another array.
    """
    try:
        # As a plain array: every slice of a numpy.memmap runs Python code.
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    except (OSError, ValueError, EOFError, SyntaxError, TypeError, AttributeError) as error:
        raise KnowledgeBaseError(f"{path} is damaged: {error}") from None
    if array.ndim != dimensions or array.dtype not in [np.dtype(dtype) for dtype in dtypes]:
        expected = " or ".join(np.dtype(dtype).name for dtype in dtypes)
        raise KnowledgeBaseError(
            f"{path} is damaged: {array.dtype} in {array.ndim} dimensions; expected {expected} in "
            f"{dimensions}"
        )
    return array


def check_ascending(
    path: str | Path, array: np.ndarray, first: int, last: int, strictly: bool = False
) -> None:
    """Check that an array begins and ends with these values and never falls between them."""
    if not len(array) or array[0] != first or array[-1] != last:
        found = "nothing" if not len(array) else f"{array[0]} to {array[-1]}"
        raise KnowledgeBaseError(
            f"{path} is damaged: it goes from {found}; expected {first} to {last}"
        )
    if len(array) <= SCANNED:
        rises = array[1:] > array[:-1] if strictly else array[1:] >= array[:-1]
        if not rises.all():
            raise KnowledgeBaseError(f"{path} is damaged: its values do not ascend")


def check_range(path: str | Path, array: np.ndarray, limit: int, distinct: bool = False) -> None:
    """Check that all elements are indices below a limit, ascending where they are distinct."""
    if not len(array):
        return
    scanned = array if len(array) <= SCANNED else array[[0, -1]]
    if scanned.min() < 0 or scanned.max() >= limit:
        raise KnowledgeBaseError(
            f"{path} is damaged: values from {scanned.min()} to {scanned.max()}; expected 0 to "
            f"{limit - 1}"
        )
    if distinct and not (scanned[1:] > scanned[:-1]).all():
        raise KnowledgeBaseError(f"{path} is damaged: its values do not ascend")


def check_finite(path: str | Path, array: np.ndarray) -> None:
    """Check that an array of floats holds no infinity and nothing that is no number."""
    if array.size <= SCANNED and not np.isfinite(array).all():
        raise KnowledgeBaseError(f"{path} is damaged: it holds values that are not finite numbers")
