"""Tokenisers: byte-level BPE from text, and BioBART-v2's extension of a model's vocabulary.

Source: the description of BioBART-v2. Its vocabulary is the union of BART's and one learned on
PubMed. The embedding of a new token starts as the mean of the embeddings of its old pieces.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import torch

from biolink.errors import ConfigError, ModelError

__all__ = ["barts_tokenizer", "byte_level", "extend_vocabulary", "train_bpe", "union_tokenizer"]

#: BART's special tokens in the order of its ids.
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def train_bpe(texts: Iterable[str], size: int, least: int = 2) -> Any:
    """Learn a byte-level BPE tokeniser with BART's special tokens.

    Parameters
    ----------
    texts
        The texts, which are read once.
    size
        Number of tokens in the vocabulary, with the special ones.
    least
        The least number of occurrences of a pair that is merged. Default: 2.
    """
    from tokenizers import AddedToken, models, pre_tokenizers
    from tokenizers.trainers import BpeTrainer

    if size < 256 + len(SPECIAL):
        raise ConfigError(f"size = {size}; expected {256 + len(SPECIAL)} or more")
    tokenizer = byte_level(models.BPE())
    trainer = BpeTrainer(
        vocab_size=size,
        min_frequency=least,
        show_progress=False,
        special_tokens=[AddedToken(t, special=True, lstrip=t == "<mask>") for t in SPECIAL],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(texts, trainer)
    return barts_tokenizer(tokenizer)


def byte_level(model: Any) -> Any:
    """Return a ``tokenizers.Tokenizer`` over a BPE model that cuts text into bytes, as in BART."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers

    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def barts_tokenizer(tokenizer: Any) -> Any:
    """Return a :func:`byte_level` tokeniser as one of transformers, with BART's special tokens."""
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", SPECIAL.index("</s>")), ("<s>", SPECIAL.index("<s>")), add_prefix_space=False
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        mask_token="<mask>",
        cls_token="<s>",
        sep_token="</s>",
    )


def _bpe(tokenizer: Any) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    if spec["model"].get("type") != "BPE":
        raise ModelError(
            f"the vocabulary is {spec['model'].get('type')}; expected byte-level BPE, as BART has"
        )
    return spec


def _pair(merge: Any) -> tuple[str, str]:
    first, second = merge.split(" ") if isinstance(merge, str) else merge
    return first, second


def union_tokenizer(old: Any, new: Any) -> Any:
    """Return the old tokeniser with the tokens and merges of the new one added after its own.

    Old tokens keep their ids. The old merges are applied first, so a text is cut as before; then
    tokens are merged further if the new vocabulary has the merge.
    """
    from tokenizers import Tokenizer

    spec, other = _bpe(old), _bpe(new)
    vocabulary = dict(spec["model"]["vocab"])
    special = set(new.all_special_tokens)
    # Ids of added tokens (<mask>) come after the vocabulary; the new tokens come after both.
    following = max(old.get_vocab().values()) + 1
    known = set(old.get_vocab())
    for token, _ in sorted(other["model"]["vocab"].items(), key=lambda item: item[1]):
        if token not in known and token not in special:
            vocabulary[token] = following
            following += 1
    merges = [_pair(merge) for merge in spec["model"]["merges"]]
    seen = set(merges)
    for pair in map(_pair, other["model"]["merges"]):
        joined = "".join(pair)
        if pair not in seen and joined in vocabulary and set(pair) <= vocabulary.keys():
            merges.append(pair)
    spec["model"]["vocab"] = vocabulary
    spec["model"]["merges"] = [list(pair) for pair in merges]
    backend = Tokenizer.from_str(json.dumps(spec, ensure_ascii=False))
    names = ("bos", "pad", "eos", "unk", "mask", "cls", "sep")
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        **{f"{name}_token": getattr(old, f"{name}_token") for name in names},
    )


@torch.no_grad()
def extend_vocabulary(model: Any, old: Any, new: Any) -> Any:
    """Give a model the union of two vocabularies; the model is changed in place.

    Parameters
    ----------
    model
        A BART model.
    old
        The tokeniser of the model.
    new
        A byte-level BPE tokeniser that was learned on other text (:func:`train_bpe`).

    Returns
    -------
    The tokeniser of the extended model.
    """
    tokenizer = union_tokenizer(old, new)
    before = model.get_input_embeddings().weight.shape[0]
    size = max(tokenizer.get_vocab().values()) + 1
    ids = {i: token for token, i in tokenizer.get_vocab().items()}
    model.resize_token_embeddings(max(size, before), mean_resizing=False)
    weight = model.get_input_embeddings().weight
    bias = getattr(model, "final_logits_bias", None)
    known = set(old.get_vocab())
    for token_id in range(size):
        token = ids.get(token_id)
        if token is None or token in known:
            continue
        text = tokenizer.convert_tokens_to_string([token])
        # The pieces are those of the token itself, without the text around it.
        pieces = [piece.id for piece in old.backend_tokenizer.model.tokenize(token)]
        if not pieces:
            raise ModelError(f"the old vocabulary cannot write {text!r}")
        weight[token_id] = weight[pieces].mean(0)
        if bias is not None:
            bias[0, token_id] = bias[0, pieces].mean()
    return tokenizer
