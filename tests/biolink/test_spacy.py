"""The spaCy component."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.tokens import DocBin, Span

from biolink import spacy_component
from biolink.errors import ConfigError, ModelError
from biolink.kb import KnowledgeBase
from biolink.spacy_component import LinkingComponent, links_of, nil_reason_of
from tests.infer.conftest import CONCEPTS, bart, wordpiece

TEXTS = ["A fever of the lung.", "Nothing.", "aspirin for breast cancer and fever", ""]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("spacy")
    tokenizer = wordpiece(folder / "model")
    bart(len(tokenizer)).save_pretrained(folder / "model")
    KnowledgeBase.from_concepts(CONCEPTS).save(folder / "small.kb")
    return {"model": str(folder / "model"), "kb": str(folder / "small.kb")}


@pytest.fixture(autouse=True)
def extensions() -> Iterator[None]:
    yield
    for name in spacy_component.EXTENSIONS:
        if Span.has_extension(name):
            Span.remove_extension(name)


def pipeline(folders: dict[str, str], **config: Any) -> Any:
    nlp = spacy.blank("en")
    nlp.add_pipe("biolink", config={**folders, **config})
    return nlp


def said(doc: Any) -> list[tuple[str, str, str, list[str]]]:
    return [(e.text, e.label_, e.kb_id_, [link.concept_id for link in e._.links]) for e in doc.ents]


def test_it_finds_and_links(folders: dict[str, str]) -> None:
    nlp = pipeline(folders)
    docs = list(nlp.pipe(TEXTS))
    assert [[e.text for e in doc.ents] for doc in docs] == [
        ["fever"], [], ["aspirin", "breast cancer", "fever"], [],
    ]  # fmt: skip
    for doc in docs:
        for ent in doc.ents:
            assert ent.kb_id_ == ent._.links[0].concept_id
            assert ent._.nil_reason is None
    assert docs[0].ents[0].label_ == "Disease"
    single = nlp(TEXTS[2])
    assert [e.text for e in single.ents] == [e.text for e in docs[2].ents]


def test_entities_of_earlier_components_are_linked(folders: dict[str, str]) -> None:
    nlp = spacy.blank("en")
    patterns = [{"label": "THING", "pattern": "lung", "id": "mine"}]
    nlp.add_pipe("entity_ruler").add_patterns(patterns)
    nlp.add_pipe("biolink", config=folders)
    (ent,) = nlp(TEXTS[0]).ents
    assert (ent.text, ent.label_, ent.id_) == ("lung", "THING", "mine") and ent.kb_id_
    beside = spacy.blank("en")
    beside.add_pipe("entity_ruler").add_patterns(patterns)
    beside.add_pipe("biolink", config={**folders, "mentions": "find"})
    assert [(e.text, bool(e.kb_id_)) for e in beside(TEXTS[0]).ents] == [
        ("fever", True), ("lung", False),
    ]  # fmt: skip
    assert not pipeline(folders, mentions="given")(TEXTS[0]).ents


def test_nil_has_a_reason(folders: dict[str, str]) -> None:
    (ent,) = pipeline(folders, nil="threshold=1")(TEXTS[0]).ents
    assert ent.kb_id_ == "" and ent._.links == ()
    assert "below threshold" in ent._.nil_reason


def test_two_processes_give_what_one_gives(folders: dict[str, str]) -> None:
    nlp = pipeline(folders)
    texts = TEXTS * 3
    alone = [said(doc) for doc in nlp.pipe(texts)]
    assert [said(doc) for doc in nlp.pipe(texts, n_process=2, batch_size=2)] == alone


def test_documents_keep_their_links(folders: dict[str, str]) -> None:
    nlp = pipeline(folders)
    docs = list(nlp.pipe(TEXTS))
    stored = DocBin(store_user_data=True, docs=docs).to_bytes()
    again = list(DocBin(store_user_data=True).from_bytes(stored).get_docs(nlp.vocab))
    assert [said(doc) for doc in again] == [said(doc) for doc in docs]
    copy = spacy.tokens.Doc(nlp.vocab).from_bytes(docs[2].to_bytes())
    assert said(copy) == said(docs[2])
    assert links_of(copy.ents[0]) == links_of(docs[2].ents[0])


def test_a_stored_pipeline_needs_nothing_beside_it(folders: dict[str, str], tmp_path: Path) -> None:
    nlp = pipeline(folders, types=["Disease"], top_k=2)
    nlp.to_disk(tmp_path / "pipeline")
    again = spacy.load(tmp_path / "pipeline")
    component = again.get_pipe("biolink")
    assert component.kb == str(tmp_path / "pipeline" / "biolink" / "kb")
    assert said(again(TEXTS[2])) == said(nlp(TEXTS[2]))
    assert [e.kb_id_ for e in again("aspirin").ents] == []
    (tmp_path / "pipeline" / "biolink" / "settings.json").write_text("{")
    with pytest.raises(ModelError, match="no stored biolink component"):
        spacy.load(tmp_path / "pipeline")


def test_another_package_keeps_its_extension(
    folders: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    Span.set_extension("links", default="theirs")
    nlp = pipeline(folders)
    (ent,) = nlp(TEXTS[0]).ents
    assert ent._.links == "theirs" and "belongs to another package" in caplog.text
    assert links_of(ent)[0].concept_id == ent.kb_id_ and nil_reason_of(ent) is None


def test_it_is_pickled_without_its_linker(folders: dict[str, str]) -> None:
    nlp = pipeline(folders)
    component = nlp.get_pipe("biolink")
    assert component.linker is component.linker
    other: LinkingComponent = pickle.loads(pickle.dumps(component))
    assert other._linker is None and said(other(nlp.make_doc(TEXTS[0])))


def test_wrong_settings(folders: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="auto, given or find"):
        pipeline(folders, mentions="some")
    with pytest.raises(ConfigError, match="batch_size"):
        pipeline(folders, batch_size=0)
