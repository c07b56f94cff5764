"""Training a recogniser's encoder so that it reads for the linking model as well.

A window of text is encoded once for all of its mentions, and its states learn three things. They
say where mentions are (:mod:`biolink.finetune.tagging`). The vector of a mention in its context is
near to the names of its concept, and to the vector that the linking model's own encoder gives the
mention in a window between markers. With ``reading="shared"``, the decoder, which attends to the
states around a mention, gives the names of the concept a higher probability than the nearest wrong
names; with ``reading="staged"``, it is not trained.

The recogniser can also stay as it is, so that only the layers between it and the linking model, and
the decoder, are trained. Then the states of each window are computed once and kept.

The vectors of names stay those of the linking model, so indexes need not be built again. Besides
annotated documents, the training can read plain texts whose mentions a linker is sure of.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from biolink.errors import ConfigError
from biolink.finetune.reading.texts import NameTable, ReadMention, ReadText
from biolink.finetune.tagging import tagging_losses
from biolink.infer.mentions.tagger import WINDOW, Tagger, collate, window_begins, window_of
from biolink.infer.network.backbone import Backbone
from biolink.infer.network.reading_heads import around, span_means
from biolink.infer.rank.score import name_log_probs, pack
from biolink.pretrain.training.checkpoints import Report
from biolink.pretrain.training.losses import listwise, smoothed_nll
from biolink.pretrain.training.running import Numbered, Optimisation, run_training
from biolink.pretrain.training.settings import at_least, share

__all__ = ["Mixture", "ReadingModule", "train_reading"]

_SORTED = 8  # The number of steps whose windows are sorted by length, to save padding.
_PADDED = 32  # The lengths of windows are padded to multiples of this number.
_OF_A_WINDOW = 10  # The most mentions of a window that are linked in a step.
_OF_A_CONCEPT = 4  # The most names of a gold concept that are added to the contrast.
_TEMPERATURE = 0.05
_SMOOTHING = 0.1
#: The weights of the losses beside that of the labels.
_WEIGHTS = {"teacher": 3.0, "context": 0.5, "generation": 0.5, "ranking": 1.0}


@dataclass(frozen=True, slots=True)
class Mixture:
    """What a step reads, and how much linking moves the encoder.

    Attributes
    ----------
    annotated, plain
        Number of windows of annotated documents and of plain texts. Defaults: 20 and 10.
    generated
        Number of mentions whose names are generated, if the decoder is trained. Default: 80.
    negatives
        Number of near-misses of each. Default: 10.
    share
        The factor on the gradients that the encoder gets from linking. Default: 0.3.
    lr, decoder_lr, heads_lr
        Peak learning rates of the recogniser, the decoder and the layers between them. If ``lr`` is
        0, the recogniser stays as it is. Defaults: 1.5e-4, 3e-4 and 1e-3.
    """

    annotated: int = 20
    plain: int = 10
    generated: int = 80
    negatives: int = 10
    share: float = 0.3
    lr: float = 1.5e-4
    decoder_lr: float = 3e-4
    heads_lr: float = 1e-3

    def __post_init__(self) -> None:
        at_least("mixture.annotated", self.annotated, 1)
        for name in ("plain", "generated", "negatives"):
            at_least(f"mixture.{name}", getattr(self, name), 0)
        share("mixture.share", self.share)
        for name in ("decoder_lr", "heads_lr"):
            if not getattr(self, name) > 0:
                raise ConfigError(
                    f"mixture.{name} = {getattr(self, name)}; expected a number above 0"
                )
        if not self.lr >= 0:
            raise ConfigError(f"mixture.lr = {self.lr}; expected 0 or a number above it")

    @property
    def trains_recogniser(self) -> bool:
        """Whether the recogniser is trained, too."""
        return self.lr > 0


@dataclass(frozen=True, slots=True)
class _Generated:
    """A mention whose names are scored; the first name is the target, the first ones are right."""

    number: int
    prompt: list[int]
    names: list[int]
    right: int


class ReadingModule(nn.Module):
    """The networks that are trained together: the tagger and the linking model's decoder.

    Parameters
    ----------
    tagger
        The tagger, with layers for linking.
    model
        The linking model's network: BART, from transformers.
    mixture
        What a step reads, and how fast the networks learn. Default: ``Mixture()``.

    Raises
    ------
    ConfigError
        If the tagger has no layers for linking.
    """

    model: Any

    def __init__(self, tagger: Tagger, model: Any, mixture: Mixture | None = None) -> None:
        super().__init__()
        self.mixture = mixture or Mixture()
        if tagger.reads is None:
            raise ConfigError(
                "the tagger has no layers for linking: expected reads='shared' or 'staged'"
            )
        self.tagger = tagger
        # The embeddings belong to the encoder, too, and are not trained.
        children = dict(model.get_decoder().named_children()) if self.trains_decoder else {}
        self.decoder = nn.ModuleDict({k: v for k, v in children.items() if k != "embed_tokens"})
        # The rest of the model is no part of this module, so checkpoints do not contain it.
        object.__setattr__(self, "model", model)
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        for parameter in self.decoder.parameters():
            parameter.requires_grad_(True)

    @property
    def trains_decoder(self) -> bool:
        """Whether the decoder reads the states of the recogniser, and is trained to."""
        return self.tagger.reads == "shared"

    def groups(self) -> list[dict[str, Any]]:
        """The trained parameters with their learning rates, as an optimiser takes them."""
        mixture = self.mixture
        heads = list(self.tagger.reading.parameters())  # type: ignore[union-attr]
        groups = [{"params": heads, "lr": mixture.heads_lr}]
        if self.trains_decoder:
            groups.insert(0, {"params": list(self.decoder.parameters()), "lr": mixture.decoder_lr})
        if mixture.trains_recogniser:
            known = {id(p) for p in heads}
            own = [p for p in self.tagger.parameters() if p.requires_grad and id(p) not in known]
            groups.insert(0, {"params": own, "lr": mixture.lr})
        return groups

    def train(self, mode: bool = True) -> ReadingModule:
        """Switch dropout, except in the encoders that are not trained."""
        super().train(mode)
        if not self.mixture.trains_recogniser:
            self.tagger.eval()
        self.model.train(mode)
        self.model.get_encoder().eval()
        return self


def train_reading(
    module: ReadingModule,
    names: NameTable,
    annotated: Sequence[ReadText],
    plain: Sequence[ReadText],
    folder: Path,
    settings: Optimisation,
    report: Report = lambda record: None,
) -> None:
    """Train a tagger and a decoder together, or continue after an interruption.

    Parameters
    ----------
    module
        The networks, which are changed in place. The embeddings, the layers of the encoder that
        the tagger shares, and the linking model's own encoder stay as they are.
    names
        The names of the knowledge base.
    annotated, plain
        The texts; a text that is in the list twice is read twice as often.
    folder
        The folder of the checkpoints.
    settings
        Number of steps, seed and precision. The learning rates are those of ``module.mixture``.
    report
        Called with each line of the log.
    """
    fixed = None if module.mixture.trains_recogniser else _KeptStates(module.tagger)
    windows = [_windows(texts, fixed is not None) for texts in (annotated, plain)]

    def make(step: int) -> dict[str, Any]:
        return _batch(module, names, windows, fixed, settings.seed, step)

    run_training(
        module, Numbered(settings.steps, make), lambda rows: rows[0],
        _objective(Backbone(module.model), names), settings, folder,
        {"use_cpu": next(module.parameters()).device.type == "cpu"}, (), report, by_tokens=False,
        stage=settings,
        groups=module.groups(),
    )  # fmt: skip
    module.eval()


_Window = tuple[ReadText, int]


class _KeptStates:
    """The states of windows by a recogniser that stays as it is; each window is encoded once."""

    def __init__(self, tagger: Tagger) -> None:
        self.tagger = tagger
        self._kept: dict[tuple[int, int], Tensor] = {}

    @torch.no_grad()
    def __call__(self, windows: Sequence[_Window], tensors: Sequence[Tensor]) -> Tensor:
        """The states [windows, tokens, d] of windows, whose tensors are those of the tagger."""
        keys = [(id(text.pieces.ids), begin) for text, begin in windows]
        first = {key: number for number, key in reversed(list(enumerate(keys)))}
        new = [number for key, number in first.items() if key not in self._kept]
        if new:
            lengths = tensors[1].sum(1).tolist()
            states = self.tagger.states(*(tensor[new] for tensor in tensors)).half().cpu()
            for number, of_window in zip(new, states, strict=True):
                self._kept[keys[number]] = of_window[: lengths[number]].clone()
        result = torch.zeros(*tensors[0].shape, self.tagger.head.in_features)
        for row, key in zip(result, keys, strict=True):
            row[: len(self._kept[key])] = self._kept[key]
        return result


def _windows(texts: Sequence[ReadText], linked: bool) -> list[_Window]:
    """The windows of texts; if ``linked``, only those with a mention that is linked."""
    return [
        (text, begin)
        for text in texts
        for begin in window_begins(len(text.pieces.ids))
        if not linked or any(begin <= s and e <= begin + WINDOW for s, e, _ in text.mentions)
    ]


def _drawn(windows: Sequence[_Window], count: int, seed: int, step: int) -> list[_Window]:
    """The windows of a step; those of one step are of similar lengths."""
    if not windows:
        return []
    block = step // _SORTED
    rng = random.Random(f"{seed}:windows:{block}:{len(windows)}")
    drawn = [windows[rng.randrange(len(windows))] for _ in range(_SORTED * count)]
    drawn.sort(key=lambda window: min(WINDOW, len(window[0].pieces.ids) - window[1]))
    order = list(range(_SORTED))
    random.Random(f"{seed}:order:{block}").shuffle(order)
    place = order[step % _SORTED]
    return drawn[place * count : (place + 1) * count]


def _batch(
    module: ReadingModule,
    names: NameTable,
    windows: Sequence[Sequence[_Window]],
    fixed: _KeptStates | None,
    seed: int,
    step: int,
) -> dict[str, Any]:
    """The tensors of a step."""
    rng = random.Random(f"{seed}:{step}")
    tagger, mixture = module.tagger, module.mixture
    chosen = [
        window
        for of_kind, count in zip(windows, (mixture.annotated, mixture.plain), strict=True)
        for window in _drawn(of_kind, count, seed, step)
    ]
    rows = [window_of(text.pieces, begin, tagger.special) for text, begin in chosen]
    longest = max(len(row[0]) for row in rows)
    size = min(_PADDED * math.ceil(longest / _PADDED), WINDOW + 2)
    ids, mask, shapes, covered = collate(rows, tagger.special[2], "cpu", size)
    mentions: list[tuple[int, int, int, ReadMention]] = []
    for number, (text, begin) in enumerate(chosen):
        inside = [
            (number, start - begin + 1, end - begin + 1, mention)
            for start, end, mention in text.mentions
            if begin <= start and end <= begin + WINDOW
        ]
        mentions += rng.sample(inside, min(_OF_A_WINDOW, len(inside)))
    rng.shuffle(mentions)
    batch = {"ids": ids, "mask": mask, "shapes": shapes, "covered": covered}
    if fixed is None:
        batch["allowed"] = _allowed(tagger, chosen, ids)
    else:
        batch["states"] = fixed(chosen, (ids, mask, shapes, covered))
    pad = tagger.special[2]
    if not module.trains_decoder:
        mixture = replace(mixture, generated=0)
    return batch | _of_mentions(names, [m for *_, m in mentions], mixture, rng, pad) | {
        "rows": torch.tensor([m[0] for m in mentions], dtype=torch.long),
        "spans": torch.tensor([m[1:3] for m in mentions], dtype=torch.long).view(-1, 2),
    }  # fmt: skip


def _allowed(tagger: Tagger, windows: Sequence[_Window], ids: Tensor) -> Tensor:
    """bool [windows, tokens, labels]: the labels that tokens may have; none if they are unknown."""
    width = sum(h.out_features for h in (tagger.head, tagger.concept_head) if h is not None)
    allowed = torch.zeros(*ids.shape, width, dtype=torch.bool)
    for row, (text, begin) in zip(allowed, windows, strict=True):
        if text.allowed is not None:
            of_window = torch.from_numpy(text.allowed[begin : begin + WINDOW])
            row[1 : 1 + len(of_window)] = of_window
    return allowed


def _of_mentions(
    names: NameTable,
    mentions: Sequence[ReadMention],
    mixture: Mixture,
    rng: random.Random,
    pad: int,
) -> dict[str, Any]:
    """What the losses of linking compare the mentions with."""
    places: dict[int, None] = {}
    for mention in mentions:
        places |= dict.fromkeys(mention.near.tolist())
        for row in mention.rows:
            own = names.of_row.get(row, [])
            places |= dict.fromkeys(rng.sample(own, min(_OF_A_CONCEPT, len(own))))
    columns = np.fromiter(places, np.int64, len(places))
    right = np.zeros((len(mentions), len(columns)), dtype=bool)
    for number, mention in enumerate(mentions):
        right[number] = names.owned(columns, mention.rows)
    generated: list[_Generated] = []
    for number, mention in enumerate(mentions):
        if len(generated) == mixture.generated:
            break
        generated += _generated(names, number, mention, mixture.negatives, rng)
    most = max((len(g.names) for g in generated), default=0)
    order = torch.arange(most)[None]
    return {
        "alone": torch.from_numpy(np.array([m.alone for m in mentions], dtype=np.float32)),
        "teacher": torch.from_numpy(np.array([m.vector for m in mentions], dtype=np.float32)),
        "columns": torch.from_numpy(columns),
        "right": torch.from_numpy(right),
        "generated": torch.tensor([g.number for g in generated], dtype=torch.long),
        "packed": pack(
            [g.prompt for g in generated],
            [[names.tokens[place] for place in g.names] for g in generated],
            pad,
        ) if generated else None,
        "present": order < torch.tensor([[len(g.names)] for g in generated]),
        "of_gold": order < torch.tensor([[g.right] for g in generated]),
    }  # fmt: skip


def _generated(
    names: NameTable, number: int, mention: ReadMention, negatives: int, rng: random.Random
) -> list[_Generated]:
    """The names of a mention that are scored, or nothing if no name of its concept is known.

    The mention itself is often left out, so that the decoder learns other names than the nearest.
    """
    if not mention.rows:
        return []
    owned = names.owned(mention.near, mention.rows)
    right = list(
        dict.fromkeys(
            [
                *mention.near[owned].tolist(),
                *(p for r in mention.rows for p in names.of_row.get(r, ())),
            ]
        )
    )
    wrong = mention.near[~owned].tolist()
    if mention.plain or rng.random() < 0.4:
        right = [place for place in right if names.texts[place] != mention.name] or right
        wrong = [place for place in wrong if names.texts[place] != mention.name]
    if not right:
        return []
    target = right[0] if rng.random() < 0.8 else rng.choice(right[:4])
    others = [place for place in right if place != target][:6]
    of_gold = [target, *rng.sample(others, min(2, len(others)))]
    misses = wrong[:6] + rng.sample(wrong[6:], min(max(0, negatives - 6), len(wrong[6:])))
    return [_Generated(number, mention.prompt, of_gold + misses[:negatives], len(of_gold))]


def _objective(
    backbone: Backbone, names: NameTable
) -> Callable[[Any, Mapping[str, Any]], tuple[Tensor, dict[str, Tensor]]]:
    def objective(module: Any, batch: Mapping[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        tagger: Tagger = module.tagger
        losses: dict[str, Tensor] = {}
        if "states" in batch:
            shared = batch["states"]
        else:
            states = tagger.states(batch["ids"], batch["mask"], batch["shapes"], batch["covered"])
            losses = tagging_losses(tagger, tagger.scores(states), batch["allowed"])
            share = module.mixture.share
            shared = share * states + (1 - share) * states.detach()
        if len(batch["rows"]):
            of_linking = _linking_losses(tagger, backbone, names, shared, batch)
            losses |= {name: _WEIGHTS[name] * loss for name, loss in of_linking.items()}
        return torch.stack(list(losses.values())).sum(), losses

    return objective


def _linking_losses(
    tagger: Tagger, backbone: Backbone, names: NameTable, states: Tensor, batch: Mapping[str, Any]
) -> dict[str, Tensor]:
    heads = tagger.reading
    assert heads is not None  # ReadingModule.parts checks it
    rows, spans = batch["rows"], batch["spans"]
    means = span_means(states, rows, spans)
    alone = batch["alone"].to(means)
    vectors = heads.vectors(means, alone)
    losses = {"teacher": (1 - (vectors * F.normalize(batch["teacher"], dim=1)).sum(1)).mean()}
    queries = F.normalize(vectors @ names.projection.to(vectors.device), dim=1)
    near = names.vectors[batch["columns"].cpu()].to(vectors.device)
    known = batch["right"].any(1)
    if known.any():
        scores = (queries @ near.T / _TEMPERATURE)[known]
        every = torch.ones_like(batch["right"][known])
        losses["context"] = listwise(scores, batch["right"][known], every)
    chosen = batch["generated"]
    if len(chosen):
        lengths = batch["mask"].sum(1)[rows[chosen]]
        around_them, real = around(states, rows[chosen], lengths, spans[chosen])
        of_chosen = means[chosen].to(states.dtype), alone[chosen]
        memory = backbone.memory(*heads.memory(*of_chosen, around_them, real))
        packed = batch["packed"].to(states.device)
        sums, _, log_probs = name_log_probs(backbone, memory, packed)
        first = packed.slots % packed.names == 0
        losses["generation"] = smoothed_nll(
            log_probs[packed.at[first]], packed.targets[first], _SMOOTHING
        )
        losses["ranking"] = listwise(sums, batch["of_gold"], batch["present"])
    return losses
