"""Damage that files suffer: flipped bytes, lines dropped, doubled or swapped, pieces cut away.

Which damage is done follows from the seed alone, so a failure can be repeated by its description.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

__all__ = ["mutations"]


def mutations(data: bytes, count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Damaged copies of a file's content, each with a description.

    Parameters
    ----------
    data
        A valid file.
    count
        How many copies.
    seed
        Of the choice of damage.
    """
    kinds = (_flip, _flip, _truncate, _drop_line, _double_line, _swap_lines, _cut, _odd_number)
    for number in range(count):
        rng = random.Random(f"{seed}:{number}")
        kind = kinds[number % len(kinds)]
        yield f"{kind.__name__.strip('_')} (seed {seed}, number {number})", kind(data, rng)


def _flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[rng.randrange(len(changed))] ^= rng.randrange(1, 256)
    return bytes(changed)


def _truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _cut(data: bytes, rng: random.Random) -> bytes:
    begin = rng.randrange(len(data))
    return data[:begin] + data[begin + rng.randrange(1, 40) :]


def _drop_line(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    del lines[rng.randrange(len(lines))]
    return b"".join(lines)


def _double_line(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    place = rng.randrange(len(lines))
    return b"".join(lines[: place + 1] + lines[place:])


def _swap_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"".join(lines)


_ODD = ("²", "-1", "1e9", "NaN", "9" * 5000, "0x10", "", "99999999999", "true", "[[", "\ufeff")


def _odd_number(data: bytes, rng: random.Random) -> bytes:
    """Replace one of the numbers."""
    places = [i for i in range(len(data)) if data[i : i + 1].isdigit()]
    if not places:
        return _flip(data, rng)
    begin = end = rng.choice(places)
    while end < len(data) and data[end : end + 1].isdigit():
        end += 1
    return data[:begin] + rng.choice(_ODD).encode() + data[end:]
