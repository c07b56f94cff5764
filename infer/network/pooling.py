"""Vectors of texts, and of spans in texts: means of the encoder's states."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["pooled", "span_vectors"]


def pooled(states: Tensor, attention_mask: Tensor) -> Tensor:
    """The mean of the encoder's states over the tokens that are not padding, scaled to unit length.

    Parameters
    ----------
    states
        [texts, tokens, d].
    attention_mask
        [texts, tokens]: 1 for a token, 0 for padding.

    Returns
    -------
    Vectors [texts, d].

    Examples
    --------
    >>> pooled(torch.tensor([[[3.0, 4.0], [9.0, 9.0]]]), torch.tensor([[1, 0]]))
    tensor([[0.6000, 0.8000]])
    """
    mask = attention_mask[..., None].to(states.dtype)
    return F.normalize((states * mask).sum(1) / mask.sum(1), dim=1)


def span_vectors(states: Tensor, spans: Tensor) -> Tensor:
    """The mean of the encoder's states over one span of each text, scaled to unit length.

    Parameters
    ----------
    states
        [texts, tokens, d].
    spans
        [texts, 2]: the first token of the span and the token after its last.

    Returns
    -------
    Vectors [texts, d].

    Examples
    --------
    >>> span_vectors(torch.tensor([[[3.0, 4.0], [0.0, 9.0]]]), torch.tensor([[1, 2]]))
    tensor([[0., 1.]])
    """
    order = torch.arange(states.shape[1], device=states.device)[None]
    inside = (order >= spans[:, :1]) & (order < spans[:, 1:])
    return pooled(states, inside)
