"""The knowledge base and its store."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biolink.errors import ConfigError, KnowledgeBaseError
from biolink.kb import Concept, KnowledgeBase, normalise_name
from biolink.kb.homonyms import disambiguated
from biolink.kb.inspect import compare, find, summarise, validate
from biolink.kb.lexical import LexicalIndex

CONCEPTS = [
    Concept("D1", "Fever", ("Heat, Body", "pyrexia"), ("Hot.",), ("Disease",), ("OMIM:1",)),
    Concept("D2", "Heat", ("Fever",), (), ("Chemical", "Thing"), alternative_ids=("D9",)),
    Concept("D3", "(+)", ("Cold-Sore",), (), ("Disease",), source="other"),
]


@pytest.fixture
def kb() -> KnowledgeBase:
    return KnowledgeBase.from_concepts(CONCEPTS, prefix="mu")


@given(st.text())
def test_normalising_twice_changes_nothing(name: str) -> None:
    once = normalise_name(name)
    assert normalise_name(once) == once
    assert once == once.strip()


def test_lookup_gives_every_owner_preferred_ones_first(kb: KnowledgeBase) -> None:
    assert [c.id for c in kb.lookup("FEVER")] == ["D1", "D2"]
    assert [c.id for c in kb.lookup("heat body")] == ["D1"]
    assert kb.lookup("nothing") == []
    assert list(kb) == CONCEPTS
    assert kb["D9"].id == kb["mu:D2"].id == "D2"
    assert "D1" in kb
    assert "D7" not in kb
    with pytest.raises(KeyError):
        kb["D7"]
    assert kb.curie("D1") == "mu:D1"


def test_subset_shares_and_masks(kb: KnowledgeBase) -> None:
    diseases = kb.subset(types={"Disease"})
    assert [c.id for c in diseases] == ["D1", "D3"]
    assert [c.id for c in diseases.lookup("fever")] == ["D1"]
    assert diseases.get("D2") is None
    assert diseases.base is kb
    assert diseases.name_count == 4
    assert [c.id for c in kb.subset(ids=["mu:D9", "none"])] == ["D2"]
    assert [c.id for c in kb.subset(sources={"other"})] == ["D3"]
    assert [c.id for c in kb.subset(predicate=lambda c: len(c.names) == 2)] == ["D2", "D3"]
    assert [c.id for c in diseases.subset(predicate=lambda c: c.id == "D2")] == []
    assert diseases.fingerprint != kb.fingerprint


def test_merge_adds_by_id_and_reference(kb: KnowledgeBase) -> None:
    other = KnowledgeBase.from_concepts(
        [Concept("1", "one", xrefs=("mu:D1",)), Concept("D2", "two"), Concept("X", "new")]
    )
    merged = kb.merge(other)
    assert merged["D1"].synonyms == (*CONCEPTS[0].synonyms, "one")
    assert "two" in merged["D2"].names
    assert "X" in merged
    assert "X" not in kb.merge(other, unmatched=False)
    assert "new" in kb.merge(other, {"X": ["D3"]})["D3"].names
    assert "new" in kb.merge(other, {"X": "D3"})["D3"].names  # type: ignore[dict-item]
    with pytest.raises(ConfigError, match="a value of mapping is 5"):
        kb.merge(other, {"X": 5})  # type: ignore[dict-item]


def test_sources_may_be_a_stream() -> None:
    concepts = [Concept("1", "fever")]
    kb = KnowledgeBase.from_concepts(concepts, sources=iter([{"name": "fevers.csv"}]))
    assert kb.manifest["sources"] == [{"name": "fevers.csv"}]


def test_repeated_ids_and_empty_names_are_kept_track_of() -> None:
    kb = KnowledgeBase.from_concepts(
        [Concept("A", "one"), Concept("B", " "), Concept("A", "two", ("", "one"))]
    )
    assert kb["A"].names == ("one", "two")
    assert "B" not in kb
    assert kb.manifest["dropped"]["without a name"] == {"count": 1, "examples": ["B"]}
    findings = {f.what: f for f in validate(kb, lambda names: map(len, names), 2)}
    assert findings["duplicate ids"].count == 1
    assert findings["empty names"].count == 2
    assert findings["concepts without definitions"].count == 1
    assert findings["names longer than the decoder allows (2 tokens)"].count == 2


def test_validate_lists_homonyms_and_empty_normalisations(kb: KnowledgeBase) -> None:
    findings = {f.what: f for f in validate(kb)}
    assert findings["homonyms (names of several concepts)"].count == 1
    assert "fever: D1, D2" in findings["homonyms (names of several concepts)"].examples[0]
    assert findings["names that normalise to nothing"].examples == ("D3: (+)",)


def test_find_summarise_compare(kb: KnowledgeBase) -> None:
    assert [(h.how, h.concept.id) for h in find(kb, "fever", 1)][:2] == [
        ("name", "D1"),
        ("name", "D2"),
    ]
    assert find(kb, "D1")[0].how == "id"
    assert find(kb, "cold sores")[0].concept.id == "D3"
    assert summarise(kb)["concepts"] == 3
    other = KnowledgeBase.from_concepts([CONCEPTS[0], Concept("D2", "Heat"), Concept("N", "new")])
    result = compare(kb, other)
    assert (len(result.removed), len(result.added), len(result.changed), result.equal) == (
        1,
        1,
        1,
        1,
    )


def test_store_round_trip(kb: KnowledgeBase, tmp_path: Path) -> None:
    kb.save(tmp_path / "x.kb")
    opened = KnowledgeBase.open(tmp_path / "x.kb")
    assert list(opened) == list(kb)
    assert opened.fingerprint == kb.fingerprint
    assert [c.id for c in opened.lookup("fever")] == ["D1", "D2"]
    part = opened.subset(types={"Disease"})
    part.save(tmp_path / "part.kb")
    assert list(KnowledgeBase.open(tmp_path / "part.kb")) == list(part)
    # Writing over a store replaces it completely and leaves no other files.
    part.save(tmp_path / "x.kb")
    assert len(KnowledgeBase.open(tmp_path / "x.kb")) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["part.kb", "x.kb"]


@given(
    st.lists(
        st.tuples(
            st.text("abcXY :|", min_size=1, max_size=3).filter(str.strip),
            st.lists(st.text(max_size=8), max_size=4),
        ),
        max_size=12,
    )
)
def test_every_name_leads_back_to_all_of_its_owners(entries: list[tuple[str, list[str]]]) -> None:
    kb = KnowledgeBase.from_concepts(
        Concept(i, names[0] if names else "", tuple(names[1:]))
        for i, names in [("one", ["one"]), *entries]
    )
    owners: dict[str, set[str]] = {}
    for concept in kb:
        for name in concept.names:
            if normalise_name(name):
                owners.setdefault(normalise_name(name), set()).add(concept.id)
    assert sorted(kb.normalised_names()) == sorted(owners)
    for name, ids in owners.items():
        assert {c.id for c in kb.lookup(name)} == ids


def damage(folder: Path, how: str) -> str:
    if how == "truncated":
        file = folder / "concepts.arrow"
        file.write_bytes(file.read_bytes()[:-8])
        return "bytes; expected"
    if how == "missing":
        (folder / "names.marisa").unlink()
        return "is missing"
    manifest = json.loads((folder / "manifest.json").read_text())
    if how == "foreign":
        manifest["format"] = "something else"
    elif how == "version":
        manifest["version"] = 99
    (folder / "manifest.json").write_text("{" if how == "garbage" else json.dumps(manifest))
    return {"foreign": "does not say", "version": "version 99", "garbage": "damaged"}[how]


@pytest.mark.parametrize("how", ["truncated", "missing", "foreign", "version", "garbage"])
def test_damaged_stores_are_refused(kb: KnowledgeBase, tmp_path: Path, how: str) -> None:
    kb.save(tmp_path / "x.kb")
    message = damage(tmp_path / "x.kb", how)
    with pytest.raises(KnowledgeBaseError, match=message):
        KnowledgeBase.open(tmp_path / "x.kb")
    with pytest.raises(KnowledgeBaseError, match="not a stored knowledge base"):
        KnowledgeBase.open(tmp_path)


def test_a_failed_save_leaves_the_old_store(
    kb: KnowledgeBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kb.save(tmp_path / "x.kb")

    def broken(*given: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr("biolink.kb.store.seal", broken)
    with pytest.raises(RuntimeError):
        KnowledgeBase.from_concepts([Concept("N", "new")]).save(tmp_path / "x.kb")
    assert len(KnowledgeBase.open(tmp_path / "x.kb")) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["x.kb"]


def test_kb_needs_neither_torch_nor_transformers() -> None:
    code = (
        "import sys, biolink.kb; from biolink.kb.readers import READERS\n"
        "print([m for m in ('torch', 'transformers', 'spacy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_lexical_index_finds_close_names_and_survives_storage(
    kb: KnowledgeBase, tmp_path: Path
) -> None:
    index = LexicalIndex.build(kb)
    ((ids, scores),) = index.search(["body heat"], 2)
    assert kb.name_at(int(ids[0])) == "heat body"
    assert scores[0] == pytest.approx(1.0, abs=1e-3)
    index.save(tmp_path)
    loaded = LexicalIndex.load(tmp_path)
    ((again, close),) = loaded.search(["body heat"], 2)
    assert again.tobytes() == ids.tobytes()
    assert close.tobytes() == scores.tobytes()
    mask = kb.subset(ids=["D2"]).name_mask
    ((ids, _),) = index.search(["body heat"], 5, mask)
    assert {kb.name_at(int(i)) for i in ids} <= {"heat", "fever"}
    (tmp_path / "cells.npy").unlink()
    with pytest.raises(KnowledgeBaseError, match="damaged"):
        LexicalIndex.load(tmp_path)


def test_vectors_of_queries_equal_those_of_scikit_learn(kb: KnowledgeBase) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    names = kb.normalised_names()
    vectoriser = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), dtype=np.float32)
    vectoriser.fit([names[i] for i in LexicalIndex.build(kb).name_ids])
    texts = ["Body heat", "fevers and   colds", "a", "\u00e9\u4e2d", "", "aspirin-like fever fever"]
    wanted = vectoriser.transform([normalise_name(text) for text in texts]).toarray()
    found = LexicalIndex.build(kb).vectors(texts)
    np.testing.assert_allclose(found.toarray(), wanted, atol=1e-6)
    assert LexicalIndex.build(kb).vectors([]).shape == (0, wanted.shape[1])


def test_homonyms_are_disambiguated(tmp_path: Path) -> None:
    base = KnowledgeBase.from_concepts(
        [
            Concept("1", "Cold", ("Chill",), types=("Sign",)),
            Concept("2", "Common cold", ("cold",), types=("Disease",)),
            Concept("3", "Fever", types=("Sign",)),
            Concept("4", "Pyrexia", ("fever",), types=("Sign",)),
            Concept("5", "Flu", ("bug",)),
            Concept("6", "Flu", ("bug",)),
        ]
    )
    apart = disambiguated(base)
    names = {concept.id: concept.names for concept in apart}
    assert names["1"] == ("Cold (Sign)", "Chill")
    assert names["2"] == ("Common cold", "cold (Disease)")
    assert names["3"] == ("Fever (3)",)
    assert names["4"] == ("Pyrexia", "fever (Pyrexia)")
    assert names["5"] == ("Flu (5)", "bug (5)")
    assert all(len(apart.owners(i)) == 1 for i in range(apart.name_slots))
    apart.save(tmp_path / "apart.kb")
    again = KnowledgeBase.open(tmp_path / "apart.kb")
    assert again.manifest["options"]["disambiguated"] is True
    assert [c.id for c in again] == [c.id for c in base]
    # In a part, only names that are shared within the part are changed.
    assert [c.name for c in disambiguated(base.subset(types={"Disease"}))] == ["Common cold"]


def test_genes_of_several_species_are_told_apart_by_species() -> None:
    base = KnowledgeBase.from_concepts(
        [
            Concept("1", "TP53", ("p53",), types=("Gene",), taxon="9606"),
            Concept("2", "Trp53", ("p53",), types=("Gene",), taxon="10090"),
            Concept("3", "Tp53-ps", ("p53",), types=("Gene",), taxon="10090"),
            Concept("4", "tp53", ("p53",), types=("Gene",), taxon="7955"),
        ]
    )
    species = KnowledgeBase.from_concepts(
        [Concept("9606", "Homo sapiens"), Concept("10090", "Mus musculus")]
    )
    apart = disambiguated(base, species)
    assert [concept.names for concept in apart] == [
        ("TP53 (Homo sapiens)", "p53 (Homo sapiens)"),
        ("Trp53", "p53 (Mus musculus, Trp53)"),
        ("Tp53-ps", "p53 (Mus musculus, Tp53-ps)"),
        ("tp53 (taxon 7955)", "p53 (taxon 7955)"),
    ]
    assert all(len(apart.owners(i)) == 1 for i in range(apart.name_slots))


def test_a_rewritten_name_that_exists_gets_the_id() -> None:
    base = KnowledgeBase.from_concepts(
        [
            Concept("1", "binder (A)", taxon="9606"),
            Concept("2", "A", ("binder",), taxon="9606"),
            Concept("3", "B", ("binder",), taxon="9606"),
        ]
    )
    apart = disambiguated(base)
    assert [c.synonyms for c in apart] == [(), ("binder (A, 2)",), ("binder (B)",)]


def test_types_are_the_first_of_each_concept() -> None:
    kb = KnowledgeBase.from_concepts(
        [
            Concept("1", "fever", types=("Disease", "Chemical")),
            Concept("2", "aspirin", types=("Chemical",)),
            Concept("3", "thing"),
        ]
    )
    assert kb.types == {"Disease", "Chemical"}
    assert kb.subset(types={"Disease"}).types == {"Disease"}
    assert kb.subset(ids=["3"]).types == frozenset()


def test_the_complement_of_a_part() -> None:
    base = KnowledgeBase.from_concepts([Concept("A", "a"), Concept("B", "b"), Concept("C", "c")])
    part = base.subset(ids=["A"])
    left = base.without(part)
    assert [c.id for c in left] == ["B", "C"] and left.base is base
    assert [c.id for c in left.without(base.subset(ids=["B"]))] == ["C"]
    assert len(base.without(base)) == 0
    with pytest.raises(KnowledgeBaseError, match="same knowledge base"):
        base.without(KnowledgeBase.from_concepts([Concept("A", "a")]))


def test_ids_of_several_origins_have_their_own_prefixes(tmp_path: Path) -> None:
    kb = KnowledgeBase.from_concepts(
        [Concept("D003920", "diabetes"), Concept("253300", "atrophy"), Concept("HP:1", "sign")],
        prefix="mesh",
        prefixes=[("[0-9]{6}", "OMIM"), ("[0-9]+", "other")],
    )
    kb.save(tmp_path / "x.kb")
    derived = (
        kb,
        KnowledgeBase.open(tmp_path / "x.kb"),
        kb.subset(ids=["D003920", "253300", "HP:1"]).materialise(),
        kb.with_names([("D003920", "sugar")]),
        kb.merge(KnowledgeBase.from_concepts([Concept("N", "new")])),
        disambiguated(kb),
    )
    for base in derived:
        assert base.curie("253300") == "OMIM:253300"
        assert base.curie("1234567") == "other:1234567"  # the whole id must match
        assert base.curie("D003920") == "mesh:D003920"
        assert base.curie("HP:1") == "HP:1"
        for written in ("253300", "OMIM:253300", "omim:253300", " OMIM:253300 "):
            assert base[written].name == "atrophy"
        for written in ("mesh:D003920", "MESH:D003920"):
            assert base.resolve(written) == "D003920"
    added = KnowledgeBase.from_concepts([Concept("N", "new")], prefix="x").merge(kb)
    assert added.curie("253300") == "OMIM:253300"


@pytest.mark.parametrize("rule", [("[", "OMIM"), ("a",), ("a", 5), "ab", ("a", "")])
def test_rules_of_prefixes_are_checked(rule: object) -> None:
    with pytest.raises(KnowledgeBaseError, match=r"prefix|regular expression"):
        KnowledgeBase.from_concepts([Concept("1", "one")], prefixes=[rule])  # type: ignore[list-item]


@given(
    st.lists(
        st.text("ab é中\U0001f9ec1", min_size=1, max_size=9).filter(normalise_name),
        min_size=1,
        max_size=9,
        unique_by=normalise_name,
    )
)
def test_weights_of_names_equal_those_of_scikit_learn(names: list[str]) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    kb = KnowledgeBase.from_concepts(Concept(str(i), name) for i, name in enumerate(names))
    index = LexicalIndex.build(kb)
    vectoriser = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3))
    written = [kb.name_at(int(i)) for i in index.name_ids]
    wanted = vectoriser.fit_transform(written).toarray()
    assert list(index._terms) == list(vectoriser.get_feature_names_out())
    np.testing.assert_allclose(index._idf, vectoriser.idf_, rtol=1e-6)
    np.testing.assert_allclose(index._by_feature.T.toarray(), wanted, atol=1e-6)


def test_blocks_of_names_make_no_difference(
    kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = LexicalIndex.build(kb)
    monkeypatch.setattr("biolink.kb.lexical._BLOCK", 2)
    parts = LexicalIndex.build(kb)
    assert list(whole._terms) == list(parts._terms)
    assert (whole._by_feature != parts._by_feature).nnz == 0


def test_searching_loads_nothing_heavy_and_keeps_the_index(tmp_path: Path) -> None:
    KnowledgeBase.from_concepts(CONCEPTS).save(tmp_path / "x.kb")
    code = (
        "import sys; from biolink.cli.app import app\n"
        "try:\n    app(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "heavy = ('torch', 'transformers', 'sklearn', 'spacy', 'pandas', 'biolink.pipeline')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    for query in (["fevers", "--kb", str(tmp_path / "x.kb")], ["kennedy disease"]):
        command = [sys.executable, "-c", code, "kb", "search", *query]
        out = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "similar" in out.stdout
        assert out.stdout.splitlines()[-1] == "[]"
    assert [p.name[:7] for p in (tmp_path / "x.kb" / "index").iterdir()] == ["lexical"]


def test_one_type_may_be_given_as_a_string() -> None:
    kb = KnowledgeBase.from_concepts(
        [Concept("1", "asthma", types=("Disease",)), Concept("2", "iron", types=("Chemical",))]
    )
    assert [concept.id for concept in kb.subset(types="Disease")] == ["1"]


TYPED = [
    Concept("1", "fever", types=("Disease",), source="a"),
    Concept("2", "aspirin", types=("Chemical",), source="b"),
    Concept("3", "insulin", types=("Gene, or protein",), source="b, c"),
]


@pytest.mark.parametrize(
    ("types", "ids"),
    [
        ("Disease", "1"), (" disease ", "1"), (["Disease"], "1"), (("Disease",), "1"),
        ({"Disease"}, "1"), ("Disease,Chemical", "12"), ("disease , chemical,", "12"),
        ("Gene, or protein", "3"), (["Gene, or protein", "Disease"], "13"),
        (iter(["Chemical"]), "2"),
    ],
)  # fmt: skip
def test_types_are_a_list_one_or_several_with_commas(types: Any, ids: str) -> None:
    kb = KnowledgeBase.from_concepts(TYPED)
    assert [concept.id for concept in kb.subset(types=types)] == list(ids)


def test_sources_follow_the_rule_of_types() -> None:
    kb = KnowledgeBase.from_concepts(TYPED)
    for sources, count in (("a", 1), ("A,b", 2), ("b, c", 1), (["b, c", "a"], 2)):
        assert len(kb.subset(sources=sources)) == count


@pytest.mark.parametrize("types", ["", " , ", [], [""], ["Disease,Chemical"], "Disease;Gene", 5])
def test_types_that_are_refused(types: Any) -> None:
    with pytest.raises(ConfigError, match="types"):
        KnowledgeBase.from_concepts(TYPED).subset(types=types)


@pytest.mark.parametrize("concepts", [[], iter(()), [Concept("1", "")], [Concept("1", "+-")]])
def test_a_base_without_a_name_is_not_made(concepts: Any) -> None:
    with pytest.raises(KnowledgeBaseError, match=r"would have no .*; expected concepts with names"):
        KnowledgeBase.from_concepts(concepts)
