"""Sorting many token sequences at once, to build a trie of them.

The tokens are packed into 64-bit words, four to a word, or two if their ids need more than 16 bits.
One is added to each token, so that the padding of shorter sequences sorts first. Only sequences
that are still tied are compared by their next word.
"""

from __future__ import annotations

import numpy as np

__all__ = ["sorted_order"]


def sorted_order(tokens: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the order that sorts token sequences lexicographically.

    Parameters
    ----------
    tokens
        The tokens of all sequences in one array.
    offsets
        int64 [sequences + 1]: sequence i is ``tokens[offsets[i]:offsets[i + 1]]``.

    >>> sorted_order(np.array([5, 7, 5, 5, 6]), np.array([0, 2, 3, 5])).tolist()
    [1, 2, 0]
    """
    count = len(offsets) - 1
    lengths = np.diff(offsets)
    wide = len(tokens) > 0 and int(tokens.max()) >= 65_535
    per_word, bits = (2, 32) if wide else (4, 16)

    def words(chosen: np.ndarray, begin: int) -> np.ndarray:
        """Pack the tokens from position ``begin`` on of the chosen sequences into one word each."""
        word = np.zeros(len(chosen), dtype=np.uint64)
        for step in range(begin, begin + per_word):
            present = lengths[chosen] > step
            values = np.zeros(len(chosen), dtype=np.uint64)
            positions = offsets[chosen[present]] + step
            values[present] = tokens[positions].astype(np.uint64) + np.uint64(1)
            word = (word << np.uint64(bits)) | values
        return word

    order = np.arange(count)
    key = words(order, 0)
    order = np.argsort(key, kind="stable")
    key = key[order]
    begin = per_word
    # The positions in the order that are tied with a neighbour, and the groups of tied positions.
    breaks = np.ones(count, dtype=bool)
    breaks[1:] = key[1:] != key[:-1]
    groups = np.cumsum(breaks)
    tied = np.arange(count)
    while True:
        open_ = np.zeros(len(tied), dtype=bool)
        if len(tied) > 1:
            same = groups[1:] == groups[:-1]
            open_[1:] |= same
            open_[:-1] |= same
        # A group in which every sequence has ended consists of equal sequences.
        open_ &= np.isin(groups, np.unique(groups[lengths[order[tied]] > begin]))
        tied, groups = tied[open_], groups[open_]
        if not len(tied):
            return order
        tied_sequences = order[tied]
        key = words(tied_sequences, begin)
        local = np.lexsort((key, groups))
        order[tied] = tied_sequences[local]
        key, groups = key[local], groups[local]
        breaks = np.ones(len(tied), dtype=bool)
        breaks[1:] = (groups[1:] != groups[:-1]) | (key[1:] != key[:-1])
        groups = np.cumsum(breaks)
        begin += per_word
