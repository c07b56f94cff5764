"""What is linked, and how: a mention as the model sees it, and the options of the linker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from biolink.documents import Document
from biolink.errors import ConfigError
from biolink.infer.mentions.abbreviations import finder
from biolink.infer.mentions.hints import Hint, hints
from biolink.infer.network.model import LinkingModel
from biolink.infer.rank.beam_search import FAST, DecodingOptions
from biolink.kb.arguments import need, need_flag, need_natural
from biolink.kb.prompt import source_text

__all__ = ["LinkerOptions", "Task", "batches", "tasks_of"]


@dataclass(frozen=True, slots=True)
class LinkerOptions:
    """How a linker links.

    Attributes
    ----------
    method
        ``combined``: candidates by n-grams and embeddings, ranked by generation, embeddings and
        n-grams together. ``generate``: beam search over all names. ``candidates``: the names most
        similar by n-grams, ranked by their generative score alone.
    top_k
        Links kept for each mention.
    decoding
        For ``generate``.
    candidates
        Names that each retriever contributes.
    scored
        Names of them that are scored by generation (``combined``).
    homonyms
        What becomes of a generated name that several concepts own (``generate`` and
        ``candidates``; ``combined`` ranks every owner by its own features). ``rank``: its first
        owner in the order preferred name before synonym, count in the training data, agreement
        with the mention's type, id. ``all``: every owner, in that order.
    match_types
        Only concepts whose semantic type agrees with the mention's, where both are known.
    abbreviations
        ``schwartz-hearst``, ``scispacy``, ``auto`` or ``none``.
    batch_size
        Mentions that are run together.
    names_first
        In ``generate``, a mention that is one of the names after normalisation is linked to the
        owners of that name without the model, with probability 1. Behind them come the names that
        begin with it, shortest first; their probability is the share of their tokens that the
        mention makes up. The score is its logarithm. ``benchmarks/results/decoding.md``
        says what that costs.
    """

    method: Literal["combined", "generate", "candidates"] = "combined"
    top_k: int = 5
    decoding: DecodingOptions = FAST
    candidates: int = 20
    scored: int = 16
    homonyms: Literal["rank", "all"] = "rank"
    match_types: bool = False
    abbreviations: str = "auto"
    batch_size: int = 32
    names_first: bool = False

    def __post_init__(self) -> None:
        if self.method not in ("combined", "generate", "candidates"):
            raise ConfigError(
                f"method is {self.method!r}; expected combined, generate or candidates"
            )
        if self.homonyms not in ("rank", "all"):
            raise ConfigError(f"homonyms is {self.homonyms!r}; expected rank or all")
        for name in ("top_k", "candidates", "scored", "batch_size"):
            need_natural(name, getattr(self, name))
        for name in ("match_types", "names_first"):
            need_flag(name, getattr(self, name))
        need("decoding", self.decoding, DecodingOptions, "DecodingOptions")
        finder(self.abbreviations)
        if self.names_first and self.method != "generate":
            raise ConfigError(f"names_first goes with the method generate, not {self.method}")


@dataclass(frozen=True, slots=True)
class Task:
    """A mention as the model sees it; equal tasks are linked once.

    Attributes
    ----------
    source
        Encoder input (:func:`biolink.kb.prompt.source_text`).
    mention, type
        The mention, its abbreviations written out, and its type.
    hints
        What else says what it stands for.
    """

    source: str
    mention: str
    type: str
    hints: tuple[Hint, ...] = ()


def tasks_of(document: Document, model: LinkingModel) -> list[Task]:
    """A task for each mention of a document whose abbreviations are written out already."""
    ranker = model.ranker
    of_mentions = hints(document, ranker.abbreviations if ranker else {})
    return [
        Task(
            source_text(
                document.text,
                mention.start,
                mention.end,
                model.form,
                mention.long_form or mention.text,
            ),
            mention.long_form or mention.text,
            mention.type,
            of_mention,
        )
        for mention, of_mention in zip(document.mentions, of_mentions, strict=True)
    ]


def batches(tasks: Sequence[Task], size: int) -> Iterator[list[int]]:
    """Indices of tasks that are linked together: they are of similar length."""
    order = sorted(range(len(tasks)), key=lambda i: len(tasks[i].source))
    for begin in range(0, len(order), size):
        yield order[begin : begin + size]
