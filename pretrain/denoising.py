"""Denoising: BART's text infilling as BioBART uses it, and sentence permutation for its ablation.

Source: BioBART (BioNLP 2022), section 3; BART (ACL 2020), section 2.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from biolink.pretrain.settings import at_least, share

__all__ = ["Noise", "infill", "noised", "pack_documents", "permute_sentences"]


@dataclass(frozen=True, slots=True)
class Noise:
    """How text is corrupted; the defaults are BioBART's.

    Attributes
    ----------
    rate
        Probability that a masked span starts at a token.
    mean_length
        Mean of the Poisson distribution of span lengths, in tokens.
    permute_sentences
        Shuffle the sentences of each document as well. The paper's ablation: it hurts.
    """

    rate: float = 0.1
    mean_length: float = 3.0
    permute_sentences: bool = False

    def __post_init__(self) -> None:
        share("rate", self.rate)
        at_least("mean_length", self.mean_length, 0)


def infill(
    tokens: Sequence[int], mask_id: int, rng: np.random.Generator, noise: Noise
) -> list[int]:
    """Text infilling: spans become one mask each, empty spans insert one after their token.

    Parameters
    ----------
    tokens
        Of one document, without special tokens.
    """
    result: list[int] = []
    starts = rng.random(len(tokens)) < noise.rate
    lengths = rng.poisson(noise.mean_length, len(tokens))
    place = 0
    while place < len(tokens):
        if not starts[place]:
            result.append(tokens[place])
            place += 1
        elif lengths[place] == 0:
            result += [tokens[place], mask_id]
            place += 1
        else:
            result.append(mask_id)
            place += int(lengths[place])
    return result


def permute_sentences(
    tokens: Sequence[int], ends: Callable[[int], bool], rng: np.random.Generator
) -> list[int]:
    """The sentences of a document in random order.

    Parameters
    ----------
    ends
        Whether a token ends a sentence.
    """
    sentences: list[list[int]] = [[]]
    for token in tokens:
        sentences[-1].append(token)
        if ends(token):
            sentences.append([])
    sentences = [sentence for sentence in sentences if sentence]
    return [t for place in rng.permutation(len(sentences)) for t in sentences[place]]


def pack_documents(
    documents: Iterable[Sequence[int]], length: int, begin_id: int, end_id: int
) -> Iterator[list[int]]:
    """Fill sequences with whole documents: ``<s> tokens </s> tokens </s>``.

    A document that does not fit begins a new sequence; one that is longer than a sequence is cut,
    and nothing of another document joins its pieces but after its last.

    Parameters
    ----------
    documents
        Token ids of each, without special tokens; empty ones are passed over.
    length
        Tokens of a sequence at the most, special ones included.
    """
    room = length - 2
    current = [begin_id]
    for tokens in documents:
        for begin in range(0, len(tokens), room):
            piece = [*tokens[begin : begin + room], end_id]
            if len(current) > 1 and len(current) + len(piece) > length:
                yield current
                current = [begin_id]
            current += piece
    if len(current) > 1:
        yield current


def noised(
    sequence: Sequence[int],
    number: int,
    seed: int,
    noise: Noise,
    mask_id: int,
    end_id: int,
    ends: Callable[[int], bool],
) -> list[int]:
    """The corrupted form of a packed sequence; its number and the seed decide everything.

    Documents are corrupted one by one, so no span crosses a border.
    """
    rng = np.random.default_rng((seed, number))
    result = [sequence[0]]
    document: list[int] = []
    for token in sequence[1:]:
        if token != end_id:
            document.append(token)
            continue
        if noise.permute_sentences:
            document = permute_sentences(document, ends, rng)
        result += [*infill(document, mask_id, rng, noise), end_id]
        document = []
    # A mask that is inserted makes a text longer; the encoder's room stays what it was.
    if len(result) > len(sequence):
        result = [*result[: len(sequence) - 1], end_id]
    return result


def sentence_ends(tokenizer: Any) -> Callable[[int], bool]:
    """Whether a token ends a sentence, for a tokeniser."""
    final = {
        token_id
        for token, token_id in tokenizer.get_vocab().items()
        if tokenizer.convert_tokens_to_string([token]).strip() in {".", "!", "?"}
    }
    return final.__contains__
