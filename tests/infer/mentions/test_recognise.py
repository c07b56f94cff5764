"""Recognisers and abbreviations."""

from __future__ import annotations

import pytest

from biolink import DictionaryRecogniser, Document, KnowledgeBase, SpacyRecogniser
from biolink.errors import ConfigError, MissingDependencyError, ModelError
from biolink.infer.mentions.abbreviations import expand_mention, find_abbreviations, finder
from biolink.kb import Concept


@pytest.fixture(scope="module")
def kb() -> KnowledgeBase:
    return KnowledgeBase.from_concepts(
        [
            Concept(
                "1", "Breast Neoplasms", ("breast cancer", "cancer, breast"), types=("Disease",)
            ),
            Concept("2", "Cancer", types=("Disease",)),
            Concept("3", "Type-2 diabetes", types=("Disease",)),
            Concept("4", "AIDS", types=("Disease",)),
            Concept("5", "Aspirin", ("ASA",), types=("Chemical",)),
            Concept("6", "The", types=("Disease",)),
            Concept("7", "spinal muscular atrophy", types=("Disease",)),
            Concept("8", "biopsy", types=("Disease",)),
        ]
    )


def found(kb: KnowledgeBase, text: str, **options: object) -> list[tuple[str, str]]:
    document = DictionaryRecogniser(kb, **options)(Document("1", text))  # type: ignore[arg-type]
    return [(m.text, m.type) for m in document.mentions]


def test_longest_match_at_word_borders(kb: KnowledgeBase) -> None:
    assert found(kb, "Breast cancer and cancers, not precancer.") == [
        ("Breast cancer", "Disease"),
        ("cancers", "Disease"),
    ]
    assert found(kb, "type 2 diabetes; Type-2-diabetes") == [
        ("type 2 diabetes", "Disease"),
        ("Type-2-diabetes", "Disease"),
    ]
    assert found(kb, "the breast. Cancer") == [("Cancer", "Disease")]


def test_capitals_plurals_and_stop_names(kb: KnowledgeBase) -> None:
    assert found(kb, "aids AIDS asa ASA the") == [("AIDS", "Disease"), ("ASA", "Chemical")]
    assert found(kb, "biopsies of aspirins") == [("biopsies", "Disease"), ("aspirins", "Chemical")]
    assert found(kb, "a biopsy", stop_names=["biopsy"]) == []


def test_defined_short_forms_are_found(kb: KnowledgeBase) -> None:
    text = "Spinal muscular atrophy (SMA) is rare. SMA was seen."
    assert [t for t, _ in found(kb, text)] == ["Spinal muscular atrophy", "SMA", "SMA"]
    assert [t for t, _ in found(kb, text, abbreviations=None)] == ["Spinal muscular atrophy"]


def test_names_outside_a_subset_are_not_found(kb: KnowledgeBase) -> None:
    part = kb.subset(types={"Chemical"})
    assert found(part, "aspirin for cancer") == [("aspirin", "Chemical")]


def test_spacy_pipeline_as_recogniser() -> None:
    import spacy

    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns(
        [{"label": "DISEASE", "pattern": "fever"}, {"label": "GENE", "pattern": "BRCA1"}]
    )
    document = SpacyRecogniser(nlp)(Document("1", "𝛼 fever and BRCA1"))
    assert [(m.text, m.start, m.type) for m in document.mentions] == [
        ("fever", 2, "DISEASE"),
        ("BRCA1", 12, "GENE"),
    ]
    only = SpacyRecogniser(nlp, labels=["GENE"])(document)
    assert [m.text for m in only.mentions] == ["BRCA1"]
    with pytest.raises(ModelError, match="spaCy cannot load"):
        SpacyRecogniser("no_such_pipeline")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We saw glucose-6-phosphate dehydrogenase (G6PD) here.",
         {"G6PD": "glucose-6-phosphate dehydrogenase"}),
        ("MI (myocardial infarction) was seen.", {"MI": "myocardial infarction"}),
        ("Wiskott-Aldrich syndrome (WAS; MIM 3) is rare.", {"WAS": "Wiskott-Aldrich syndrome"}),
        ("The patients (n = 5) and controls (see below) and (II).", {}),
        ("An unbalanced ( and then hepatitis B virus (HBV).", {"HBV": "hepatitis B virus"}),
        ("", {}),
    ],
)  # fmt: skip
def test_abbreviations(text: str, expected: dict[str, str]) -> None:
    assert find_abbreviations(text) == expected


def test_expanding_mentions() -> None:
    forms = {"G6PD": "glucose-6-phosphate dehydrogenase", "AT": "ataxia-telangiectasia"}
    assert (
        expand_mention("G6PD deficiency", forms) == "glucose-6-phosphate dehydrogenase deficiency"
    )
    assert expand_mention("AT patients", forms) == "ataxia-telangiectasia patients"
    assert expand_mention("ATM", forms) is None
    assert expand_mention("glucose-6-phosphate dehydrogenase (G6PD) deficiency", forms) is None


def test_finders_by_name() -> None:
    assert finder("none") is None
    assert finder("schwartz-hearst") is find_abbreviations
    assert finder("auto") is not None
    with pytest.raises(ConfigError, match="unknown abbreviation finder"):
        finder("other")
    try:
        import scispacy  # noqa: F401
    except ImportError:
        with pytest.raises(MissingDependencyError, match=r"biolink\[scispacy\]"):
            finder("scispacy")
