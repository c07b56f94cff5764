"""Temporary files and folders beside what they will become, and what killed runs left of them.

Their names follow from the target's, so that the next run on the same target finds those of a
killed one. The maker of a temporary holds a lock on it for as long as it lives; that of a dead one
is free, and it is removed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from biolink.errors import InputError

try:
    import fcntl
except ImportError:  # not Unix: temporaries are not locked, and leftovers stay
    fcntl = None  # type: ignore[assignment]

__all__ = ["is_temporary", "older", "temporary_beside", "unwritable"]

_TEMPORARIES = 8


def is_temporary(name: str) -> bool:
    """Whether a name is that of a temporary file or folder of ours.

    >>> is_temporary(".part.kb.biolink-1"), is_temporary("part.kb")
    (True, False)
    """
    return re.fullmatch(r"\..+\.biolink-(\d|[0-9a-f]{32})(\.old)?", name) is not None


def unwritable(path: str | Path, error: OSError) -> InputError:
    """The error for a place that cannot be written."""
    return InputError(
        str(path), None, error.strerror or str(error), "a place that can be written, with room"
    )


@contextlib.contextmanager
def temporary_beside(target: Path, folder: bool) -> Iterator[tuple[Path, int]]:
    """A locked temporary file or folder beside a target, gone afterwards; (path, handle)."""
    names = [target.parent / f".{target.name}.biolink-{n}" for n in range(1, _TEMPORARIES + 1)]
    for name in names:
        _remove_dead(name, target)
    names.append(target.parent / f".{target.name}.biolink-{uuid.uuid4().hex}")
    made = None
    try:
        made = next(filter(None, (_make(name, folder) for name in names)), None)
    except OSError as error:
        raise unwritable(target, error) from None
    if made is None:
        raise InputError(
            str(target), None, "other runs are writing it", "an output that no other run writes"
        )
    temporary, handle = made
    try:
        yield temporary, handle
    finally:
        # Once it has been renamed, another run may have one of this name.
        if _is_at(handle, temporary):
            _remove(temporary)
        os.close(handle)


def _make(name: Path, folder: bool) -> tuple[Path, int] | None:
    """Make and lock it; None where another process has it."""
    try:
        if folder:
            name.mkdir()
    except FileExistsError:
        return None
    try:
        flags = os.O_RDONLY if folder else os.O_CREAT | os.O_EXCL | os.O_WRONLY
        handle = os.open(name, flags, 0o666)
    except FileExistsError:
        return None
    except FileNotFoundError:
        # Another process took the new folder, not locked yet, for that of a dead one.
        if folder:
            return None
        raise
    if _lock(handle) is not False and _is_at(handle, name):
        return name, handle
    os.close(handle)
    return None


def _remove_dead(name: Path, target: Path) -> None:
    """Remove what a killed run left; a folder that it was about to replace comes back."""
    old = older(name)
    with contextlib.suppress(OSError):
        handle = os.open(name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        try:
            if not _lock(handle) or not _is_at(handle, name):
                return
            _remove(name)
        finally:
            os.close(handle)
    if old.is_dir():
        if not target.exists():
            with contextlib.suppress(OSError):
                old.rename(target)
        shutil.rmtree(old, ignore_errors=True)


def older(temporary: Path) -> Path:
    """Where a folder goes that the temporary one is about to replace."""
    return temporary.with_name(f"{temporary.name}.old")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _lock(handle: int) -> bool | None:
    """Lock a file or folder; False when another process holds it, None where none can."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except OSError:
        return False
