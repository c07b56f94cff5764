"""Names as sets of word stems."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from biolink import KnowledgeBase
from biolink.errors import KnowledgeBaseError
from biolink.kb import Concept
from biolink.kb.word_sets import WordSets, word_sets


@pytest.fixture(scope="module")
def kb() -> KnowledgeBase:
    organs = ("cyst", "stone", "failure", "agenesis", "dysplasia", "pain")
    kidneys = [Concept(f"k{o}", f"Renal {o}", (f"Kidney {o}",)) for o in organs]
    return KnowledgeBase.from_concepts(
        [
            *kidneys,
            Concept("1", "Abnormality of the hand", ("Hand anomaly",)),
            Concept("2", "Dysplastic patella", ("Patellar dysplasia",)),
            Concept("10", "Dysplastic hip", ("Hip dysplasia",)),
            Concept("3", "Localized skin lesion"),
            Concept("4", "On bipolar cell"),
            Concept("5", "Renal atrophy"),
            Concept("6", "Spina bifida occulta"),
            Concept("7", "Of the"),
            Concept("8", "Type 1 diabetes"),
            Concept("9", "Type 2 diabetes"),
        ]
    )


@pytest.fixture(scope="module")
def sets(kb: KnowledgeBase) -> WordSets:
    return WordSets.build(kb)


def owners(kb: KnowledgeBase, names: list[int]) -> set[str]:
    return {kb.id_at(row) for name_id in names for row in kb.owners(name_id)}


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("abnormal hands", {"1"}),
        ("dysplasia of the patellae", {"2"}),
        ("kidney atrophy", {"5"}),  # the base uses renal and kidney for each other
        ("skin lesions, localized", {"3"}),
        ("occult spina bifida", {"6"}),
        ("diabetes type 2", {"9"}),
        ("bipolar cell", set()),  # "On" is a part of the name, not a joining word
        ("hand", set()),
        ("", set()),
        ("of the", set()),
        ("an unknown thing", set()),
    ],
)
def test_names_of_a_text(kb: KnowledgeBase, sets: WordSets, text: str, concept: set[str]) -> None:
    assert owners(kb, sets.names_of(text)) == concept


def test_numbers_do_not_stand_for_each_other() -> None:
    diseases = [Concept(str(i), f"Disease{i} 1", (f"Disease{i} 2",)) for i in range(9)]
    kb = KnowledgeBase.from_concepts([*diseases, Concept("x", "Gout 1")])
    assert WordSets.build(kb).names_of("gout 2") == []


def test_names_with_a_qualifier(kb: KnowledgeBase, sets: WordSets) -> None:
    assert owners(kb, sets.names_around("skin lesions", ["localized", "mild"])) == {"3"}
    assert sets.names_around("skin lesions", ["mild"]) == []
    assert sets.names_around("lesions", ["skin"]) == []


def test_words_together(sets: WordSets) -> None:
    assert sets.together(["renal", "cyst"])
    assert sets.together(["patella", "dysplasia"])
    assert not sets.together(["skin", "cyst"])


def test_heads(kb: KnowledgeBase, sets: WordSets) -> None:
    heads = {}
    for name in ("Abnormality of the hand", "Hand anomaly", "Localized skin lesion"):
        name_id = kb.name_id(name)
        assert name_id is not None
        heads[name] = sets.head_of(name_id)
    assert list(heads.values()) == ["abnormality", "anomaly", "lesion"]
    inverted = KnowledgeBase.from_concepts([Concept("1", "Diabetes Mellitus, Type 2")])
    assert WordSets.build(inverted).head_of(0) == "mellitus"


def test_a_base_whose_names_only_join() -> None:
    kb = KnowledgeBase.from_concepts([Concept("7", "Of the")])
    sets = WordSets.build(kb)
    assert sets.names_of("of the") == [] and sets.instead == {}


def test_sets_are_stored_beside_the_base(kb: KnowledgeBase, tmp_path: Path) -> None:
    kb.save(tmp_path / "x.kb")
    stored = KnowledgeBase.open(tmp_path / "x.kb")
    built = word_sets(stored)
    (folder,) = (tmp_path / "x.kb" / "index").glob("words-*")
    again = WordSets.load(stored, folder, stored.fingerprint)
    for text in ("abnormal hands", "kidney atrophy", "occult spina bifida"):
        assert again.names_of(text) == built.names_of(text) != []
    with pytest.raises(KnowledgeBaseError, match="other names"):
        WordSets.load(stored, folder, "another")
    np.save(folder / "stems.npy", np.zeros(3, dtype=np.int32))
    with pytest.raises(KnowledgeBaseError, match="damaged"):
        WordSets.load(stored, folder, stored.fingerprint)
    another = KnowledgeBase.open(tmp_path / "x.kb")
    assert word_sets(another).names_of("abnormal hands") == built.names_of("abnormal hands")


def test_blocks_make_no_difference(kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = WordSets.build(kb)
    monkeypatch.setattr("biolink.kb.word_sets._BLOCK", 2)
    parts = WordSets.build(kb)
    names = kb.normalised_names()
    assert [parts.names_of(n) for n in names] == [whole.names_of(n) for n in names]
