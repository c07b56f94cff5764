"""``biolink train reading``: a model whose recogniser reads documents for linking, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from biolink.documents import Document
from biolink.errors import ConfigError
from biolink.finetune.reading.texts import NameTable, read_texts
from biolink.finetune.reading.training import Mixture, ReadingModule, train_reading
from biolink.finetune.samples import no_gold
from biolink.finetune.tagging import tagged
from biolink.infer.linkers.mention_linker import Linker
from biolink.infer.mentions.recognise import DictionaryRecogniser
from biolink.infer.mentions.tagger import Tagger
from biolink.infer.network.model import load_model
from biolink.infer.seen_documents import write_seen_documents
from biolink.kb import KnowledgeBase
from biolink.kb.model_files import TAGGER, has_file, stop_names_of
from biolink.kb.model_folder import settings_of
from biolink.kb.prompt import BY_RECOGNISER, ByRecogniser
from biolink.pretrain.training.checkpoints import Report
from biolink.pretrain.training.running import Optimisation
from biolink.pretrain.training.settings import at_least, field_table
from biolink.pretrain.training.start import check_start, extend_model

__all__ = ["SharedReading", "reading_tagger", "run_shared_reading"]

_SAVED = 100  # The number of steps between checkpoints.


@dataclass(frozen=True, slots=True)
class SharedReading:
    """Settings for training a recogniser that reads documents for linking as well.

    Attributes
    ----------
    out
        Output folder; a copy of the model with the new recogniser and decoder is written to
        ``out/model``, checkpoints to ``out/run``.
    model
        Linking model with a recogniser (``biolink train recogniser``); it is not changed.
    kb
        Knowledge base.
    train
        Annotated documents in any format that can be read. All mentions of the recogniser's types
        must be annotated in them, with ids of the knowledge base where it has the concept.
    reading
        ``shared``: the decoder, too, reads what the recogniser's encoder read, and is trained to.
        ``staged``: only the vectors of mentions come from there, and the linking model stays as it
        is (see :class:`biolink.kb.prompt.PromptForm`). Default: ``shared``.
    steps, seed
        Number of steps, and seed. Defaults: 1000, 0.
    mixture
        What a step reads; see :class:`biolink.finetune.reading.training.Mixture`.
    """

    out: Path
    model: Path
    kb: Path
    train: tuple[Path, ...]
    reading: ByRecogniser = "shared"
    steps: int = 1000
    seed: int = 0
    mixture: Mixture = field(default_factory=Mixture)

    def __post_init__(self) -> None:
        at_least("steps", self.steps, 1)
        if self.reading not in BY_RECOGNISER:
            raise ConfigError(f"reading = {self.reading!r}; expected {' or '.join(BY_RECOGNISER)}")
        if not self.train:
            raise ConfigError("train is empty; expected one file or more")


def reading_tagger(start: Tagger, network: object, reading: ByRecogniser) -> Tagger:
    """Return a copy of a tagger that can be trained to read in this way for the linking model."""
    concepts = start.concept_head is not None
    tagger = Tagger(network, start.shared, start.types, concepts, reading)
    tagger.load_state_dict(start.own_state(), strict=False)
    tagger.kb = start.kb
    return tagger


def reading_optimisation(steps: int, seed: int, precision: str = "fp32") -> Optimisation:
    """Return the length and speed of the training; its learning rates are those of a mixture."""
    return Optimisation(
        steps=steps,
        batch_size=1,  # An item is the whole batch of a step.
        schedule="linear",
        warmup=0.05,
        betas=(0.9, 0.98),
        epsilon=1e-8,
        clip=1.0,
        seed=seed,
        precision=precision,  # type: ignore[arg-type]
        save_every=_SAVED,
    )


def run_shared_reading(
    settings: SharedReading,
    documents: Sequence[Document],
    report: Report = lambda record: None,
) -> Path:
    """Train the reading, or continue its training, and return the folder of the model with it.

    Parameters
    ----------
    settings
        All settings of the training.
    documents
        The documents of ``settings.train``.
    report
        Called with each line of the log.

    Raises
    ------
    ConfigError
        If the model has no recogniser, or no mention has an id of the knowledge base.
    """
    check_start(settings.out)
    file = settings.model / TAGGER
    if not has_file(file):
        raise ConfigError(
            f"model = {settings.model} has no recogniser ({TAGGER}); expected the output of "
            "biolink train recogniser"
        )
    linking = load_model(settings.model)
    network = linking.backbone.model.float()
    torch.manual_seed(settings.seed)
    tagger = reading_tagger(Tagger.load(file, network), network, settings.reading)
    kb = KnowledgeBase.read(settings.kb)
    dictionary = DictionaryRecogniser(kb, stop_names_of(linking.folder))
    concepts = "none" if tagger.concept_head is None else "some"
    texts = tagged(
        documents, tagger.types, linking.tokenizer, [dictionary], tagger.types,
        concepts=concepts,  # type: ignore[arg-type]
    )  # fmt: skip
    linker = Linker(linking, kb)
    names = NameTable(linker)
    annotated = read_texts(linker, names, documents, texts)
    if not any(mention.rows for text in annotated for *_, mention in text.mentions):
        raise no_gold(settings.train)
    optimisation = reading_optimisation(settings.steps, settings.seed)
    train_reading(
        ReadingModule(tagger, network, settings.mixture), names, annotated, (),
        settings.out / "run", optimisation, report,
    )  # fmt: skip

    def write(folder: Path) -> None:
        network.save_pretrained(folder)
        tagger.save(folder / TAGGER)
        write_seen_documents(folder, documents)

    folder = settings.out / "model"
    prompt = replace(settings_of(settings.model).prompt, reading=settings.reading)
    record = {"stage": "SharedReading", **field_table(settings)}
    extend_model(folder, settings.model, record, write, prompt=prompt)
    return folder
