"""Temporary files and folders beside their targets, and removing those that killed runs left.

Their names follow from the name of the target, so the next run with the same target finds the
temporary files of a run that was killed. A process locks its temporary file or folder for as long
as it runs. If the lock is free, the process that made it has ended, and the temporary is removed.
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
except ImportError:  # On other systems than Unix nothing is locked, and leftovers stay.
    fcntl = None  # type: ignore[assignment]

__all__ = ["is_temporary", "older", "temporary_beside", "try_lock", "unwritable"]

_TEMPORARIES = 8


def is_temporary(name: str) -> bool:
    """Return whether a file or folder with this name is one of biolink's temporaries.

    >>> is_temporary(".part.kb.biolink-1"), is_temporary("part.kb")
    (True, False)
    """
    return re.fullmatch(r"\..+\.biolink-(\d|[0-9a-f]{32})(\.old)?", name) is not None


def unwritable(path: str | Path, error: OSError) -> InputError:
    """Return the error for a path that cannot be written."""
    return InputError(
        str(path), None, error.strerror or str(error), "a path that can be written, with free space"
    )


@contextlib.contextmanager
def temporary_beside(target: Path, folder: bool) -> Iterator[tuple[Path, int]]:
    """Make a locked temporary file or folder beside a target; it is removed after the block.

    Yields
    ------
    (path, handle): its path, and its open file descriptor.

    Raises
    ------
    InputError
        If it cannot be made, or other processes are writing the same target.
    """
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
        # After it has been renamed, another run may have made one of the same name.
        if _is_at(handle, temporary):
            _remove(temporary)
        os.close(handle)


def _make(name: Path, folder: bool) -> tuple[Path, int] | None:
    """Make and lock a temporary file or folder; None if another process has one of this name."""
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
        # Another process removed the new folder before it was locked, as a leftover.
        if folder:
            return None
        raise
    if try_lock(handle) is not False and _is_at(handle, name):
        return name, handle
    os.close(handle)
    return None


def _remove_dead(name: Path, target: Path) -> None:
    """Remove what a killed run left, and restore the folder that it was about to replace."""
    old = older(name)
    with contextlib.suppress(OSError):
        handle = os.open(name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        try:
            if not try_lock(handle) or not _is_at(handle, name):
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
    """Return where the old folder is moved when the temporary one replaces it."""
    return temporary.with_name(f"{temporary.name}.old")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def try_lock(handle: int) -> bool | None:
    """Lock a file or folder.

    Returns False if another process holds the lock, and None if the system cannot lock.
    """
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
    """Return whether the path is still the file or folder that was opened."""
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except OSError:
        return False
