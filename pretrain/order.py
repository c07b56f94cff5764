"""A shuffle that is computed, not stored: item n of any epoch in constant memory."""

from __future__ import annotations

import hashlib

__all__ = ["shuffled"]

_ROUNDS = 4


def shuffled(number: int, size: int, seed: int) -> int:
    """Which of ``size`` items comes at place ``number`` when epochs follow one another.

    A Feistel network permutes the smallest square that holds the items; places that fall outside
    are walked on. So every epoch is a permutation of its own, and ten million names need no list
    of ten million numbers.

    Parameters
    ----------
    number
        From 0; ``number // size`` is the epoch.
    size
        How many items there are.
    seed
        Of the order.
    """
    epoch, place = divmod(number, size)
    half = max(1, (size - 1).bit_length() + 1) // 2
    mask = (1 << half) - 1
    key = f"{seed}:{epoch}:".encode()
    while True:
        left, right = place >> half, place & mask
        for turn in range(_ROUNDS):
            digest = hashlib.blake2b(b"%s%d:%d" % (key, turn, right), digest_size=8).digest()
            left, right = right, left ^ (int.from_bytes(digest, "little") & mask)
        place = (left << half) | right
        if place < size:
            return place
