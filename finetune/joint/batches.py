"""The batches of the default's training, which depend only on the seed, the stage and the step."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from biolink.errors import ConfigError
from biolink.finetune.joint.mining import interleaved, spread
from biolink.finetune.joint.tables import SOURCE_LIMIT, Mentions, Names, Ragged, marked_span
from biolink.infer.rank.score import Packed, pack
from biolink.kb import KnowledgeBase
from biolink.kb.prompt import PromptForm
from biolink.pretrain.denoising import Noise, noised
from biolink.pretrain.kb_guided import KBGuidedSamples
from biolink.pretrain.training.order import shuffled
from biolink.pretrain.training.seq2seq import denoising_batch, padded

__all__ = ["Batch", "Batches", "Mined", "Ranking", "Special", "Stage"]

_PROMPT_LIMIT = 24
_RIGHT = 3  # The most names of the gold concept in a listwise sample.


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of training.

    Attributes
    ----------
    name
        The name of the stage in checkpoints and in the log.
    steps
        Number of optimiser steps.
    texts
        Number of packed sequences of plain text to denoise in a step (BioBART's text infilling).
    mentions, kb_samples
        Number of annotated mentions and of KB-guided samples in a step.
    pairs
        Number of synonym pairs in a step's contrastive batch; 0 for none.
    mention_pairs
        Number of these pairs that start from an annotated mention.
    negatives
        Number of near-misses that are scored with each target; 0 for none. They are the nearest
        names by the embeddings of the model at the beginning of the stage and, for mentions, also
        by n-grams.
    context
        Weight of the contrast between a mention in its context and names; 0 for none.
    lr, encoder_lr
        Peak learning rates of the decoder, and of the encoder with its embeddings. They fall
        linearly to zero after a warm-up of 5 % of the steps.
    label_smoothing, temperature
        Label smoothing of the generation loss, and temperature of the contrast.
    """

    name: str
    steps: int
    texts: int = 0
    mentions: int = 0
    kb_samples: int = 0
    pairs: int = 0
    mention_pairs: int = 0
    negatives: int = 0
    context: float = 0.0
    lr: float = 3e-4
    encoder_lr: float = 5e-5
    label_smoothing: float = 0.1
    temperature: float = 0.05

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Stage:
        """Make a stage from a table of a recipe."""
        known = {field.name for field in fields(cls)}
        unknown = set(values) - known
        if unknown:
            raise ConfigError(
                f"unknown settings of a stage {sorted(unknown)}; expected one of {sorted(known)}"
            )
        if not values.get("name") or values.get("steps", 0) < 1:
            raise ConfigError("a stage needs a name and at least one step")
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Special:
    """Ids of special tokens."""

    pad: int
    begin: int
    end: int
    mask: int
    start: int  # The decoder's start token.


@dataclass(frozen=True, slots=True)
class Mined:
    """Near-misses as name ids [names, k] and [mentions, k], padded with -1."""

    names: np.ndarray
    mentions: np.ndarray


@dataclass(frozen=True, slots=True)
class Ranking:
    """Sources with names to score; the first name of each source is the target.

    Attributes
    ----------
    source, source_mask
        [samples, tokens]: token ids and mask of the sources.
    packed
        Prompts and names.
    right, present
        bool [samples, names]: whether a name is one of the gold concept, and whether it is not
        padding.
    spans
        [samples, 2]: span of the mention in the source, in tokens.
    beside, beside_mask
        [2 * samples, tokens]: token ids and mask of the targets, and then of a near-miss of each,
        for the contrast with mentions in context.
    families
        [2 * samples]: families of those names.
    """

    source: Tensor
    source_mask: Tensor
    packed: Packed
    right: Tensor
    present: Tensor
    spans: Tensor
    beside: Tensor
    beside_mask: Tensor
    families: Tensor

    def to(self, device: torch.device) -> Ranking:
        return Ranking(*(getattr(self, name).to(device) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class _Sample:
    """A source with names; the first is the target, and the first ``right`` of them are right."""

    source: list[int]
    prompt: list[int]
    span: tuple[int, int]
    family: int
    names: list[int]
    right: int


@dataclass(frozen=True, slots=True)
class Batch:
    """The data of one step; a part that the stage does not have is None.

    Attributes
    ----------
    texts
        Batch for denoising; see :func:`biolink.pretrain.training.seq2seq.denoising_batch`.
    ranking
        Batch for generation.
    pairs
        Batch for the contrast: token ids and mask [2 * pairs, tokens] of first and second texts,
        and families [pairs].
    """

    texts: dict[str, Tensor] | None
    ranking: Ranking | None
    pairs: tuple[Tensor, Tensor, Tensor] | None

    def to(self, device: torch.device) -> Batch:
        texts = self.texts and {name: value.to(device) for name, value in self.texts.items()}
        ranking = self.ranking and self.ranking.to(device)
        pairs = self.pairs and tuple(value.to(device) for value in self.pairs)
        return Batch(texts, ranking, pairs)  # type: ignore[arg-type]


class Batches(Dataset):
    """The batches of a stage, by step.

    Parameters
    ----------
    stage, seed
        The stage and the seed, from which batches follow together with the number of the step.
    names, mentions, texts
        Tables of names, mentions and packed sequences of text.
    kb, form, tokenizer
        Knowledge base, prompt form and tokeniser for KB-guided samples, which are made when they
        are needed.
    special
        Ids of special tokens.
    mined
        Near-misses, which are needed if the stage has negatives or pairs.
    """

    def __init__(
        self,
        stage: Stage,
        seed: int,
        names: Names,
        mentions: Mentions,
        texts: Ragged,
        kb: KnowledgeBase,
        form: PromptForm,
        tokenizer: Any,
        special: Special,
        mined: Mined | None,
    ) -> None:
        self.stage, self.seed, self.special = stage, seed, special
        self.names, self.mentions, self.texts, self.mined = names, mentions, texts, mined
        self.kb, self.form, self.tokenizer = kb, form, tokenizer
        self.kb_samples = KBGuidedSamples(kb, form, seed)
        self.kinds = [np.flatnonzero(names.kinds == kind) for kind in np.unique(names.kinds)]
        ends = {tokenizer.convert_tokens_to_ids(token) for token in (".", "!", "?")}
        self._ends_sentence = ends.__contains__

    def __len__(self) -> int:
        return self.stage.steps

    def __getitem__(self, step: int) -> Batch:
        stage = self.stage
        rng = random.Random(f"{self.seed}:{stage.name}:{step}")
        return Batch(
            self._denoising(step) if stage.texts else None,
            self._ranking(rng) if stage.mentions or stage.kb_samples else None,
            self._pairs(rng) if stage.pairs else None,
        )

    # ------------------------------------------------------------------ parts

    def _denoising(self, step: int) -> dict[str, Tensor]:
        special, size = self.special, len(self.texts)
        begin = step * self.stage.texts
        sources, targets = [], []
        for number in range(begin, begin + self.stage.texts):
            target = self.texts[shuffled(number, size, self.seed)]
            sources.append(
                noised(target, number, self.seed, Noise(), special.mask, special.end,
                       self._ends_sentence)
            )  # fmt: skip
            targets.append(target)
        return denoising_batch(sources, targets, special.pad, special.start)

    def _ranking(self, rng: random.Random) -> Ranking:
        special, names = self.special, self.names
        samples = [*self._of_mentions(rng), *self._of_kb(rng)]
        most = max(len(sample.names) for sample in samples)
        present = torch.zeros(len(samples), most, dtype=torch.bool)
        right = torch.zeros(len(samples), most, dtype=torch.bool)
        for row, sample in enumerate(samples):
            present[row, : len(sample.names)] = True
            right[row, : sample.right] = True
        # Without a near-miss the target takes its place; it has the same family, so it is ignored.
        wrong = [s.names[s.right] if len(s.names) > s.right else s.names[0] for s in samples]
        beside = [sample.names[0] for sample in samples] + wrong
        beside_ids, beside_mask = self._bare([names.tokens[i] for i in beside])
        source, source_mask = _with_mask([sample.source for sample in samples], special.pad)
        return Ranking(
            source,
            source_mask,
            pack(
                [[special.start, *sample.prompt] for sample in samples],
                [[[*names.tokens[i], special.end] for i in sample.names] for sample in samples],
                special.pad,
            ),
            right,
            present,
            torch.tensor([sample.span for sample in samples]),
            beside_ids,
            beside_mask,
            torch.tensor([s.family for s in samples] + [names.families[i][0] for i in wrong]),
        )

    def _of_mentions(self, rng: random.Random) -> Iterator[_Sample]:
        """Samples of annotated mentions, each with names of its concept and near-misses."""
        stage, mentions = self.stage, self.mentions
        for number in rng.sample(range(len(mentions)), min(stage.mentions, len(mentions))):
            right = mentions.right[number]
            right = [right[0], *rng.sample(right[1:], min(_RIGHT - 1, len(right) - 1))]
            right = right if stage.negatives else right[:1]
            begin, end = mentions.spans[number].tolist()
            yield _Sample(
                mentions.sources[number],
                mentions.prompts[number],
                (begin, end),
                mentions.families[number][0],
                [*right, *spread(self._misses(number), stage.negatives, rng)],
                len(right),
            )

    def _of_kb(self, rng: random.Random) -> Iterator[_Sample]:
        """KB-guided samples, with the near-misses of the name that is the mention."""
        stage, names, form = self.stage, self.names, self.form
        size = len(self.kb_samples)
        drawn = [self.kb_samples[rng.randrange(size)] for _ in range(stage.kb_samples)]
        if not drawn:
            return
        sources = self.tokenizer(
            [sample.source for sample in drawn], truncation=True, max_length=SOURCE_LIMIT
        )["input_ids"]
        prompts = form.prompt_ids(self.tokenizer, [sample.mention for sample in drawn], 0)
        for sample, source, prompt in zip(drawn, sources, prompts, strict=True):
            target, mention = self.kb.name_id(sample.target), self.kb.name_id(sample.mention)
            assert target is not None
            own = set(names.families[target])
            misses = []
            if self.mined is not None and mention is not None:
                near = (i for i in self.mined.names[mention].tolist() if i >= 0)
                misses = [i for i in near if own.isdisjoint(names.families[i])]
            yield _Sample(
                source,
                prompt[1:][-_PROMPT_LIMIT:],
                marked_span(source, self.tokenizer, form),
                names.families[target][0],
                [target, *spread(misses, stage.negatives, rng)],
                1,
            )

    def _misses(self, number: int) -> list[int]:
        """Near-misses of a mention, alternately by embeddings and by n-grams."""
        by_ngrams = self.mentions.misses[number]
        if self.mined is None:
            return by_ngrams
        return interleaved(self.mined.mentions[number].tolist(), by_ngrams)

    def _pairs(self, rng: random.Random) -> tuple[Tensor, Tensor, Tensor]:
        """Synonym pairs; each is followed by up to three pairs of its near-misses."""
        stage, names, mentions = self.stage, self.names, self.mentions
        first: list[list[int]] = []
        second: list[list[int]] = []
        families: list[int] = []

        def add(name_id: int) -> None:
            family = names.families[name_id][0]
            tokens = names.tokens[name_id]
            first.append(tokens)
            second.append(names.tokens[self._synonym(family, tokens, rng)])
            families.append(family)

        while len(mentions) and len(first) < stage.mention_pairs:
            number = rng.randrange(len(mentions))
            first.append(mentions.texts[number])
            second.append(names.tokens[rng.choice(mentions.right[number])])
            families.append(mentions.families[number][0])
            for name_id in spread(self._misses(number), 3, rng):
                add(name_id)
        while len(first) < stage.pairs:
            # Types are drawn equally often, since a base may have ten times as many chemicals as
            # diseases.
            anchor = int(rng.choice(rng.choice(self.kinds)))
            add(anchor)
            if self.mined is not None:
                near = [i for i in self.mined.names[anchor].tolist() if i >= 0]
                for name_id in spread(near, 3, rng):
                    add(name_id)
        size = stage.pairs
        ids, mask = self._bare([*first[:size], *second[:size]])
        return ids, mask, torch.tensor(families[:size])

    def _synonym(self, family: int, tokens: list[int], rng: random.Random) -> int:
        """A name of the family that does not have just the same tokens, if there is one."""
        members = self.names.members[family]
        for _ in range(4):
            other = rng.choice(members)
            if sorted(self.names.tokens[other]) != sorted(tokens):
                break
        return other

    def _bare(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Ids and mask of names as the encoder reads them without context."""
        special = self.special
        return _with_mask([[special.begin, *row, special.end] for row in rows], special.pad)


def _with_mask(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    ids = padded(rows, pad_id)
    lengths = torch.tensor([len(row) for row in rows])
    return ids, (torch.arange(ids.shape[1])[None] < lengths[:, None]).long()
