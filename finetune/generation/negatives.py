"""Training pairs from the model's own mistakes (ANGEL, ACL Findings 2025, section 3.3).

After fine-tuning, the training mentions are decoded. A name among the best that belongs to no gold
concept is the wrong name of a pair. trl's DPOTrainer is not used, since it trains only
decoder-only models, and the loss is short (:func:`biolink.pretrain.training.losses.preference`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from biolink.errors import InputError
from biolink.finetune.samples import MentionSample
from biolink.infer.linkers.mention_linker import Linker
from biolink.infer.rank.task import Task
from biolink.kb.files import replace_file

__all__ = ["Pair", "mine_pairs", "read_pairs", "write_pairs"]


@dataclass(frozen=True, slots=True)
class Pair:
    """A mention with a right name, and with a wrong name that the model ranks high.

    Attributes
    ----------
    source, mention
        As in :class:`biolink.finetune.samples.MentionSample`.
    right, wrong
        The names.
    """

    source: str
    mention: str
    right: str
    wrong: str


def mine_pairs(
    linker: Linker,
    samples: Sequence[MentionSample],
    targets: Sequence[str],
    wrong_names: int = 2,
    batch: int = 64,
    report: Callable[[int, int], None] = lambda done, size: None,
) -> list[Pair]:
    """Decode training mentions and pair each one's target with its best wrong names.

    Parameters
    ----------
    linker
        A linker with ``method="generate"``; wrong names are taken from its ``top_k`` best.
    samples
        Annotated mentions.
    targets
        The right name for each mention.
    wrong_names
        The most pairs for a mention. Default: 2.
    batch
        The number of mentions that are decoded together. Default: 64.
    report
        Called with the number of mentions done and of all.
    """
    pairs: list[Pair] = []
    for begin in range(0, len(samples), batch):
        block = samples[begin : begin + batch]
        ranked = linker.link_tasks([Task(s.source, s.mention, s.type) for s in block])
        for sample, target, concepts in zip(
            block, targets[begin : begin + batch], ranked, strict=True
        ):
            wrong = [
                linker.kb.name_at(item.name_id)
                for item in concepts[: linker.options.top_k]
                if not set(linker.kb.owners(item.name_id)) & set(sample.rows)
            ]
            pairs += [
                Pair(sample.source, sample.mention, target, name) for name in wrong[:wrong_names]
            ]
        report(min(begin + batch, len(samples)), len(samples))
    return pairs


def write_pairs(file: Path, pairs: Sequence[Pair]) -> None:
    """Write pairs as JSON Lines."""
    with replace_file(file) as stream:
        stream.writelines(json.dumps(asdict(pair), ensure_ascii=False) + "\n" for pair in pairs)


def read_pairs(file: Path) -> list[Pair]:
    """Read pairs that :func:`write_pairs` wrote, or a file of the same form."""
    pairs = []
    with file.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            try:
                pairs.append(Pair(**json.loads(line)))
            except (TypeError, ValueError):
                expected = "an object with source, mention, right and wrong"
                raise InputError(str(file), number, line.strip()[:60], expected) from None
    return pairs
