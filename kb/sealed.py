"""Sealed folders: data files beside a manifest that says what each of them holds.

A stored knowledge base is one, and so are each of its indexes and a model folder. The manifest
carries format, version, the size and sha256 of every file and a checksum of itself. On opening, the
manifest and the sizes are always checked. The contents are compared with their sha256 once for each
copy: the stamp ``checked.json`` keeps the sizes and times of the files that were found whole. Where
no stamp can be kept (a read-only place, the installed package), contents of up to ``UNSTAMPED``
bytes are compared at each opening, which takes a twentieth of a second for the embedded base, and
as long for the embedded model; of larger folders only some files are (``Kind.always``), and the
rest by ``biolink kb validate`` or ``biolink info``.
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
    "foreign_in_index",
    "is_frozen",
    "read_manifest",
    "renew",
    "seal",
]

MANIFEST = "manifest.json"
STAMP = "checked.json"
UNSTAMPED = 256 * 2**20

#: A file of this name in a folder's ``index/``, or beside the folder, says that nothing more is
#: written into it.
FROZEN = "FROZEN"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a sealed folder holds.

    Attributes
    ----------
    format, version
        What its manifest must say.
    label
        What messages call it.
    files
        Its files, without the manifest; empty where they vary.
    cure
        What to do when it is damaged.
    patterns
        Where the files vary: the names of those that are sealed.
    manifest
        The name of its manifest.
    error
        What is raised.
    always
        Endings of the files whose contents are compared at each opening, however large the folder:
        those whose damage could end the process, and those that are small.
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

    def damage(self, place: Path, what: str) -> BiolinkError:
        """The error for a damaged folder or file of this kind."""
        folder = place if place.is_dir() else place.parent
        cure = "install the package again" if is_frozen(folder) else self.cure
        return self.error(f"{place} {what}. The {self.label} is damaged: {cure}")

    def names(self, folder: Path) -> list[str]:
        """The files to seal in a folder that has been written."""
        if not self.patterns:
            return list(self.files)
        present = sorted(file.name for file in folder.iterdir() if file.is_file())
        return [name for name in present if self.seals(name)]

    def seals(self, name: str) -> bool:
        """Whether a file of this name is one of those that are sealed."""
        if name in (self.manifest, STAMP):
            return False
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.patterns or self.files)

    def names_right(self, names: Iterable[str]) -> bool:
        """Whether a manifest names the files that it should."""
        if self.patterns:
            return all(map(self.seals, names))
        return set(names) == set(self.files)


def foreign_in_index(folder: Path) -> list[str]:
    """Names of what a folder holds that no index holds."""
    return foreign_names(folder, ("*.npy", "*.json"))


def is_frozen(folder: Path) -> bool:
    """Whether the store that the folder is, or that it is an index of, says so."""
    return (folder / "index" / FROZEN).exists() or (folder.parent / FROZEN).exists()


def seal(folder: Path, kind: Kind, entries: Mapping[str, Any]) -> None:
    """Write the manifest of a folder whose files have been written."""
    manifest: dict[str, Any] = {
        "format": kind.format,
        "version": kind.version,
        **entries,
        "files": {name: _entry(folder / name) for name in kind.names(folder)},
    }
    _write_manifest(folder / kind.manifest, manifest)


def renew(folder: Path, kind: Kind, name: str) -> None:
    """Say in the manifest of a sealed folder that one of its files was written anew, or added."""
    manifest = read_manifest(folder, kind)
    files = manifest["files"] | {name: _entry(folder / name)}
    _write_manifest(folder / kind.manifest, manifest | {"files": files})


def _entry(file: Path) -> dict[str, Any]:
    return {"bytes": file.stat().st_size, "sha256": sha256_of(file)}


def _write_manifest(file: Path, manifest: Mapping[str, Any]) -> None:
    written = json.loads(json.dumps(manifest))
    written["checksum"] = _checksum(written)
    text = json.dumps(written, indent=1, ensure_ascii=False)
    with replace_file(file) as stream:
        stream.write(text + "\n")


def _checksum(manifest: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in manifest.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def read_manifest(folder: Path, kind: Kind) -> dict[str, Any]:
    """The manifest, checked.

    Raises
    ------
    KnowledgeBaseError
        When the folder is of another kind or version, or the manifest is damaged or missing (for
        a model, a ModelError).
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
        raise kind.damage(file, f"names other files than {expected}")
    return manifest


def check_files(folder: Path, kind: Kind, manifest: Mapping[str, Any]) -> None:
    """Check that the files are those that were written.

    Raises
    ------
    KnowledgeBaseError
        When one is missing, has another size or another content; it names the file (for a model,
        a ModelError).
    """
    found: dict[str, list[int]] = {}
    for name, expected in manifest["files"].items():
        try:
            status = (folder / name).stat()
        except OSError:
            raise kind.damage(folder / name, "is missing") from None
        if status.st_size != expected["bytes"]:
            raise kind.damage(
                folder / name, f"has {status.st_size:,} bytes; expected {expected['bytes']:,} bytes"
            )
        # The time of the last change of status tells a copy that keeps the other times.
        found[name] = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    stamp = {"checksum": manifest["checksum"], "files": found}
    stamped = not is_frozen(folder) and os.access(folder, os.W_OK)
    if stamped and _stamp(folder) == stamp:
        return
    names: Iterable[str] = found
    if not stamped and sum(size for size, _, _ in found.values()) > UNSTAMPED:
        names = [name for name in found if name.endswith(kind.always)]
    for name in changed_files(folder, manifest, names):
        raise kind.damage(folder / name, "is not what was written (its sha256 differs)")
    if stamped:
        with contextlib.suppress(OSError):
            (folder / STAMP).write_text(json.dumps(stamp), encoding="utf-8")


def _stamp(folder: Path) -> Any:
    try:
        return json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def changed_files(
    folder: Path, manifest: Mapping[str, Any], names: Iterable[str] | None = None
) -> list[str]:
    """Those of the files (of all when None) whose content is not what was written."""
    files = manifest["files"]
    changed = []
    for name in files if names is None else names:
        try:
            whole = sha256_of(folder / name) == files[name]["sha256"]
        except OSError:
            whole = False
        if not whole:
            changed.append(name)
    return changed
