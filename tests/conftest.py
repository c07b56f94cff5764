"""Fixtures of several folders: the corpora, a small model and a small knowledge base."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from biolink.infer.rank.features import FEATURES, NIL_FEATURES
from biolink.kb import KnowledgeBase
from biolink.scale.blocks import one_thread
from tests.tiny_models import CONCEPTS, bart, wordpiece


@pytest.fixture(scope="session", autouse=True)
def single_thread() -> Iterator[None]:
    """Let tests compare links to the last bit: with several threads, rounding varies."""
    with one_thread():
        yield


@pytest.fixture(scope="session")
def data_folder() -> Path:
    folder = Path(os.environ.get("BIOLINK_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}: set BIOLINK_DATA")
    return folder


@pytest.fixture(scope="session")
def corpora(data_folder: Path) -> Path:
    return data_folder / "corpora"


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as biolink writes it, with weights for the combined score."""
    folder = tmp_path_factory.mktemp("model")
    tokenizer = wordpiece(folder)
    bart(len(tokenizer)).save_pretrained(folder)
    settings = {
        "prompt": {
            "start_marker": "[START]", "end_marker": "[END]", "window": 20, "name_prefix": "",
        },
        "ranker": {
            "weights": dict.fromkeys(FEATURES, 0.0) | {
                "dense": 1.0, "lexical": 10.0, "shared": 3.0, "preferred": 0.5, "prior": 0.1,
                "type": 1.0, "annotated_share": 6.0, "apposition": 9.0, "acronym": 9.0,
                "abbreviation": 9.0,
            },
            "nil": dict.fromkeys(NIL_FEATURES, 0.0) | {"one": 4.0},
        },
    }  # fmt: skip
    (folder / "biolink.json").write_text(json.dumps(settings))
    annotations = {"pulmonary growth": {"D4": 2, "D5": 1}}
    (folder / "annotations.json").write_text(json.dumps(annotations))
    abbreviations = {"BT": {"breast tumor": 3, "": 1}}
    (folder / "abbreviations.json").write_text(json.dumps(abbreviations))
    return folder


@pytest.fixture(scope="session")
def kb() -> KnowledgeBase:
    return KnowledgeBase.from_concepts(CONCEPTS)
