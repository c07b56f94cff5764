"""Beam search over the name trie, batched over mentions.

Hypotheses ("rows") of all mentions are run together; each carries its trie node, so the allowed
continuations are one slice, nothing is masked over the vocabulary and nothing is looked up again
at the end. Scores are log-softmax over the *whole* vocabulary (GenBioEL, GENRE), read at the
allowed tokens only. Cross-attention keys are computed once per mention and shared by its rows.
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

__all__ = ["EXACT", "FAST", "DecodingOptions", "Hypothesis", "constrained_beam_search"]


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """How the beam search runs.

    Attributes
    ----------
    beam
        Hypotheses kept for each mention.
    length_penalty
        A finished hypothesis scores (sum of log-probabilities) / length ** length_penalty; the
        end token counts.
    normalise
        ``prompt-excluded``: sum and length are of the name's tokens. ``fairseq``: the decoder
        prompt's own log-probability and length take part, as in the published GenBioEL figures;
        a constant for each mention, it shifts the ranking of names of different lengths.
    stop
        ``topk``: as fairseq and transformers do, when there are ``beam`` finished hypotheses and
        the best open one is worse than all of them at its present length. ``best``: when no open
        hypothesis can come before the ``keep`` best finished ones, however it ends.
    keep
        Finished hypotheses that matter to ``stop="best"``.
    prune
        Drop open hypotheses more than this many nats behind the best of their mention, open or
        finished, whose own log-probability is counted ``1 + length_penalty`` times: a longer name
        can still win from behind. None keeps all.
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


#: The rule of fairseq and transformers, to the letter.
EXACT = DecodingOptions()
#: Stops as soon as the best is decided and drops hopeless hypotheses; how often the best differs,
#: and what is lost among the first five, stands in ``benchmarks/results/decoding.md``.
FAST = DecodingOptions(stop="best", keep=1, prune=16.0)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A finished name.

    Attributes
    ----------
    leaf
        Its leaf in the trie.
    score
        What it was ranked by.
    log_prob
        Sum over the name's tokens, end token included, prompt excluded.
    length
        Number of those tokens.
    """

    leaf: int
    score: float
    log_prob: float
    length: int


#: A row with more continuations than this is cut down to its best before all are sorted.
_MANY = 64


@dataclass(slots=True)
class _Rows:
    """Open hypotheses: parallel arrays, ascending by mention."""

    mention: np.ndarray
    log_prob: np.ndarray
    nodes: np.ndarray  # [rows, 1 + steps so far], the root first
    tokens: np.ndarray  # [rows, steps so far]

    @property
    def node(self) -> np.ndarray:
        """Where each stands."""
        return self.nodes[:, -1]


@torch.inference_mode()
def constrained_beam_search(
    backbone: Backbone,
    trie: NameTrie,
    memory: Memory,
    prompts: Sequence[Sequence[int]],
    options: DecodingOptions = EXACT,
) -> list[list[Hypothesis]]:
    """The best names of each mention.

    Parameters
    ----------
    backbone, memory
        The model and its memory of the mentions.
    trie
        Names that may be generated.
    prompts
        Decoder input ids before the name, for each mention (start token first).
    options
        See :class:`DecodingOptions`.

    Returns
    -------
    For each mention at most ``beam`` hypotheses, best first; ties by leaf.

    Raises
    ------
    BiolinkError
        When the trie has no names.
    """
    if not len(trie):
        raise BiolinkError("there are no names to generate: the knowledge base is empty")
    search = _Search(backbone, trie, memory, prompts, options)
    while len(search.rows.node):
        search.advance()
    return search.results()


class _Search:
    def __init__(
        self,
        backbone: Backbone,
        trie: NameTrie,
        memory: Memory,
        prompts: Sequence[Sequence[int]],
        options: DecodingOptions,
    ) -> None:
        self.backbone, self.trie, self.memory, self.options = backbone, trie, memory, options
        self.device = backbone.device
        self.count = len(prompts)
        # Mentions whose search is over leave the memory; place of each in what is left.
        self.place = np.arange(self.count)
        self.finished: list[list[Hypothesis]] = [[] for _ in prompts]
        # What an open hypothesis must beat.
        self.bar = np.full(self.count, -np.inf)
        # Log-probability of the best finished one.
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
        #: bool [mentions, size]: positions of the prompt that are real.
        self.valid = order[None, :] < lengths[:, None]
        positions = order[None, :].expand(self.count, size)
        mask = (order[:, None] >= order[None, :])[None] & self.valid[:, None, :]
        # A padded position must see something, or its softmax is not a number.
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
        self.log_probs = self._log_softmax(last)
        self.rows = _Rows(
            np.arange(self.count),
            np.zeros(self.count),
            np.zeros((self.count, 1), dtype=np.int64),
            np.empty((self.count, 0), dtype=np.int64),
        )

    def _log_softmax(self, states: Tensor) -> np.ndarray:
        log_probs = torch.log_softmax(self.backbone.logits(states).float(), -1)
        array: np.ndarray = log_probs.cpu().numpy()
        return array

    # ------------------------------------------------------------------ one step

    def advance(self) -> None:
        """Extend every open hypothesis by one token."""
        parent, child, log_prob = self._candidates()
        mention = self.rows.mention[parent]
        # The 2 x beam best of each mention; ties by child, that is by token.
        order = np.lexsort((child, -log_prob, mention))
        rank = _ranks(mention[order])
        top = order[rank < 2 * self.options.beam]
        rank = rank[rank < 2 * self.options.beam]
        self.steps += 1
        ends = self.trie.first[child[top]] == self.trie.first[child[top] + 1]
        over = top[ends & (rank < self.options.beam)]
        if len(over):
            self._check(parent[over], child[over])
        for index in over:
            self._finish(int(parent[index]), int(child[index]), float(log_prob[index]))
        going = top[~ends]
        # Of those that go on, the beam best of each mention.
        going = going[_ranks(mention[going]) < self.options.beam]
        going = going[self._worthwhile(mention[going], child[going], log_prob[going])]
        self._move(parent[going], child[going], log_prob[going])

    def _candidates(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Allowed continuations: parent row, child node, log-probability so far.

        Of a row with many, those that the others of the same row cannot keep out.
        """
        rows, trie, most = self.rows, self.trie, 2 * self.options.beam
        begin = np.asarray(trie.first[rows.node], dtype=np.int64)
        counts = np.asarray(trie.first[rows.node + 1], dtype=np.int64) - begin
        parents, children, steps = [], [], []
        wide = counts > max(_MANY, most)
        for row in np.flatnonzero(wide):
            tokens = trie.tok[begin[row] : begin[row] + counts[row]]
            step = self.log_probs[row, tokens]
            # All that tie with the last are kept.
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
            steps.append(self.log_probs[parent, trie.tok[child]])
        parent, child = np.concatenate(parents), np.concatenate(children)
        return parent, child, rows.log_prob[parent] + np.concatenate(steps)

    def _scores(self, mention: Any, log_prob: Any, length: Any) -> Any:
        """What hypotheses of so many tokens are ranked by."""
        if self.options.normalise == "fairseq":
            log_prob = log_prob + self.prompt_log_probs[mention]
            length = length + self.prompt_lengths[mention] - 1
        return log_prob / length**self.options.length_penalty

    def _check(self, rows: np.ndarray, leaves: np.ndarray) -> None:
        """Checked always: what was fed to the decoder is a path of the trie."""
        trie = self.trie
        nodes = np.concatenate([self.rows.nodes[rows], leaves[:, None]], 1)
        before, after = nodes[:, :-1], nodes[:, 1:]
        # A leaf's token is fed to nobody.
        is_path = (trie.first[before] <= after) & (after < trie.first[before + 1])
        is_path[:, :-1] &= trie.tok[after[:, :-1]] == self.rows.tokens[rows]
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
        """bool: hypotheses that are kept open; rows of a mention are adjacent, best first."""
        options = self.options
        firsts = np.searchsorted(mention, mention)
        if options.stop == "topk":
            # The best open one decides for all of its mention.
            keep = self._scores(mention, log_prob[firsts], self.steps) > self.bar[mention]
        else:
            length: Any = self.steps + 1
            if options.length_penalty > 0:
                length = self.steps + np.asarray(self.trie.height[node], dtype=np.int64)
            keep = self._scores(mention, log_prob, length) > self.bar[mention]
        if options.prune is not None:
            best = np.maximum(log_prob[firsts], self.best[mention])
            keep &= log_prob >= best * (1 + options.length_penalty) - options.prune
        kept: np.ndarray = keep
        return kept

    def _move(self, parent: np.ndarray, child: np.ndarray, log_prob: np.ndarray) -> None:
        """Make the chosen continuations the open hypotheses and run the decoder for them."""
        token = np.asarray(self.trie.tok[child], dtype=np.int64)
        mention = self.rows.mention[parent]
        tokens = np.concatenate([self.rows.tokens[parent], token[:, None]], 1)
        nodes = np.concatenate([self.rows.nodes[parent], child[:, None]], 1)
        self.rows = _Rows(mention, log_prob, nodes, tokens)
        if not len(parent):
            return
        self._shrink(mention)
        of_row = torch.from_numpy(mention).to(self.device)
        begin = self.lengths[of_row][:, None]
        # The prompt, what was generated, and the new token.
        made = torch.arange(self.steps, device=self.device)
        valid = self.valid[of_row]
        seen = torch.cat([valid, valid.new_ones(len(of_row), self.steps)], 1)
        prompt = torch.arange(valid.shape[1], device=self.device)
        earlier = torch.cat([prompt.expand(len(of_row), -1), begin + made[:-1]], 1)
        hidden, self.past = self.backbone.decode(
            torch.from_numpy(token)[:, None].to(self.device),
            begin + self.steps - 1,
            seen[:, None],
            self.memory.for_rows(torch.from_numpy(self.place[mention]).to(self.device)),
            self._past_of(parent),
            earlier,
        )
        self.log_probs = self._log_softmax(hidden[:, 0])

    def _past_of(self, parent: np.ndarray) -> tuple[KeyValue, ...]:
        """Keys and values of the rows that go on."""
        order = torch.from_numpy(parent).to(self.device)
        return tuple((k.index_select(0, order), v.index_select(0, order)) for k, v in self.past)

    def _shrink(self, mention: np.ndarray) -> None:
        """Let finished mentions leave the memory once there are enough of them."""
        alive = np.unique(mention)
        if len(alive) <= FEW_ENOUGH * self.memory.mask.shape[0]:
            chosen = torch.from_numpy(self.place[alive]).to(self.device)
            self.memory = self.memory.select(chosen)
            self.place = np.full(self.count, -1)
            self.place[alive] = np.arange(len(alive))

    def results(self) -> list[list[Hypothesis]]:
        return self.finished


def _ranks(groups: np.ndarray) -> np.ndarray:
    """Place of each entry in its group; groups ascend."""
    ranks: np.ndarray = np.arange(len(groups)) - np.searchsorted(groups, groups)
    return ranks
