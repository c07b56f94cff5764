"""The stored knowledge base: a folder ``NAME.kb`` whose files are memory-mapped.

========================  ==========================================================
``manifest.json``         format, version, counts, sizes, sources, licence, fingerprint
``concepts.arrow``        Arrow IPC file, one row per concept
``names.marisa``          maps normalised names to name ids, and back
``ids.marisa``            maps ids and alternative ids to positions in ``id_rows.npy``
``id_rows.npy``           the row of the concept with each of these ids
``name_indptr.npy``       the owners of name i are ``name_rows[indptr[i]:indptr[i + 1]]``
``name_rows.npy``         rows of the owners; those whose preferred name it is come first
``name_preferred.npy``    whether the name is the preferred name of that row
``parent_indptr.npy``     the parents of row i are ``parent_rows[indptr[i]:indptr[i + 1]]``
``parent_rows.npy``       rows of the parents
``checked.json``          written when the store is first opened; see :mod:`biolink.kb.sealed`
========================  ==========================================================

Stores of version 2 have neither parents nor taxa; they can still be opened.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import marisa_trie
import numpy as np
import pyarrow as pa

from biolink.errors import KnowledgeBaseError
from biolink.kb.arrays import check_ascending, check_range, mapped_array
from biolink.kb.contents import SCHEMA, Contents
from biolink.kb.files import check_folder_target, foreign_names, replace_folder
from biolink.kb.names import NORMALISATION
from biolink.kb.sealed import (
    FROZEN,
    MANIFEST,
    STAMP,
    Kind,
    changed_files,
    check_files,
    foreign_in_index,
    read_manifest,
    seal,
)

__all__ = [
    "FORMAT",
    "INDEX",
    "INDEX_KINDS",
    "VERSION",
    "check_store_target",
    "foreign_in_store",
    "is_store",
    "open_store",
    "save_store",
    "verify_store",
]

FORMAT = "biolink-kb"
VERSION = 3
_ARRAYS = (
    "id_rows", "name_indptr", "name_rows", "name_preferred", "parent_indptr", "parent_rows",
)  # fmt: skip
_FILES = (
    "concepts.arrow",
    "names.marisa",
    "ids.marisa",
    *(f"{name}.npy" for name in _ARRAYS),
)
#: The folder of the indexes, and the kinds of indexes in it, with which their names begin.
INDEX = "index"
INDEX_KINDS = ("trie", "lexical", "dense", "words")
KIND = Kind(FORMAT, VERSION, "knowledge base", _FILES, "build it again with `biolink kb build`")
#: The version before, without the files and columns of the hierarchy.
_BEFORE = replace(KIND, version=2, files=tuple(f for f in _FILES if not f.startswith("parent")))
_NEW_COLUMNS = ("parents", "taxon")


def is_store(path: str | Path) -> bool:
    """Return whether the folder is a stored knowledge base, even if it is damaged.

    It is one if its manifest says so, or if it has no readable manifest and at least two of the
    files of a store.
    """
    folder = Path(path)
    manifest = _readable_manifest(folder)
    if isinstance(manifest.get("format"), str):
        return bool(manifest["format"] == FORMAT)
    return sum((folder / name).is_file() for name in _FILES) > 1


def check_store_target(path: str | Path) -> None:
    """Raise an error if no knowledge base may be stored at the path; it is called before building.

    Raises
    ------
    InputError
        If anything but an empty folder or another stored knowledge base stands there.
    """
    check_folder_target(path, foreign_in_store, _A_STORE)


_A_STORE = "a stored knowledge base"


def foreign_in_store(folder: Path) -> list[str]:
    """List the entries of a folder that do not belong to a stored knowledge base.

    If the folder is not a stored knowledge base, all entries are listed.
    """
    if not is_store(folder):
        return foreign_names(folder, ())
    foreign = foreign_names(folder, (*_FILES, MANIFEST, STAMP, INDEX))
    own = (*(f"{kind}-*" for kind in INDEX_KINDS), FROZEN)
    foreign += [f"{INDEX}/{name}" for name in foreign_names(folder / INDEX, own)]
    for index in sorted((folder / INDEX).glob("[!.]*/")):
        foreign += [f"{INDEX}/{index.name}/{name}" for name in foreign_in_index(index)]
    return foreign


def save_store(data: Contents, path: str | Path) -> None:
    """Write a knowledge base into a temporary folder and rename that to ``path``.

    Raises
    ------
    KnowledgeBaseError
        If it has no concept or no name.
    InputError
        If anything but an empty folder or another stored knowledge base stands at the path, or it
        cannot be written.
    """
    count = data.table.num_rows
    if not len(data.names):
        what = "name" if count else "concept"
        raise KnowledgeBaseError(f"a knowledge base without a {what} cannot be stored: {path}")
    with replace_folder(path, foreign_in_store, _A_STORE) as folder:
        with (
            pa.OSFile(str(folder / "concepts.arrow"), "wb") as sink,
            pa.ipc.new_file(sink, data.table.schema) as writer,
        ):
            writer.write_table(data.table)
        data.names.save(str(folder / "names.marisa"))
        data.ids.save(str(folder / "ids.marisa"))
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(data, name), allow_pickle=False)
        entries = {key: value for key, value in data.manifest.items() if key not in _COMPUTED}
        counts = {"concepts": count, "names": len(data.names)}
        seal(folder, KIND, {**entries, "counts": counts, "fingerprint": data.fingerprint})


_COMPUTED = {"format", "version", "counts", "fingerprint", "files", "checksum", "subset_of"}


def open_store(path: str | Path) -> Contents:
    """Memory-map a stored knowledge base; see :meth:`KnowledgeBase.open`."""
    folder = Path(path)
    kind = _kind_of(folder)
    manifest = _manifest(folder, kind)
    check_files(folder, kind, manifest)
    try:
        table = pa.ipc.open_file(pa.memory_map(str(folder / "concepts.arrow"))).read_all()
        names = marisa_trie.Trie().mmap(str(folder / "names.marisa"))
        ids = marisa_trie.Trie().mmap(str(folder / "ids.marisa"))
    except (pa.ArrowException, ValueError, RuntimeError, OSError) as error:
        raise KIND.damage(folder, f"cannot be read ({error})") from None
    if kind is _BEFORE:
        for name in _NEW_COLUMNS:
            table = table.append_column(
                SCHEMA.field(name), pa.nulls(table.num_rows, SCHEMA.field(name).type)
            )
    if not table.schema.equals(SCHEMA):
        raise KIND.damage(folder / "concepts.arrow", "has other columns")
    count, owned = table.num_rows, len(names)
    if (count, owned) != (manifest["counts"]["concepts"], manifest["counts"]["names"]):
        raise KIND.damage(
            folder, f"holds {count:,} concepts and {owned:,} names, not those of its manifest"
        )
    file = {name: folder / f"{name}.npy" for name in _ARRAYS}
    id_rows = mapped_array(file["id_rows"], np.int32)
    indptr = mapped_array(file["name_indptr"], np.int64)
    rows = mapped_array(file["name_rows"], np.int32)
    preferred = mapped_array(file["name_preferred"], np.bool_)
    for name, array, size in (
        ("id_rows", id_rows, len(ids)),
        ("name_indptr", indptr, owned + 1),
        ("name_preferred", preferred, len(rows)),
    ):
        if len(array) != size:
            raise KIND.damage(file[name], f"has {len(array):,} elements; expected {size:,}")
    check_range(file["id_rows"], id_rows, count)
    check_ascending(file["name_indptr"], indptr, 0, len(rows))
    check_range(file["name_rows"], rows, count)
    # Without parents, all elements are the same zero in memory.
    parent_indptr = np.broadcast_to(np.zeros(1, np.int64), count + 1)
    parents = np.empty(0, np.int32)
    if kind is KIND:
        parent_indptr = mapped_array(file["parent_indptr"], np.int64)
        parents = mapped_array(file["parent_rows"], np.int32)
        if len(parent_indptr) != count + 1:
            what = f"has {len(parent_indptr):,} elements; expected {count + 1:,}"
            raise KIND.damage(file["parent_indptr"], what)
        check_ascending(file["parent_indptr"], parent_indptr, 0, len(parents))
        check_range(file["parent_rows"], parents, count)
    return Contents(
        table, names, ids, id_rows, indptr, rows, preferred, parent_indptr, parents, manifest
    )


def verify_store(path: str | Path) -> list[str]:
    """Return the names of the files that have changed since they were written; reads all files."""
    folder = Path(path)
    return changed_files(folder, _manifest(folder, _kind_of(folder)))


def _readable_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder, unchecked; it is empty if it cannot be read."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _kind_of(folder: Path) -> Kind:
    """Return the kind of the store: the present version, unless it says the one before."""
    before = _readable_manifest(folder).get("version") == _BEFORE.version
    return _BEFORE if before else KIND


def _manifest(folder: Path, kind: Kind) -> dict[str, Any]:
    manifest = read_manifest(folder, kind)
    if manifest.get("normalisation") != NORMALISATION:
        raise KnowledgeBaseError(
            f"{folder} was written with another normalisation than this biolink uses: {KIND.cure}"
        )
    return manifest
