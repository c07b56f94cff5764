"""Mentions in the words of a knowledge base."""

from __future__ import annotations

import pytest

from biolink import KnowledgeBase
from biolink.infer.mentions.rewording import first_item, reworded
from biolink.kb import Concept
from biolink.kb.word_sets import WordSets


@pytest.fixture(scope="module")
def kb() -> KnowledgeBase:
    return KnowledgeBase.from_concepts(
        [
            Concept("1", "Abnormality of the ear"),
            Concept("2", "Branchial abnormality"),
            Concept("3", "Localized skin lesion"),
            Concept("4", "Cataract", ("Lens opacities",)),
            Concept("5", "Cortical cataract"),
            Concept("6", "Gingival abnormality"),
            Concept("7", "Fever"),
            Concept("8", "Cystic lung disease"),
            Concept("9", "Lung abnormality"),
            Concept("10", "Hand anomaly, left"),
            Concept("11", "Left hand anomaly"),
        ]
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ear abnormalities", "abnormality of the ear"),
        ("ear and renal abnormalities", "abnormality of the ear"),
        ("skin lesions", "localized skin lesion"),
        ("cortical lens opacities", "cortical cataract"),
        ("cortical, or mixed lens opacities", "cortical cataract"),
        ("branchial", "branchial abnormality"),
        ("gingival papules", "gingival abnormality"),
        ("ear manifestations", "abnormality of the ear"),
        ("hepatic and ear abnormalities", "hepatic abnormalities"),  # no name, but clearer
        ("lung cysts", None),  # a name has both words
        ("anomaly of the left hand", None),  # several concepts
        ("Fever", None),  # a name as it is
        ("something else", None),
        ("and", None),
    ],
)
def test_reworded(kb: KnowledgeBase, text: str, name: str | None) -> None:
    assert reworded(text, kb, WordSets.build(kb)) == name


def test_only_names_of_the_subset_count(kb: KnowledgeBase) -> None:
    part = kb.subset(ids=["7"])
    assert reworded("ear abnormalities", part, WordSets.build(kb)) is None


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("breast and ovarian cancer", "breast cancer"),
        ("ophthalmic, articular, and auditory signs", "ophthalmic signs"),
        ("posterior subcapsular or capsular cataract", "posterior subcapsular cataract"),
        ("cough and fever", None),
        ("fever", None),
        ("", None),
    ],
)
def test_first_items(text: str, item: str | None) -> None:
    assert first_item(text) == item
