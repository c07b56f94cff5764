"""End-to-end generation, which finds and links mentions in one decoding of the text.

Source: GENRE (De Cao et al., ICLR 2021), section 3.2, as used by Partial KB inference (BioNLP 2023)
for simultaneous generation. The model copies the text and inserts mentions with names. A state
machine over the source and the name trie (:mod:`biolink.infer.linkers.markup`) allows no other
output.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch

from biolink.documents import Document, Mention
from biolink.infer.decide.nil import NilPolicy
from biolink.infer.linkers.markup import (
    DONE,
    ENTITY,
    OUTSIDE,
    Machine,
    Marks,
    Source,
    State,
    source_of,
)
from biolink.infer.linkers.text_linker import TextLinker
from biolink.infer.mentions.chunks import chunks
from biolink.infer.network.backbone import KeyValue, Memory
from biolink.infer.network.model import LinkingModel
from biolink.infer.network.precision import Precision
from biolink.infer.rank.candidates import RankedConcept
from biolink.infer.retrieve.indexes import Progress
from biolink.kb import KnowledgeBase
from biolink.kb.arguments import need, need_natural
from biolink.kb.trie import NameTrie

__all__ = ["EndToEndLinker", "EndToEndOptions", "Marked", "generate", "pieces_of_text"]


@dataclass(frozen=True, slots=True)
class EndToEndOptions:
    """How a text is cut and decoded.

    Attributes
    ----------
    chunk_words
        The most words of a chunk, separated by white space. Default: 150.
    beam
        The number of hypotheses that are kept for each chunk. Default: 1.
    batch_size
        The number of chunks that are decoded together. Default: 32.

    Raises
    ------
    ConfigError
        If a value is not a whole number of at least 1.
    """

    chunk_words: int = 150
    beam: int = 1
    batch_size: int = 32

    def __post_init__(self) -> None:
        for name in ("chunk_words", "beam", "batch_size"):
            need_natural(name, getattr(self, name))


@dataclass(frozen=True, slots=True)
class Marked:
    """A mention that was generated.

    Attributes
    ----------
    first, behind
        The first token of the mention in the source, and the token after its last.
    leaf
        The leaf of the name in the trie.
    score
        The mean log-probability of the tokens from the opening of the mention to the end mark of
        the name (Partial KB inference, section 3.2).
    """

    first: int
    behind: int
    leaf: int
    score: float


@dataclass(slots=True)
class _Hypothesis:
    chunk: int
    state: State
    tokens: list[int]
    log_probs: list[float]
    total: float
    opened: int
    marks: list[Marked]

    def extended(self, token: int, log_prob: float, state: State) -> _Hypothesis:
        opened, marks = self.opened, self.marks
        log_probs = [*self.log_probs, log_prob]
        if self.state.kind == OUTSIDE and state.kind not in (OUTSIDE, DONE):
            opened = len(self.tokens)
        elif self.state.kind == ENTITY and state.kind != ENTITY:
            score = float(np.mean(log_probs[opened:]))
            marks = [*marks, Marked(state.begun, state.place, state.node, score)]
        tokens, total = [*self.tokens, token], self.total + log_prob
        return _Hypothesis(self.chunk, state, tokens, log_probs, total, opened, marks)


def pieces_of_text(
    text: str, tokenizer: object, chunk_words: int, most_tokens: int
) -> list[tuple[int, Source]]:
    """Cut a text into pieces, each with the offset in code points at which it begins.

    A piece with too many tokens is cut again into pieces of fewer words.

    Parameters
    ----------
    text
        The text.
    tokenizer
        The tokeniser of the model.
    chunk_words
        The most words of a piece, separated by white space.
    most_tokens
        The most tokens of a piece. Only a single character may have more.
    """
    pieces: list[tuple[int, Source]] = []
    for begin, end in chunks(text, chunk_words):
        source = source_of(text[begin:end], tokenizer)
        if len(source.ids) <= most_tokens or end - begin == 1:
            pieces.append((begin, source))
            continue
        words = (min(chunk_words, len(text[begin:end].split())) + 1) // 2
        spans = [(begin + b, begin + e) for b, e in chunks(text[begin:end], words)]
        if len(spans) == 1:
            # A single word has hundreds of tokens, so it is cut in the middle.
            half = begin + (end - begin) // 2
            spans = [(begin, half), (half, end)]
        for b, e in spans:
            inner = pieces_of_text(text[b:e], tokenizer, words, most_tokens)
            pieces += [(b + offset, piece) for offset, piece in inner]
    return pieces


def most_source_tokens(positions: int) -> int:
    """The most tokens of a piece, such that the decoder has room for as many tokens of markup."""
    return max(1, positions // 2 - 2)


@torch.inference_mode()
def generate(
    model: LinkingModel,
    trie: NameTrie,
    sources: Sequence[Source],
    marks: Marks,
    beam: int = 1,
) -> list[tuple[list[int], list[Marked]]]:
    """Generate the markup of each source by beam search.

    The best hypothesis is the one with the highest mean log-probability, with softmax over the
    whole vocabulary, as in :mod:`biolink.infer.rank.beam_search`.

    Parameters
    ----------
    model
        The model.
    trie
        The names that may be generated.
    sources
        The pieces of text.
    marks
        The tokens of the markup.
    beam
        The number of hypotheses that are kept for each source. Default: 1.

    Returns
    -------
    The tokens and the mentions of the best hypothesis for each source.
    """
    backbone = model.backbone
    memory = _memory(model, sources)
    limit = backbone.max_source
    machines = [Machine(s, trie, marks, backbone.eos_id, limit) for s in sources]
    open_hypotheses = [_Hypothesis(i, State(), [], [], 0.0, 0, []) for i in range(len(sources))]
    finished: list[list[_Hypothesis]] = [[] for _ in sources]
    tokens = torch.full((len(open_hypotheses), 1), backbone.start_id, device=backbone.device)
    past: tuple[KeyValue, ...] | None = None
    step = 0
    while open_hypotheses:
        owner = torch.tensor([row.chunk for row in open_hypotheses], device=backbone.device)
        shape = (len(open_hypotheses), 1, step + 1)
        mask = torch.ones(shape, dtype=torch.bool, device=backbone.device)
        positions = torch.full((len(open_hypotheses), 1), step, device=backbone.device)
        past_positions = None if past is None else torch.arange(step, device=backbone.device)
        states, past = backbone.decode(
            tokens,
            positions,
            mask,
            memory.for_rows(owner),
            past,
            None
            if past_positions is None
            else past_positions[None].expand(len(open_hypotheses), step),
        )
        log_probs = torch.log_softmax(backbone.logits(states[:, 0]).float(), -1).cpu().numpy()
        open_hypotheses, parents = _advance(open_hypotheses, log_probs, machines, finished, beam)
        if parents != list(range(len(owner))):
            index = torch.tensor(parents, dtype=torch.long, device=backbone.device)
            past = tuple((k.index_select(0, index), v.index_select(0, index)) for k, v in past)
        tokens = torch.tensor([[row.tokens[-1]] for row in open_hypotheses], device=backbone.device)
        step += 1
    best = [max(hypotheses, key=lambda h: h.total / len(h.tokens)) for hypotheses in finished]
    return [(hypothesis.tokens, hypothesis.marks) for hypothesis in best]


def _memory(model: LinkingModel, sources: Sequence[Source]) -> Memory:
    backbone, tokenizer = model.backbone, model.tokenizer
    first, last = tokenizer.bos_token_id, tokenizer.eos_token_id
    token_ids = [[*([] if first is None else [first]), *source.ids, last] for source in sources]
    size = max(map(len, token_ids))
    ids = torch.tensor([[*row, *[backbone.pad_id] * (size - len(row))] for row in token_ids])
    lengths = torch.tensor([len(row) for row in token_ids])
    mask = (torch.arange(size)[None] < lengths[:, None]).long()
    ids, mask = ids.to(backbone.device), mask.to(backbone.device)
    return backbone.memory(backbone.encode(ids, mask), mask)


def _advance(
    open_hypotheses: Sequence[_Hypothesis],
    log_probs: np.ndarray,
    machines: Sequence[Machine],
    finished: list[list[_Hypothesis]],
    beam: int,
) -> tuple[list[_Hypothesis], list[int]]:
    """The open hypotheses after one more token, and the row that each of them continues."""
    options: dict[int, list[tuple[float, int, int]]] = {}
    for number, row in enumerate(open_hypotheses):
        allowed = machines[row.chunk].allowed(row.state, len(row.tokens))
        values = log_probs[number, allowed]
        if len(allowed) > beam:
            chosen = np.argsort(-values, kind="stable")[:beam]
            allowed, values = allowed[chosen], values[chosen]
        continuations = options.setdefault(row.chunk, [])
        continuations += [
            (row.total + float(value), number, int(token))
            for token, value in zip(allowed, values, strict=True)
        ]
    still_open: list[_Hypothesis] = []
    parents: list[int] = []
    for chunk, continuations in options.items():
        continuations.sort(key=lambda option: (-option[0], option[1], option[2]))
        ended = finished[chunk]
        for total, number, token in continuations[:beam]:
            row = open_hypotheses[number]
            state = machines[chunk].after(row.state, token)
            longer = row.extended(token, total - row.total, state)
            if state.kind == DONE:
                ended.append(longer)
            elif len(ended) < beam:
                still_open.append(longer)
                parents.append(number)
        if len(ended) >= beam:
            others = [i for i, hypothesis in enumerate(still_open) if hypothesis.chunk != chunk]
            still_open, parents = [still_open[i] for i in others], [parents[i] for i in others]
    return still_open, parents


class EndToEndLinker(TextLinker):
    """A linker that finds and links mentions by generation.

    Parameters
    ----------
    model
        A model that was trained by :mod:`biolink.finetune.end_to_end`, or the converted checkpoint
        of GENRE.
    kb, nil, progress
        See :class:`biolink.infer.linkers.text_linker.TextLinker`.
    options
        See :class:`EndToEndOptions`.
    """

    paradigm = "generation"

    def __init__(
        self,
        model: LinkingModel,
        kb: KnowledgeBase,
        options: EndToEndOptions | None = None,
        nil: NilPolicy | str | float | None = None,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(model, kb, nil, progress)
        self.options = EndToEndOptions() if options is None else options
        need("options", self.options, EndToEndOptions, "EndToEndOptions")
        self.marks = Marks.of(model.tokenizer)
        self._trie: tuple[KnowledgeBase, NameTrie] | None = None

    @classmethod
    def from_model(
        cls,
        model: LinkingModel,
        kb: KnowledgeBase,
        options: EndToEndOptions,
        nil: NilPolicy | None,
        progress: Progress | None,
        precision: Precision,
    ) -> Self:
        """A linker with a loaded model, converted to a precision."""
        return cls(model.in_precision(precision), kb, options, nil, progress)

    def state(self) -> dict[str, Any]:
        """See :meth:`Piping.state`."""
        return super().state() | {"_trie": None}

    def prepare(self) -> None:
        """Build the trie that linking needs, or map a stored one into memory."""
        _ = self.indexes.trie

    @property
    def trie(self) -> NameTrie:
        """The trie of the names that may be generated."""
        kb = self.searched
        if self._trie is None or self._trie[0] is not kb:
            full = self.indexes.trie
            self._trie = (kb, full if kb.row_mask is None else full.restrict(kb.name_mask))
        return self._trie[1]

    def _linked(self, documents: Sequence[Document]) -> list[Document]:
        most = most_source_tokens(self.model.backbone.max_source)
        pieces = [
            (number, begin, source)
            for number, document in enumerate(documents)
            for begin, source in pieces_of_text(
                document.text, self.model.tokenizer, self.options.chunk_words, most
            )
            if source.ids
        ]
        mentions_of: list[list[Mention]] = [[] for _ in documents]
        order = sorted(range(len(pieces)), key=lambda i: len(pieces[i][2].ids))
        for at in range(0, len(order), self.options.batch_size):
            batch = [pieces[i] for i in order[at : at + self.options.batch_size]]
            decoded = generate(
                self.model, self.trie, [p[2] for p in batch], self.marks, self.options.beam
            )
            for (number, begin, source), (_, marks) in zip(batch, decoded, strict=True):
                mentions_of[number] += [
                    self._mention(
                        documents[number].text,
                        begin + source.offsets[mark.first][0],
                        begin + source.offsets[mark.behind - 1][1],
                        self._owners(mark),
                    )
                    for mark in marks
                ]
        return [
            document.with_mentions(sorted(mentions, key=lambda m: (m.start, m.end)))
            for document, mentions in zip(documents, mentions_of, strict=True)
        ]

    def _owners(self, mark: Marked) -> list[RankedConcept]:
        """Every concept that owns the generated name, preferred owners first."""
        return [
            RankedConcept(row, name_id, mark.score, math.exp(mark.score))
            for name_id in map(int, self.trie.names_at(mark.leaf))
            for row in self.kb.base.owners(name_id)
        ]
