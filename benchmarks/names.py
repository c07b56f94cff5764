"""Make names for measurements at scale by recombining real names.

A made name has the first words of one real name and the last words of another, so words, lengths
and shared beginnings are those of a real knowledge base. All draws follow one seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

__all__ = ["recombined", "recombined_rows"]

_BLOCK = 262_144


def recombined(names: Sequence[str], seed: int = 0) -> Iterator[str]:
    """Yield made names without end; some occur twice."""
    words = [name.split() for name in names]
    rng = np.random.default_rng(seed)
    while True:
        first, second = rng.integers(len(words), size=(2, _BLOCK))
        cuts = rng.random((2, _BLOCK))
        for a, b, x, y in zip(first.tolist(), second.tolist(), *cuts.tolist(), strict=True):
            head, tail = words[a], words[b]
            begin = int(y * len(tail))
            yield " ".join(head[: 1 + int(x * len(head))] + tail[begin:])


def recombined_rows(
    tokenizer: Any, form: Any, names: Sequence[str], eos_id: int, count: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``count`` real and made names in the form from which the trie is built.

    Words are tokenised one by one and their tokens are joined. For a tokeniser that splits at white
    space this is the same as tokenising the made names.

    Returns
    -------
    Tokens int32 and offsets int64 [count + 1]; the real names come first.
    """
    tokens, offsets = form.name_rows(tokenizer, names, eos_id)
    real = len(names)
    if count <= real:
        return tokens[: offsets[count]], offsets[: count + 1]
    starts = _word_starts(tokenizer, form, names, tokens, offsets)
    # Words of name i begin at word_tokens[word_indptr[i]:word_indptr[i + 1]].
    word_tokens = np.flatnonzero(starts)
    word_indptr = np.searchsorted(word_tokens, offsets)
    rng = np.random.default_rng(seed)
    pieces, lengths = [tokens], [np.diff(offsets)]
    for begin in range(real, count, _BLOCK):
        size = min(_BLOCK, count - begin)
        first, second = rng.integers(real, size=(2, size))
        x, y = rng.random((2, size))
        of_first = np.diff(word_indptr)[first]
        last = word_indptr[first] + 1 + (x * of_first).astype(np.int64)
        # The end token of the head is left out.
        head_end = np.where(
            last < word_indptr[first + 1],
            word_tokens[np.minimum(last, len(word_tokens) - 1)],
            offsets[first + 1] - 1,
        )
        tail = word_indptr[second] + (y * np.diff(word_indptr)[second]).astype(np.int64)
        begins = np.stack([offsets[first], word_tokens[tail]], 1).ravel()
        ends = np.stack([head_end, offsets[second + 1]], 1).ravel()
        sizes = ends - begins
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        pieces.append(tokens[np.repeat(begins, sizes) + within])
        lengths.append(sizes.reshape(-1, 2).sum(1))
    every = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.concatenate(lengths), out=every[1:])
    return np.concatenate(pieces), every


def _word_starts(
    tokenizer: Any, form: Any, names: Sequence[str], tokens: np.ndarray, offsets: np.ndarray
) -> np.ndarray:
    """bool [tokens]: whether the token begins a word of its name."""
    starts = np.zeros(len(tokens), dtype=bool)
    starts[offsets[:-1]] = True
    for begin in range(0, len(names), 65_536):
        part = [form.name_prefix + name for name in names[begin : begin + 65_536]]
        encoded = tokenizer(part, add_special_tokens=False, return_offsets_mapping=True)
        for number, (text, spans) in enumerate(zip(part, encoded["offset_mapping"], strict=True)):
            at = offsets[begin + number]
            for index, (start, end) in enumerate(spans):
                if text[start : start + 1] == " " or (start and text[start - 1] == " "):
                    starts[at + index] = end > start
    return starts
