"""Stores and indexes: damage to any file is noticed, and the message names the file."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biolink.errors import KnowledgeBaseError
from biolink.infer.retrieve.dense import KIND as DENSE
from biolink.infer.retrieve.dense import DenseIndex
from biolink.kb import Concept, KnowledgeBase, sealed
from biolink.kb.lexical import KIND as LEXICAL
from biolink.kb.lexical import LexicalIndex
from biolink.kb.sealed import FROZEN, MANIFEST, STAMP, Kind
from biolink.kb.store import KIND as STORE
from biolink.kb.store import verify_store
from biolink.kb.trie import KIND as TRIE
from biolink.kb.trie import NameTrie
from biolink.pipeline import EMBEDDED


def base(letter: str) -> KnowledgeBase:
    return KnowledgeBase.from_concepts(
        [
            Concept(
                f"{letter}{i:03}",
                f"{letter} fever {i:03}",
                (f"{letter} heat {i % 7}",),
                parents=(f"{letter}{i // 2:03}",) if i else (),
            )
            for i in range(150)
        ],
        prefix=letter,
    )


def store(letter: str, folder: Path) -> None:
    base(letter).save(folder)


def trie(letter: str, folder: Path) -> None:
    first = ord(letter)
    NameTrie.from_sequences([[first, 7 + i % 50, 3 + i, 2] for i in range(150)]).save(folder)


def lexical(letter: str, folder: Path) -> None:
    folder.mkdir()
    LexicalIndex.build(base(letter)).save(folder)


def dense(letter: str, folder: Path) -> None:
    folder.mkdir()
    vectors = np.random.default_rng(ord(letter)).normal(size=(150, 40)).astype(np.float32)
    DenseIndex.compress(vectors, np.arange(150)).save(folder)


KINDS: dict[str, tuple[Kind, Callable[[str, Path], None], Callable[[Path], Any]]] = {
    "store": (STORE, store, KnowledgeBase.open),
    "trie": (TRIE, trie, NameTrie.open),
    "lexical": (LEXICAL, lexical, LexicalIndex.load),
    "dense": (DENSE, dense, DenseIndex.load),
}


def flipped(file: Path, other: Path) -> None:
    content = bytearray(file.read_bytes())
    place = random.Random(file.name).randrange(len(content))
    content[place] ^= 0x15
    file.write_bytes(content)


def flipped_header(file: Path, other: Path) -> None:
    content = bytearray(file.read_bytes())
    content[min(12, len(content) - 1)] ^= 0xFF
    file.write_bytes(content)


def flipped_unseen(file: Path, other: Path) -> None:
    """The times of the files are restored."""
    before = file.stat()
    flipped(file, other)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut(file: Path, other: Path) -> None:
    file.write_bytes(file.read_bytes()[:-2])


def emptied(file: Path, other: Path) -> None:
    file.write_bytes(b"")


def grown(file: Path, other: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\0")


def removed(file: Path, other: Path) -> None:
    file.unlink()


def swapped(file: Path, other: Path) -> None:
    shutil.copy2(other, file)


DAMAGES = (flipped, flipped_header, flipped_unseen, cut, emptied, grown, removed, swapped)
CASES = [
    (kind, name, damage)
    for kind, (sort, _, _) in KINDS.items()
    for name in (*sort.files, MANIFEST)
    for damage in DAMAGES
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    for kind, (_, make, _) in KINDS.items():
        make("x", folder / f"{kind}.x")
        make("y", folder / f"{kind}.y")
    return folder


@pytest.mark.parametrize("stamped", [True, False], ids=["stamped", "new"])
@pytest.mark.parametrize(
    ("kind", "name", "damage"), CASES, ids=[f"{k}-{n}-{d.__name__}" for k, n, d in CASES]
)
def test_damage_is_noticed_and_named(
    whole: Path,
    tmp_path: Path,
    kind: str,
    name: str,
    damage: Callable[[Path, Path], None],
    stamped: bool,
) -> None:
    _, _, load = KINDS[kind]
    folder = tmp_path / "copy"
    shutil.copytree(whole / f"{kind}.x", folder)
    if stamped:
        load(folder)
        assert (folder / STAMP).exists()
    if name == MANIFEST and damage is swapped:
        # The other store's manifest is intact, so its files are reported as missing.
        shutil.copy2(whole / f"{kind}.y" / MANIFEST, folder / MANIFEST)
        with pytest.raises(KnowledgeBaseError, match="damaged"):
            load(folder)
        return
    other = whole / f"{kind}.y" / name
    if damage is swapped and other.read_bytes() == (folder / name).read_bytes():
        return  # both hold the same
    damage(folder / name, other)
    if name == MANIFEST and damage is grown:
        (folder / name).write_text((folder / name).read_text()[:-1] + "]")
    with pytest.raises(KnowledgeBaseError) as caught:
        load(folder)
    assert name in str(caught.value)
    assert "again" in str(caught.value)


def test_a_damaged_store_is_never_read_as_something_else(whole: Path, tmp_path: Path) -> None:
    for number, text in enumerate(("{", "[]", "", '{"format": 5}', "\udcff", None)):
        folder = tmp_path / f"{number}.kb"
        shutil.copytree(whole / "store.x", folder)
        if text is None:
            (folder / MANIFEST).unlink()
        else:
            (folder / MANIFEST).write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(KnowledgeBaseError, match=r"manifest\.json"):
            KnowledgeBase.open(folder)
        with pytest.raises(KnowledgeBaseError, match=r"manifest\.json .*build it again"):
            KnowledgeBase.read(folder)


def test_every_entry_of_a_manifest_is_sealed(whole: Path, tmp_path: Path) -> None:
    for kind, (_, _, load) in KINDS.items():
        for entry in json.loads((whole / f"{kind}.x" / MANIFEST).read_text()):
            folder = tmp_path / f"{kind}-{entry}"
            shutil.copytree(whole / f"{kind}.x", folder)
            manifest = json.loads((folder / MANIFEST).read_text())
            manifest[entry] = {"prefix": "z", "files": {}}.get(entry, [entry])
            (folder / MANIFEST).write_text(json.dumps(manifest))
            with pytest.raises(KnowledgeBaseError, match=r"manifest\.json|version"):
                load(folder)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    read: list[str] = []
    real = sealed.sha256_of

    def digest(path: str | Path) -> str:
        read.append(Path(path).name)
        return real(path)

    monkeypatch.setattr(sealed, "sha256_of", digest)
    return read


def test_contents_are_read_once_for_each_copy(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, (sort, _, load) in KINDS.items():
        shutil.copytree(whole / f"{kind}.x", tmp_path / kind)
        read = counted(monkeypatch)
        load(tmp_path / kind)
        assert sorted(read) == sorted(sort.files)
        load(tmp_path / kind)
        assert len(read) == len(sort.files)
        shutil.copytree(tmp_path / kind, tmp_path / f"{kind}.copy")
        load(tmp_path / f"{kind}.copy")
        assert len(read) == 2 * len(sort.files)
        (tmp_path / kind / STAMP).write_text("[")
        load(tmp_path / kind)
        assert len(read) == 3 * len(sort.files)


def test_nothing_is_written_into_a_frozen_store(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "x.kb"
    shutil.copytree(whole / "store.x", folder)
    (folder / "index").mkdir()
    shutil.copytree(whole / "trie.x", folder / "index" / "trie")
    (folder / "index" / FROZEN).write_text("")
    read = counted(monkeypatch)
    for _ in range(2):
        KnowledgeBase.open(folder)
        NameTrie.open(folder / "index" / "trie")
    assert len(read) == 2 * (len(STORE.files) + len(TRIE.files))
    assert not list(folder.rglob(STAMP))
    flipped(folder / "ids.marisa", folder)
    with pytest.raises(KnowledgeBaseError, match=r"ids\.marisa .*install the package again"):
        KnowledgeBase.open(folder)
    # A store too large to check at each start is checked on demand; the tries always.
    shutil.copy(whole / "store.x" / "ids.marisa", folder)
    monkeypatch.setattr(sealed, "UNSTAMPED", 10)
    read.clear()
    flipped(folder / "concepts.arrow", folder)
    KnowledgeBase.open(folder)
    assert sorted(read) == ["ids.marisa", "names.marisa"]
    assert verify_store(folder) == ["concepts.arrow"]


def test_arrays_are_checked_against_each_other(tmp_path: Path) -> None:
    def reseal(folder: Path, kind: Kind, name: str, array: np.ndarray) -> None:
        np.save(folder / name, array)
        entries = json.loads((folder / MANIFEST).read_text())
        kept = {k: v for k, v in entries.items() if k not in ("format", "version", "files")}
        kept.pop("checksum")
        sealed.seal(folder, kind, kept)

    cases: list[tuple[str, str, Callable[[np.ndarray], np.ndarray]]] = [
        ("store", "id_rows.npy", lambda a: a + 1),
        ("store", "id_rows.npy", lambda a: a[:-1]),
        ("store", "id_rows.npy", lambda a: a.astype(np.int64)),
        ("store", "name_indptr.npy", lambda a: a[::-1].copy()),
        ("store", "name_indptr.npy", lambda a: np.concatenate([a[:1], a[-1:], a[2:]])),
        ("store", "name_rows.npy", lambda a: -a - 1),
        ("store", "name_preferred.npy", lambda a: a[:-1]),
        ("trie", "first.npy", lambda a: a[:-1]),
        ("trie", "first.npy", lambda a: a + 1),
        ("trie", "leaf_nodes.npy", lambda a: a[::-1].copy()),
        ("trie", "leaf_indptr.npy", lambda a: a * 2),
        ("trie", "leaf_names.npy", lambda a: -a - 1),
        ("trie", "levels.npy", lambda a: a[:-1]),
        ("trie", "tok.npy", lambda a: a[None]),
        ("lexical", "cells.npy", lambda a: a + 1),
        ("lexical", "cells.npy", lambda a: a[0]),
        ("lexical", "cells.npy", lambda a: a.astype(np.int32)),
        ("lexical", "name_ids.npy", lambda a: a[0]),
        ("lexical", "name_ids.npy", lambda a: a * 0),
        ("dense", "codes.npy", lambda a: a[:-1]),
        ("dense", "scale.npy", lambda a: a * np.float32("nan")),
        ("dense", "projection.npy", lambda a: a[:, :-1]),
    ]
    for number, (kind, name, change) in enumerate(cases):
        sort, make, load = KINDS[kind]
        folder = tmp_path / str(number)
        make("x", folder)
        reseal(folder, sort, name, change(np.load(folder / name)))
        with pytest.raises(KnowledgeBaseError, match=name.replace(".", r"\.")):
            load(folder)


def test_indexes_know_what_they_were_built_from(tmp_path: Path) -> None:
    lexical("x", tmp_path / "lexical")
    dense("x", tmp_path / "dense")
    trie("x", tmp_path / "trie")
    for load in (LexicalIndex.load, DenseIndex.load, NameTrie.open):
        folder = tmp_path / {"LexicalIndex": "lexical", "DenseIndex": "dense"}.get(
            load.__qualname__.split(".")[0], "trie"
        )
        with pytest.raises(KnowledgeBaseError, match="built from other names"):
            load(folder, "another")
        with pytest.raises(KnowledgeBaseError, match=r"name_ids\.npy|leaf_names\.npy"):
            load(folder, "", 5)  # of a base with fewer names


def test_no_stamp_is_in_the_package() -> None:
    KnowledgeBase.open(EMBEDDED / "kb")
    assert not list(EMBEDDED.rglob(STAMP))


def test_a_read_only_store_is_checked_at_each_opening(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "x.kb"
    shutil.copytree(whole / "store.x", folder)
    monkeypatch.setattr(sealed.os, "access", lambda path, mode: False)
    read = counted(monkeypatch)
    KnowledgeBase.open(folder)
    KnowledgeBase.open(folder)
    assert len(read) == 2 * len(STORE.files)
    assert not (folder / STAMP).exists()
