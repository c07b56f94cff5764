"""Mentions are read once, early where that is enough, and never depend on other mentions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import biolink
from biolink import Document, KnowledgeBase, Linker, LinkerOptions, Mention
from biolink.errors import ConfigError
from biolink.infer.network.model import LinkingModel, load_model
from biolink.infer.rank import combined
from biolink.infer.rank.features import CONTEXTUAL, FEATURES, column_of
from biolink.infer.rank.ranker import Ranker, Stage, Weights

TEXT = (
    "Cancer of the breast, not lung cancers. Feverish ill bodies, fever and aspirin. Fever! "
    "A cancer, breast tumors and Kennedy's disease (KD). Acid for muscular atrophy."
)
WORDS = (
    "Cancer of the breast", "lung cancers", "Feverish ill", "fever", "aspirin", "Fever!",
    "cancer,", "breast tumors", "Kennedy's disease", "Acid", "muscular atrophy", "ill",
)  # fmt: skip


def document_with(*words: str, text: str = TEXT, doc_id: str = "1") -> Document:
    mentions = []
    for word in words:
        start = text.index(word)
        end = start + len(word.rstrip("!,"))
        mentions.append(Mention(start, end, text[start:end]))
    return Document(doc_id, text, mentions=tuple(sorted(mentions, key=lambda m: m.start)))


def with_stages(
    model: LinkingModel, early: float | None = None, in_context: float | None = None
) -> LinkingModel:
    """The model with weights that use all features, and stages with margins that use few."""
    assert model.ranker is not None
    every = {"dense": 2.0, "lexical": 6.0, "context": 4.0, "generation_mean": 1.0}
    few = {"dense": 3.0, "lexical": 8.0}
    nil = np.zeros_like(model.ranker.weights.nil)
    full, *some = (
        Weights(np.array([values.get(name, 0.0) for name in FEATURES]), nil)
        for values in (every, few, few | {"context": 4.0})
    )
    stages = [
        None if margin is None else Stage(weights, margin)
        for weights, margin in zip(some, (early, in_context), strict=True)
    ]
    return replace(
        model,
        ranker=replace(model.ranker, weights=full, early=stages[0], in_context=stages[1]),
    )


@pytest.fixture(scope="module", params=["fp32", "int8", "document"])
def model(model_folder: Path, request: pytest.FixtureRequest) -> LinkingModel:
    model = load_model(model_folder)
    if request.param != "document":
        return model.in_precision(request.param)
    # Passages are short, so that a document has several.
    form = replace(model.form, reading="document", passage=6)
    return replace(model, form=form).in_precision("fp32")


def exact(documents: Sequence[Document]) -> list[Any]:
    return [
        [(m.start, m.end, m.nil_probability, m.links, m.nil_reason) for m in document.mentions]
        for document in documents
    ]


def test_results_depend_neither_on_batches_nor_on_earlier_documents(
    model: LinkingModel, kb: KnowledgeBase
) -> None:
    """To the last bit: the same with one worker and with two, whatever the batch."""
    model = with_stages(model, 0.7, 0.3)
    documents = [
        document_with(*WORDS),
        document_with(*WORDS[::2], text=TEXT.replace("lung", "any lung"), doc_id="2"),
        document_with("fever", "ill", text="ill with fever", doc_id="3"),
    ]
    together = exact(Linker(model, kb).link_documents(documents))
    for size in (1, 2, 5):
        linker = Linker(model, kb, LinkerOptions(batch_size=size))
        assert exact(linker.link_documents(documents)) == together
    linker = Linker(model, kb)
    alone = [exact(linker.link_documents([document]))[0] for document in documents[::-1]]
    assert alone[::-1] == together
    assert len({str(mention) for of_document in together for mention in of_document}) > 10


def test_only_doubtful_mentions_are_read_in_context(model_folder: Path, kb: KnowledgeBase) -> None:
    sources: list[str] = []

    def links(margin: float, **options: Any) -> list[Any]:
        model = with_stages(load_model(model_folder), margin)
        read = model.read
        sources.clear()

        def noted(texts: Sequence[str], spans: Any) -> Any:
            sources.extend(texts)
            return read(texts, spans)

        object.__setattr__(model, "read", noted)
        return exact([Linker(model, kb, LinkerOptions(**options))(document_with(*WORDS))])

    every = links(math.inf)
    count = len(sources)
    assert count == len(set(sources)) == len(WORDS)
    assert links(0.7, cascade=False) == every and len(sources) == count
    some = links(0.7)
    read_in_context = len(sources)
    assert 0 < read_in_context < count
    assert some != every
    few = links(0.0)
    assert not sources
    # What is decided early is decided alike under any margin that lets it through.
    equal = [a == b for a, b in zip(some[0], few[0], strict=True)]
    assert sum(equal) >= count - read_in_context


def test_only_mentions_that_are_doubtful_in_context_are_generated(
    model: LinkingModel, kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    generated: list[str] = []

    def links(in_context: float | None, **options: Any) -> list[Any]:
        generated.clear()
        scored = combined.score_names

        def noted(scope: Any, tasks: Sequence[Any], *rest: Any) -> Any:
            generated.extend(task.mention for task in tasks)
            return scored(scope, tasks, *rest)

        with monkeypatch.context() as patched:
            patched.setattr(combined, "score_names", noted)
            linker = Linker(with_stages(model, None, in_context), kb, LinkerOptions(**options))
            return exact([linker(document_with(*WORDS))])

    every = links(None)
    assert len(generated) == len(WORDS)
    assert links(math.inf) == every and links(0.3, cascade=False) == every
    some = links(0.3)
    assert 0 < len(generated) < len(WORDS)
    by_generation = [
        word.rstrip("!,") in generated
        for word, _ in sorted(zip(WORDS, map(TEXT.index, WORDS), strict=True), key=lambda x: x[1])
    ]
    # Mentions that are generated are ranked as if there were no stages, the others by context.
    assert [a == b for a, b in zip(some[0], every[0], strict=True)] == by_generation
    few = links(0.0)
    assert not generated and few != every


def test_a_mention_is_linked_once_for_a_document(model: LinkingModel, kb: KnowledgeBase) -> None:
    text = "fever and fever, then KD. Kennedy disease (KD), fever"
    mentions = [
        Mention(start, start + len(word), word)
        for word in ("fever", "KD")
        for start in range(len(text))
        if text.startswith(word, start)
    ]
    linker = Linker(model, kb)
    tasks = linker.tasks(Document("1", text, mentions=tuple(mentions)))
    assert len(tasks) == 5 and len(set(tasks[:3])) == 1
    # The context is that of the first.
    marked = model.form.reading == "window"
    expected = "[START] fever [END] and fever" if marked else "fever and fever"
    assert tasks[0].source.startswith(expected)
    # Types and hints keep mentions apart.
    typed = [replace(mentions[0], type="Disease"), *mentions[1:3]]
    assert len(set(linker.tasks(Document("1", text, mentions=tuple(typed))))) == 2


def test_the_weights_of_stages_return_as_they_were(model: LinkingModel) -> None:
    ranker = with_stages(model, 2.0, 1.0).ranker
    assert ranker is not None
    values = ranker.to_dict()
    assert [values[stage]["margin"] for stage in ("early", "in_context")] == [2.0, 1.0]
    again = Ranker.from_dict(values, {}, {})
    assert again.to_dict() == values
    for stage in ("early", "in_context"):
        for wrong in (-1.0, "2", None, True):
            damaged = values | {stage: values[stage] | {"margin": wrong}}
            with pytest.raises(ConfigError, match=rf"{stage}\.margin is .*expected a number"):
                Ranker.from_dict(damaged, {}, {})
        lacking = values | {stage: values[stage] | {"weights": {}}}
        with pytest.raises(ConfigError, match=rf"ranker\.{stage}\.weights lacks the feature"):
            Ranker.from_dict(lacking, {}, {})


def test_early_candidates_know_no_context(model: LinkingModel, kb: KnowledgeBase) -> None:
    linker = Linker(model, kb)
    tasks = linker.tasks(document_with(*WORDS))
    for early, full in zip(
        linker.candidates(tasks, early=True), linker.candidates(tasks), strict=True
    ):
        for name in CONTEXTUAL:
            assert not early.features[:, column_of(name)].any()
        assert full.features[:, column_of("context")].any()
        assert set(early.rows.tolist()) <= set(full.rows.tolist())


def test_links_of_the_embedded_default_do_not_depend_on_batches() -> None:
    texts = [
        "Aspirin for asthma and gout.",
        "Spinal and bulbar muscular atrophy (SBMA) is rare; SBMA has no cure but leuprorelin.",
        "Aspirin, again, in breast and ovarian cancer with diabetes mellitus type 2.",
    ]
    linker = biolink.load()
    together = exact(list(linker.pipe(texts)))
    assert exact([linker(text) for text in texts]) == together
    assert exact([biolink.load()(text) for text in texts[::-1]])[::-1] == together
