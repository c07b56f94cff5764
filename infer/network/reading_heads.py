"""What linking reads from the encoder of a recogniser, so that a text is encoded only once.

A recogniser's encoder reads a whole text without knowing which mention will be linked, and its
states say more about the kind of a mention than about its meaning. So the linking model's own
vector of the mention without context is the start: two layers add to it what the states say.
If the decoder reads them as well, another layer maps the states to those that it attends to, and
two more tell it which mention is meant.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["AROUND", "ReadingHeads", "around", "span_means"]

#: The number of word pieces around a mention that the decoder attends to.
AROUND = 87

#: The factor on the states where they stand beside the vector without context, which says more.
_LESS = 0.3


class ReadingHeads(nn.Module):
    """The layers between the encoder of a recogniser and a linking model.

    Parameters
    ----------
    width
        The number of dimensions of the states of both.
    decoder
        Whether the decoder attends to the recogniser's states. If it does not, there are only the
        layers for vectors. Default: True.

    Attributes
    ----------
    span
        Maps the mean of a mention's states, and its vector without context, to what is added to
        that vector.
    states
        Maps states to those that the decoder attends to.
    mention, alone
        Map the mean of a mention's states, and its vector without context, to one more state that
        the decoder attends to.

    The last three attributes are there only for a decoder.
    """

    def __init__(self, width: int, decoder: bool = True) -> None:
        super().__init__()
        self.span = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), _scaled(width, 0.0))
        # The states of an encoder have a length of about the square root of their width.
        self._length = width**0.5
        if decoder:
            self.states = _scaled(width, 1.0)
            self.mention = _scaled(width, 0.5)
            self.alone = _scaled(width, 0.5 * self._length)

    def vectors(self, means: Tensor, alone: Tensor) -> Tensor:
        """The vectors of mentions in their contexts.

        Parameters
        ----------
        means
            [mentions, d]: the mean of each mention's states.
        alone
            [mentions, d]: its vector without context, of unit length.

        Returns
        -------
        Vectors float32 [mentions, d], of unit length.
        """
        known = torch.cat([_LESS * means, self._length * alone.to(means.dtype)], 1)
        together = alone.float() + self.span(known).float()
        vectors: Tensor = nn.functional.normalize(together, dim=1)
        return vectors

    def memory(
        self, means: Tensor, alone: Tensor, states: Tensor, real: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What the decoder attends to.

        Parameters
        ----------
        means, alone
            See :meth:`vectors`.
        states
            [mentions, pieces, d]: the states around each mention.
        real
            bool [mentions, pieces]: which of them are not padding.

        Returns
        -------
        States [mentions, 1 + pieces, d], of which the first stands for the mention, and their
        attention mask.
        """
        mention = self.mention(means) + self.alone(alone.to(means.dtype))
        joined = torch.cat([mention[:, None], self.states(states)], 1)
        first = real.new_ones(len(real), 1)
        return joined, torch.cat([first, real], 1).long()


def _scaled(width: int, factor: float) -> nn.Linear:
    """A layer that multiplies by a factor until it is trained."""
    layer = nn.Linear(width, width)
    nn.init.eye_(layer.weight)
    layer.weight.data *= factor
    nn.init.zeros_(layer.bias)
    return layer


def span_means(states: Tensor, rows: Tensor, spans: Tensor) -> Tensor:
    """The mean of the states over each span.

    Parameters
    ----------
    states
        [texts, pieces, d].
    rows
        [spans]: the text of each span.
    spans
        [spans, 2]: the first piece and the piece after the last.

    Returns
    -------
    Means [spans, d].

    Examples
    --------
    >>> states = torch.tensor([[[1.0], [3.0], [9.0]]])
    >>> span_means(states, torch.tensor([0, 0]), torch.tensor([[0, 2], [2, 3]])).tolist()
    [[2.0], [9.0]]
    """
    sizes = spans[:, 1] - spans[:, 0]
    owner = torch.repeat_interleave(torch.arange(len(rows), device=rows.device), sizes)
    begins = torch.repeat_interleave(sizes.cumsum(0) - sizes - spans[:, 0], sizes)
    places = torch.arange(len(owner), device=rows.device) - begins
    chosen = states[rows[owner], places].float()
    sums = chosen.new_zeros(len(rows), states.shape[2]).index_add(0, owner, chosen)
    return sums / sizes[:, None]


def around(states: Tensor, rows: Tensor, lengths: Tensor, spans: Tensor) -> tuple[Tensor, Tensor]:
    """The states around each span: :data:`AROUND` of them, or all of a shorter text.

    Parameters
    ----------
    states, rows, spans
        See :func:`span_means`.
    lengths
        [spans]: the number of pieces of each span's text.

    Returns
    -------
    States [spans, AROUND, d], and bool [spans, AROUND]: which of them are not padding.
    """
    begins = (spans.sum(1) // 2 - AROUND // 2).clamp(min=0)
    begins = torch.minimum(begins, (lengths - AROUND).clamp(min=0))
    places = begins[:, None] + torch.arange(AROUND, device=rows.device)
    real = places < lengths[:, None]
    return states[rows[:, None], places.clamp(max=states.shape[1] - 1)], real
