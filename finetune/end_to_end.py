"""Training of end-to-end generation (GENRE, section 3.2; Partial KB inference, section 3.1)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import Tensor

from biolink.documents import Document
from biolink.errors import ConfigError
from biolink.finetune.samples import no_gold
from biolink.finetune.targets import Target, choose_target
from biolink.infer.linkers.end_to_end import most_source_tokens, pieces_of_text
from biolink.infer.linkers.markup import Marks, Source, marked_ids
from biolink.infer.seen_documents import write_seen_documents
from biolink.kb import KnowledgeBase
from biolink.kb.lexical import LexicalIndex
from biolink.kb.model_folder import END_TO_END
from biolink.kb.prompt import PromptForm
from biolink.pretrain.training.checkpoints import Report
from biolink.pretrain.training.objectives import generation
from biolink.pretrain.training.order import shuffled
from biolink.pretrain.training.running import Numbered, Optimisation, run_training
from biolink.pretrain.training.seq2seq import denoising_batch
from biolink.pretrain.training.settings import at_least, field_table, share
from biolink.pretrain.training.start import check_start, prompt_of, save_model, start_from

__all__ = ["EndToEnd", "MarkedChunk", "marked_chunks", "run_end_to_end"]


#: The number of batches whose samples are sorted by length together.
_SORTED = 8


@dataclass(frozen=True, slots=True)
class EndToEnd:
    """Settings of end-to-end training on annotated documents.

    Attributes
    ----------
    out
        Output folder; the model is written to ``out/model``, checkpoints to ``out/run``.
    model
        Model folder from which the training starts.
    kb
        Knowledge base; mentions of other concepts are not marked.
    train
        Annotated documents in any format that can be read.
    target
        The name of the concept that is taught; see :data:`biolink.finetune.targets.Target`. The
        paper uses ``shortest``, the default.
    chunk_words
        As in :class:`biolink.infer.linkers.end_to_end.EndToEndOptions`. Default: 150.
    label_smoothing, dropout
        See :class:`biolink.finetune.tune.FineTuning`.
    training, trainer
        As for :class:`biolink.pretrain.stages.Denoising`.
    """

    out: Path
    model: Path
    kb: Path
    train: tuple[Path, ...]
    training: Optimisation
    target: Target = "shortest"
    chunk_words: int = 150
    label_smoothing: float = 0.1
    dropout: float = 0.1
    trainer: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        share("label_smoothing", self.label_smoothing)
        share("dropout", self.dropout)
        at_least("chunk_words", self.chunk_words, 1)
        if not self.train:
            raise ConfigError("train is empty; expected one file or more")


@dataclass(frozen=True, slots=True)
class MarkedChunk:
    """A chunk of a document with its marks.

    Attributes
    ----------
    source
        The tokens of the chunk.
    links
        Its mentions in order, as (first token, token after the last, name).
    """

    source: Source
    links: tuple[tuple[int, int, str], ...]


def marked_chunks(
    documents: Sequence[Document],
    kb: KnowledgeBase,
    tokenizer: Any,
    name_of: Callable[[str, Sequence[int]], str],
    chunk_words: int,
    positions: int,
) -> list[MarkedChunk]:
    """Return the chunks of documents with their mentions marked.

    If mentions overlap, only the longest is marked, as by recognisers. A mention that crosses the
    border of a chunk, or begins or ends within a word, is not marked.

    Parameters
    ----------
    documents, kb
        The annotated documents, and the knowledge base of their ids.
    tokenizer
        The tokeniser of the model.
    name_of
        A function from a mention and the rows of its gold concepts to the name that is taught.
    chunk_words
        The most words of a chunk.
    positions
        The number of positions of the model, into which a chunk with its marks must fit.
    """
    result = []
    for document in documents:
        gold = [
            (m.start, m.end, name_of(m.text, rows))
            for m in sorted(document.mentions, key=lambda m: m.start - m.end)
            if (rows := [r for i in m.concept_ids if (r := kb.row_of(i)) is not None])
        ]
        most = most_source_tokens(positions)
        for begin, source in pieces_of_text(document.text, tokenizer, chunk_words, most):
            firsts = {begin + s: i for i, (s, _) in enumerate(source.offsets) if source.border[i]}
            after = {begin + e: i for i, (_, e) in enumerate(source.offsets, 1) if source.border[i]}
            taken = [False] * len(source.ids)
            links = []
            for start, end, name in gold:
                if start in firsts and end in after:
                    span = slice(firsts[start], after[end])
                    if span.start < span.stop and not any(taken[span]):
                        taken[span] = [True] * (span.stop - span.start)
                        links.append((span.start, span.stop, name))
            if source.ids:
                result.append(MarkedChunk(source, tuple(sorted(links))))
    return result


def run_end_to_end(
    settings: EndToEnd,
    documents: Sequence[Document],
    report: Report = lambda record: None,
) -> Path:
    """Run the training, or continue it after an interruption, and return the model folder.

    Parameters
    ----------
    settings
        All settings of the training.
    documents
        The documents of ``settings.train``.
    report
        Called with each line of the log.
    """
    # Long because it follows one training from its documents to the model.
    check_start(settings.out)
    model, tokenizer = start_from(settings.model, {}, None, settings.dropout)
    form: PromptForm = prompt_of(settings.model, {})
    marks = Marks.of(tokenizer)
    kb = KnowledgeBase.read(settings.kb)
    index = LexicalIndex.build(kb) if settings.target in ("tfidf", "sampled") else None
    rng = random.Random(settings.training.seed)
    names: dict[tuple[str, tuple[int, ...]], str] = {}

    def name_of(mention: str, rows: Sequence[int]) -> str:
        key = (mention, tuple(rows))
        if key not in names:
            names[key] = choose_target(settings.target, mention, rows, kb, index, rng)[0]
        return names[key]

    positions = int(getattr(model.config, "max_position_embeddings", 1024) or 1024)
    samples = marked_chunks(documents, kb, tokenizer, name_of, settings.chunk_words, positions)
    if not any(sample.links for sample in samples):
        raise no_gold(settings.train)
    eos = int(model.config.eos_token_id)
    first = tokenizer.bos_token_id
    size, seed = len(samples), settings.training.seed

    group = settings.training.batch_size * _SORTED

    @lru_cache(maxsize=2)
    def of_similar_length(block: int) -> list[int]:
        """Samples of several batches, sorted so that a batch has chunks of similar length."""
        numbers = [shuffled(block * group + i, size, seed) for i in range(group)]
        return sorted(numbers, key=lambda number: len(samples[number].source.ids))

    def make(number: int) -> tuple[list[int], list[int]]:
        sample = samples[of_similar_length(number // group)[number % group]]
        taught = form.name_ids(tokenizer, [name for *_, name in sample.links], eos)
        links = [(a, b, ids[:-1]) for (a, b, _), ids in zip(sample.links, taught, strict=True)]
        source = [*([] if first is None else [first]), *sample.source.ids, tokenizer.eos_token_id]
        return source, marked_ids(sample.source, links, marks, eos)[:positions]

    def collate(rows: Sequence[tuple[list[int], list[int]]]) -> dict[str, Tensor]:
        return denoising_batch(
            [source for source, _ in rows],
            [target for _, target in rows],
            tokenizer.pad_token_id,
            int(model.config.decoder_start_token_id),
        )

    run_training(
        model, Numbered(2**62, make), collate, generation(settings.label_smoothing, "fairseq"),
        settings.training, settings.out / "run", settings.trainer, (), report, stage=settings,
    )  # fmt: skip
    record = {"stage": "EndToEnd", **field_table(settings)}
    options = {"chunk_words": settings.chunk_words}
    folder = settings.out / "model"
    save_model(
        folder, model, tokenizer, form, record, settings.model,
        lambda to: write_seen_documents(to, documents), task=END_TO_END, linker=options,
    )  # fmt: skip
    return folder
