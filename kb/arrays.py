"""Memory-mapped arrays, and checks of the properties that code which indexes with them relies on.

When an array of up to ``SCANNED`` elements is opened, every element is checked, which takes a few
milliseconds. Of a larger array only the first and last elements are checked; its checksum vouches
for the others.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from biolink.errors import KnowledgeBaseError

__all__ = ["check_ascending", "check_finite", "check_range", "mapped_array"]

SCANNED = 2**20


def mapped_array(path: str | Path, *dtypes: type, dimensions: int = 1) -> np.ndarray:
    """Memory-map a ``.npy`` file.

    Parameters
    ----------
    path
        The file.
    dtypes
        The element types that are allowed.
    dimensions
        The number of dimensions that the array must have. Default: 1.

    Raises
    ------
    KnowledgeBaseError
        If the file cannot be read, or its element type or number of dimensions is wrong.
    """
    try:
        # A plain array is faster: every slice of a numpy.memmap runs Python code.
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
    """Check that an array begins with ``first``, ends with ``last`` and never descends.

    With ``strictly``, each element must also be greater than the one before it.

    Raises
    ------
    KnowledgeBaseError
        If it does not.
    """
    if not len(array) or array[0] != first or array[-1] != last:
        ends = "nothing" if not len(array) else f"{array[0]} to {array[-1]}"
        raise KnowledgeBaseError(
            f"{path} is damaged: it goes from {ends}; expected {first} to {last}"
        )
    if len(array) <= SCANNED:
        rises = array[1:] > array[:-1] if strictly else array[1:] >= array[:-1]
        if not rises.all():
            raise KnowledgeBaseError(f"{path} is damaged: its values do not ascend")


def check_range(path: str | Path, array: np.ndarray, limit: int, distinct: bool = False) -> None:
    """Check that all elements are from 0 to ``limit`` - 1.

    With ``distinct``, they must also ascend without repeats.

    Raises
    ------
    KnowledgeBaseError
        If they are not.
    """
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
    """Check that an array of floats has neither infinities nor NaNs.

    Raises
    ------
    KnowledgeBaseError
        If it has one.
    """
    if array.size <= SCANNED and not np.isfinite(array).all():
        raise KnowledgeBaseError(f"{path} is damaged: it holds values that are not finite numbers")
