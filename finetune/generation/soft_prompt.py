"""Prompt tuning: only a few new tokens before the source and the decoder prompt are trained.

The soft prompts are tokens of the vocabulary, so a tuned model is an ordinary model that every
other part of biolink can use. Source: prompt tuning (EMNLP 2021), on encoder and decoder as in
GenBioEL's code.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from biolink.kb.prompt import PromptForm

__all__ = ["add_soft_prompts"]


def add_soft_prompts(
    model: Any, tokenizer: Any, form: PromptForm, count: int, seed: int = 0
) -> PromptForm:
    """Add ``count`` prompt tokens to encoder and decoder, and freeze all other weights, in place.

    The embeddings of the new tokens start as those of random tokens. The training must not use
    weight decay, which would shrink the frozen embeddings.

    Returns
    -------
    The prompt form that writes the new tokens.
    """
    from tokenizers import AddedToken

    sides = [[f"<{side}-prompt-{i}>" for i in range(count)] for side in ("source", "decoder")]
    before = model.get_input_embeddings().weight.shape[0]
    tokenizer.add_tokens([AddedToken(t, special=True) for side in sides for t in side])
    new = [tokenizer.convert_tokens_to_ids(t) for side in sides for t in side]
    model.resize_token_embeddings(max(before, *(i + 1 for i in new)), mean_resizing=False)
    model.requires_grad_(False)
    weight = model.get_input_embeddings().weight
    drawn = torch.randint(before, (len(new),), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        weight[new] = weight[drawn]
    weight.requires_grad_(True)
    learns = torch.zeros(len(weight), 1)
    learns[new] = 1
    weight.register_hook(lambda gradient: gradient * learns.to(gradient))
    return replace(
        form,
        source_prefix="".join(sides[0]) + " " + form.source_prefix,
        decoder_prompt="".join(sides[1]) + form.decoder_prompt,
    )
