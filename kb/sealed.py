"""Sealed folders: data files with a manifest of their sizes and checksums.

A stored knowledge base, each of its indexes and a model folder are sealed folders. The manifest
holds the format, the version, the size and sha256 of every file and a checksum of itself. Whenever
a folder is opened, its manifest and the sizes are checked. The contents are compared with their
sha256 once for each copy of the folder; the file ``checked.json``, the stamp, then records the
sizes and times of the files that were compared.

No stamp can be written into a read-only folder or the installed package. There, contents of up to
``UNSTAMPED`` bytes are compared each time, which takes a twentieth of a second for the embedded
knowledge base and as long for the embedded model. In larger folders only some files are compared
(``Kind.always``); ``biolink kb validate`` and ``biolink info`` compare all.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biolink.errors import BiolinkError, KnowledgeBaseError
from biolink.kb.files import foreign_names, replace_file, sha256_of

__all__ = [
    "FROZEN",
    "MANIFEST",
    "STAMP",
    "Kind",
    "changed_files",
    "check_files",
    "checked_manifest",
    "entry_of",
    "foreign_in_index",
    "is_frozen",
    "read_manifest",
    "renew",
    "seal",
    "size_problem",
]

MANIFEST = "manifest.json"
STAMP = "checked.json"
UNSTAMPED = 256 * 2**20

#: If a file of this name is in a folder's ``index/``, or beside the folder, nothing is written into
#: the folder.
FROZEN = "FROZEN"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of sealed folder.

    Attributes
    ----------
    format, version
        The format and version that the manifest must have.
    label
        The name of the kind in messages.
    files
        The names of the files, without the manifest; empty if they vary.
    cure
        What a user should do if the folder is damaged.
    patterns
        Patterns for the names of the sealed files, if they vary.
    manifest
        The name of the manifest. Default: ``manifest.json``.
    error
        The class of errors to raise. Default: :class:`biolink.errors.KnowledgeBaseError`.
    always
        The suffixes of files whose contents are compared whenever the folder is opened, however
        large it is. These are small files, and files that could crash the process if damaged.
    """

    format: str
    version: int
    label: str
    files: tuple[str, ...]
    cure: str
    patterns: tuple[str, ...] = ()
    manifest: str = MANIFEST
    error: type[BiolinkError] = KnowledgeBaseError
    always: tuple[str, ...] = (".marisa",)

    def damage(self, path: Path, what: str) -> BiolinkError:
        """Return the error for a damaged folder or file; ``what`` begins with a verb."""
        folder = path if path.is_dir() else path.parent
        cure = "install the package again" if is_frozen(folder) else self.cure
        return self.error(f"{path} {what}. The {self.label} is damaged: {cure}")

    def names(self, folder: Path) -> list[str]:
        """Return the names of the files to seal in a folder that has been written."""
        if not self.patterns:
            return list(self.files)
        present = sorted(file.name for file in folder.iterdir() if file.is_file())
        return [name for name in present if self.seals(name)]

    def seals(self, name: str) -> bool:
        """Return whether a file with this name is sealed."""
        if name in (self.manifest, STAMP):
            return False
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.patterns or self.files)

    def names_right(self, names: Iterable[str]) -> bool:
        """Return whether these are the names that a manifest must have."""
        if self.patterns:
            return all(map(self.seals, names))
        return set(names) == set(self.files)


def foreign_in_index(folder: Path) -> list[str]:
    """List the entries of a folder that do not belong to an index."""
    return foreign_names(folder, ("*.npy", "*.json"))


def is_frozen(folder: Path) -> bool:
    """Return whether nothing may be written into this folder; see :data:`FROZEN`."""
    return (folder / "index" / FROZEN).exists() or (folder.parent / FROZEN).exists()


def seal(folder: Path, kind: Kind, entries: Mapping[str, Any]) -> None:
    """Write the manifest of a folder, after all its files have been written."""
    manifest: dict[str, Any] = {
        "format": kind.format,
        "version": kind.version,
        **entries,
        "files": {name: entry_of(folder / name) for name in kind.names(folder)},
    }
    _write_manifest(folder / kind.manifest, manifest)


def renew(folder: Path, kind: Kind, name: str) -> None:
    """Update the manifest of a sealed folder after one file has been added or written again."""
    manifest = read_manifest(folder, kind)
    files = manifest["files"] | {name: entry_of(folder / name)}
    _write_manifest(folder / kind.manifest, manifest | {"files": files})


def entry_of(file: Path) -> dict[str, Any]:
    """Return the size and sha256 of a file, as a manifest holds them."""
    return {"bytes": file.stat().st_size, "sha256": sha256_of(file)}


def _write_manifest(file: Path, manifest: Mapping[str, Any]) -> None:
    entries = json.loads(json.dumps(manifest))
    entries["checksum"] = _checksum(entries)
    text = json.dumps(entries, indent=1, ensure_ascii=False)
    with replace_file(file) as stream:
        stream.write(text + "\n")


def _checksum(manifest: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in manifest.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def read_manifest(folder: Path, kind: Kind) -> dict[str, Any]:
    """Read and check the manifest of a folder.

    Raises
    ------
    KnowledgeBaseError
        If the folder is of another kind or version, or the manifest is damaged or missing. For a
        model it is a ModelError.
    """
    file = folder / kind.manifest
    holds_files = bool(kind.patterns) or any((folder / name).exists() for name in kind.files)
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if holds_files:
            raise kind.damage(file, "is missing") from None
        raise kind.error(
            f"{folder} is not a stored {kind.label}: it has no {kind.manifest}"
        ) from None
    except OSError as error:
        raise kind.error(f"{file} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise kind.damage(file, f"is not JSON ({error})") from None
    if holds_files and not (isinstance(manifest, dict) and isinstance(manifest.get("format"), str)):
        raise kind.damage(file, "does not say what the folder holds")
    if not isinstance(manifest, dict) or manifest.get("format") != kind.format:
        raise kind.error(
            f'{folder} is not a {kind.label}: {file} does not say "format": "{kind.format}"'
        )
    if manifest.get("version") != kind.version:
        raise kind.error(
            f"{folder} has version {manifest.get('version')} of the {kind.label}; this biolink "
            f"reads version {kind.version}: {kind.cure}"
        )
    if manifest.get("checksum") != _checksum(manifest):
        raise kind.damage(file, "is not what was written")
    files = manifest.get("files")
    if not isinstance(files, dict) or not kind.names_right(files):
        expected = ", ".join(kind.patterns or kind.files)
        raise kind.damage(file, f"names files other than {expected}")
    return manifest


def checked_manifest(folder: Path, kind: Kind, fingerprint: str | None = None) -> dict[str, Any]:
    """Read the manifest of an index, and check the index's files and its fingerprint.

    Parameters
    ----------
    folder, kind
        The folder of the index, and its kind.
    fingerprint
        The fingerprint that the index must have. Default: None, which accepts any.

    Raises
    ------
    KnowledgeBaseError
        If the index is damaged, or was built from something else.
    """
    manifest = read_manifest(folder, kind)
    if fingerprint is not None and manifest.get("fingerprint") != fingerprint:
        raise kind.error(f"{folder} was built from other names, or by another model: {kind.cure}")
    check_files(folder, kind, manifest)
    return manifest


def check_files(folder: Path, kind: Kind, manifest: Mapping[str, Any]) -> None:
    """Check that the files of a folder have not changed since they were written.

    Raises
    ------
    KnowledgeBaseError
        If a file is missing or has another size or content; the message names it. For a model it is
        a ModelError.
    """
    status_of: dict[str, list[int]] = {}
    for name, expected in manifest["files"].items():
        problem = size_problem(folder / name, expected["bytes"])
        if problem is not None:
            raise kind.damage(folder / name, problem)
        try:
            status = (folder / name).stat()
        except OSError:
            raise kind.damage(folder / name, "is missing") from None
        # A copy may keep the time of modification, but not that of the last change of status.
        status_of[name] = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    stamp = {"checksum": manifest["checksum"], "files": status_of}
    stamped = not is_frozen(folder) and os.access(folder, os.W_OK)
    if stamped and _stamp(folder) == stamp:
        return
    names: Iterable[str] = status_of
    if not stamped and sum(size for size, _, _ in status_of.values()) > UNSTAMPED:
        names = [name for name in status_of if name.endswith(kind.always)]
    for name in changed_files(folder, manifest, names):
        raise kind.damage(folder / name, "is not what was written (its sha256 differs)")
    if stamped:
        with contextlib.suppress(OSError):
            (folder / STAMP).write_text(json.dumps(stamp), encoding="utf-8")


def size_problem(file: Path, expected: int) -> str | None:
    """Return a phrase that says what is wrong with the size of a file, or None.

    It begins with a verb.
    """
    try:
        size = file.stat().st_size
    except OSError:
        return "is missing"
    return None if size == expected else f"has {size:,} bytes; expected {expected:,} bytes"


def _stamp(folder: Path) -> Any:
    try:
        return json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def changed_files(
    folder: Path, manifest: Mapping[str, Any], names: Iterable[str] | None = None
) -> list[str]:
    """Return the names of the files whose contents have changed since they were written.

    Parameters
    ----------
    folder
        The folder.
    manifest
        Its manifest.
    names
        The files to compare. Default: None, for all.
    """
    files = manifest["files"]
    changed = []
    for name in files if names is None else names:
        try:
            unchanged = sha256_of(folder / name) == files[name]["sha256"]
        except OSError:
            unchanged = False
        if not unchanged:
            changed.append(name)
    return changed
