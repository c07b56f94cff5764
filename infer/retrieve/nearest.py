"""The names whose codes have the highest products with queries, on a CPU or on a GPU.

Codes and queries are whole numbers of 8 bits, so the products are exact: the result for a query
depends neither on the other queries nor on the device.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from biolink.infer.retrieve.highest import highest

__all__ = ["nearest", "nearest_on_card"]

_BLOCK = 32_768
#: The number of names that a GPU compares together.
_BLOCK_ON_CARD = 524_288

Masks = Sequence[np.ndarray | None]


def nearest(codes: np.ndarray, levels: np.ndarray, k: int, masks: Masks) -> list[list[np.ndarray]]:
    """Find the nearest names for several subsets of the names.

    Parameters
    ----------
    codes
        int8 [names, d], may be memory-mapped.
    levels
        The queries, int8 [queries, d].
    k
        The number of names for each query. Among equal products, the first names are taken.
    masks
        For each subset, which names are in it: bool [names], or None for all.

    Returns
    -------
    For each subset and each query, the positions of the nearest names, in ascending order.

    Examples
    --------
    >>> codes = np.eye(3, 8, dtype=np.int8)
    >>> nearest(codes, codes[1:2], 2, [None, np.array([True, False, True])])
    [[array([0, 1])], [array([0, 2])]]
    """
    queries = torch.from_numpy(levels).T
    products_of = _products_in_bytes if _bytes_are_fast() else _products_in_floats
    best: list[list[list[tuple[np.ndarray, np.ndarray]]]]
    best = [[[] for _ in levels] for _ in masks]
    for begin in range(0, len(codes), _BLOCK):
        block = torch.from_numpy(np.array(codes[begin : begin + _BLOCK]))
        products = products_of(block, queries).T.contiguous().numpy()
        for mask, of_mask in zip(masks, best, strict=True):
            allowed = None if mask is None else np.flatnonzero(mask[begin : begin + _BLOCK])
            for product, of_query in zip(products, of_mask, strict=True):
                values = product if allowed is None else product[allowed]
                top = highest(values, k)
                places = top if allowed is None else allowed[top]
                of_query.append((places + begin, values[top]))
    return [[_joined(of_query, k) for of_query in of_mask] for of_mask in best]


def _bytes_are_fast() -> bool:
    """Whether the processor multiplies bytes by instructions of its own.

    Without these, torch multiplies them one by one, which takes ten times as long as in floats.
    """
    return torch.backends.cpu.get_cpu_capability().startswith("AVX512")


def _products_in_bytes(block: Tensor, queries: Tensor) -> Tensor:
    return torch._int_mm(block, queries)


def _products_in_floats(block: Tensor, queries: Tensor) -> Tensor:
    # The products are whole numbers below 2**24, so 32 bits hold them exactly.
    return block.float() @ queries.float()


def _joined(found: Sequence[tuple[np.ndarray, np.ndarray]], k: int) -> np.ndarray:
    """The positions with the highest values, in ascending order."""
    positions = np.concatenate([positions for positions, _ in found])
    values = np.concatenate([values for _, values in found])
    joined: np.ndarray = np.sort(positions[highest(values, k)])
    return joined


def nearest_on_card(
    codes: Tensor, levels: np.ndarray, k: int, masks: Masks
) -> list[list[np.ndarray]]:
    """Find the same names as :func:`nearest` on the device that ``codes`` are on."""
    # The products are whole numbers below 2**24, so 32 bits hold them exactly.
    queries = torch.from_numpy(levels).to(codes.device).float()
    names = len(codes)
    best: list[list[Tensor]] = [[] for _ in masks]
    for begin in range(0, names, _BLOCK_ON_CARD):
        block = codes[begin : begin + _BLOCK_ON_CARD]
        products = (queries @ block.float().T).long()
        positions = torch.arange(begin, begin + len(block), device=codes.device)
        # A key orders by product, then by position, and both can be read from it again.
        keys = products * names + (names - 1 - positions)
        for mask, of_mask in zip(masks, best, strict=True):
            allowed = keys
            if mask is not None:
                inside = np.flatnonzero(mask[begin : begin + _BLOCK_ON_CARD])
                allowed = keys[:, torch.from_numpy(inside).to(codes.device)]
            of_mask.append(allowed.topk(min(k, allowed.shape[1])).values)
    results = []
    for of_mask in best:
        together = torch.cat(of_mask, 1)
        top = together.topk(min(k, together.shape[1])).values
        found = (names - 1 - torch.remainder(top, names)).sort().values.cpu().numpy()
        results.append(list(found))
    return results
