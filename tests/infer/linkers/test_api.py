"""The arguments of linkers and ``load``, wrong arguments, and pickling."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import biolink
from biolink import Document, KnowledgeBase, Linker, LinkerOptions, Mention, NoNil, Threshold
from biolink.errors import BiolinkError, ConfigError, KnowledgeBaseError
from biolink.infer.decide.nil import AnyOf, Likelier, PostPruning
from biolink.infer.decide.written import policy_of
from biolink.infer.mentions.recognise import DictionaryRecogniser
from biolink.infer.network.model import load_model
from tests.tiny_models import CONCEPTS


@pytest.fixture(scope="module")
def linker(model_folder: Path, kb: KnowledgeBase) -> Linker:
    return Linker(load_model(model_folder), kb, recogniser=DictionaryRecogniser(kb))


def ids(document: Document) -> list[tuple[str, str | None]]:
    return [(m.text, m.best and m.best.concept_id) for m in document.mentions]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda it: it(None), "None.* cannot be linked"),
        (lambda it: it(b"x"), "decode it"),
        (lambda it: it(["x"]), "x.* cannot be linked"),
        (lambda it: it("a\ud800b"), "lone surrogate"),
        (lambda it: it.pipe("fever"), "call the linker itself"),
        (lambda it: it.pipe(Document("1", "x")), "call the linker itself"),
        (lambda it: it.pipe(None), "NoneType"),
        (lambda it: list(it.pipe([None])), "None.* cannot be linked"),
        (lambda it: it.with_kb("my.kb"), "expected a KnowledgeBase"),
        (lambda it: list(it.pipe([("x", 1)])), ".* cannot be linked"),
        (lambda it: list(it.pipe(["x"], as_tuples=True)), "expected pairs"),
        (lambda it: list(it.pipe([("x", 1, 2)], as_tuples=True)), "expected pairs"),
        (
            lambda it: it.pipe(["x"], batch_size=0),
            "batch_size is 0 .int.; expected a whole number from 1",
        ),
        (lambda it: it.pipe(["x"], batch_size="2"), "batch_size"),
        (lambda it: it.pipe(["x"], recognise="yes"), "expected True, False or None"),
        (lambda it: it("fever", spans=[(0, 9)]), "outside the text of 5 characters"),
        (lambda it: it("fever", spans=[(-1, 2)]), "outside"),
        (lambda it: it("fever", spans=[(2, 2)]), "empty"),
        (lambda it: it("fever", spans=[(0, 1.5)]), "not a pair of whole numbers"),
        (lambda it: it("fever", spans=[(False, True)]), "not a pair of whole numbers"),
        (lambda it: it("fever", spans=[3]), "not a pair of whole numbers"),
        (lambda it: it("fever", spans=3), "expected a list"),
        (lambda it: it("fever", spans="ab"), "expected a list"),
    ],
)
def test_wrong_arguments_of_a_linker(
    linker: Linker, call: Callable[[Any], Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        call(linker)


def test_given_spans_are_linked(linker: Linker) -> None:
    text = "Fever and aspirin."
    assert ids(linker(text, spans=[(10, 17)])) == [("aspirin", "D2")]
    assert ids(linker(text, spans=[(np.int64(0), np.int64(5))]))[0][0] == "Fever"
    assert linker(text, spans=[]).mentions == ()
    # Given spans replace the mentions of a document.
    document = Document("1", text, mentions=(Mention(0, 5, "Fever"),))
    assert ids(linker(document, spans=iter([(10, 17)]))) == [("aspirin", "D2")]


def test_pipes_of_pairs_and_with_progress(
    linker: Linker, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [("Fever.", {"year": 1}), (Document("x", "Aspirin."), None)]
    linked = list(linker.pipe(given, as_tuples=True, progress=True))
    assert [(d.id, context) for d, context in linked] == [("0", {"year": 1}), ("x", None)]
    shown = capsys.readouterr()
    assert shown.out == "" and "linking" in shown.err


def test_a_text_has_its_number_whatever_the_batch(linker: Linker) -> None:
    texts = ["Fever."] * 5
    for size in (1, 2, 32):
        assert [d.id for d in linker.pipe(texts, size)] == ["0", "1", "2", "3", "4"]


def test_nil_in_every_form() -> None:
    assert policy_of(None) is None
    assert policy_of("threshold=0.5") == policy_of(0.5) == Threshold(0.5)
    assert policy_of(1) == Threshold(1.0)
    assert policy_of(" likelier + post-pruning ") == AnyOf((Likelier(), PostPruning()))
    assert policy_of(NoNil()) == NoNil()


@pytest.mark.parametrize(
    ("nil", "message"),
    [
        ("foo", "expected one of none, likelier"),
        ("", "expected one of"),
        ("any", "expected one of"),
        ("threshold", "needs a number, as in threshold=0.5"),
        ("margin", "needs a number"),
        ("none=1", "takes no value"),
        ("threshold=x", "expected a number"),
        ("threshold=nan", "from 0 to 1"),
        ("combination", "fitted on development documents"),
        ("combination=0.5", "fitted on development documents"),
        (2, "from 0 to 1"),
        (True, "expected a NIL policy"),
        ([0.5], "expected a NIL policy"),
        (Threshold, "expected a NIL policy"),
    ],
)
def test_values_that_are_not_nil_policies(nil: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        biolink.load(nil=nil)
    assert "__init__" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kb": 5}, "expected a KnowledgeBase"),
        ({"kb": "no/such.kb"}, "no/such.kb"),
        ({"model": 5}, "expected the path"),
        ({"device": "cuda:77"}, "the device 'cuda:77' is not available"),
        ({"device": "meta"}, "device 'meta'"),
        ({"device": "gpu"}, "device 'gpu'"),
        ({"device": None}, "device None"),
        ({"recogniser": 5}, "expected a function"),
        ({"recogniser": "spacy"}, "expected spacy:NAME"),
        ({"calibration": 5}, "expected a calibration"),
        ({"types": "Foo"}, "expected types among Chemical, Disease"),
        ({"types": ["Disease", "Foo"]}, "the types 'Foo'"),
        ({"types": []}, "Chemical, Disease"),
        ({"types": 5}, "expected a list"),
        ({"top_k": "5"}, "expected a whole number"),
        ({"topk": 5}, "unknown options"),
    ],
)
def test_wrong_arguments_of_load(
    model_folder: Path, kb: KnowledgeBase, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(BiolinkError, match=message):
        biolink.load(**({"model": model_folder, "kb": kb} | options))


def test_load_takes_what_the_command_line_takes(model_folder: Path, kb: KnowledgeBase) -> None:
    for types in ("disease", "Disease,", ["Disease"]):
        if types == "Disease,":
            continue
        linker = biolink.load(model_folder, kb, nil="threshold=0.999", types=types)
        assert len(linker.kb) == 5 and linker.nil == Threshold(0.999)
        assert "D2" not in linker.kb
    bare = KnowledgeBase.from_concepts(CONCEPTS[:1]).with_names([("N1", "new name")])
    assert bare.every_type == {"Disease"}


def test_short_representations(linker: Linker) -> None:
    assert repr(linker) == "<Linker: combined, 7 concepts, DictionaryRecogniser>"
    assert repr(linker.kb) == "<KnowledgeBase: 7 concepts, 14 names>"
    long = Document("1", "fever " * 1000, mentions=(Mention(0, 5, "fever"),))
    assert (
        len(repr(long)) < 150
        and "6,000 characters" in repr(long)
        and repr(long).endswith("1 mention>")
    )
    assert repr(Document("1", "fever")) == "<Document '1': 'fever', 0 mentions>"


def test_knowledge_bases_can_be_pickled(tmp_path: Path, kb: KnowledgeBase) -> None:
    part = kb.subset(types={"Chemical"})
    kb.save(tmp_path / "a.kb")
    stored = KnowledgeBase.open(tmp_path / "a.kb")
    for base in (kb, part, stored, stored.subset(types={"Chemical"})):
        for other in (pickle.loads(pickle.dumps(base)), copy.deepcopy(base)):
            assert list(other) == list(base) and other.fingerprint == base.fingerprint
            assert other.lookup("aspirin") == base.lookup("aspirin")
            assert (other.base is other) == (base.base is base)
    assert len(pickle.dumps(stored)) < 1000
    away = pickle.dumps(stored)
    KnowledgeBase.from_concepts(CONCEPTS[:3]).save(tmp_path / "a.kb")
    with pytest.raises(KnowledgeBaseError, match="no longer the knowledge base"):
        pickle.loads(away)


def test_linkers_can_be_pickled(model_folder: Path, kb: KnowledgeBase, tmp_path: Path) -> None:
    kb.save(tmp_path / "a.kb")
    stored = KnowledgeBase.open(tmp_path / "a.kb")
    text = "Fever, breast tumors and aspirin."
    for base in (kb, stored, stored.subset(types={"Disease"})):
        for method in ("combined", "generate"):
            linker = biolink.load(model_folder, base, method=method)
            linked = linker(text)
            for other in (pickle.loads(pickle.dumps(linker)), copy.deepcopy(linker)):
                assert other(text) == linked
                assert other.recogniser.kb.base is other.kb.base is other.indexes.kb


def test_an_index_in_memory_is_pickled_with_its_linker(
    model_folder: Path, kb: KnowledgeBase
) -> None:
    linker = Linker(load_model(model_folder), kb, LinkerOptions(method="candidates"))
    linker.prepare()
    other = pickle.loads(pickle.dumps(linker))
    assert "lexical" in vars(other.indexes)


def test_results_do_not_depend_on_what_was_linked_before(
    model_folder: Path, kb: KnowledgeBase
) -> None:
    texts = [f"{'and ' * n}fever with ill breast tumors {n} and cold aspirin" for n in range(9)]
    documents = [Document(str(n), text) for n, text in enumerate(texts)]
    fresh = biolink.load(model_folder, kb)
    expected = [list(fresh.pipe(documents[:3])), list(fresh.pipe(documents[3:]))]
    used = biolink.load(model_folder, kb)
    for document in reversed(documents):
        used(document)
    list(used.pipe(documents))
    assert [list(used.pipe(documents[:3])), list(used.pipe(documents[3:]))] == expected
