"""Samples as ``.source`` and ``.target`` files, for training with other programs.

The files have GenBioEL's form, which fairseq reads, too. A target line is the decoder prompt and
the name, ``{mention} is {name}``.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from biolink.documents import Document
from biolink.finetune.samples import mention_samples
from biolink.finetune.targets import choose_target
from biolink.infer.mentions.abbreviations import finder
from biolink.kb import KnowledgeBase, normalise_name
from biolink.kb.files import replace_file
from biolink.kb.lexical import LexicalIndex
from biolink.pretrain.training.start import prompt_of

if TYPE_CHECKING:
    from biolink.finetune.tune import FineTuning

__all__ = ["write_source_target"]


def write_source_target(
    settings: FineTuning, documents: Sequence[Document], folder: Path, name: str
) -> int:
    """Write ``folder/name.source`` and ``folder/name.target``, and return the number of lines."""
    kb = KnowledgeBase.read(settings.kb)
    index = LexicalIndex.build(kb)
    form = prompt_of(settings.model, settings.prompt)
    samples = [
        s for s in mention_samples(documents, kb, form, finder(settings.abbreviations)) if s.rows
    ]
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(settings.training.seed)
    with (
        replace_file(folder / f"{name}.source") as sources,
        replace_file(folder / f"{name}.target") as targets,
    ):
        for s in samples:
            chosen, _ = choose_target(settings.target, s.mention, s.rows, kb, index, rng)
            sources.write(f"{s.source}\n")
            targets.write(f"{form.prompt(s.mention)} {normalise_name(chosen)}".strip() + "\n")
    return len(samples)
