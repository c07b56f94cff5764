"""Model folders: settings are read as they were written, and the seal shows any change."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from biolink.errors import ModelError
from biolink.kb import sealed
from biolink.kb.model_files import CONFIG, SEAL, SETTINGS, TAGGER, WEIGHTS, has_file
from biolink.kb.model_folder import (
    END_TO_END,
    ModelSettings,
    check_model,
    checked_model,
    digest_of,
    model_folder,
    renew_seal,
    sealed_names,
    settings_of,
    verify_model,
    write_settings,
)
from biolink.kb.prompt import PromptForm
from biolink.kb.sealed import FROZEN, STAMP
from biolink.places import EMBEDDED
from tests.kb.test_sealed import counted, cut, emptied, flipped, flipped_unseen, grown, removed

FILES = (CONFIG, SETTINGS, TAGGER, WEIGHTS)
SETTINGS_OF_ALL = ModelSettings(
    PromptForm(window=7),
    END_TO_END,
    {"top_k": 3},
    {"weights": {"dense": 1.0}, "nil": {}},
    {"kind": "threshold", "value": 0.5},
    {"Recall@1": 0.9},
    [{"stage": "Denoising"}],
)


def fill(folder: Path) -> None:
    for name in FILES:
        (folder / name).write_text(json.dumps({name: list(range(100))}))
    write_settings(folder, SETTINGS_OF_ALL)
    (folder / "README.md").write_text("A model.")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with model_folder(tmp_path / "model") as temporary:
        fill(temporary)
    return tmp_path / "model"


def test_settings_are_read_as_they_were_written(tmp_path: Path) -> None:
    for settings in (ModelSettings(), SETTINGS_OF_ALL):
        write_settings(tmp_path, settings)
        assert settings_of(tmp_path) == settings
    assert settings_of(tmp_path / "none") == ModelSettings()
    assert SETTINGS_OF_ALL.stages == [{"stage": "Denoising"}]
    assert ModelSettings(training={"recipe": "x"}).stages == [{"recipe": "x"}]


def test_missing_settings_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "stop_names.json").write_text("[]")  # goes with any checkpoint
    assert settings_of(tmp_path) == ModelSettings()
    (tmp_path / TAGGER).write_text("")
    with pytest.raises(ModelError, match=r"biolink\.json is damaged: it is missing"):
        settings_of(tmp_path)


@pytest.mark.parametrize("stamped", [True, False], ids=["stamped", "new"])
@pytest.mark.parametrize("damage", [flipped, flipped_unseen, cut, emptied, grown, removed])
@pytest.mark.parametrize("name", FILES)
def test_damage_is_noticed_and_named(
    folder: Path, name: str, damage: Callable[[Path, Path], None], stamped: bool
) -> None:
    if stamped:
        check_model(folder)
        assert (folder / STAMP).exists()
    damage(folder / name, folder)
    for check in (check_model, verify_model):
        with pytest.raises(ModelError) as caught:
            check(folder)
        assert name in str(caught.value) and f"delete {SEAL}" in str(caught.value)


def test_faults_of_the_seal_are_reported_before_those_of_loading(folder: Path) -> None:
    with pytest.raises(ValueError), checked_model(folder):
        raise ValueError
    flipped(folder / WEIGHTS, folder)
    with pytest.raises(ModelError, match=WEIGHTS), checked_model(folder):
        raise ValueError


def test_the_seal_itself(folder: Path) -> None:
    content = (folder / SEAL).read_bytes()
    rng = random.Random(0)
    noticed = 0
    for _ in range(200):
        changed = bytearray(content)
        changed[rng.randrange(len(changed))] ^= rng.choice((1, 4, 32, 128, 255))
        (folder / SEAL).write_bytes(changed)
        try:
            check_model(folder)
        except ModelError as error:
            noticed += 1
            assert SEAL in str(error)
        else:
            # The white space is of another kind.
            assert json.loads(changed) == json.loads(content)
    assert noticed > 150
    for text in (b"", b"{", b"{}", b"[]", b"5", b"\xff", b'{"a":' * 10_000, content[:-20]):
        (folder / SEAL).write_bytes(text)
        with pytest.raises(ModelError, match=r"seal\.json"):
            check_model(folder)


def test_a_folder_without_a_seal_passes_but_not_in_the_package(folder: Path) -> None:
    (folder / SEAL).unlink()
    flipped(folder / WEIGHTS, folder)
    check_model(folder)
    verify_model(folder)
    (folder.parent / FROZEN).write_text("")
    with pytest.raises(ModelError, match=r"seal\.json is missing.*install the package again"):
        check_model(folder)


def test_the_error_of_a_changed_folder_says_how_to_load_it(folder: Path) -> None:
    write = (folder / SETTINGS).read_text().replace("0.5", "0.6")
    (folder / SETTINGS).write_text(write)
    with pytest.raises(ModelError, match=r"biolink\.json .*changed the folder yourself, delete"):
        check_model(folder)
    (folder / SEAL).unlink()
    check_model(folder)
    assert settings_of(folder).nil == {"kind": "threshold", "value": 0.6}


def test_model_cards_and_new_files_are_not_sealed(folder: Path) -> None:
    (folder / "README.md").write_text("Another card.")
    (folder / "stop_names.json").write_text("[]")
    verify_model(folder)
    assert "README.md" not in sealed_names(folder)


def test_writing_renews_the_seal_of_one_file(folder: Path) -> None:
    check_model(folder)
    write_settings(folder, ModelSettings())
    (folder / "new.json").write_text("[]")
    renew_seal(folder / "new.json")
    verify_model(folder)
    flipped(folder / "new.json", folder)
    with pytest.raises(ModelError, match=r"new\.json"):
        check_model(folder)
    # A file that was damaged before is still refused.
    shutil.copy(folder / CONFIG, folder / "new.json")
    flipped(folder / WEIGHTS, folder)
    renew_seal(folder / "new.json")
    with pytest.raises(ModelError, match=WEIGHTS):
        check_model(folder)


def test_contents_are_read_once_for_each_copy(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = counted(monkeypatch)
    check_model(folder)
    check_model(folder)
    assert sorted(read) == sorted(FILES)
    assert digest_of(folder, WEIGHTS) == sealed.sha256_of(folder / WEIGHTS)
    shutil.copytree(folder, folder.parent / "copy")
    check_model(folder.parent / "copy")
    assert len(read) == 1 + 2 * len(FILES)


def test_where_no_stamp_can_be_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed.os, "access", lambda path, mode: False)
    read = counted(monkeypatch)
    check_model(folder)
    check_model(folder)
    assert len(read) == 2 * len(FILES) and not (folder / STAMP).exists()
    # In a folder too large to check at each start, only the small files are checked.
    monkeypatch.setattr(sealed, "UNSTAMPED", 10)
    read.clear()
    check_model(folder)
    assert sorted(read) == [SETTINGS, CONFIG]
    flipped(folder / WEIGHTS, folder)
    check_model(folder)
    with pytest.raises(ModelError, match=WEIGHTS):
        verify_model(folder)


def test_a_file_that_vanishes_during_the_check_is_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanishing(file: Path, expected: int) -> None:
        if file.name == CONFIG:
            file.unlink()

    monkeypatch.setattr(sealed, "size_problem", vanishing)
    with pytest.raises(ModelError, match=f"{CONFIG} is missing"):
        check_model(folder)


@pytest.mark.parametrize(
    ("ranker", "told"),
    [
        ({"weights": []}, "ranker.weights is a list, expected an object"),
        ({"weights": {"x": "1"}}, "ranker.weights.x is '1', expected a number"),
        ({"margin": 1.0}, "ranker has the unknown entry 'margin'"),
        ({"early": 3}, "ranker.early is a whole number, expected an object"),
        ({"early": {"nil": {"x": None}}}, "ranker.early.nil.x is None, expected a number"),
        ({"early": {"early": {}}}, "ranker.early has the unknown entry 'early'"),
    ],
)
def test_weights_of_the_ranker_have_one_form(
    folder: Path, ranker: dict[str, object], told: str
) -> None:
    (folder / SETTINGS).write_text(json.dumps({"ranker": ranker}))
    with pytest.raises(ModelError, match=re.escape(told)):
        settings_of(folder)
    (folder / SETTINGS).write_text(json.dumps({"ranker": {"early": {"weights": {}, "margin": 1}}}))
    assert settings_of(folder).ranker is not None


@pytest.mark.parametrize("kind", ["a folder", "a link that leads nowhere", "not a regular file"])
def test_what_stands_in_place_of_a_file_is_named(folder: Path, kind: str) -> None:
    (folder / CONFIG).unlink()
    if kind == "a folder":
        (folder / CONFIG).mkdir()
    elif kind == "not a regular file":
        os.mkfifo(folder / CONFIG)
    else:
        (folder / CONFIG).symlink_to("nowhere")
    with pytest.raises(ModelError, match=f"it is {kind};"):
        has_file(folder / CONFIG)


def test_a_new_model_replaces_a_damaged_one(folder: Path) -> None:
    check_model(folder)
    for name in (CONFIG, SETTINGS):
        (folder / name).unlink()
    with pytest.raises(ModelError, match="is missing"):
        verify_model(folder)
    with model_folder(folder) as temporary:
        fill(temporary)
    verify_model(folder)
    assert (folder / CONFIG).is_file() and (folder / SETTINGS).is_file()


def test_the_embedded_model_is_sealed() -> None:
    model = EMBEDDED / "model"
    verify_model(model)
    assert set(json.loads((model / SEAL).read_text())["files"]) == set(sealed_names(model))
    assert {SETTINGS, WEIGHTS, TAGGER, CONFIG} <= set(sealed_names(model))
    assert not list(EMBEDDED.rglob(STAMP))
