"""The training documents of the embedded default include no test document."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.corpus
def test_no_held_out_document_is_used_for_training(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "default_model"))
    from corpora import (
        DEVELOPMENT,
        FURTHER,
        MAIN,
        TEST,
        document_sets,
        read_corpus,
        training_documents,
    )

    sys.modules.pop("corpora")
    training = training_documents(data_folder)
    assert [len(documents) for documents in training[: len(MAIN)]] == [593, 500]
    # BioRED shares 99 and 23 documents with the held-out sets.
    assert [len(documents) for documents in training[len(MAIN) :]] == [301, 77, 98]
    ids = {document.id for documents in training for document in documents}
    titles = {document.text.splitlines()[0] for part in training for document in part}
    for name in (*DEVELOPMENT, *TEST):
        for document in read_corpus(data_folder, name):
            assert document.id not in ids
            assert document.text.splitlines()[0] not in titles
    assert len(FURTHER) == 3
    # The final model is trained on development documents, but on none of a test set.
    final = document_sets(data_folder)["final"]
    assert len(final) == sum(map(len, training)) + 599
    ids = {document.id for document in final}
    titles = {document.text.splitlines()[0] for document in final}
    for name in TEST:
        for document in read_corpus(data_folder, name):
            assert document.id not in ids
            assert document.text.splitlines()[0] not in titles


def test_ablations_name_features(monkeypatch: pytest.MonkeyPatch) -> None:
    from biolink.infer.rank.features import FEATURES

    monkeypatch.syspath_prepend(str(ROOT / "examples" / "default_model"))
    before = set(sys.modules)
    from fitting import ABLATIONS

    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "").parent.name == "default_model":
            del sys.modules[name]
    for group, names in ABLATIONS.items():
        assert names and set(names) <= set(FEATURES), group


def test_files_that_are_no_knowledge_base_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "default_model"))
    from ontologies import other_concepts

    sys.modules.pop("ontologies")
    for name, text in (
        ("mesh/a.csv", "id,name\n1,one\n"),
        ("fevers/b.csv", "id,name\n2,two\n"),
        ("fevers/c.csv", "left,right\n3,three\n"),
        ("fevers/d.csv", "id,name\n4,four\n"),
    ):
        file = tmp_path / "kb" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert [concept.id for concept in other_concepts(tmp_path)] == ["2", "4"]
    left_out = capsys.readouterr().err
    assert left_out.count("left out:") == 1 and "c.csv" in left_out
