"""Beam search over the name trie, batched over mentions.

Hypotheses ("rows") of all mentions are run together; each carries its trie node, so the allowed
continuations are one slice, nothing is masked over the vocabulary and nothing is looked up again
at the end. Scores are log-softmax over the *whole* vocabulary (GenBioEL, GENRE), read at the
allowed tokens only. Cross-attention keys are computed once per mention and shared by its rows. A
row whose name is decided, because only one continues from its node, is scored to its end in one
pass and takes part in the later steps of the beam with the scores known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from biolink.errors import BiolinkError, ConfigError
from biolink.infer.backbone import Backbone, KeyValue, Memory
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
        Drop open hypotheses more than this many nats behind the best of their mention; None
        keeps all.
    chains
        Score decided names to their end in one pass. Changes no result.
    """

    beam: int = 5
    length_penalty: float = 1.0
    normalise: Literal["prompt-excluded", "fairseq"] = "prompt-excluded"
    stop: Literal["topk", "best"] = "topk"
    keep: int = 5
    prune: float | None = None
    chains: bool = True

    def __post_init__(self) -> None:
        if self.beam < 1 or self.keep < 1:
            raise ConfigError("beam and keep are at least 1")
        if self.normalise not in ("prompt-excluded", "fairseq"):
            raise ConfigError(f"normalise is prompt-excluded or fairseq, not {self.normalise!r}")
        if self.stop not in ("topk", "best"):
            raise ConfigError(f"stop is topk or best, not {self.stop!r}")


#: The rule of fairseq and transformers, to the letter.
EXACT = DecodingOptions()
#: Stops as soon as the result is decided and drops hopeless hypotheses (performance: see
#: ``benchmarks/RESULTS.md``).
FAST = DecodingOptions(stop="best", keep=1, prune=8.0)


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


@dataclass(slots=True)
class _Rows:
    """Open hypotheses: parallel arrays, ascending by mention.

    ``state`` is the row's place among the rows with a decoder state, or -1 for a row that replays
    a chain; ``chain`` is then its chain, and ``step`` the place in it.
    """

    mention: np.ndarray
    node: np.ndarray
    log_prob: np.ndarray
    tokens: np.ndarray  # [rows, steps so far]
    state: np.ndarray
    chain: np.ndarray
    step: np.ndarray

    def take(self, index: np.ndarray) -> _Rows:
        return _Rows(*(getattr(self, name)[index] for name in self.__slots__))


@dataclass(slots=True)
class _States:
    """Decoder states of rows: keys and values, and which of their positions are real."""

    past: tuple[KeyValue, ...]
    valid: Tensor  # bool [rows, positions]
    positions: Tensor  # [rows, positions]

    def take(self, index: Tensor) -> _States:
        past = tuple((k.index_select(0, index), v.index_select(0, index)) for k, v in self.past)
        return _States(past, self.valid[index], self.positions[index])


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
        self.chains: list[np.ndarray] = []
        self.steps = 0
        self._read_prompts(prompts)

    def _read_prompts(self, prompts: Sequence[Sequence[int]]) -> None:
        lengths = torch.tensor([len(p) for p in prompts], device=self.device)
        size = int(lengths.max())
        tokens = torch.full((self.count, size), self.backbone.pad_id, device=self.device)
        for row, prompt in enumerate(prompts):
            tokens[row, : len(prompt)] = torch.tensor(prompt, device=self.device)
        order = torch.arange(size, device=self.device)
        valid = order[None, :] < lengths[:, None]
        positions = order[None, :].expand(self.count, size)
        mask = (order[:, None] >= order[None, :])[None] & valid[:, None, :]
        # A padded position must see something, or its softmax is not a number.
        mask = mask | torch.eye(size, dtype=torch.bool, device=self.device)
        states, past = self.backbone.decode(tokens, positions, mask, self.memory)
        last = states[torch.arange(self.count, device=self.device), lengths - 1]
        self.prompt_lengths = lengths.cpu().numpy()
        self.prompt_log_probs = np.zeros(self.count)
        if self.options.normalise == "fairseq" and size > 1:
            log_probs = torch.log_softmax(self.backbone.logits(states[:, :-1]).float(), -1)
            chosen = log_probs.gather(2, tokens[:, 1:, None])[..., 0]
            self.prompt_log_probs = (chosen * valid[:, 1:]).sum(1).double().cpu().numpy()
        self.states = _States(past, valid, positions)
        self.log_probs = self._log_softmax(last)
        everyone = np.arange(self.count)
        none = np.full(self.count, -1)
        self.rows = _Rows(
            everyone,
            np.zeros(self.count, dtype=np.int64),
            np.zeros(self.count),
            np.empty((self.count, 0), dtype=np.int64),
            everyone,
            none,
            np.zeros(self.count, dtype=np.int64),
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
        begins = np.searchsorted(mention[order], np.arange(self.count))
        rank = np.arange(len(order)) - begins[mention[order]]
        top = order[rank < 2 * self.options.beam]
        rank = rank[rank < 2 * self.options.beam]
        self.steps += 1
        ends = self.trie.first[child[top]] == self.trie.first[child[top] + 1]
        for index in top[ends & (rank < self.options.beam)]:
            self._finish(int(parent[index]), int(child[index]), float(log_prob[index]))
        going = top[~ends]
        # Of those that go on, the beam best of each mention.
        begins = np.searchsorted(mention[going], np.arange(self.count))
        rank = np.arange(len(going)) - begins[mention[going]]
        going = going[rank < self.options.beam]
        going = going[self._worthwhile(mention[going], child[going], log_prob[going])]
        self._move(parent[going], child[going], log_prob[going])

    def _candidates(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Allowed continuations: parent row, child node, log-probability so far."""
        rows, trie = self.rows, self.trie
        begin = np.asarray(trie.first[rows.node], dtype=np.int64)
        counts = np.asarray(trie.first[rows.node + 1], dtype=np.int64) - begin
        parent = np.repeat(np.arange(len(counts)), counts)
        offset = np.arange(len(parent)) - np.repeat(np.cumsum(counts) - counts, counts)
        child = begin[parent] + offset
        tokens = np.asarray(trie.tok[child], dtype=np.int64)
        state = rows.state[parent]
        step = np.empty(len(parent))
        alive = state >= 0
        step[alive] = self.log_probs[state[alive], tokens[alive]]
        for index in np.flatnonzero(~alive):
            row = parent[index]
            step[index] = self.chains[rows.chain[row]][rows.step[row]]
        return parent, child, rows.log_prob[parent] + step

    def _score(self, mention: int, log_prob: float, length: int) -> float:
        if self.options.normalise == "fairseq":
            log_prob += float(self.prompt_log_probs[mention])
            length += int(self.prompt_lengths[mention]) - 1
        return log_prob / length**self.options.length_penalty

    def _finish(self, row: int, leaf: int, log_prob: float) -> None:
        mention = int(self.rows.mention[row])
        # Checked always: what was fed to the decoder is a path of the trie.
        path = [*self.rows.tokens[row].tolist(), int(self.trie.tok[leaf])]
        if self.trie.walk(path) != leaf:
            raise BiolinkError(f"internal error: {path} is no path of the name trie")
        score = self._score(mention, log_prob, self.steps)
        done = self.finished[mention]
        done.append(Hypothesis(leaf, score, log_prob, self.steps))
        done.sort(key=lambda h: (-h.score, h.leaf))
        del done[self.options.beam :]

    def _worthwhile(
        self, mention: np.ndarray, node: np.ndarray, log_prob: np.ndarray
    ) -> np.ndarray:
        """bool: hypotheses that are kept open; rows of a mention are adjacent, best first."""
        options = self.options
        keep = np.ones(len(mention), dtype=bool)
        firsts = np.searchsorted(mention, mention)
        if options.prune is not None:
            keep &= log_prob >= log_prob[firsts] - options.prune
        if options.stop == "topk":
            for first in np.unique(firsts):
                done = self.finished[mention[first]]
                if len(done) == options.beam:
                    best = self._score(int(mention[first]), float(log_prob[first]), self.steps)
                    if best <= done[-1].score:
                        keep[firsts == first] = False
        else:
            for index in range(len(mention)):
                done = self.finished[mention[index]]
                if len(done) >= min(options.keep, options.beam):
                    longest = self.steps + int(self.trie.height[node[index]])
                    length = longest if options.length_penalty > 0 else self.steps + 1
                    bound = self._score(int(mention[index]), float(log_prob[index]), length)
                    keep[index] &= bound > done[min(options.keep, options.beam) - 1].score
        return keep

    def _move(self, parent: np.ndarray, child: np.ndarray, log_prob: np.ndarray) -> None:
        """Make the chosen continuations the open hypotheses and run the decoder for them."""
        old = self.rows
        token = np.asarray(self.trie.tok[child], dtype=np.int64)
        rows = old.take(parent)
        rows.node, rows.log_prob = child, log_prob
        rows.tokens = np.concatenate([rows.tokens, token[:, None]], 1)
        rows.step = rows.step + 1
        fresh = np.flatnonzero(rows.state >= 0)
        decided = np.zeros(0, dtype=np.int64)
        if self.options.chains and len(fresh):
            nodes = rows.node[fresh]
            # A chain of one token and the end is an ordinary step.
            long = self.trie.forced[nodes] & (self.trie.height[nodes] > 1)
            fresh, decided = fresh[~long], fresh[long]
        self._shrink(rows)
        if len(decided):
            self._run_chains(rows, decided)
        if len(fresh):
            states = self.states.take(torch.from_numpy(rows.state[fresh]).to(self.device))
            tokens = torch.from_numpy(token[fresh])[:, None].to(self.device)
            hidden, self.states = self._decode(states, tokens, rows.mention[fresh], None)
            self.log_probs = self._log_softmax(hidden[:, 0])
            rows.state[fresh] = np.arange(len(fresh))
        self.rows = rows

    def _shrink(self, rows: _Rows) -> None:
        """Let finished mentions leave the memory once they are half of it."""
        alive = np.unique(rows.mention)
        if 0 < len(alive) <= self.memory.mask.shape[0] // 2:
            chosen = torch.from_numpy(self.place[alive]).to(self.device)
            self.memory = self.memory.select(chosen)
            self.place = np.full(self.count, -1)
            self.place[alive] = np.arange(len(alive))

    def _decode(
        self, states: _States, tokens: Tensor, mention: np.ndarray, lengths: Tensor | None
    ) -> tuple[Tensor, _States]:
        """Feed T tokens to rows of these mentions; ``lengths`` says how many of them are real."""
        size = tokens.shape[1]
        begin = torch.from_numpy(self.prompt_lengths[mention]).to(self.device) + self.steps - 1
        order = torch.arange(size, device=self.device)
        positions = begin[:, None] + order[None, :]
        causal = (order[:, None] >= order[None, :])[None].expand(len(mention), size, size)
        seen = states.valid[:, None, :].expand(-1, size, -1)
        if lengths is not None:
            positions = torch.minimum(positions, (begin + lengths - 1)[:, None])
        memory = self.memory.for_rows(torch.from_numpy(self.place[mention]).to(self.device))
        hidden, new = self.backbone.decode(
            tokens,
            positions,
            torch.cat([seen, causal], 2),
            memory,
            states.past,
            states.positions,
        )
        past = tuple(
            (torch.cat([k, nk], 2), torch.cat([v, nv], 2))
            for (k, v), (nk, nv) in zip(states.past, new, strict=True)
        )
        real = torch.ones_like(tokens, dtype=torch.bool)
        grown = _States(
            past,
            torch.cat([states.valid, real], 1),
            torch.cat([states.positions, positions], 1),
        )
        return hidden, grown

    def _run_chains(self, rows: _Rows, decided: np.ndarray) -> None:
        """Score decided names to their end in one pass each, all together."""
        trie = self.trie
        ways = []
        for row in decided:
            node, way = int(rows.node[row]), [int(rows.tokens[row, -1])]
            while trie.first[node] != trie.first[node + 1]:
                node = int(trie.first[node])
                way.append(int(trie.tok[node]))
            ways.append(way)
        size = max(map(len, ways)) - 1
        tokens = torch.full((len(ways), size), self.backbone.pad_id)
        for number, way in enumerate(ways):
            tokens[number, : len(way) - 1] = torch.tensor(way[:-1])
        states = self.states.take(torch.from_numpy(rows.state[decided]).to(self.device))
        lengths = torch.tensor([len(way) - 1 for way in ways], device=self.device)
        hidden, _ = self._decode(states, tokens.to(self.device), rows.mention[decided], lengths)
        real = torch.arange(size, device=self.device)[None, :] < lengths[:, None]
        log_probs = self._log_softmax(hidden[real])
        begin = 0
        for row, way in zip(decided, ways, strict=True):
            count = len(way) - 1
            steps = log_probs[np.arange(begin, begin + count), way[1:]]
            begin += count
            rows.state[row] = -1
            rows.chain[row] = len(self.chains)
            rows.step[row] = 0
            self.chains.append(steps.astype(np.float64))

    def results(self) -> list[list[Hypothesis]]:
        return self.finished
