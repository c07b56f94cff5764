"""Concepts before mentions: retrieval, reading, training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from biolink import Document, Mention, PostPruning, write
from biolink.bench.scoring import Part
from biolink.errors import ConfigError, ModelError
from biolink.finetune.retrieve_read import RetrieveRead, passage_samples, run_retrieve_read
from biolink.infer.linkers.retrieve_read import RetrieveReadLinker, RetrieveReadOptions, reader_row
from biolink.infer.network.model import load_model
from biolink.infer.retrieve.indexes import Indexes
from biolink.infer.retrieve.passages import PassageEncoder, Retriever, passages
from biolink.infer.seen_documents import SeenDocuments
from biolink.kb import KnowledgeBase
from biolink.kb.model_files import RETRIEVER, SEAL
from biolink.pipeline import load
from biolink.pretrain.training.running import Optimisation
from tests.finetune.test_end_to_end import TEXT, documents
from tests.recording import check_evidence_of_benchmark
from tests.tiny_models import CONCEPTS, bart, wordpiece

DOCUMENTS = [
    document.with_mentions(m for m in document.mentions if m.concept_ids != ("D5",))
    for document in documents()
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RetrieveRead:
    folder = tmp_path_factory.mktemp("retrieve-read")
    tokenizer = wordpiece(folder / "model")
    bart(len(tokenizer), init_std=0.2).save_pretrained(folder / "model")
    (folder / "model" / "biolink.json").write_text('{"prompt": {"name_prefix": ""}}')
    KnowledgeBase.from_concepts(CONCEPTS).save(folder / "small.kb")
    write(DOCUMENTS, folder / "train.PubTator")
    optimisation = Optimisation(steps=60, batch_size=2, lr=3e-3, clip=1.0, save_every=100)
    settings = RetrieveRead(
        out=folder / "out",
        model=folder / "model",
        kb=folder / "small.kb",
        train=(folder / "train.PubTator",),
        retriever=optimisation,
        reader=Optimisation(steps=150, batch_size=4, lr=3e-3, clip=1.0, save_every=100),
        passage_words=8,
        concepts=5,
    )
    run_retrieve_read(settings, DOCUMENTS)
    return settings


def test_the_linker_finds_what_it_was_taught(trained: RetrieveRead) -> None:
    linker = load(model=trained.out / "model", kb=trained.kb)
    assert isinstance(linker, RetrieveReadLinker) and linker.options.concepts == 5
    found = linker(Document("1", TEXT))
    said = {(m.start, m.end): m.best.concept_id for m in found.mentions if m.best}
    assert said == {(0, 20): "D3", (25, 30): "D1", (32, 39): "D2", (44, 49): "D1"}
    for mention in found.mentions:
        assert mention.probability == mention.links[0].probability >= 0.5
        assert [link.rank for link in mention.links] == list(range(1, len(mention.links) + 1))


def test_the_model_knows_its_documents(trained: RetrieveRead) -> None:
    assert all(document in SeenDocuments(trained.out / "model") for document in DOCUMENTS)


def test_a_threshold_and_a_part(trained: RetrieveRead) -> None:
    linker = load(model=trained.out / "model", kb=trained.kb)
    strict = load(model=trained.out / "model", kb=trained.kb, threshold=1.0)
    assert not strict(TEXT).mentions
    part = linker.with_kb(linker.kb.subset(types={"Chemical"}))
    assert {link.concept_id for m in part(TEXT).mentions for link in m.links} <= {"D2", "D7"}
    assert check_evidence_of_benchmark(linker, Part("chemicals", part.kb), [Document("1", TEXT)])
    part = part.with_settings(nil=PostPruning())
    cancer = next(m for m in part(TEXT).mentions if m.start == 0)
    assert not cancer.links and "is outside" in (cancer.nil_reason or "")
    with pytest.raises(ConfigError, match="threshold"):
        RetrieveReadOptions(threshold=2)


def test_retrieval_is_exact(trained: RetrieveRead) -> None:
    """The result is the nearest name of any token, by all cosines."""
    model = load_model(trained.model)
    kb = KnowledgeBase.open(trained.kb)
    indexes = Indexes(kb, model)
    encoder = PassageEncoder.load(trained.out / "model" / RETRIEVER, model.backbone.model)
    texts = [pieces for _, pieces in passages(Document("1", TEXT), 8, model.tokenizer)]
    found = Retriever(encoder, indexes, kb)(texts, 3)
    for vectors, candidates in zip(encoder.vectors(texts), found, strict=True):
        every = np.arange(len(indexes.dense.name_ids))
        queries = indexes.dense.queries(vectors)
        cosines = np.stack([indexes.dense.cosines(q, every) for q in queries]).max(0)
        best: dict[int, float] = {}
        for name_id, cosine in zip(indexes.dense.name_ids, cosines, strict=True):
            for row in kb.owners(int(name_id)):
                best[row] = max(best.get(row, -1.0), float(cosine))
        expected = sorted(best.values(), reverse=True)[:3]
        assert [c.score for c in candidates] == pytest.approx(expected, abs=0.02)
    empty = Retriever(encoder, indexes, kb.subset(ids=[]))
    assert empty(texts, 3) == [[] for _ in texts]


def test_passages_hold_whole_mentions(trained: RetrieveRead) -> None:
    model = load_model(trained.model)
    kb = KnowledgeBase.open(trained.kb)
    samples = passage_samples(DOCUMENTS, kb, model.tokenizer, 8)
    assert len(samples) == 2
    rows = {kb.id_at(row): spans for row, spans in samples[1].spans.items()}
    assert rows == {"D2": ((0, 7),), "D1": ((12, 17),)}


def test_a_long_passage_is_cut_and_the_names_are_not(trained: RetrieveRead) -> None:
    model = load_model(trained.model)
    (_, pieces), *_ = passages(Document("1", "fever " * 40), 50, model.tokenizer)
    ids, shapes, told = reader_row(pieces, [9, 9], [0, 39], (2, 3, 0), 20)
    assert len(ids) == len(shapes) == len(told) == 20
    assert ids[-3:].tolist() == [9, 9, 3] and told[1] == 2 and told[-2] == 1


def test_files_trained_for_another_model_are_refused(trained: RetrieveRead, tmp_path: Path) -> None:
    shutil.copytree(trained.out / "model", tmp_path / "model")
    (tmp_path / "model" / RETRIEVER).write_bytes(b"x")
    with pytest.raises(ModelError, match=r"retriever.*has 1 bytes"):
        load(model=tmp_path / "model", kb=trained.kb)
    (tmp_path / "model" / SEAL).unlink()
    with pytest.raises(ModelError, match=r"retriever.*is damaged"):
        load(model=tmp_path / "model", kb=trained.kb)
    assert json.loads((tmp_path / "model" / "biolink.json").read_text())["task"] == "retrieve-read"


def test_empty_texts(trained: RetrieveRead) -> None:
    linker = load(model=trained.out / "model", kb=trained.kb)
    assert [d.mentions for d in linker.pipe(["", "  \n"])] == [(), ()]
    with pytest.raises(ConfigError, match="ids of the knowledge base"):
        run_retrieve_read(trained, [Document("1", TEXT, mentions=(Mention(0, 6, "cancer"),))])
