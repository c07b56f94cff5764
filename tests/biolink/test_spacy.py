"""The spaCy component."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span, SpanGroup

from biolink import spacy_component
from biolink.documents import Link, Mention
from biolink.errors import ConfigError, ModelError
from biolink.kb import KnowledgeBase
from biolink.spacy_component import LinkingComponent, links_of, nil_reason_of
from biolink.spacy_spans import with_found
from tests.tiny_models import CONCEPTS, bart, wordpiece

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


def test_the_component_finds_and_links(folders: dict[str, str]) -> None:
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


@pytest.mark.parametrize("nil", ["threshold=1", 1.0])
def test_nil_has_a_reason(folders: dict[str, str], nil: str | float) -> None:
    (ent,) = pipeline(folders, nil=nil)(TEXTS[0]).ents
    assert ent.kb_id_ == "" and ent._.links == ()
    assert "below threshold" in ent._.nil_reason


def test_two_processes_give_the_results_of_one(folders: dict[str, str]) -> None:
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


def test_a_stored_pipeline_is_complete(folders: dict[str, str], tmp_path: Path) -> None:
    nlp = pipeline(folders, types=["Disease"], top_k=2)
    nlp.to_disk(tmp_path / "pipeline")
    again = spacy.load(tmp_path / "pipeline")
    component = again.get_pipe("biolink")
    assert component.kb == str(tmp_path / "pipeline" / "biolink" / "kb")
    assert said(again(TEXTS[2])) == said(nlp(TEXTS[2]))
    assert [e.kb_id_ for e in again("aspirin").ents] == []
    (tmp_path / "pipeline" / "biolink" / "settings.json").write_text("{")
    with pytest.raises(ModelError, match="is not a stored biolink component"):
        spacy.load(tmp_path / "pipeline")


def test_another_package_keeps_its_extension(
    folders: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    Span.set_extension("links", default="theirs")
    nlp = pipeline(folders)
    (ent,) = nlp(TEXTS[0]).ents
    assert ent._.links == "theirs" and "belongs to another package" in caplog.text
    assert links_of(ent)[0].concept_id == ent.kb_id_ and nil_reason_of(ent) is None


def test_the_component_is_pickled_without_its_linker(folders: dict[str, str]) -> None:
    nlp = pipeline(folders)
    component = nlp.get_pipe("biolink")
    assert component.linker is component.linker
    other: LinkingComponent = pickle.loads(pickle.dumps(component))
    assert other._linker is None and said(other(nlp.make_doc(TEXTS[0])))


def test_wrong_settings(folders: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="auto, given, find, add"):
        pipeline(folders, mentions="some")
    with pytest.raises(ConfigError, match="batch_size"):
        pipeline(folders, batch_size=0)


def test_a_branch(folders: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no concept of the knowledge base has a parent in it"):
        pipeline(folders, branch="D5")
    concepts = [replace(c, parents=("D5",) if c.id == "D3" else ()) for c in CONCEPTS]
    KnowledgeBase.from_concepts(concepts).save(tmp_path / "x.kb")
    nlp = pipeline({**folders, "kb": str(tmp_path / "x.kb")}, branch=["D5"])
    assert [(e.text, e.kb_id_) for e in nlp(TEXTS[2]).ents] == [("breast cancer", "D3")]


def ruled(folders: dict[str, str], patterns: list[dict[str, str]], **config: Any) -> Any:
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns(patterns)
    nlp.add_pipe("biolink", config={**folders, **config})
    return nlp


def test_links_are_kept_in_parts_of_a_document_and_in_merged_documents(
    folders: dict[str, str],
) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("biolink", config=folders)
    doc = nlp("Nothing here. A fever came. Then aspirin and breast cancer.")
    wanted = {e.text: e._.links for e in doc.ents}
    assert set(wanted) == {"fever", "aspirin", "breast cancer"} and all(wanted.values())
    for number, names in ((1, {"fever"}), (2, {"aspirin", "breast cancer"})):
        part = list(doc.sents)[number].as_doc(copy_user_data=True)
        assert {e.text: e._.links for e in part.ents} == {n: wanted[n] for n in names}
        stored = DocBin(store_user_data=True, docs=[part]).to_bytes()
        (again,) = DocBin(store_user_data=True).from_bytes(stored).get_docs(nlp.vocab)
        assert {e.text: e._.links for e in again.ents} == {n: wanted[n] for n in names}
    slice_ = doc[8:]
    assert {e.text: e._.links for e in slice_.ents} == {
        n: wanted[n] for n in ("aspirin", "breast cancer")
    }
    docs = [nlp("A fever."), doc, nlp("aspirin")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # spaCy warns of what it leaves out
        both = Doc.from_docs(docs)
    assert [(e.text, e._.links[0].concept_id == e.kb_id_) for e in both.ents] == [
        (name, True) for name in ("fever", "fever", "aspirin", "breast cancer", "aspirin")
    ]


@pytest.mark.parametrize("order", [("Disease", "Chemical"), ("Chemical", "Disease")])
def test_two_components_add_to_each_other(folders: dict[str, str], order: tuple[str, ...]) -> None:
    nlp = spacy.blank("en")
    for kind in order:
        nlp.add_pipe("biolink", name=kind, config={**folders, "types": [kind]})
    types = {concept.id: concept.types[0] for concept in CONCEPTS}
    for doc in [nlp(TEXTS[2]), *nlp.pipe([TEXTS[2]] * 2, n_process=2, batch_size=1)]:
        found = {e.text: types[e.kb_id_] for e in doc.ents}
        assert (found["aspirin"], found["breast cancer"]) == ("Chemical", "Disease")
        # "fever" is a name in both knowledge bases, so the first component links it.
        assert found["fever"] == order[0]
        assert all(e._.links[0].concept_id == e.kb_id_ for e in doc.ents)


def test_one_component_links_mentions_that_another_left_nil(folders: dict[str, str]) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("biolink", name="strict", config={**folders, "nil": "threshold=1"})
    nlp.add_pipe("biolink", name="lenient", config=folders)
    (ent,) = nlp(TEXTS[0]).ents
    assert ent.kb_id_ == ent._.links[0].concept_id and ent._.nil_reason is None
    nlp = spacy.blank("en")
    nlp.add_pipe("biolink", name="lenient", config=folders)
    nlp.add_pipe("biolink", name="strict", config={**folders, "nil": "threshold=1"})
    (ent,) = nlp(TEXTS[0]).ents
    assert ent.kb_id_ == ent._.links[0].concept_id and ent._.nil_reason is None


def test_a_concept_that_is_set_stays_unless_overwritten(folders: dict[str, str]) -> None:
    def preset(doc: Doc) -> Doc:
        doc.ents = [Span(doc, 1, 2, "THING", kb_id="mine"), Span(doc, 4, 5, "THING")]
        return doc

    Language.component("preset", func=preset)
    for overwrite in (False, True):
        nlp = spacy.blank("en")
        nlp.add_pipe("preset")
        nlp.add_pipe("biolink", config={**folders, "overwrite": overwrite})
        fever, lung = nlp(TEXTS[0]).ents
        assert lung.kb_id_ and lung._.links
        assert (fever.kb_id_ == "mine") is not overwrite
        assert bool(fever._.links) is overwrite


def test_given_entities_are_linked_and_more_are_found(folders: dict[str, str]) -> None:
    patterns = [{"label": "THING", "pattern": "lung", "id": "mine"}]
    for mentions, wanted in (
        ("add", [("fever", True), ("lung", True)]),
        ("find", [("fever", True), ("lung", False)]),
        ("given", [("lung", True)]),
        ("auto", [("lung", True)]),
    ):
        doc = ruled(folders, patterns, mentions=mentions)(TEXTS[0])
        assert [(e.text, bool(e.kb_id_)) for e in doc.ents] == wanted, mentions
        assert [bool(e._.links) for e in doc.ents] == [linked for _, linked in wanted]
        (lung,) = (e for e in doc.ents if e.text == "lung")
        assert (lung.label_, lung.id_) == ("THING", "mine")
    doc = ruled(folders, patterns, mentions="add")("Nothing.")
    assert not doc.ents


def test_spans_of_a_group_are_linked(folders: dict[str, str]) -> None:
    def group(doc: Doc) -> Doc:
        spans = [Span(doc, 4, 5, "A"), Span(doc, 1, 5, "B"), Span(doc, 4, 5, "C")]
        doc.spans["sc"] = SpanGroup(doc, name="sc", attrs={"scores": [3, 2, 1]}, spans=spans)
        return doc

    Language.component("group", func=group)
    nlp = spacy.blank("en")
    nlp.add_pipe("group")
    nlp.add_pipe("biolink", config={**folders, "spans_key": "sc"})
    doc = nlp(TEXTS[0])
    assert not doc.ents
    assert [(s.text, s.label_) for s in doc.spans["sc"]] == [
        ("lung", "A"), ("fever of the lung", "B"), ("lung", "C"),
    ]  # fmt: skip
    assert all(s.kb_id_ and s.kb_id_ == s._.links[0].concept_id for s in doc.spans["sc"])
    assert doc.spans["sc"].attrs == {"scores": [3, 2, 1]}
    copy = Doc(nlp.vocab).from_bytes(doc.to_bytes())
    assert [s._.links for s in copy.spans["sc"]] == [s._.links for s in doc.spans["sc"]]
    nlp = spacy.blank("en")
    nlp.add_pipe("group")
    nlp.add_pipe("biolink", config={**folders, "spans_key": "sc", "mentions": "add"})
    doc = nlp(TEXTS[0])
    assert [s.text for s in doc.spans["sc"]] == [
        "lung", "fever of the lung", "lung", "fever",
    ]  # fmt: skip
    # A group that does not exist is created.
    doc = pipeline(folders, spans_key="found")(TEXTS[2])
    assert [s.text for s in doc.spans["found"]] == ["aspirin", "breast cancer", "fever"]
    assert not doc.ents and all(s._.links for s in doc.spans["found"])


def test_nested_mentions_need_a_group_of_spans(folders: dict[str, str]) -> None:
    doc = pipeline(folders, spans_key="all", nested=True)("cancer of the breast")
    assert {s.text for s in doc.spans["all"]} >= {"cancer of the breast", "cancer"}
    with pytest.raises(ConfigError, match="spans_key"):
        pipeline(folders, nested=True)


def found(text: str, *mentions: tuple[int, int, str]) -> list[Mention]:
    """Mentions that were found; those without a concept are NIL."""
    return [
        Mention(a, b, text[a:b], "T", links=(Link(c, c, 0.0, 0.9, 1),) if c else ())
        for a, b, c in mentions
    ]


@pytest.mark.parametrize(
    ("mentions", "overlapping", "shown", "hidden"),
    [
        # The outer mention is the span's text, and the inner one has a link.
        (((0, 9, ""), (0, 7, "inner")), True, [("caspase-3", "")], ["caspase"]),
        (((0, 9, "outer"), (0, 7, "inner")), True, [("caspase-3", "outer")], ["caspase"]),
        # No mention is the span's text: the outer one, whatever the order.
        (((14, 17, "inner"), (14, 19, "")), True, [("IL-6-type", "")], ["IL-"]),
        # Mentions side by side: one with a link, then the first one.
        (((24, 27, ""), (28, 31, "b")), False, [("p53/p21", "b")], ["p53"]),
        (((24, 27, "a"), (28, 31, "b")), False, [("p53/p21", "a")], ["p21"]),
        (((0, 9, "a"), (28, 31, "b")), False, [("caspase-3", "a"), ("p53/p21", "b")], []),
    ],
)
def test_of_mentions_that_share_tokens_the_right_one_is_shown(
    mentions: Any, overlapping: bool, shown: Any, hidden: list[str]
) -> None:
    words = ["caspase-3", "and", "IL-6-type", "p53/p21"]
    doc, other = (Doc(spacy.blank("en").vocab, words=words) for _ in range(2))
    given = found(doc.text, *mentions)
    spans, left = with_found(doc, given, [], overlapping)
    assert [(span.text, span.kb_id_) for span in spans] == shown
    assert [mention.text for mention in left] == hidden
    # What was there before stays, unless biolink found it and could not link it.
    theirs = [Span(other, span.start, span.end, "THEIRS") for span in spans]
    spans, _ = with_found(other, given, theirs, overlapping)
    assert {span.label_ for span in spans} == {"THEIRS"}
    (nil,) = with_found(doc, found(doc.text, (24, 31, "")), [], overlapping)[0]
    linked, _ = with_found(doc, found(doc.text, (24, 31, "x")), [nil], overlapping)
    assert [span.kb_id_ for span in linked] == ["x"]


def test_a_mention_that_cannot_be_shown_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("biolink", config={"spans_key": "sc", "nested": True})
    for _ in range(2):
        # spaCy takes the two drugs for one token.
        doc = nlp("He took aspirin_ibuprofen for pain.")
        spans = [(s.start, s.end) for s in doc.spans["sc"]]
        assert len(set(spans)) == len(spans)
        assert [s.text for s in doc.spans["sc"]] == ["aspirin_ibuprofen", "pain"]
    assert caplog.text.count("is not shown") == 1


def test_settings_are_stored(folders: dict[str, str], tmp_path: Path) -> None:
    nlp = pipeline(folders, spans_key="sc", overwrite=True, mentions="add")
    nlp.to_disk(tmp_path / "pipeline")
    settings = spacy.load(tmp_path / "pipeline").get_pipe("biolink").settings
    assert (settings["spans_key"], settings["overwrite"], settings["mentions"]) == (
        "sc", True, "add",
    )  # fmt: skip


@pytest.mark.parametrize("types", ["Disease", "disease, Chemical", ["Disease"], ("Disease",)])
def test_types_of_the_component_follow_the_rule_of_subset(
    folders: dict[str, str], types: Any
) -> None:
    nlp = pipeline(folders, types=types)
    kinds = {ent.label_ for ent in nlp("Fever and aspirin.").ents}
    assert kinds == {"Disease"} | ({"Chemical"} if "Chemical" in types else set())
    again: LinkingComponent = pickle.loads(pickle.dumps(nlp.get_pipe("biolink")))
    assert again.settings["types"] == nlp.get_pipe("biolink").settings["types"]


@pytest.mark.parametrize("types", ["Nothing", "", 5, [5]])
def test_types_that_are_wrong_are_one_clear_error(folders: dict[str, str], types: Any) -> None:
    with pytest.raises(ConfigError, match="types"):
        pipeline(folders, types=types)
