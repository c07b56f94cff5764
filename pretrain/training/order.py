"""A shuffled order that is computed and not stored, so it needs constant memory."""

from __future__ import annotations

import hashlib

__all__ = ["shuffled"]

_ROUNDS = 4


def shuffled(number: int, size: int, seed: int) -> int:
    """Return the index of the item at position ``number`` of an endless, shuffled sequence.

    Every epoch is a permutation of its own. A Feistel network permutes the smallest square that
    holds the items, and is applied again to a result outside the items. So ten million names need
    no list of ten million numbers.

    Parameters
    ----------
    number
        The position from 0; ``number // size`` is the epoch.
    size
        The number of items.
    seed
        Seed of the order.
    """
    epoch, index = divmod(number, size)
    half = max(1, (size - 1).bit_length() + 1) // 2
    mask = (1 << half) - 1
    key = f"{seed}:{epoch}:".encode()
    while True:
        left, right = index >> half, index & mask
        for turn in range(_ROUNDS):
            digest = hashlib.blake2b(b"%s%d:%d" % (key, turn, right), digest_size=8).digest()
            left, right = right, left ^ (int.from_bytes(digest, "little") & mask)
        index = (left << half) | right
        if index < size:
            return index
