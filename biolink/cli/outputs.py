"""The output files of a command, which are checked before the work and written after it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from biolink.cli.console import message
from biolink.cli.inputs import check_apart
from biolink.errors import BiolinkError, ConfigError, MissingDependencyError
from biolink.kb.files import replace_file

__all__ = ["check_outputs", "check_place", "write_outputs", "write_reports"]


def check_outputs(
    files: Sequence[str],
    suffixes: Sequence[str],
    inputs: Sequence[str],
    pictured: Iterable[str] = (),
) -> None:
    """Check before the work whether the output files can be written after it.

    Parameters
    ----------
    files
        The files to write.
    suffixes
        The suffixes that their names may have.
    inputs
        The files and folders that the command reads.
    pictured
        The suffixes of files that contain plots.

    Raises
    ------
    ConfigError
        When a name has another suffix, is given twice or is that of an input, or its folder cannot
        be written.
    MissingDependencyError
        When a file contains plots and matplotlib is not installed.
    """
    kinds = f"{', '.join(suffixes[:-1])} or {suffixes[-1]}" if suffixes[1:] else suffixes[0]
    for number, file in enumerate(files):
        path = Path(file)
        if path.suffix not in suffixes:
            raise ConfigError(f"-o {file}: expected a name that ends in {kinds}")
        if file in files[:number]:
            raise ConfigError(f"-o {file} is given twice")
        check_place(f"-o {file}", path)
        if path.suffix in pictured and find_spec("matplotlib") is None:
            raise MissingDependencyError("matplotlib", f"-o {file}", "report")
        check_apart(inputs, file)


def check_place(named: str, path: Path) -> None:
    """Raise an error if no file can be written at a path.

    Parameters
    ----------
    named
        What messages call the file.
    path
        The path.

    Raises
    ------
    ConfigError
        When the path is a folder, or its folder does not exist or cannot be written.
    """
    if path.is_dir():
        raise ConfigError(f"{named} is a folder; expected the name of a file")
    if not path.parent.is_dir():
        raise ConfigError(f"{named}: the folder {path.parent} does not exist")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ConfigError(f"{named}: the folder {path.parent} cannot be written")


def write_outputs(
    files: Iterable[str], write: Callable[[str], None]
) -> list[tuple[str, BiolinkError]]:
    """Write each file; if one fails, the others are still written.

    Parameters
    ----------
    files
        The files to write.
    write
        A function that writes one file.

    Returns
    -------
    The files that could not be written, each with its error.
    """
    failed: list[tuple[str, BiolinkError]] = []
    for file in files:
        try:
            write(file)
        except BiolinkError as error:
            failed.append((file, error))
        except OSError as error:
            failed.append((file, BiolinkError(f"{file}: {error.strerror or error}")))
        else:
            message(f"wrote {file}")
    return failed


def write_reports(
    files: Iterable[str], texts: Mapping[str, Callable[[], str]]
) -> list[tuple[str, BiolinkError]]:
    """Write a report to each file, in the form of its suffix; see :func:`write_outputs`.

    Parameters
    ----------
    files
        The files to write.
    texts
        Suffix -> a function that makes the text of a report.
    """

    def write(file: str) -> None:
        text = texts[Path(file).suffix]()
        with replace_file(file) as stream:
            stream.write(text)

    return write_outputs(files, write)
