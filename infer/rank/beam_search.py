"""Beam search over the name trie, batched over mentions.

The hypotheses ("rows") of all mentions are extended together. Each carries its node of the trie, so
its allowed continuations are one slice of an array: no mask over the vocabulary is needed, and the
name need not be looked up at the end. Scores are log-softmax over the *whole* vocabulary, as in
GENRE (De Cao et al., ICLR 2021) and GenBioEL (Yuan et al., NAACL 2022), but only those of the
allowed tokens are read. The keys of cross-attention are computed once per mention and shared by its
rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from biolink.errors import BiolinkError, ConfigError
from biolink.infer.network.backbone import FEW_ENOUGH, Backbone, KeyValue, Memory
from biolink.kb.arguments import need_natural, need_number
from biolink.kb.trie import NameTrie

__all__ = [
    "EXACT",
    "FAST",
    "DecodingOptions",
    "Hypothesis",
    "Search",
    "constrained_beam_search",
    "log_softmax",
    "reordered",
]


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """How the beam search runs.

    Attributes
    ----------
    beam
        The number of hypotheses that are kept for each mention. Default: 5.
    length_penalty
        The score of a finished hypothesis is (sum of log-probabilities) / length **
        length_penalty, where the end token counts. Default: 1.
    normalise
        ``prompt-excluded`` (the default): sum and length are those of the name's tokens.
        ``fairseq``: the log-probability and the length of the decoder prompt are included, as in
        the published GenBioEL figures. They are constant for a mention, but shift the ranking of
        names of different lengths.
    stop
        When the search for a mention ends. ``topk`` (the default), as in fairseq and transformers:
        when there are ``beam`` finished hypotheses and the best open one, at its present length,
        is worse than all of them. ``best``: when no open hypothesis can still score better than
        the ``keep`` best finished ones.
    keep
        The number of finished hypotheses that matter for ``stop="best"``. Default: 5.
    prune
        Drop an open hypothesis if its log-probability is more than this many nats below ``1 +
        length_penalty`` times that of the best hypothesis of its mention, open or finished. The
        factor is there because a longer name can still win. None (the default) keeps all.

    Raises
    ------
    ConfigError
        If a value is out of range or unknown.
    """

    beam: int = 5
    length_penalty: float = 1.0
    normalise: Literal["prompt-excluded", "fairseq"] = "prompt-excluded"
    stop: Literal["topk", "best"] = "topk"
    keep: int = 5
    prune: float | None = None

    def __post_init__(self) -> None:
        need_natural("beam", self.beam)
        need_natural("keep", self.keep)
        need_number("length_penalty", self.length_penalty)
        if self.prune is not None:
            need_number("prune", self.prune)
        if self.normalise not in ("prompt-excluded", "fairseq"):
            raise ConfigError(
                f"normalise is {self.normalise!r}; expected prompt-excluded or fairseq"
            )
        if self.stop not in ("topk", "best"):
            raise ConfigError(f"stop is {self.stop!r}; expected topk or best")


#: Exactly the rule of fairseq and transformers.
EXACT = DecodingOptions()
#: Stops as soon as the best name is decided, and drops hopeless hypotheses. For how often the best
#: name differs, and what is lost among the first five, see ``benchmarks/results/decoding.md``.
FAST = DecodingOptions(stop="best", keep=1, prune=16.0)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A finished name.

    Attributes
    ----------
    leaf
        The leaf of the name in the trie.
    score
        The score by which hypotheses are ranked.
    log_prob
        The sum of the log-probabilities of the name's tokens, with the end token and without the
        prompt.
    length
        The number of those tokens.
    """

    leaf: int
    score: float
    log_prob: float
    length: int


#: If a row has more continuations than this, only its best take part in the sorting of all.
_MANY = 64


@dataclass(slots=True)
class _Rows:
    """The open hypotheses as parallel arrays, in ascending order of their mentions."""

    mention: np.ndarray
    log_prob: np.ndarray
    nodes: np.ndarray  # [rows, 1 + steps so far], the root first
    tokens: np.ndarray  # [rows, steps so far]

    @property
    def node(self) -> np.ndarray:
        """The node of the trie that each hypothesis has reached."""
        return self.nodes[:, -1]


@torch.inference_mode()
def constrained_beam_search(
    backbone: Backbone,
    trie: NameTrie,
    memory: Memory,
    prompts: Sequence[Sequence[int]],
    options: DecodingOptions = EXACT,
) -> list[list[Hypothesis]]:
    """Generate the best names for each mention.

    Parameters
    ----------
    backbone, memory
        The model, and its memory of the encoded mentions.
    trie
        The names that may be generated.
    prompts
        For each mention, the token ids that the decoder reads before the name, start token first.
    options
        See :class:`DecodingOptions`.

    Returns
    -------
    At most ``beam`` hypotheses for each mention, best first. Ties are broken by the leaf.

    Raises
    ------
    BiolinkError
        If the trie has no names.
    """
    if not len(trie):
        raise BiolinkError("there are no names to generate: the knowledge base is empty")
    search = Search(backbone, trie, memory, prompts, options)
    while len(search.rows.node):
        search.advance()
    return search.results()


class Search:
    """A beam search that is run step by step; see :func:`constrained_beam_search`.

    Attributes
    ----------
    rows
        The open hypotheses of all mentions. The search is over when there are none.
    """

    def __init__(
        self,
        backbone: Backbone,
        trie: NameTrie,
        memory: Memory,
        prompts: Sequence[Sequence[int]],
        options: DecodingOptions,
    ) -> None:
        self.backbone, self.trie, self.options = backbone, trie, options
        self.memory = memory.apart()
        self.device = backbone.device
        self.count = len(prompts)
        # Mentions whose search is over leave the memory. This is the index of each in what is left.
        self.place = np.arange(self.count)
        self.finished: list[list[Hypothesis]] = [[] for _ in prompts]
        # The score that an open hypothesis must beat.
        self.bar = np.full(self.count, -np.inf)
        # The log-probability of the best finished hypothesis.
        self.best = np.full(self.count, -np.inf)
        self.steps = 0
        self._read_prompts(prompts)

    def _read_prompts(self, prompts: Sequence[Sequence[int]]) -> None:
        lengths = torch.tensor([len(p) for p in prompts], device=self.device)
        size = int(lengths.max())
        tokens = torch.full((self.count, size), self.backbone.pad_id, device=self.device)
        for row, prompt in enumerate(prompts):
            tokens[row, : len(prompt)] = torch.tensor(prompt, device=self.device)
        order = torch.arange(size, device=self.device)
        #: bool [mentions, size]: which positions of the prompts are not padding.
        self.valid = order[None, :] < lengths[:, None]
        positions = order[None, :].expand(self.count, size)
        mask = (order[:, None] >= order[None, :])[None] & self.valid[:, None, :]
        # A padded position must attend to something, or its softmax is not a number.
        mask = mask | torch.eye(size, dtype=torch.bool, device=self.device)
        states, self.past = self.backbone.decode(tokens, positions, mask, self.memory)
        last = states[torch.arange(self.count, device=self.device), lengths - 1]
        self.lengths = lengths
        self.prompt_lengths = lengths.cpu().numpy()
        self.prompt_log_probs = np.zeros(self.count)
        if self.options.normalise == "fairseq" and size > 1:
            log_probs = torch.log_softmax(self.backbone.logits(states[:, :-1]).float(), -1)
            chosen = log_probs.gather(2, tokens[:, 1:, None])[..., 0]
            self.prompt_log_probs = (chosen * self.valid[:, 1:]).sum(1).double().cpu().numpy()
        self.log_probs = log_softmax(self.backbone, last)
        self.rows = _Rows(
            np.arange(self.count),
            np.zeros(self.count),
            np.zeros((self.count, 1), dtype=np.int64),
            np.empty((self.count, 0), dtype=np.int64),
        )

    # ------------------------------------------------------------------ one step

    def advance(self) -> None:
        """Extend every open hypothesis by one token."""
        parent, child, log_prob = self._candidates()
        mention = self.rows.mention[parent]
        # Take the 2 * beam best of each mention. Ties are broken by the child, that is, the token.
        order = np.lexsort((child, -log_prob, mention))
        rank = _ranks(mention[order])
        top = order[rank < 2 * self.options.beam]
        rank = rank[rank < 2 * self.options.beam]
        self.steps += 1
        ends = self.trie.first[child[top]] == self.trie.first[child[top] + 1]
        ended = top[ends & (rank < self.options.beam)]
        if len(ended):
            self._check(parent[ended], child[ended])
        for index in ended:
            self._finish(int(parent[index]), int(child[index]), float(log_prob[index]))
        continued = top[~ends]
        # Of the hypotheses that are not finished, keep the best of each mention: beam of them.
        continued = continued[_ranks(mention[continued]) < self.options.beam]
        continued = continued[
            self._worthwhile(mention[continued], child[continued], log_prob[continued])
        ]
        self._move(parent[continued], child[continued], log_prob[continued])

    def _candidates(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Allowed continuations: the parent row, the child node and the log-probability so far.

        If a row has many continuations, those that cannot be among the best are left out.
        """
        rows, trie, most = self.rows, self.trie, 2 * self.options.beam
        begin = np.asarray(trie.first[rows.node], dtype=np.int64)
        counts = np.asarray(trie.first[rows.node + 1], dtype=np.int64) - begin
        parents, children, steps = [], [], []
        wide = counts > max(_MANY, most)
        for row in np.flatnonzero(wide):
            tokens = trie.tokens[begin[row] : begin[row] + counts[row]]
            step = self.log_probs[row, tokens]
            # All continuations that tie with the last one are kept.
            chosen = np.flatnonzero(step >= np.partition(step, -most)[-most])
            parents.append(np.full(len(chosen), row))
            children.append(begin[row] + chosen)
            steps.append(step[chosen])
        narrow = np.flatnonzero(~wide)
        if len(narrow):
            sizes = counts[narrow]
            parent = np.repeat(narrow, sizes)
            before = np.cumsum(sizes) - sizes
            child = np.arange(len(parent)) + np.repeat(begin[narrow] - before, sizes)
            parents.append(parent)
            children.append(child)
            steps.append(self.log_probs[parent, trie.tokens[child]])
        parent, child = np.concatenate(parents), np.concatenate(children)
        return parent, child, rows.log_prob[parent] + np.concatenate(steps)

    def _scores(self, mention: Any, log_prob: Any, length: Any) -> Any:
        """The scores of hypotheses with these log-probabilities and lengths."""
        if self.options.normalise == "fairseq":
            log_prob = log_prob + self.prompt_log_probs[mention]
            length = length + self.prompt_lengths[mention] - 1
        return log_prob / length**self.options.length_penalty

    def _check(self, rows: np.ndarray, leaves: np.ndarray) -> None:
        """Check, in every search, that the tokens fed to the decoder are paths of the trie."""
        trie = self.trie
        nodes = np.concatenate([self.rows.nodes[rows], leaves[:, None]], 1)
        before, after = nodes[:, :-1], nodes[:, 1:]
        # The token of a leaf is never fed to the decoder, so the tokens end before it.
        is_path = (trie.first[before] <= after) & (after < trie.first[before + 1])
        is_path[:, :-1] &= trie.tokens[after[:, :-1]] == self.rows.tokens[rows]
        if not is_path.all():
            wrong = int(rows[~is_path.all(1)][0])
            path = self.rows.tokens[wrong].tolist()
            raise BiolinkError(f"internal error: {path} is not a path of the name trie")

    def _finish(self, row: int, leaf: int, log_prob: float) -> None:
        mention = int(self.rows.mention[row])
        score = float(self._scores(mention, log_prob, self.steps))
        self.best[mention] = max(self.best[mention], log_prob)
        done = self.finished[mention]
        done.append(Hypothesis(leaf, score, log_prob, self.steps))
        done.sort(key=lambda h: (-h.score, h.leaf))
        del done[self.options.beam :]
        keep = self.options.beam
        if self.options.stop == "best":
            keep = min(keep, self.options.keep)
        if len(done) >= keep:
            self.bar[mention] = done[keep - 1].score

    def _worthwhile(
        self, mention: np.ndarray, node: np.ndarray, log_prob: np.ndarray
    ) -> np.ndarray:
        """Which hypotheses stay open: bool. Rows of a mention must be adjacent, best first."""
        options = self.options
        best_row = np.searchsorted(mention, mention)
        if options.stop == "topk":
            # The best open hypothesis decides for all hypotheses of its mention.
            keep = self._scores(mention, log_prob[best_row], self.steps) > self.bar[mention]
        else:
            length: Any = self.steps + 1
            if options.length_penalty > 0:
                length = self.steps + np.asarray(self.trie.height[node], dtype=np.int64)
            keep = self._scores(mention, log_prob, length) > self.bar[mention]
        if options.prune is not None:
            best = np.maximum(log_prob[best_row], self.best[mention])
            keep &= log_prob >= best * (1 + options.length_penalty) - options.prune
        kept: np.ndarray = keep
        return kept

    def _move(self, parent: np.ndarray, child: np.ndarray, log_prob: np.ndarray) -> None:
        """Make the chosen continuations the open hypotheses, and decode their tokens."""
        token = np.asarray(self.trie.tokens[child], dtype=np.int64)
        mention = self.rows.mention[parent]
        tokens = np.concatenate([self.rows.tokens[parent], token[:, None]], 1)
        nodes = np.concatenate([self.rows.nodes[parent], child[:, None]], 1)
        self.rows = _Rows(mention, log_prob, nodes, tokens)
        if not len(parent):
            return
        self._shrink(mention)
        of_row = torch.from_numpy(mention).to(self.device)
        begin = self.lengths[of_row][:, None]
        # A row attends to the prompt, to the tokens generated so far, and to the new token.
        generated = torch.arange(self.steps, device=self.device)
        valid = self.valid[of_row]
        visible = torch.cat([valid, valid.new_ones(len(of_row), self.steps)], 1)
        prompt = torch.arange(valid.shape[1], device=self.device)
        past_positions = torch.cat([prompt.expand(len(of_row), -1), begin + generated[:-1]], 1)
        hidden, self.past = self.backbone.decode(
            torch.from_numpy(token)[:, None].to(self.device),
            begin + self.steps - 1,
            visible[:, None],
            self.memory.for_rows(torch.from_numpy(self.place[mention]).to(self.device)),
            reordered(self.past, torch.from_numpy(parent).to(self.device)),
            past_positions,
        )
        self.log_probs = log_softmax(self.backbone, hidden[:, 0])

    def _shrink(self, mention: np.ndarray) -> None:
        """Remove finished mentions from the memory once there are enough of them."""
        alive = np.unique(mention)
        if len(alive) <= FEW_ENOUGH * self.memory.mask.shape[0]:
            chosen = torch.from_numpy(self.place[alive]).to(self.device)
            self.memory = self.memory.select(chosen)
            self.place = np.full(self.count, -1)
            self.place[alive] = np.arange(len(alive))

    def results(self) -> list[list[Hypothesis]]:
        """The finished hypotheses of each mention, best first."""
        return self.finished


def log_softmax(backbone: Backbone, states: Tensor) -> np.ndarray:
    """The log-probabilities of all tokens after the decoder's states, float32 [rows, tokens]."""
    log_probs = torch.log_softmax(backbone.logits(states).float(), -1)
    array: np.ndarray = log_probs.cpu().numpy()
    return array


def reordered(past: Sequence[KeyValue], rows: Tensor) -> tuple[KeyValue, ...]:
    """The decoder's keys and values of these rows, which may occur several times."""
    return tuple(
        (keys.index_select(0, rows), values.index_select(0, rows)) for keys, values in past
    )


def _ranks(groups: np.ndarray) -> np.ndarray:
    """The rank of each entry within its group, from 0. Groups are in ascending order.

    >>> _ranks(np.array([4, 4, 4, 7, 7]))
    array([0, 1, 2, 0, 1])
    """
    ranks: np.ndarray = np.arange(len(groups)) - np.searchsorted(groups, groups)
    return ranks
