"""Batches from texts: inputs of the encoder, inputs of the decoder, and labels.

Source: GenBioEL (NAACL 2022), section 3. The decoder reads the prompt ``{mention} is`` and then the
name; the loss ignores the positions of the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from biolink.kb.prompt import PromptForm
from biolink.pretrain.training.losses import IGNORED

__all__ = ["denoising_batch", "generation_batch", "padded"]


def padded(rows: Sequence[Sequence[int]], value: int) -> Tensor:
    """Return rows of different length as one tensor [rows, longest], padded on the right."""
    result = np.full((len(rows), max(map(len, rows))), value, dtype=np.int64)
    for number, row in enumerate(rows):
        result[number, : len(row)] = row
    return torch.from_numpy(result)


def _batch(
    sources: Sequence[Sequence[int]],
    inputs: Sequence[Sequence[int]],
    labels: Sequence[Sequence[int]],
    pad_id: int,
) -> dict[str, Tensor]:
    ids = padded(sources, pad_id)
    lengths = torch.tensor([len(row) for row in sources])
    return {
        "input_ids": ids,
        "attention_mask": (torch.arange(ids.shape[1])[None] < lengths[:, None]).long(),
        "decoder_input_ids": padded(inputs, pad_id),
        "labels": padded(labels, IGNORED),
    }


def denoising_batch(
    sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], pad_id: int, start_id: int
) -> dict[str, Tensor]:
    """Return a batch of corrupted sources and original targets; the decoder reads the targets."""
    inputs = [[start_id, *target[:-1]] for target in targets]
    return _batch(sources, inputs, targets, pad_id)


def generation_batch(
    tokenizer: Any,
    form: PromptForm,
    sources: Sequence[str],
    mentions: Sequence[str],
    names: Sequence[str],
    start_id: int,
    eos_id: int,
    source_limit: int,
    name_limit: int = 64,
) -> dict[str, Tensor]:
    """Return a batch of sources, decoder prompts with names, and labels without the prompt.

    Parameters
    ----------
    tokenizer, form
        The tokeniser and the prompt form of the model.
    sources
        Inputs of the encoder (:func:`biolink.kb.prompt.source_text`).
    mentions, names
        The mentions for the prompts, and the target names.
    start_id, eos_id
        The decoder's start token, and the token that ends a name.
    source_limit, name_limit
        The most tokens of a source and of a name; a name that is cut keeps its end token.
    """
    encoded = tokenizer(list(sources), truncation=True, max_length=source_limit)["input_ids"]
    prompts = form.prompt_ids(tokenizer, mentions, start_id)
    targets = [
        ids if len(ids) <= name_limit else [*ids[: name_limit - 1], eos_id]
        for ids in form.name_ids(tokenizer, names, eos_id)
    ]
    inputs = [[*prompt, *ids[:-1]] for prompt, ids in zip(prompts, targets, strict=True)]
    labels = [
        [IGNORED] * (len(prompt) - 1) + ids for prompt, ids in zip(prompts, targets, strict=True)
    ]
    return _batch(encoded, inputs, labels, tokenizer.pad_token_id)
