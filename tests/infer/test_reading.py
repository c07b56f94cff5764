"""Documents are read once for all of their mentions, if the model or the user says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import biolink
from biolink import Document, KnowledgeBase, Linker, LinkerOptions, Mention
from biolink.errors import ConfigError
from biolink.infer.network.model import LinkingModel, load_model
from biolink.infer.network.pooling import pooled

TEXT = "Severe fever and lung cancer. Aspirin (BT) for breast tumor and fever."
WORDS = ("fever", "lung cancer", "Aspirin", "breast tumor")


def document(doc_id: str = "1", text: str = TEXT, words: tuple[str, ...] = WORDS) -> Document:
    starts = [text.index(word) for word in words]
    mentions = tuple(Mention(s, s + len(w), w) for s, w in zip(starts, words, strict=True))
    return Document(doc_id, text, mentions=mentions)


@pytest.fixture
def model(model_folder: Path) -> LinkingModel:
    return load_model(model_folder).packed()


@pytest.mark.parametrize("method", ["combined", "generate", "candidates"])
def test_a_document_is_encoded_once(
    model: LinkingModel, kb: KnowledgeBase, method: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode, encoded = model.backbone.encode, []

    def counted(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        encoded.extend(ids.tolist())
        return encode(ids, mask)

    options = LinkerOptions(method=method, reading="document")
    linker = Linker(model, kb, options)
    linker.prepare()
    tasks = linker.tasks(document())
    assert len(tasks) == 4 and len({task.source for task in tasks}) == 1
    for task, word in zip(tasks, WORDS, strict=True):
        assert task.span is not None
        assert task.source[slice(*task.span)] == word.lower()
    zeros = lambda _, texts: np.zeros((len(texts), model.width), np.float32)  # noqa: E731
    monkeypatch.setattr(LinkingModel, "embed", zeros)
    monkeypatch.setattr(model.backbone, "encode", counted)
    linked = linker(document())
    assert len(encoded) == 1
    assert all(mention.links for mention in linked.mentions)


def test_vectors_are_means_over_the_tokens_of_mentions(model: LinkingModel) -> None:
    source = TEXT.lower()
    spans = [(source.index(word), source.index(word) + len(word)) for word in ("fever", "cancer")]
    memory, vectors = model.read([source, source, "aspirin"], [*spans, (0, 7)])
    assert vectors.shape == (3, model.width)
    with torch.inference_mode():
        ids, mask = model.tokens([source], 100)
        states = model.backbone.encode(ids, mask)
    offsets = np.array(model.tokenizer(source, return_offsets_mapping=True)["offset_mapping"])
    for vector, (start, end) in zip(vectors, spans, strict=False):
        inside = (offsets[:, 0] < end) & (offsets[:, 1] > start)
        expected = pooled(states, torch.from_numpy(inside)[None])[0]
        np.testing.assert_allclose(vector, expected.numpy(), atol=1e-6)
    assert memory.sizes == [
        len(offsets),
        len(offsets),
        len(model.tokenizer("aspirin")["input_ids"]),
    ]
    apart = memory.apart()
    assert apart.sources is None and apart.sizes == memory.sizes
    assert torch.equal(memory.select(torch.tensor([1])).layers[0][0], apart.layers[0][0][1:2])


def test_a_mention_behind_the_longest_source_gets_the_vector_of_the_source(
    model: LinkingModel,
) -> None:
    source = "fever " * 3000 + "aspirin"
    _, vectors = model.read([source, source], [(18_000, 18_007), (0, 5)])
    assert np.isfinite(vectors).all()
    assert not np.array_equal(*vectors)


def test_shared_sources_change_no_score(model: LinkingModel, kb: KnowledgeBase) -> None:
    for method in ("combined", "generate", "candidates"):
        options = LinkerOptions(method=method, reading="document")
        together = Linker(model, kb, options)(document()).mentions
        for mention in together:
            # Alone, the mention has the same passage for itself.
            alone = Linker(model, kb, options)(
                document().with_mentions([replace(mention, links=())])
            )
            for a, b in zip(alone.mentions[0].links, mention.links, strict=True):
                assert a.concept_id == b.concept_id
                assert a.score == pytest.approx(b.score, abs=1e-5)


def test_the_model_says_how_it_reads(model: LinkingModel, kb: KnowledgeBase) -> None:
    reads = replace(model, form=replace(model.form, reading="document"))
    by_model = Linker(reads, kb).tasks(document())
    assert by_model == Linker(model, kb, LinkerOptions(reading="document")).tasks(document())
    marked = Linker(reads, kb, LinkerOptions(reading="window")).tasks(document())
    assert marked == Linker(model, kb).tasks(document())
    assert all(task.span is None and "[START]" in task.source for task in marked)


def test_readings_are_checked(model: LinkingModel, kb: KnowledgeBase) -> None:
    with pytest.raises(ConfigError, match="reading is 'page'; expected auto, window or document"):
        LinkerOptions(reading="page")  # type: ignore[arg-type]


def test_the_embedded_default_reads_a_document_once() -> None:
    linker = biolink.load(reading="document", cascade=False)
    text = "Methylprednisolone worsened spinal and bulbar muscular atrophy (SBMA); SBMA is rare."
    assert [m.best and m.best.preferred_name for m in linker(text).mentions] == [
        "Methylprednisolone",
        "Bulbo-Spinal Atrophy, X-Linked",
        "Bulbo-Spinal Atrophy, X-Linked",
        "Bulbo-Spinal Atrophy, X-Linked",
    ]
