"""The stored knowledge base: a folder ``NAME.kb`` whose files are memory-mapped.

========================  ==========================================================
``manifest.json``         format, version, counts, sizes, sources, licence, fingerprint
``concepts.arrow``        Arrow IPC file, a row per concept
``names.marisa``          normalised name <-> name id
``ids.marisa``            id and alternative ids -> position in ``id_rows.npy``
``id_rows.npy``           position -> row
``name_indptr.npy``       name i is owned by ``name_rows[indptr[i]:indptr[i + 1]]``
``name_rows.npy``         rows, preferred owners first
``name_preferred.npy``    whether the name is that row's preferred name
========================  ==========================================================
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import marisa_trie
import numpy as np
import pyarrow as pa

from biolink.errors import KnowledgeBaseError
from biolink.kb.arrays import mapped_array
from biolink.kb.files import replace_folder, sha256_of
from biolink.kb.knowledge_base import KnowledgeBase
from biolink.kb.names import NORMALISATION

__all__ = ["FORMAT", "VERSION", "is_store", "open_store", "save_store", "verify_store"]

FORMAT = "biolink-kb"
VERSION = 1
_ARRAYS = ("id_rows", "name_indptr", "name_rows", "name_preferred")
_FILES = (
    "concepts.arrow",
    "names.marisa",
    "ids.marisa",
    *(f"{name}.npy" for name in _ARRAYS),
)


def is_store(path: str | Path) -> bool:
    """Whether the folder says of itself that it is a stored knowledge base."""
    try:
        manifest = json.loads((Path(path) / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("format") == FORMAT


def save_store(kb: KnowledgeBase, path: str | Path) -> None:
    """Write the folder under a temporary name and rename it; a subset is numbered anew."""
    kb = kb.materialise()
    with replace_folder(path) as folder:
        with (
            pa.OSFile(str(folder / "concepts.arrow"), "wb") as sink,
            pa.ipc.new_file(sink, kb._table.schema) as writer,
        ):
            writer.write_table(kb._table)
        kb._names.save(str(folder / "names.marisa"))
        kb._ids.save(str(folder / "ids.marisa"))
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(kb, f"_{name}"), allow_pickle=False)
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            **{key: value for key, value in kb.manifest.items() if key not in _COMPUTED},
            "counts": {"concepts": len(kb), "names": kb.name_count},
            "fingerprint": kb.fingerprint,
            "files": {
                name: {"bytes": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)}
                for name in _FILES
            },
        }
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")


_COMPUTED = {"format", "version", "counts", "fingerprint", "files", "subset_of"}


def open_store(path: str | Path) -> KnowledgeBase:
    """Map a stored knowledge base; see :meth:`KnowledgeBase.open`."""
    folder = Path(path)
    manifest = _manifest(folder)
    for name, expected in manifest["files"].items():
        file = folder / name
        size = file.stat().st_size if file.is_file() else None
        if size != expected["bytes"]:
            found = "is missing" if size is None else f"has {size:,} bytes"
            raise KnowledgeBaseError(
                f"{file} {found}; expected {expected['bytes']:,} bytes. The store is damaged: "
                "build it again with `biolink kb build`"
            )
    try:
        table = pa.ipc.open_file(pa.memory_map(str(folder / "concepts.arrow"))).read_all()
        arrays = [mapped_array(folder / f"{name}.npy") for name in _ARRAYS]
        names = marisa_trie.Trie().mmap(str(folder / "names.marisa"))
        ids = marisa_trie.Trie().mmap(str(folder / "ids.marisa"))
    except (pa.ArrowException, ValueError, RuntimeError, OSError) as error:
        raise KnowledgeBaseError(
            f"{folder} is damaged ({error}): build it again with `biolink kb build`"
        ) from None
    id_rows, indptr, rows, preferred = arrays
    if len(indptr) != len(names) + 1 or len(id_rows) != len(ids) or len(rows) != len(preferred):
        raise KnowledgeBaseError(
            f"{folder} is damaged: its arrays do not fit its names; build it again with "
            "`biolink kb build`"
        )
    return KnowledgeBase(table, names, ids, id_rows, indptr, rows, preferred, manifest, folder)


def verify_store(path: str | Path) -> list[str]:
    """Names of the store's files whose content is not what was written (reads all of them)."""
    folder = Path(path)
    return [
        name
        for name, expected in _manifest(folder)["files"].items()
        if not (folder / name).is_file() or sha256_of(folder / name) != expected["sha256"]
    ]


def _manifest(folder: Path) -> dict[str, Any]:
    file = folder / "manifest.json"
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise KnowledgeBaseError(
            f"{folder} is not a stored knowledge base: it has no manifest.json"
        ) from None
    except ValueError as error:
        raise KnowledgeBaseError(
            f"{file} is damaged ({error}): build the knowledge base again"
        ) from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise KnowledgeBaseError(f'{file} does not say "format": "{FORMAT}"')
    if manifest.get("version") != VERSION:
        raise KnowledgeBaseError(
            f"{folder} has version {manifest.get('version')} of the store; this biolink reads "
            f"version {VERSION}: build it again with `biolink kb build`"
        )
    if manifest.get("normalisation") != NORMALISATION or set(manifest.get("files", ())) != set(
        _FILES
    ):
        raise KnowledgeBaseError(
            f"{folder} was written with another normalisation or other files than this biolink "
            "uses: build it again with `biolink kb build`"
        )
    return manifest
