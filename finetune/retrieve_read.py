"""Training of the retriever and the reader (EntQA, sections 3.2 and 3.3)."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from biolink.documents import Document
from biolink.errors import ConfigError
from biolink.finetune.samples import no_gold
from biolink.finetune.tagging import tagging, third
from biolink.infer.linkers.retrieve_read import READER_TYPES, RetrieveReadLinker, reader_row
from biolink.infer.mentions.tagger import Pieces, Tagger, collate, label_spans
from biolink.infer.network.model import LinkingModel, load_model
from biolink.infer.retrieve.indexes import Indexes
from biolink.infer.retrieve.passages import Candidate, PassageEncoder, Retriever, passages
from biolink.infer.seen_documents import write_seen_documents
from biolink.kb import KnowledgeBase
from biolink.kb.model_files import READER, RETRIEVER
from biolink.kb.model_folder import RETRIEVE_READ
from biolink.pretrain.training.checkpoints import Report
from biolink.pretrain.training.order import shuffled
from biolink.pretrain.training.running import Numbered, Optimisation, run_training
from biolink.pretrain.training.settings import at_least, field_table
from biolink.pretrain.training.start import check_start, extend_model

__all__ = ["PassageSample", "RetrieveRead", "passage_samples", "run_retrieve_read"]

_TEMPERATURE = 0.05
_RANDOM_NAMES = 1024
_HARD = 24  # The number of concepts near a passage at the start whose names are its negatives.
_RARE = 1.0  # The percentage of right concepts whose cosine is too low to be read.
_OF_A_CONCEPT = 6  # The most names of a gold concept in a batch.


@dataclass(frozen=True, slots=True)
class RetrieveRead:
    """Settings for training a retriever and a reader on annotated documents.

    Attributes
    ----------
    out
        Output folder; the model is written to ``out/model``, checkpoints to ``out/retriever`` and
        ``out/reader``.
    model
        Linking model from which the training starts; it is not changed.
    kb
        Knowledge base.
    train
        Annotated documents in any format that can be read.
    retriever, reader
        Length and speed of the training of each.
    passage_words, concepts
        As in :class:`biolink.infer.linkers.retrieve_read.RetrieveReadOptions`. Defaults: 50, 12.
    wrong_concepts
        Number of retrieved concepts that a passage does not mention, for each concept that it
        does. Default: 2.
    trainer
        As for :class:`biolink.pretrain.stages.Denoising`.
    """

    out: Path
    model: Path
    kb: Path
    train: tuple[Path, ...]
    retriever: Optimisation
    reader: Optimisation
    passage_words: int = 50
    concepts: int = 12
    wrong_concepts: int = 2
    trainer: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("passage_words", "concepts", "wrong_concepts"):
            at_least(name, getattr(self, name), 1)
        if not self.train:
            raise ConfigError("train is empty; expected one file or more")


@dataclass(frozen=True, slots=True)
class PassageSample:
    """A passage with the concepts that it mentions.

    Attributes
    ----------
    pieces
        The tokens of the passage.
    spans
        Row of a concept -> (start, end) of its mentions in the passage.
    """

    pieces: Pieces
    spans: Mapping[int, tuple[tuple[int, int], ...]]


def passage_samples(
    documents: Sequence[Document], kb: KnowledgeBase, tokenizer: Any, words: int
) -> list[PassageSample]:
    """Return the passages of documents; a mention that crosses a border is in no passage."""
    samples = []
    for document in documents:
        for begin, pieces in passages(document, words, tokenizer):
            end = begin + int(pieces.offsets[-1, 1])
            spans: dict[int, list[tuple[int, int]]] = {}
            for mention in document.mentions:
                if begin <= mention.start and mention.end <= end:
                    span = (mention.start - begin, mention.end - begin)
                    rows = (kb.row_of(i) for i in mention.concept_ids)
                    for row in {r for r in rows if r is not None}:
                        spans.setdefault(row, []).append(span)
            samples.append(PassageSample(pieces, {r: tuple(s) for r, s in spans.items()}))
    return samples


class _Vectors:
    """The vectors of names, as the retriever compares them."""

    def __init__(self, indexes: Indexes, kb: KnowledgeBase) -> None:
        dense = indexes.dense
        self.projection = torch.from_numpy(np.array(dense.projection))
        vectors = np.asarray(dense.codes).astype(np.float32) * dense.scale
        self.vectors = torch.nn.functional.normalize(torch.from_numpy(vectors), dim=1)
        self.place_of = np.full(kb.base.name_slots, -1, dtype=np.int64)
        self.place_of[dense.name_ids] = np.arange(len(dense.name_ids))
        self.name_ids = np.asarray(dense.name_ids)
        self.kb = kb

    def of_concept(self, row: int, rng: random.Random) -> list[int]:
        """Positions of some of a concept's names among the vectors."""
        names = (self.kb.name_id(name) for name in self.kb.concept_at(row).names)
        places = sorted({int(self.place_of[i]) for i in names if i is not None} - {-1})
        return rng.sample(places, _OF_A_CONCEPT) if len(places) > _OF_A_CONCEPT else places


def _retriever_batch(
    samples: Sequence[PassageSample],
    hard: Sequence[Sequence[int]],
    vectors: _Vectors,
    encoder: PassageEncoder,
    rng: random.Random,
) -> dict[str, Tensor]:
    """Token ids, vectors of names, and the names that are right or wrong for each passage."""
    gold = [
        (number, row, vectors.of_concept(row, rng))
        for number, sample in enumerate(samples)
        for row in sample.spans
    ]
    known = dict.fromkeys(place for *_, places in gold for place in places)
    known |= dict.fromkeys(place for places in hard for place in places)
    draws = (rng.randrange(len(vectors.name_ids)) for _ in range(_RANDOM_NAMES))
    columns = {place: column for column, place in enumerate(known | dict.fromkeys(draws))}
    ids, mask = encoder.rows([sample.pieces for sample in samples])
    # A name of any concept of the passage is not a negative.
    wrong = torch.ones(len(samples), len(columns), dtype=torch.bool)
    for place, column in columns.items():
        owners = set(vectors.kb.owners(int(vectors.name_ids[place])))
        for number, sample in enumerate(samples):
            if owners & sample.spans.keys():
                wrong[number, column] = False
    right = torch.zeros(len(gold), len(columns), dtype=torch.bool)
    for line, (_, _, places) in enumerate(gold):
        right[line, [columns[place] for place in places]] = True
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "names": vectors.vectors[list(columns)],
        "wrong": wrong,
        "right": right,
        "passage": torch.tensor([number for number, *_ in gold], dtype=torch.long),
    }


def _retrieval(projection: Tensor) -> Callable[[Any, Mapping[str, Tensor]], Any]:
    """The objective that ranks the nearest name of a passage's concepts before all other names."""

    def objective(model: Any, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        states = model(batch["input_ids"], batch["attention_mask"])
        tokens = torch.nn.functional.normalize(states @ projection.to(states.device), dim=-1)
        cosines = tokens @ batch["names"].T  # [passages, tokens, names]
        real = batch["attention_mask"].clone()
        real[:, 0] = 0
        cosines = cosines.masked_fill(real[..., None] == 0, -1.0)
        nearest = cosines.amax(1) / _TEMPERATURE  # [passages, names]
        of_gold = nearest[batch["passage"]]
        lowest = torch.finfo(nearest.dtype).min
        positive = of_gold.masked_fill(~batch["right"], lowest).amax(1)
        negative = of_gold.masked_fill(~batch["wrong"][batch["passage"]], lowest)
        every = torch.logsumexp(torch.cat([positive[:, None], negative], 1), 1)
        first = (positive > negative.amax(1)).float().mean()
        return (every - positive).mean(), {"first": float(first)}

    return objective


@dataclass(frozen=True, slots=True)
class _Pair:
    """A passage with a concept, as the reader reads them, and the concept's mentions in it."""

    row: tuple[np.ndarray, ...]
    labels: np.ndarray  # The labels of the passage's tokens.


def _pairs(
    samples: Sequence[PassageSample],
    retrieved: Sequence[Sequence[Candidate]],
    linker: RetrieveReadLinker,
    wrong_concepts: int,
    rng: random.Random,
) -> list[_Pair]:
    pairs = []
    special, positions = linker.reader.special, linker.encoder.positions
    for sample, candidates in zip(samples, retrieved, strict=True):
        right = [c for c in candidates if c.row in sample.spans]
        wrong = [c for c in candidates if c.row not in sample.spans]
        # Half of the wrong concepts are the nearest; the others are drawn from the rest.
        count = min(len(wrong), wrong_concepts * max(1, len(right)))
        chosen = wrong[: (count + 1) // 2]
        chosen += rng.sample(wrong[len(chosen) :], count - len(chosen))
        for candidate in (*right, *chosen):
            row = reader_row(
                sample.pieces, linker.name_tokens(candidate), candidate.near, special, positions
            )
            spans = [(s, e, READER_TYPES[0]) for s, e in sample.spans.get(candidate.row, ())]
            labels = label_spans(sample.pieces.offsets, spans, READER_TYPES)
            pairs.append(_Pair(row, labels))
    return pairs


def run_retrieve_read(
    settings: RetrieveRead,
    documents: Sequence[Document],
    report: Report = lambda record: None,
) -> Path:
    """Train both models, or continue after an interruption, and return the model folder.

    Parameters
    ----------
    settings
        All settings of the training.
    documents
        The documents of ``settings.train``.
    report
        Called with each line of the log.
    """
    # Long because it trains two models, one after the other.
    check_start(settings.out)
    linking = load_model(settings.model)
    model, tokenizer = linking.backbone.model, linking.tokenizer
    kb = KnowledgeBase.read(settings.kb)
    samples = passage_samples(documents, kb, tokenizer, settings.passage_words)
    with_concepts = [sample for sample in samples if sample.spans]
    if not with_concepts:
        raise no_gold(settings.train)
    indexes = Indexes(kb, linking)
    encoder = _train_retriever(settings, linking, with_concepts, indexes, kb, report)
    torch.manual_seed(settings.reader.seed)
    reader = Tagger(model, third(model), READER_TYPES)
    linker = RetrieveReadLinker(linking, kb, encoder, reader)
    retrieved = Retriever(encoder, indexes, kb)([s.pieces for s in samples], settings.concepts)
    gold = sum(len(sample.spans) for sample in samples)
    hits = [
        candidate.score
        for sample, of_sample in zip(samples, retrieved, strict=True)
        for candidate in of_sample
        if candidate.row in sample.spans
    ]
    # The percentile is rounded down, so that no concept is left out if there are few.
    least = math.floor(1000 * np.percentile(hits, _RARE, method="lower")) / 1000 if hits else 0.0
    report({"concepts of training passages that are retrieved": len(hits) / gold, "least": least})
    rng = random.Random(settings.reader.seed)
    pairs = _pairs(samples, retrieved, linker, settings.wrong_concepts, rng)
    pad = reader.special[2]

    def collate_pairs(rows: Sequence[_Pair]) -> dict[str, Tensor]:
        ids, mask, shapes, covered = collate([pair.row for pair in rows], pad, "cpu")
        allowed = torch.zeros(*ids.shape, len(reader.labels), dtype=torch.bool)
        for number, pair in enumerate(rows):
            size = min(len(pair.labels), len(pair.row[0]) - 3)
            allowed[number, torch.arange(1, 1 + size), pair.labels[:size].astype(int)] = True
        return {"ids": ids, "mask": mask, "shapes": shapes, "covered": covered, "allowed": allowed}

    seed = settings.reader.seed
    run_training(
        reader, Numbered(2**62, lambda n: pairs[shuffled(n, len(pairs), seed)]), collate_pairs,
        tagging, settings.reader, settings.out / "reader", settings.trainer, (), report,
        by_tokens=False, stage=settings,
    )  # fmt: skip
    record = {"stage": "RetrieveRead", **field_table(settings)}
    options = {
        "passage_words": settings.passage_words,
        "concepts": settings.concepts,
        "least": least,
    }

    def write(folder: Path) -> None:
        encoder.save(folder / RETRIEVER)
        reader.save(folder / READER)
        write_seen_documents(folder, documents)

    folder = settings.out / "model"
    extend_model(folder, settings.model, record, write, task=RETRIEVE_READ, linker=options)
    return folder


def _train_retriever(
    settings: RetrieveRead,
    linking: LinkingModel,
    samples: Sequence[PassageSample],
    indexes: Indexes,
    kb: KnowledgeBase,
    report: Report,
) -> PassageEncoder:
    encoder = PassageEncoder(linking.backbone.model)
    vectors = _Vectors(indexes, kb)
    before = Retriever(encoder.eval(), indexes, kb)([s.pieces for s in samples], _HARD)
    hard = [[int(vectors.place_of[c.name_id]) for c in of_sample] for of_sample in before]
    seed = settings.retriever.seed

    def make(number: int) -> tuple[int, int]:
        return number, shuffled(number, len(samples), seed)

    def collate_passages(rows: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
        rng = random.Random(f"{seed}:{rows[0][0]}")
        return _retriever_batch(
            [samples[index] for _, index in rows],
            [hard[index] for _, index in rows],
            vectors,
            encoder,
            rng,
        )

    run_training(
        encoder, Numbered(2**62, make), collate_passages, _retrieval(vectors.projection),
        settings.retriever, settings.out / "retriever", settings.trainer, (), report,
        by_tokens=False, stage=settings,
    )  # fmt: skip
    return encoder.eval()
