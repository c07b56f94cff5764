"""One rule decides the outcome of a mention, whatever ranked its concepts."""

from __future__ import annotations

import pytest

from biolink import Concept, KnowledgeBase, Likelier, Margin, Mention, NoNil, Threshold
from biolink.infer.decide.calibration import Calibration
from biolink.infer.decide.nil import NilEvidence, NilPolicy, combined_features
from biolink.infer.decide.outcome import LinkMaker, evidence, outcome
from biolink.infer.mentions.exact_names import is_name_of
from biolink.infer.rank.candidates import RankedConcept


@pytest.fixture(scope="module")
def kb() -> KnowledgeBase:
    return KnowledgeBase.from_concepts(
        [
            Concept("D1", "Asthma", ("asthmas",), types=("Disease",)),
            Concept("D2", "Aspirin", types=("Chemical",)),
            Concept(
                "D3", "Lung disease", ("COLD", "COPD", "Chronic lung disease"), types=("Disease",)
            ),
        ]
    )


def ranked(kb: KnowledgeBase, *pairs: tuple[str, float]) -> list[RankedConcept]:
    concepts = []
    for concept_id, probability in pairs:
        row, name_id = kb.base.row_of(concept_id), kb.base.name_id(kb.base[concept_id].name)
        assert row is not None and name_id is not None
        concepts.append(RankedConcept(row, name_id, probability, probability))
    return concepts


def decided(
    kb: KnowledgeBase,
    policy: NilPolicy,
    *pairs: tuple[str, float],
    nil: bool = True,
    **given: float,
) -> Mention:
    mention = Mention(0, 6, "asthma", type="Disease", **given)
    return outcome(mention, ranked(kb, *pairs), policy, LinkMaker(kb), 2, nil)


def test_links_are_ranked_and_kept(kb: KnowledgeBase) -> None:
    mention = decided(kb, NoNil(), ("D1", 0.5), ("D2", 0.2), ("D3", 0.1))
    assert [(link.concept_id, link.rank) for link in mention.links] == [("D1", 1), ("D2", 2)]
    assert mention.nil_probability == pytest.approx(0.2)
    assert mention.nil_reason is None


def test_a_linker_without_nil_gives_no_probability_of_nil(kb: KnowledgeBase) -> None:
    mention = decided(kb, Likelier(), ("D2", 0.1), nil=False)
    assert mention.nil_probability is None and mention.best is not None


def test_calibration_scales_what_is_left_for_nil(kb: KnowledgeBase) -> None:
    halved = LinkMaker(kb, Calibration("isotonic", (0.0, 1.0), (0.0, 0.5)))
    found = outcome(Mention(0, 1, "a"), ranked(kb, ("D1", 0.6)), NoNil(), halved, 5, True)
    assert found.links[0].probability == pytest.approx(0.3)
    assert found.nil_probability == pytest.approx(0.7)


def test_concepts_outside_are_not_linked(kb: KnowledgeBase) -> None:
    part = kb.subset(types={"Chemical"})
    only_outside = decided(part, NoNil(), ("D1", 0.5))
    assert only_outside.nil_reason == "pruned: D1 is outside, nothing is inside"
    better_outside = decided(part, Margin(0.1), ("D1", 0.5), ("D2", 0.3))
    assert better_outside.nil_reason == "pruned: D1 (Asthma) is better and outside"
    assert decided(part, Margin(0.5), ("D1", 0.5), ("D2", 0.3)).best.concept_id == "D2"


def test_nothing_ranked_is_nil(kb: KnowledgeBase) -> None:
    mention = decided(kb, NoNil())
    assert (mention.links, mention.nil_reason) == ((), "no candidate")
    assert mention.nil_probability == 1.0


def test_evidence_of_one_link_of_probability_06(kb: KnowledgeBase) -> None:
    """The recogniser's probability is that of the span; without NIL the log odds are zero."""
    mention = decided(kb, NoNil(), ("D1", 0.6), probability=0.6)
    odds = combined_features(evidence(mention, mention.links, None, kb))
    assert odds[1:4] == pytest.approx((0.405, 0.405, -0.405), abs=1e-3)
    mention = decided(kb, NoNil(), ("D1", 0.6), nil=False, probability=0.6)
    odds = combined_features(evidence(mention, mention.links, None, kb))
    assert odds[1:4] == pytest.approx((0.405, 0.405, -13.816), abs=1e-3)


def test_an_exact_name_that_was_marked_is_linked(kb: KnowledgeBase) -> None:
    assert decided(kb, Likelier(), ("D1", 0.2), probability=0.9).best is not None
    assert decided(kb, Likelier(), ("D1", 0.2), probability=0.4).best is None
    assert decided(kb, Likelier(), ("D2", 0.2), probability=0.9).best is None
    assert decided(kb, Threshold(0.3), ("D1", 0.2), probability=0.9).best is None


@pytest.mark.parametrize(
    ("mention", "expected"),
    [
        ("COLD", True),
        ("cold", False),
        ("Cold", False),
        ("chronic lung disease", True),
        ("copd", True),
    ],
)
def test_a_word_is_not_the_acronym_that_is_spelt_like_it(
    kb: KnowledgeBase, mention: str, expected: bool
) -> None:
    name_id, row = kb.name_id(mention), kb.row_of("D3")
    assert name_id is not None and row is not None
    assert is_name_of(kb, mention, name_id, row) is expected


def test_a_policy_sees_the_two_best_links_even_if_one_is_kept(kb: KnowledgeBase) -> None:
    asked: list[int] = []

    class Counting:
        whole = False

        def reason(self, evidence: NilEvidence) -> str | None:
            asked.append(len(evidence.links))
            return None

    concepts = ranked(kb, ("D1", 0.5), ("D2", 0.2))
    found = outcome(Mention(0, 1, "a"), concepts, Counting(), LinkMaker(kb), 1, True)
    assert asked == [2] and len(found.links) == 1
