"""The sides of ``benchmarks/decoding.py``: the ways of decoding, and the mentions they decode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import biolink
from biolink.documents import Mention
from biolink.infer.mentions.abbreviations import expand_document, find_abbreviations
from biolink.infer.network.backbone import Backbone
from biolink.infer.network.model import LinkingModel
from biolink.infer.rank.beam_search import DecodingOptions, constrained_beam_search
from biolink.infer.rank.task import Task
from biolink.kb.prompt import source_text
from biolink.kb.trie import NameTrie

__all__ = [
    "BATCH",
    "Batch",
    "Side",
    "batches",
    "names_first",
    "nested_dict",
    "of_base_size",
    "tasks",
    "with_biolink",
    "with_generate",
]

ABSTRACTS = Path(__file__).parents[1] / "examples" / "data" / "bc5cdr_20.PubTator"
BATCH = 32
SOURCE = 64  # The most tokens of a mention in its context.
SHARPNESS = 8.0  # The scale of the random model's output projection.


def source(model: LinkingModel, text: str, mention: Mention, written: str) -> str:
    """Return the mention with as many words of context as fit into :data:`SOURCE` tokens."""
    for window in range(model.form.window, 0, -1):
        form = replace(model.form, window=window)
        in_context = source_text(text, mention.start, mention.end, form, written)
        if len(model.tokenizer(in_context)["input_ids"]) <= SOURCE:
            break
    return in_context


def tasks(model: LinkingModel, count: int) -> list[Task]:
    """Return distinct mentions of the example abstracts, shortest source first."""
    distinct: dict[Task, None] = {}
    for document in biolink.read(ABSTRACTS):
        document = expand_document(document, find_abbreviations)
        for m in document.mentions:
            written = m.long_form or m.text
            distinct[Task(source(model, document.text, m, written), written, m.type)] = None
    return sorted(list(distinct)[:count], key=lambda task: len(task.source))


def nested_dict(trie: NameTrie) -> dict[int, Any]:
    root: dict[int, Any] = {}
    for sequence, _ in trie:
        node = root
        for token in sequence:
            node = node.setdefault(token, {})
    return root


@dataclass(frozen=True)
class Batch:
    ids: Tensor
    mask: Tensor
    prompts: list[list[int]]
    tasks: Sequence[Task]


#: A function that runs a batch, and the batches to run.
Side = tuple[Callable[[Batch], Any], list[Batch]]


def batches(model: LinkingModel, every: Sequence[Task], size: int) -> list[Batch]:
    """Return tokenised batches; tokenisation is the same for all sides and is not measured."""
    parts = [every[begin : begin + size] for begin in range(0, len(every), size)]
    return [
        Batch(
            *model.tokens([t.source for t in part], model.backbone.max_source),
            model.prompts([t.mention for t in part]),
            part,
        )
        for part in parts
    ]


def with_generate(backbone: Backbone, tree: dict[int, Any], batch: Batch) -> list[list[int]]:
    """Return the tokens of the best name of each mention, by transformers' ``generate``."""
    size = max(map(len, batch.prompts))
    # generate needs prompts that are padded on the left, and a mask for the padding.
    padded = torch.tensor([[backbone.pad_id] * (size - len(p)) + p for p in batch.prompts])
    eos = backbone.eos_id

    def allowed(_: int, sequence: Tensor) -> list[int]:
        node = tree
        for token in sequence.tolist()[size:]:
            node = node.get(token, {})
        return list(node) or [eos]

    output = backbone.model.generate(
        input_ids=batch.ids,
        attention_mask=batch.mask,
        decoder_input_ids=padded,
        decoder_attention_mask=(padded != backbone.pad_id).long(),
        prefix_allowed_tokens_fn=allowed,
        num_beams=5,
        max_new_tokens=100,
        early_stopping=False,
        length_penalty=1.0,
    )
    names = output[:, size:].tolist()
    return [row[: row.index(eos) + 1] if eos in row else row for row in names]


@torch.inference_mode()
def with_biolink(
    backbone: Backbone, trie: NameTrie, options: DecodingOptions, batch: Batch
) -> list[list[int]]:
    """Return the leaf of each mention's best name, as a list of one."""
    memory = backbone.memory(backbone.encode(batch.ids, batch.mask), batch.mask)
    beams = constrained_beam_search(backbone, trie, memory, batch.prompts, options)
    return [[hypotheses[0].leaf] for hypotheses in beams]


def names_first(
    model: LinkingModel,
    backbone: Backbone,
    trie: NameTrie,
    options: DecodingOptions,
    batch: Batch,
) -> list[list[int]]:
    """Return the same as :func:`with_biolink`, which decodes only mentions that are not names.

    These are tokenised and decoded as in the linker, :data:`BATCH` at a time.
    """
    most = 1 if options.keep == 1 else 2 * options.keep
    named = model.named(trie, [task.mention for task in batch.tasks], most)
    left = [index for index, leaves in enumerate(named) if not leaves]
    decoded = [
        leaf
        for part in batches(model, [batch.tasks[index] for index in left], BATCH)
        for (leaf,) in with_biolink(backbone, trie, options, part)
    ]
    searched = dict(zip(left, decoded, strict=True))
    return [[leaves[0][0] if leaves else searched[index]] for index, leaves in enumerate(named)]


def of_base_size(model: LinkingModel) -> Backbone:
    """Return a model of the size of bart-base with random weights, for the embedded tokens."""
    from transformers import BartConfig, BartForConditionalGeneration

    torch.manual_seed(0)
    known = model.backbone.config
    config = BartConfig(
        vocab_size=50_265,
        d_model=768,
        encoder_layers=6,
        decoder_layers=6,
        encoder_ffn_dim=3072,
        decoder_ffn_dim=3072,
        encoder_attention_heads=12,
        decoder_attention_heads=12,
        tie_word_embeddings=False,
        **{
            name: getattr(known, name)
            for name in ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
        },
        forced_eos_token_id=None,
    )
    random = BartForConditionalGeneration(config).eval()
    with torch.no_grad():
        random.lm_head.weight.normal_(std=0.02 * SHARPNESS)
    return Backbone(random)
