"""The files of a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from biolink.errors import InputError
from biolink.formats.brat import without_texts

__all__ = ["files_below"]


def files_below(
    folder: str | Path, on_problem: Callable[[InputError], None], format: str | None = None
) -> list[Path]:
    """List the files in a folder and below it, sorted, without names that begin with a dot.

    A text with a file of BRAT's annotations beside it is left out, because it is read with these,
    and so are BRAT's settings beside such files.

    Parameters
    ----------
    folder
        The folder.
    on_problem
        Called when the folder has no files, when a folder cannot be read, and for an entry that is
        neither a file nor a folder.
    format
        The format in which the files will be read, if it is given. All files are listed for a
        format other than BRAT's.
    """
    files = list(_below(Path(folder), on_problem))
    if format in (None, "brat"):
        files = without_texts(files)
    if not files:
        on_problem(InputError(str(folder), None, "a folder without files", "documents in it"))
    return files


def _below(folder: Path, on_problem: Callable[[InputError], None]) -> Iterator[Path]:
    def report(error: OSError) -> None:
        what = error.strerror or str(error)
        on_problem(InputError(str(error.filename), None, what, "a readable folder"))

    for parent, folders, names in os.walk(folder, onerror=report):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(parent, name)
            if name.startswith("."):
                continue
            if file.exists() and not file.is_file():
                on_problem(
                    InputError(str(file), None, "neither a file nor a folder", "one of them")
                )
            else:
                yield file
