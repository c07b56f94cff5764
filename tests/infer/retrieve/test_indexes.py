"""Indexes of a stored knowledge base: results from the cache are the same, damage is noticed."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from biolink.cli.console import long_work_shown
from biolink.errors import KnowledgeBaseError
from biolink.infer.network.model import load_model
from biolink.infer.retrieve.indexes import FROZEN, Indexes
from biolink.kb import KnowledgeBase
from biolink.kb.lexical import KIND as LEXICAL
from biolink.kb.sealed import read_manifest, seal
from biolink.kb.store import INDEX_KINDS
from biolink.kb.word_sets import word_sets

KINDS = ("trie", "lexical", "dense")


@pytest.fixture
def stored(kb: KnowledgeBase, model_folder: Path, tmp_path: Path) -> Path:
    kb.save(tmp_path / "x.kb")
    indexes = Indexes(KnowledgeBase.open(tmp_path / "x.kb"), load_model(model_folder))
    assert all(getattr(indexes, kind) is not None for kind in KINDS)
    return tmp_path / "x.kb"


def test_built_and_cached_indexes_find_the_same(
    kb: KnowledgeBase, stored: Path, model_folder: Path
) -> None:
    model = load_model(model_folder)
    built, cached = Indexes(kb, model), Indexes(KnowledgeBase.open(stored), model)
    texts = ["fever", "cancers of breast", "kennedys", "zzz", ""]
    for mine, other in zip(
        built.lexical.search(texts, 9), cached.lexical.search(texts, 9), strict=True
    ):
        assert mine[0].tobytes() == other[0].tobytes()
        assert mine[1].tobytes() == other[1].tobytes()
    vectors = model.embed(texts)
    every = np.arange(len(built.dense.name_ids))
    for index in (built.dense, cached.dense):
        queries = index.queries(vectors)
        assert queries.tobytes() == built.dense.queries(vectors).tobytes()
        for query in queries:
            mine, other = built.dense.cosines(query, every), index.cosines(query, every)
            assert mine.tobytes() == other.tobytes()
    assert list(map(str, built.trie)) == list(map(str, cached.trie))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["flipped", "removed", "manifest", "foreign"])
def test_a_damaged_index_is_built_again_or_refused(
    stored: Path,
    model_folder: Path,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    how: str,
) -> None:
    (folder,) = (stored / "index").glob(f"{kind}-*")
    file = max(folder.glob("*.npy"), key=lambda f: f.stat().st_size)
    whole = {f.name: f.read_bytes() for f in folder.iterdir() if f.name != "checked.json"}
    if how == "flipped":
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    elif how == "removed":
        file.unlink()
    elif how == "manifest":
        (folder / "manifest.json").unlink()
    else:  # the index of another base under this one's name
        other = KnowledgeBase.open(stored).with_names([("D1", "pyrexia")])
        other.save(stored.parent / "y.kb")
        of_other = Indexes(KnowledgeBase.open(stored.parent / "y.kb"), load_model(model_folder))
        assert getattr(of_other, kind) is not None
        (taken,) = (stored.parent / "y.kb" / "index").glob(f"{kind}-*")
        shutil.rmtree(folder)
        shutil.copytree(taken, folder)
    (stored / "index" / FROZEN).write_text("")
    with pytest.raises(KnowledgeBaseError, match=kind):
        getattr(Indexes(KnowledgeBase.open(stored), load_model(model_folder)), kind)
    (stored / "index" / FROZEN).unlink()
    with caplog.at_level(logging.WARNING):
        getattr(Indexes(KnowledgeBase.open(stored), load_model(model_folder)), kind)
    assert "this is done now" in caplog.text
    for name, content in whole.items():
        assert (folder / name).read_bytes() == content


def test_an_index_of_an_older_version_is_built_again(
    stored: Path, model_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder,) = (stored / "index").glob("lexical-*")
    key = read_manifest(folder, LEXICAL)["fingerprint"]
    seal(folder, replace(LEXICAL, version=1), {"fingerprint": key})
    with caplog.at_level(logging.WARNING):
        index = Indexes(KnowledgeBase.open(stored), load_model(model_folder)).lexical
    assert "has version 1" in caplog.text and "build it again; this is done now" in caplog.text
    assert len(index.search(["fever"], 1)[0][0]) == 1
    assert read_manifest(folder, LEXICAL)["version"] == 2


def test_embeddings_are_in_the_order_of_the_names(stored: Path, model_folder: Path) -> None:
    indexes = Indexes(KnowledgeBase.open(stored), load_model(model_folder))
    assert np.array_equal(indexes.dense.name_ids, indexes.lexical.name_ids)


def test_a_base_with_indexes_of_every_kind_can_be_replaced(stored: Path, kb: KnowledgeBase) -> None:
    word_sets(KnowledgeBase.open(stored))
    kinds = {folder.name.split("-")[0] for folder in (stored / "index").iterdir()}
    assert kinds == set(INDEX_KINDS)
    kb.with_names([("D1", "pyrexia")]).save(stored)
    # The indexes of the former names are gone with them.
    assert not (stored / "index").exists()
    renewed = KnowledgeBase.open(stored)
    assert word_sets(renewed).names_of("pyrexias") == [renewed.name_id("pyrexia")]


def test_long_work_is_announced_once(
    kb: KnowledgeBase,
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kb.save(tmp_path / "x.kb")
    model = load_model(model_folder)
    embedded = len(Indexes(kb, model).lexical.name_ids)
    monkeypatch.setattr("biolink.infer.retrieve.indexes._LONG", embedded + 1)
    with caplog.at_level(logging.INFO, "biolink.infer"):
        assert Indexes(kb, model).dense is not None
        assert caplog.text == ""
        monkeypatch.setattr("biolink.infer.retrieve.indexes._LONG", embedded)
        assert Indexes(kb, model).dense is not None
        assert "`biolink kb build` keeps it" in caplog.text
        caplog.clear()
        for _ in range(2):
            assert Indexes(KnowledgeBase.open(tmp_path / "x.kb"), model).dense is not None
    (record,) = caplog.records
    said = f"making the index of {kb.name_count} names, of which {embedded} must be embedded; "
    assert record.getMessage() == f"{said}this is done once, and kept in {tmp_path / 'x.kb/index'}"
    assert capsys.readouterr().err == ""


def test_the_command_prints_what_is_announced(
    kb: KnowledgeBase,
    model_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("biolink.infer.retrieve.indexes._LONG", 1)
    logger = logging.getLogger("biolink.infer.retrieve.indexes")
    before = logger.level, list(logger.handlers)
    with long_work_shown():
        assert Indexes(kb, load_model(model_folder)).dense is not None
    assert capsys.readouterr().err.startswith("biolink: making the index of ")
    # What a command sets up does not stay in the process.
    assert (logger.level, list(logger.handlers)) == before
