"""The table of features alone determines to which feature a weight belongs."""

from __future__ import annotations

import numpy as np
import pytest

from biolink.errors import ConfigError
from biolink.infer.rank.features import (
    FEATURES,
    NIL_FEATURES,
    CandidateEvidence,
    Candidates,
    candidate_features,
    column_of,
    nil_features,
)
from biolink.infer.rank.ranker import Ranker

WEIGHTS = {"weights": dict.fromkeys(FEATURES, 1.0), "nil": dict.fromkeys(NIL_FEATURES, 0.5)}


def evidence(**changes: object) -> CandidateEvidence:
    zeros = {name: np.zeros(2) for name in CandidateEvidence.__slots__}
    return CandidateEvidence(**{**zeros, "links": 0, **changes})  # type: ignore[arg-type]


def test_names_are_distinct() -> None:
    assert len(set(FEATURES)) == len(FEATURES)
    assert len(set(NIL_FEATURES)) == len(NIL_FEATURES)


def test_columns_hold_what_their_names_say() -> None:
    features = candidate_features(
        evidence(
            dense=np.array([0.25, 0.5]),
            exact=np.array([True, True]),
            sole=np.array([True, False]),
            prior=np.array([0, 9]),
            annotated=np.array([3, 1]),
            links=4,
        )
    )
    column = {name: features[:, column_of(name)].tolist() for name in FEATURES}
    assert column["dense"] == [0.25, 0.5]
    assert column["shared"] == [0, 1]
    assert column["prior"] == pytest.approx([0, np.log(10)])
    assert column["annotated"] == pytest.approx([np.log(4), np.log(2)])
    assert column["annotated_share"] == [0.75, 0.25]
    assert column["generation_sum"] == column["generation_mean"] == [0, 0]


def test_nil_sees_the_best_candidate() -> None:
    ids = np.arange(2)
    features = candidate_features(
        evidence(
            lexical=np.array([0.2, 0.9]),
            exact=np.array([False, True]),
            sole=np.array([False, False]),
        )
    )
    values = nil_features(Candidates(ids, ids, features, short=True))
    assert dict(zip(NIL_FEATURES, values, strict=True)) == {
        "one": 1,
        "best_dense": 0,
        "best_lexical": 0.9,
        "shared": 1,
        "typed": 0,
        "short": 1,
        "unmarked": 0,
    }
    features = candidate_features(evidence(type_agreement=np.array([0, -1])))
    values = nil_features(Candidates(ids, ids, features, unmarked=True))
    assert {n for n, v in zip(NIL_FEATURES, values, strict=True) if v} == {
        "one",
        "typed",
        "unmarked",
    }
    nothing = nil_features(Candidates(ids[:0], ids[:0], np.empty((0, len(FEATURES)))))
    assert {n for n, v in zip(NIL_FEATURES, nothing, strict=True) if v} == {"one"}


def test_weights_are_read_as_they_were_written() -> None:
    ranker = Ranker.from_dict(WEIGHTS, {}, {})
    assert ranker.to_dict() == WEIGHTS


@pytest.mark.parametrize("key", ["weights", "nil"])
def test_a_model_with_other_features_is_refused(key: str) -> None:
    more = {**WEIGHTS, key: {**WEIGHTS[key], "colour": 1.0}}
    with pytest.raises(ConfigError, match=f"ranker.{key} has the unknown feature 'colour'"):
        Ranker.from_dict(more, {}, {})
    fewer = {**WEIGHTS, key: dict(list(WEIGHTS[key].items())[1:])}
    with pytest.raises(ConfigError, match=f"ranker.{key} lacks the feature"):
        Ranker.from_dict(fewer, {}, {})
