"""Near-misses by the model's own embeddings, which are the nearest names of other concepts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
import torch
from torch import Tensor

__all__ = ["interleaved", "nearest_wrong", "spread"]


@torch.inference_mode()
def nearest_wrong(
    queries: Tensor,
    gold: np.ndarray,
    vectors: Tensor,
    name_ids: np.ndarray,
    families: np.ndarray,
    k: int,
    own: np.ndarray | None = None,
    block: int = 1024,
) -> np.ndarray:
    """Find the names nearest to each query that belong to none of its families.

    Parameters
    ----------
    queries
        Unit vectors [queries, d].
    gold
        int [queries, most]: families of each query, padded with -1.
    vectors, name_ids
        Unit vectors [names, d] of the names to choose from, and their ids.
    families
        int [names, most]: families of each name, padded with -1.
    k
        The most names for a query.
    own
        int [queries]: the id of a name to leave out as well, or -1.
    block
        The number of queries that are compared together.

    Returns
    -------
    int32 [queries, k]: name ids, nearest first, padded with -1.
    """
    device = vectors.device
    ids = torch.from_numpy(name_ids.astype(np.int64)).to(device)
    of_name = torch.from_numpy(families.astype(np.int64)).to(device)
    of_query = torch.from_numpy(gold.astype(np.int64)).to(device)
    # A query without a family, or a name without one, matches nothing.
    of_query = of_query.masked_fill(of_query < 0, -2)
    skip = torch.full((len(queries),), -1) if own is None else torch.from_numpy(own)
    skip = skip.to(device)
    result = np.full((len(queries), k), -1, dtype=np.int32)
    for begin in range(0, len(queries), block):
        span = slice(begin, begin + block)
        scores = queries[span].to(device) @ vectors.T
        best = scores.topk(min(4 * k, len(ids)), 1).indices
        same = (of_name[best][..., None] == of_query[span][:, None, None, :]).any(3).any(2)
        wrong = ~same & (ids[best] != skip[span][:, None])
        rank = wrong.cumsum(1) - 1
        chosen = (wrong & (rank < k)).cpu().numpy()
        rows, columns = chosen.nonzero()
        best_ids = ids[best].cpu().numpy()
        result[begin + rows, rank.cpu().numpy()[rows, columns]] = best_ids[rows, columns]
    return result


def interleaved(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """Return the items of two lists alternately, each once; negative items are left out.

    >>> interleaved([1, 2, 3], [2, 4, -1])
    [1, 2, 4, 3]
    """
    pairs = zip_longest(first, second, fillvalue=-1)
    return list(dict.fromkeys(item for pair in pairs for item in pair if item >= 0))


def spread(misses: Sequence[int], k: int, rng: random.Random) -> list[int]:
    """Choose k near-misses: one half are the nearest, the other half is drawn from the rest."""
    if k <= 0 or not misses:
        return []
    near = list(misses[: (k + 1) // 2])
    rest = list(misses[len(near) :])
    return near + rng.sample(rest, min(k - len(near), len(rest)))
