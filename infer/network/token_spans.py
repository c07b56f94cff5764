"""The tokens of a mention in the encoder's input."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["marked_tokens", "tokens_at"]


def marked_tokens(ids: Tensor, mask: Tensor, markers: tuple[int, int]) -> Tensor:
    """The tokens of the marked mention of each source, markers included.

    Parameters
    ----------
    ids, mask
        The token ids and the attention mask of the sources, [sources, tokens] each.
    markers
        The token ids of the start and the end marker.

    Returns
    -------
    [sources, 2]: the first token, and the token after the last. Without markers, these are the
    whole source.

    Examples
    --------
    >>> ids = torch.tensor([[5, 1, 6, 2, 7], [5, 6, 7, 0, 0]])
    >>> marked_tokens(ids, (ids > 0).long(), (1, 2)).tolist()
    [[1, 4], [0, 3]]
    """
    start, end = markers
    order = torch.arange(ids.shape[1], device=ids.device)
    first = ((ids == start) * (len(order) - order)).argmax(1)
    behind = torch.where((ids == end).any(1), (ids == end).int().argmax(1) + 1, mask.sum(1))
    return torch.stack([first, behind], 1)


def tokens_at(offsets: np.ndarray, span: tuple[int, int]) -> tuple[int, int]:
    """The tokens that overlap a span of characters.

    Parameters
    ----------
    offsets
        [tokens, 2]: the offsets of each token; those of special tokens are equal.
    span
        The offsets of the mention, in characters.

    Returns
    -------
    The first token, and the token after the last; the whole source if no token overlaps the span.

    Examples
    --------
    >>> offsets = np.array([[0, 0], [0, 4], [5, 9], [9, 12], [0, 0]])
    >>> tokens_at(offsets, (5, 12)), tokens_at(offsets, (20, 24))
    ((2, 4), (0, 5))
    """
    (begins, ends), (start, end) = offsets.T, span
    inside = np.flatnonzero((begins < ends) & (begins < end) & (ends > start))
    return (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, len(offsets))
