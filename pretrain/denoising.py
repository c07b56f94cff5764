"""Denoising: BART's text infilling as BioBART uses it, and sentence permutation for its ablation.

Source: BioBART (BioNLP 2022), section 3; BART (ACL 2020), section 2.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from biolink.pretrain.training.settings import at_least, share

__all__ = ["Noise", "infill", "noised", "pack_documents", "permute_sentences"]


@dataclass(frozen=True, slots=True)
class Noise:
    """How text is corrupted; the defaults are those of BioBART.

    Attributes
    ----------
    rate
        Probability that a masked span starts at a token. Default: 0.1.
    mean_length
        Mean of the Poisson distribution of span lengths, in tokens. Default: 3.
    permute_sentences
        Whether the sentences of each document are shuffled as well. In the paper's ablation this
        lowers accuracy. Default: False.
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
    """Replace each span with one mask; an empty span inserts a mask after its token.

    Parameters
    ----------
    tokens
        Tokens of one document, without special tokens.
    mask_id
        Id of the mask.
    rng
        Random numbers.
    noise
        Rate and length of spans.
    """
    result: list[int] = []
    starts = rng.random(len(tokens)) < noise.rate
    lengths = rng.poisson(noise.mean_length, len(tokens))
    index = 0
    while index < len(tokens):
        if not starts[index]:
            result.append(tokens[index])
            index += 1
        elif lengths[index] == 0:
            result += [tokens[index], mask_id]
            index += 1
        else:
            result.append(mask_id)
            index += int(lengths[index])
    return result


def permute_sentences(
    tokens: Sequence[int], ends: Callable[[int], bool], rng: np.random.Generator
) -> list[int]:
    """Return the tokens of a document with its sentences in random order.

    Parameters
    ----------
    tokens
        Tokens of the document.
    ends
        A function that says whether a token ends a sentence.
    rng
        Random numbers.
    """
    sentences: list[list[int]] = [[]]
    for token in tokens:
        sentences[-1].append(token)
        if ends(token):
            sentences.append([])
    sentences = [sentence for sentence in sentences if sentence]
    return [t for number in rng.permutation(len(sentences)) for t in sentences[number]]


def pack_documents(
    documents: Iterable[Sequence[int]], length: int, begin_id: int, end_id: int
) -> Iterator[list[int]]:
    """Fill sequences with whole documents: ``<s> tokens </s> tokens </s>``.

    A document that does not fit begins a new sequence. A document that is longer than a sequence is
    cut; only its last piece shares a sequence with the next document.

    Parameters
    ----------
    documents
        Token ids of each document, without special tokens; empty documents are skipped.
    length
        The most tokens of a sequence, with special tokens.
    begin_id, end_id
        Ids of ``<s>`` and ``</s>``.
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
    """Return the corrupted form of a packed sequence, which depends only on number and seed.

    Documents are corrupted one by one, so no span crosses the border of a document.
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
    # Inserted masks make a text longer, but the encoder reads no more tokens.
    if len(result) > len(sequence):
        result = [*result[: len(sequence) - 1], end_id]
    return result


def sentence_ends(tokenizer: Any) -> Callable[[int], bool]:
    """Return a function that says whether a token of a tokeniser ends a sentence."""
    final = {
        token_id
        for token, token_id in tokenizer.get_vocab().items()
        if tokenizer.convert_tokens_to_string([token]).strip() in {".", "!", "?"}
    }
    return final.__contains__
