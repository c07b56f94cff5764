"""A mistake in Python is a BiolinkError that says what was given and what was expected."""

from __future__ import annotations

import copy
import logging
import math
import pickle
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import spacy

import biolink
from biolink import (
    AnyOf,
    Combination,
    Concept,
    DictionaryRecogniser,
    Document,
    GivenMentions,
    GlinerRecogniser,
    HuggingFaceRecogniser,
    KnowledgeBase,
    Link,
    Linker,
    LinkerOptions,
    Margin,
    Mention,
    NoNil,
    Passage,
    SpacyRecogniser,
    Threshold,
)
from biolink.errors import (
    BiolinkError,
    ConfigError,
    DocumentError,
    InputError,
    KnowledgeBaseError,
    UnknownConceptError,
)
from biolink.evaluation import compare, evaluate
from biolink.evaluation.found import evaluate_found
from biolink.infer.decide.calibration import Calibration
from biolink.infer.linkers.end_to_end import EndToEndLinker, EndToEndOptions
from biolink.infer.linkers.retrieve_read import RetrieveReadOptions
from biolink.infer.mentions.adapters import recogniser_written
from biolink.infer.network.model import load_model
from biolink.infer.rank.beam_search import DecodingOptions
from biolink.kb import bare_id, normalise_name
from biolink.spacy_component import LinkingComponent

Call = Callable[[SimpleNamespace], Any]
Row = tuple[Call, type[BiolinkError], str]

TEXT = "Fever and aspirin."
GOLD = Document("1", TEXT, mentions=(Mention(0, 5, "Fever", "Disease", ("D1",)),))


@pytest.fixture(scope="module")
def it(
    model_folder: Path, kb: KnowledgeBase, tmp_path_factory: pytest.TempPathFactory
) -> SimpleNamespace:
    """A linker, a knowledge base, and a folder with a CSV of texts and a text."""
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "texts.csv").write_text("id,text\n1,Fever.\n")
    (folder / "text.txt").write_text("Fever.")
    (folder / "names.csv").write_text("id,name\nD1,Fever\n")
    model = load_model(model_folder)
    linker = Linker(model, kb, recogniser=DictionaryRecogniser(kb))
    return SimpleNamespace(
        linker=linker, kb=kb, model=model, folder=folder, csv=folder / "texts.csv"
    )


DOCUMENTS: list[Row] = [
    (lambda it: Document(1, 2), DocumentError, "the id of a document is 1 .int., not a string"),
    (lambda it: Document("1", None), DocumentError, "its text is None, not a string"),
    (lambda it: Document("1", "x", mentions="x"), DocumentError, "its mentions are 'x'"),
    (lambda it: Document("1", "x", mentions=(3,)), DocumentError, "3 .int. among its mentions"),
    (lambda it: Document("1", "x", metadata=[]), DocumentError, "not a dict"),
    (lambda it: Mention(5, 2, "x"), DocumentError, "mention 'x' 5-2 is not a span"),
    (lambda it: Mention(-1, 2, "xyz"), DocumentError, "mention 'xyz' -1-2 is not a span"),
    (lambda it: Mention("0", 2, "xy"), DocumentError, "at '0' .str., not a whole number"),
    (lambda it: Mention(0, 1.5, "x"), DocumentError, "at 1.5 .float., not a whole number"),
    (lambda it: Mention(False, True, "x"), DocumentError, "not a whole number"),
    (lambda it: Mention(0, 1, None), DocumentError, "the text of a mention is None, not a string"),
    (lambda it: Passage(5, 2), DocumentError, "passage 5-2 is not a span"),
    (lambda it: Passage(None, 2), DocumentError, "not a whole number"),
    (
        lambda it: Document("1", "x", mentions=(Mention(0, 1, "x", links=(3,)),)),
        DocumentError,
        "3 .int. is not a link",
    ),
    (
        lambda it: Document("1", "x", mentions=(Mention(0, 1, "x", links=(Link(1, 2, 3, 4, 5),)),)),
        DocumentError,
        "the concept_id of a link is 1 .int., not a string",
    ),
    (lambda it: biolink.to_html("abc"), ConfigError, "to_html was given 'abc' .str.; expected a D"),
    (lambda it: biolink.to_html([3]), ConfigError, "to_html was given 3 .int. in place of a Docum"),
    (lambda it: biolink.to_html(None), ConfigError, "to_html was given None"),
    (lambda it: biolink.to_dataframe("x"), ConfigError, "to_dataframe was given 'x'"),
    (lambda it: biolink.to_dataframe(None), ConfigError, "to_dataframe was given None"),
    (lambda it: biolink.to_dataframe({"1": GOLD}), ConfigError, "expected a Document or several"),
]

FILES: list[Row] = [
    (lambda it: biolink.read(5), ConfigError, "5 .int. is not a path; expected the path of a file"),
    (lambda it: biolink.read([it.csv]), ConfigError, "is not a path"),
    (lambda it: biolink.read(None), ConfigError, "None is not a path"),
    (lambda it: biolink.read(""), ConfigError, "'' .str. is not a path"),
    (lambda it: biolink.read("a\0b"), ConfigError, "is not a path"),
    (lambda it: biolink.read("Fever. " * 1000), ConfigError, "is too long a path"),
    (lambda it: biolink.read("no-such-file"), InputError, "no such file"),
    (
        lambda it: biolink.read(it.csv, format=5),
        ConfigError,
        "the format 5 of documents is unknown",
    ),
    (lambda it: biolink.read(it.csv, format=["csv"]), ConfigError, "of documents is unknown"),
    (
        lambda it: biolink.read(it.folder, format="foo"),
        ConfigError,
        "the format 'foo' of documents",
    ),
    (lambda it: biolink.read(it.csv, text_column=3), ConfigError, "text_column is 3 .int.; expec"),
    (lambda it: list(biolink.read(it.csv, text_column="x")), InputError, "x"),
    (lambda it: biolink.read(it.csv, on_problem=3), ConfigError, "on_problem is 3"),
    (lambda it: biolink.write(None, it.folder / "x.jsonl"), ConfigError, "write was given None"),
    (lambda it: biolink.write([3], it.folder / "x.jsonl"), ConfigError, "3 .int. in place of a Do"),
    (lambda it: biolink.write("x", it.folder / "x.jsonl"), ConfigError, "write was given 'x'"),
    (lambda it: biolink.write([GOLD], None), ConfigError, "None is not a path"),
    (
        lambda it: biolink.write([GOLD], it.folder / "x.foo"),
        ConfigError,
        "no format follows from the name",
    ),
    (lambda it: biolink.write([GOLD], it.folder / "x.jsonl", format=3), ConfigError, "is unknown"),
]

BASES: list[Row] = [
    (
        lambda it: KnowledgeBase.read(None),
        ConfigError,
        "None is not a path; expected the path of a s",
    ),
    (lambda it: KnowledgeBase.read("no-such-base"), InputError, "no such file or folder"),
    (lambda it: KnowledgeBase.read("x" * 9999), ConfigError, "too long a path"),
    (lambda it: KnowledgeBase.read(it.folder / "names.csv", format=["csv"]), ConfigError, "unknow"),
    (lambda it: KnowledgeBase.read(it.folder / "names.csv", format="csv"), ConfigError, "table"),
    (lambda it: KnowledgeBase.read(it.folder / "names.csv", id=5), ConfigError, "id is 5 .int.; "),
    (
        lambda it: KnowledgeBase.read(it.folder / "names.csv", vocabulary="x"),
        ConfigError,
        "no option 'vocabulary",
    ),
    (lambda it: KnowledgeBase.open(5), ConfigError, "5 .int. is not a path"),
    (lambda it: KnowledgeBase.open(it.folder), KnowledgeBaseError, "mistakes"),
    (lambda it: KnowledgeBase.open("no-such-base"), KnowledgeBaseError, "no-such-base"),
    (lambda it: it.kb.save(5), ConfigError, "5 .int. is not a path"),
    (lambda it: KnowledgeBase.from_concepts(5), ConfigError, "concepts is 5"),
    (lambda it: KnowledgeBase.from_concepts("D1"), ConfigError, "concepts is 'D1'"),
    (
        lambda it: KnowledgeBase.from_concepts(Concept("D1", "x")),
        ConfigError,
        "concepts is Concept",
    ),
    (lambda it: KnowledgeBase.from_concepts(["D1"]), ConfigError, "concepts has 'D1'"),
    (lambda it: KnowledgeBase.from_concepts([Concept(1, "x")]), KnowledgeBaseError, "not a string"),
    (
        lambda it: KnowledgeBase.from_concepts([Concept("1", "x", "abc")]),
        KnowledgeBaseError,
        "the field synonyms of .* is 'abc' .str.; expected a list",
    ),
    (
        lambda it: KnowledgeBase.from_concepts([Concept("1", "x", None)]),
        KnowledgeBaseError,
        "the field synonyms of .* is None",
    ),
    (
        lambda it: KnowledgeBase.from_concepts([Concept("1", "x", types="Disease")]),
        KnowledgeBaseError,
        "the field types of .* is .Disease.",
    ),
    (lambda it: KnowledgeBase.from_concepts([], prefix=3), KnowledgeBaseError, "3 is not a prefix"),
    (lambda it: KnowledgeBase.from_concepts([], prefixes=3), BiolinkError, "3"),
    (lambda it: KnowledgeBase.from_concepts([], prefixes=[("(", "x")]), KnowledgeBaseError, "regu"),
    (lambda it: KnowledgeBase.from_concepts([], sources=3), ConfigError, "sources is 3"),
    (
        lambda it: KnowledgeBase.from_concepts([], sources=["x"]),
        ConfigError,
        "an item of sources is 'x'",
    ),
    (lambda it: KnowledgeBase.from_concepts([], options="x"), ConfigError, "options is 'x'"),
    (lambda it: it.kb["X9"], UnknownConceptError, "^the knowledge base has no concept 'X9'"),
    (lambda it: it.kb[5], ConfigError, "the id of a concept is 5"),
    (lambda it: it.kb.get(None), ConfigError, "the id of a concept is None"),
    (lambda it: it.kb.row_of(5), ConfigError, "the id of a concept is 5"),
    (lambda it: it.kb.resolve(5), ConfigError, "the id of a concept is 5"),
    (lambda it: it.kb.bare_id(5), ConfigError, "the id of a concept is 5"),
    (lambda it: it.kb.curie(5), ConfigError, "the id of a concept is 5"),
    (lambda it: it.kb.lookup(5), ConfigError, "a name is 5"),
    (lambda it: it.kb.name_id(None), ConfigError, "a name is None"),
    (lambda it: it.kb.name_at(10**6), ConfigError, "1000000 .int. is not the id of a name"),
    (lambda it: it.kb.name_at("x"), ConfigError, "'x' .str. is not the id of a name"),
    (lambda it: it.kb.concept_at(10**6), ConfigError, "1000000 .int. is not a row"),
    (lambda it: it.kb.concept_at("x"), ConfigError, "'x' .str. is not a row"),
    (lambda it: it.kb.id_at(10**6), ConfigError, "is not a row"),
    (lambda it: it.kb.id_at(-1), ConfigError, "-1 .int. is not a row"),
    (lambda it: it.kb.concept_at(-1), ConfigError, "-1 .int. is not a row"),
    (lambda it: it.kb.owners(10**6), ConfigError, "is not the id of a name"),
    (lambda it: it.kb.owners(-2), ConfigError, "-2 .int. is not the id of a name"),
    (lambda it: it.kb.name_at(-2), ConfigError, "-2 .int. is not the id of a name"),
    (lambda it: it.kb.is_preferred(-2, 0), ConfigError, "-2 .int. is not the id of a name"),
    (lambda it: it.kb.types_at(None), ConfigError, "None is not a row"),
    (lambda it: it.kb.preferred_name_at("x"), ConfigError, "is not a row"),
    (lambda it: it.kb.subset(types={"Foo"}), ConfigError, "types 'Foo'; expected types among C"),
    (lambda it: it.kb.subset(types=[]), ConfigError, "expected types among Chemical, D"),
    (lambda it: it.kb.subset(types=5), ConfigError, "types is 5 .int.; expected a list of strings"),
    (lambda it: it.kb.subset(types=[5]), ConfigError, "types has 5 .int.; expected strings"),
    (lambda it: it.kb.subset(sources=["x"]), ConfigError, "of the sources 'x'; it has no sources"),
    (lambda it: it.kb.subset(ids=["X", "Y"]), ConfigError, "2 of 2 ids are not in the knowledge b"),
    (lambda it: it.kb.subset(ids=5), ConfigError, "ids is 5"),
    (lambda it: it.kb.subset(predicate=5), ConfigError, "predicate is 5"),
    (lambda it: it.kb.without(5), ConfigError, "part is 5"),
    (lambda it: it.kb.merge(5), ConfigError, "other is 5"),
    (lambda it: it.kb.merge(it.kb, mapping=5), ConfigError, "mapping is 5"),
    (lambda it: it.kb.with_names(5), ConfigError, "names is 5"),
    (lambda it: it.kb.with_names("D1"), ConfigError, "names is 'D1'"),
    (lambda it: it.kb.with_names(["D1"]), ConfigError, "names has 'D1'"),
    (lambda it: it.kb.with_names([("D1", 5)]), ConfigError, "expected pairs"),
    (lambda it: normalise_name(5), ConfigError, "5 .int. cannot be normalised"),
    (lambda it: bare_id(None), ConfigError, "None is not an id"),
]

POLICIES: list[Row] = [
    (
        lambda it: Threshold("x"),
        ConfigError,
        "a threshold is 'x' .str.; expected a probability from 0 to 1",
    ),
    (lambda it: Threshold(None), ConfigError, "is None; expected"),
    (lambda it: Threshold(True), ConfigError, "is True .bool.; expected"),
    (lambda it: Threshold(float("nan")), ConfigError, "is nan .float.; expected"),
    (
        lambda it: Margin(None),
        ConfigError,
        "a margin is None; expected a number of nats, at least 0",
    ),
    (lambda it: Margin("1"), ConfigError, "is '1' .str.; expected"),
    (lambda it: Margin(-1), ConfigError, "is -1 .int.; expected"),
    (lambda it: Combination(None, 0.5), ConfigError, "weights is None"),
    (lambda it: Combination("x", 0.5), ConfigError, "weights is 'x'"),
    (lambda it: Combination((1.0,), 0.5), ConfigError, "6 weights, not 1"),
    (lambda it: Combination((math.nan,) * 6, 0.5), ConfigError, "expected finite numbers"),
    (lambda it: Combination((1.0,) * 6, None), ConfigError, "is None; expected"),
    (lambda it: AnyOf(5), ConfigError, "AnyOf was given 5"),
    (lambda it: AnyOf((0.5,)), ConfigError, "expected several NIL policies"),
    (lambda it: AnyOf((NoNil,)), ConfigError, "expected several NIL policies"),
    (lambda it: Calibration("platt", 5, 5), ConfigError, "calibration"),
    (lambda it: Calibration("platt", ("x",), ("y",)), ConfigError, "calibration"),
]

LINKERS: list[Row] = [
    (lambda it: Linker(5, it.kb), ConfigError, "model is 5 .int.; expected a LinkingModel"),
    (lambda it: Linker(it.model, "x.kb"), ConfigError, "kb is 'x.kb' .str.; expected a Knowl"),
    (lambda it: Linker(it.model, it.kb, 5), ConfigError, "options is 5"),
    (lambda it: Linker(it.model, it.kb, nil="foo"), ConfigError, "unknown NIL policy 'foo'"),
    (lambda it: Linker(it.model, it.kb, nil=[]), ConfigError, "nil is .*expected a NIL policy"),
    (lambda it: Linker(it.model, it.kb, recogniser=5), ConfigError, "recogniser is 5"),
    (
        lambda it: Linker(it.model, it.kb, recogniser=GivenMentions),
        ConfigError,
        "expected a function",
    ),
    (lambda it: Linker(it.model, it.kb, progress=5), ConfigError, "progress is 5"),
    (lambda it: Linker(it.model, it.kb, calibration=5), ConfigError, "calibration is 5"),
    (lambda it: LinkerOptions(method=5), ConfigError, "expected combined, generate or"),
    (
        lambda it: LinkerOptions(top_k="5"),
        ConfigError,
        "top_k is '5' .str.; expected",
    ),
    (lambda it: LinkerOptions(abbreviations="x"), ConfigError, "unknown abbreviation finder 'x'"),
    (lambda it: LinkerOptions(decoding=5), ConfigError, "decoding is 5"),
    (lambda it: LinkerOptions(match_types="no"), ConfigError, "match_types is 'no'"),
    (
        lambda it: DecodingOptions(beam="5"),
        ConfigError,
        "beam is '5' .str.; expected",
    ),
    (lambda it: DecodingOptions(length_penalty="x"), ConfigError, "length_penalty is 'x'"),
    (lambda it: DecodingOptions(prune="x"), ConfigError, "prune is 'x'"),
    (lambda it: EndToEndOptions(beam="x"), ConfigError, "expected a whole number from 1"),
    (lambda it: RetrieveReadOptions(threshold="x"), ConfigError, "expected a probability"),
    (lambda it: RetrieveReadOptions(least="x"), ConfigError, "least is 'x'"),
    (lambda it: biolink.load(model=5), ConfigError, "5 .int. is not a path"),
    (lambda it: biolink.load(progress=5), ConfigError, "progress is 5"),
    (lambda it: biolink.load(types=[5]), ConfigError, "types has 5"),
    (lambda it: biolink.load(precision=["int8"]), ConfigError, "expected one of fp32"),
    (lambda it: biolink.load(recogniser=GivenMentions), ConfigError, "expected a function"),
    (lambda it: it.linker(5), ConfigError, "5 .int. cannot be linked; expected a text or a Docu"),
    (lambda it: it.linker.pipe({"a": 1}), ConfigError, "pipe was given a dict; expected a list"),
    (lambda it: it.linker.pipe(["x"], as_tuples="no"), ConfigError, "as_tuples is 'no'"),
    (lambda it: it.linker.pipe(["x"], progress=5), ConfigError, "progress is 5"),
    (lambda it: it.linker.pipe(["x"], recognise=1), ConfigError, "expected True, False or None"),
    (lambda it: it.linker(TEXT, spans=[(0, 99)]), ConfigError, "lies outside the text of 18 char"),
    (lambda it: it.linker(TEXT, spans=[(5, 0)]), ConfigError, "outside the text"),
    (lambda it: it.linker(TEXT, spans={"a": 1}), ConfigError, "expected a list of .start, end."),
    (lambda it: it.linker(TEXT, spans=[("0", "5")]), ConfigError, "not a pair of whole numbers"),
    (lambda it: it.linker(TEXT, spans=(0, 5)), ConfigError, "0 is not a pair of whole numbers"),
    (lambda it: it.linker.link_documents("x"), ConfigError, "link_documents was given 'x'"),
    (lambda it: it.linker.link_documents(["x"]), ConfigError, "'x' .str. in place of a Document"),
    (lambda it: it.linker.with_settings(nil="foo"), ConfigError, "unknown NIL policy"),
    (lambda it: it.linker.with_settings(recogniser=5), ConfigError, "recogniser is 5"),
    (lambda it: it.linker.with_settings(calibration=5), ConfigError, "calibration is 5"),
    (
        lambda it: it.linker.with_settings(top_k="5"),
        ConfigError,
        "top_k is .*; expected a whole number",
    ),
    (lambda it: it.linker.with_settings(foo=5), ConfigError, "unknown options"),
    (lambda it: it.linker.find_under("x", [it.kb]), ConfigError, "find_under was given 'x'"),
    (lambda it: EndToEndLinker(5, it.kb), ConfigError, "model is 5"),
    (lambda it: EndToEndLinker(it.model, "x"), ConfigError, "kb is 'x'"),
    (lambda it: EndToEndLinker(it.model, it.kb, nil="foo"), ConfigError, "unknown NIL policy"),
    (lambda it: EndToEndLinker(it.model, it.kb, 5), ConfigError, "options is 5"),
    (lambda it: it.linker.link_under(["x"], [it.kb]), ConfigError, "'x' .str. in place of a Doc"),
    (lambda it: it.linker.link_under([GOLD], ["x"]), ConfigError, "with_kb|kb is 'x'"),
    (lambda it: it.linker.link_under([GOLD], it.kb), ConfigError, "expected several"),
]

RECOGNISERS: list[Row] = [
    (lambda it: DictionaryRecogniser(5), ConfigError, "kb is 5"),
    (lambda it: DictionaryRecogniser(it.kb, 5), ConfigError, "stop_names is 5"),
    (lambda it: DictionaryRecogniser(it.kb, (), "auto"), ConfigError, "abbreviations is 'auto'"),
    (lambda it: DictionaryRecogniser(it.kb)(5), ConfigError, "5 .int. cannot be linked"),
    (lambda it: SpacyRecogniser(5), ConfigError, "nlp is 5"),
    (lambda it: SpacyRecogniser("no-such-pipeline"), BiolinkError, "no-such-pipeline"),
    (lambda it: SpacyRecogniser(spacy.blank("en"), 5), ConfigError, "labels is 5"),
    (lambda it: SpacyRecogniser(spacy.blank("en"))(5), ConfigError, "expected a text or a Docum"),
    (lambda it: HuggingFaceRecogniser(5), ConfigError, "5 .int. is not a path"),
    (lambda it: HuggingFaceRecogniser(it.folder), BiolinkError, "not a token-classification"),
    (lambda it: HuggingFaceRecogniser(print, labels=5), ConfigError, "labels is 5"),
    (lambda it: GlinerRecogniser(5, ["x"]), ConfigError, "model is 5"),
    (lambda it: GlinerRecogniser(5, []), ConfigError, "needs labels"),
    (lambda it: GlinerRecogniser(5, [5]), ConfigError, "labels has 5"),
    (lambda it: GlinerRecogniser(5, ["x"], "y"), ConfigError, "expected a probability"),
    (lambda it: GivenMentions("x"), ConfigError, "GivenMentions was given 'x'"),
    (lambda it: GivenMentions([3]), ConfigError, "3 .int. in place of a Document"),
    (lambda it: GivenMentions([GOLD])("Other."), ConfigError, "no mentions are known"),
    (lambda it: recogniser_written("foo"), ConfigError, "expected spacy:NAME"),
]

MEASURES: list[Row] = [
    (lambda it: biolink.evaluate([]), ConfigError, "evaluate was given no document"),
    (lambda it: evaluate("x"), ConfigError, "evaluate was given 'x'"),
    (lambda it: evaluate(None), ConfigError, "evaluate was given None"),
    (lambda it: evaluate([3]), ConfigError, "3 .int. in place of a Document"),
    (lambda it: evaluate([Document("1", "x")]), ConfigError, "in which no mention has a gold id"),
    (lambda it: evaluate([GOLD], "x.kb"), ConfigError, "kb is 'x.kb'"),
    (lambda it: evaluate([GOLD], seed="x"), ConfigError, "seed is 'x'"),
    (lambda it: evaluate([GOLD], training=5), ConfigError, "training was given 5"),
    (lambda it: evaluate([GOLD], protocol=5), ConfigError, "protocol is 5"),
    (lambda it: evaluate([GOLD], provenance=5), ConfigError, "provenance is 5"),
    (lambda it: compare([GOLD], [GOLD]), ConfigError, "which evaluate gives"),
    (
        lambda it: evaluate_found([GOLD], []),
        ConfigError,
        "there are 1 or more annotated documents, but only 0 found",
    ),
    (
        lambda it: evaluate_found([], [GOLD]),
        ConfigError,
        "there are 1 or more found documents, but only 0 annotated",
    ),
    (lambda it: evaluate_found([GOLD], [Document("2", "x")]), ConfigError, "their texts differ"),
    (lambda it: evaluate_found("x", [GOLD]), ConfigError, "was given 'x'"),
    (lambda it: evaluate_found([GOLD], [GOLD], "x"), ConfigError, "kb is 'x'"),
]

COMPONENTS: list[Row] = [
    (lambda it: component(nil="foo"), ConfigError, "unknown NIL policy 'foo'"),
    (lambda it: component(nil=5), ConfigError, "expected a probability"),
    (lambda it: component(mentions="all"), ConfigError, "mentions is 'all'; expected one of"),
    (lambda it: component(batch_size="2"), ConfigError, "expected a whole number from 1"),
    (lambda it: component(top_k=0), ConfigError, "expected a whole number"),
    (lambda it: component(types=["Foo"]), ConfigError, "expected types among Disease, Chem"),
    (lambda it: component(types=5), ConfigError, "types is 5"),
    (lambda it: component(spans_key=5), ConfigError, "spans_key is 5"),
    (lambda it: component(overwrite="no"), ConfigError, "overwrite is 'no'"),
    (lambda it: component(kb=5), ConfigError, "5 .int. is not a path"),
    (lambda it: component()("Fever."), ConfigError, "doc is 'Fever.'"),
    (
        lambda it: spacy.blank("en").add_pipe("biolink", config={"nil": "foo"}),
        ConfigError,
        "unknown NIL policy 'foo'",
    ),
]


def component(**settings: Any) -> LinkingComponent:
    return LinkingComponent(spacy.blank("en").vocab, **settings)


def rows() -> list[Any]:
    tables: dict[str, list[Row]] = {
        "documents": DOCUMENTS, "files": FILES, "bases": BASES, "policies": POLICIES,
        "linkers": LINKERS, "recognisers": RECOGNISERS, "measures": MEASURES,
        "components": COMPONENTS,
    }  # fmt: skip
    return [
        pytest.param(*row, id=f"{name}-{number}")
        for name, table in tables.items()
        for number, row in enumerate(table)
    ]


@pytest.mark.parametrize(("call", "error", "words"), rows())
def test_a_mistake_is_one_clear_error(
    it: SimpleNamespace, call: Call, error: type[BiolinkError], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        call(it)
    assert "\n" not in str(caught.value)


def test_a_failure_leaves_no_file(it: SimpleNamespace) -> None:
    with pytest.raises(ConfigError):
        biolink.write([GOLD, 3], it.folder / "half.jsonl")  # type: ignore[list-item]
    assert not list(it.folder.glob("*half*"))


def test_errors_are_python_errors_as_well(kb: KnowledgeBase) -> None:
    with pytest.raises(KeyError):
        kb["X9"]
    with pytest.raises(ValueError):
        Mention(5, 2, "x")
    error = UnknownConceptError("no such concept")
    assert str(error) == str(pickle.loads(pickle.dumps(error))) == "no such concept"


def test_a_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.txt").write_text("A fever.")
    (tmp_path / "sub" / "c.csv").write_text("id,text\n7,Gout.\n")
    (tmp_path / ".hidden.txt").write_text("Hidden.")
    assert [d.text for d in biolink.read(tmp_path)] == ["A fever.", "Gout."]
    assert next(biolink.read(str(tmp_path), format="text")).text == "A fever."
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match=r"a\.txt"):
        list(biolink.read(tmp_path))
    problems: list[InputError] = []
    documents = biolink.read(tmp_path, on_problem=problems.append)
    assert [d.text for d in documents] == ["A fever.", "Gout."]
    assert len(problems) == 1
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="a folder without files"):
        list(biolink.read(tmp_path / "empty"))


def test_one_document_is_accepted_in_place_of_several(tmp_path: Path) -> None:
    biolink.write(GOLD, tmp_path / "x.jsonl")
    assert list(biolink.read(tmp_path / "x.jsonl")) == [GOLD]
    assert "Fever" in biolink.to_html(iter([GOLD])) and "Fever" in biolink.to_html(GOLD)
    assert GivenMentions(GOLD)(Document("1", TEXT)).mentions == GOLD.mentions


def test_one_text_is_accepted_in_place_of_several(kb: KnowledgeBase) -> None:
    assert len(kb.subset(types="Chemical")) == 2
    assert kb.subset(types=["chemical "]).fingerprint == kb.subset(types="Chemical").fingerprint
    assert [concept.id for concept in kb.subset(ids="D2")] == ["D2"]
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "Disease", "pattern": "fever"}])
    assert len(SpacyRecogniser(nlp, "Disease")(Document("1", "a fever")).mentions) == 1


def test_unknown_ids_are_counted(kb: KnowledgeBase, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        part = kb.subset(ids=["D1", "X1", "X2", "X3", "X4"])
    assert [concept.id for concept in part] == ["D1"]
    said = "4 of 5 ids are not in the knowledge base: 'X1', 'X2', 'X3', ..."
    assert said in caplog.text
    caplog.clear()
    assert not len(kb.subset(ids=[])) and len(kb.subset(ids=["D1"])) == 1
    assert not caplog.text


def test_a_warning_says_that_ids_are_compared_as_written(
    kb: KnowledgeBase, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a knowledge base a miss may be an alternative id."""
    link = Link("D9", "Fever", -1.0, 0.9, 1)
    linked = GOLD.with_mentions([Mention(0, 5, "Fever", "", ("D1",), links=(link,))])
    with caplog.at_level(logging.WARNING):
        assert evaluate([linked]).strict.recall_at_1 == 0
        assert "compared as they are written" in caplog.text
        assert "evaluate(documents, linker.bases)" in caplog.text
        caplog.clear()
        evaluate([linked], kb)
        right = Mention(0, 5, "Fever", "", ("D9",), links=(link,))
        assert evaluate([GOLD.with_mentions([right])]).strict.recall_at_1 == 1
        assert not caplog.text
        evaluate([GOLD], kb)
    assert "none of the 1 mentions was linked" in caplog.text


def gives(result: Any) -> Callable[[Document], Any]:
    def finds_nothing(document: Document) -> Any:
        return result

    return finds_nothing


class Several:
    """A recogniser that returns a given value for any documents."""

    def __init__(self, result: Any) -> None:
        self.result = result

    def __call__(self, document: Document) -> Any:
        return self.result

    def recognise_batch(self, documents: Sequence[Document]) -> Any:
        return self.result


@pytest.mark.parametrize(
    ("recogniser", "words"),
    [
        (gives(None), "the recogniser finds_nothing gave None for the document ''"),
        (gives([]), r"the recogniser finds_nothing gave \[\] .list."),
        (gives("Fever"), "gave 'Fever' .str.*expected the Document with its mentions"),
        (gives(Document("", "Other.")), "finds_nothing changed the text of the document ''"),
        (Several(None), "the recogniser Several gave None"),
        (Several([]), "the recogniser Several gave 0 documents for 1"),
        (Several([3]), r"Several gave 3 \(int\)"),
    ],
)
def test_a_recogniser_that_gives_no_document_is_named(
    it: SimpleNamespace, recogniser: Any, words: str
) -> None:
    linker = Linker(it.model, it.kb, recogniser=recogniser)
    with pytest.raises(ConfigError, match=words):
        linker(TEXT)


class Local:
    class Inner(Several):
        """A recogniser with a name under which pickle finds it."""


@pytest.mark.parametrize(
    "recogniser", [lambda document: document, gives(None), partial(gives(None))]
)
def test_a_recogniser_without_a_name_cannot_be_pickled(
    it: SimpleNamespace, recogniser: Any
) -> None:
    linker = Linker(it.model, it.kb, recogniser=recogniser)
    with pytest.raises(ConfigError, match=r"cannot be pickled .* at the top of a module"):
        pickle.dumps(linker)
    for other in (copy.copy(linker), copy.deepcopy(linker), linker.with_kb(it.kb)):
        assert other.options == linker.options and other.recogniser is not None
    inner = Linker(it.model, it.kb, recogniser=Local.Inner([]))
    assert pickle.loads(pickle.dumps(inner)).recogniser.result == []


def test_spacy_reports_a_wrong_setting_of_the_component() -> None:
    with pytest.raises(ValueError, match="nils"):
        spacy.blank("en").add_pipe("biolink", config={"nils": "none"})
