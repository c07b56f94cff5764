"""The files that a command writes beside what it prints: checked before the work, kept after it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

from biolink.cli.console import message
from biolink.errors import BiolinkError, ConfigError, MissingDependencyError

__all__ = ["check_outputs", "write_outputs"]


def check_outputs(
    files: Sequence[str], suffixes: Sequence[str], pictured: Iterable[str] = ()
) -> None:
    """Find out before the work whether files could be written after it.

    Parameters
    ----------
    files
        That are to be written.
    suffixes
        Their names end in one of these.
    pictured
        Those of the suffixes whose files hold pictures.

    Raises
    ------
    ConfigError
        For a name of another kind, one that is there twice, and a place where nothing can be
        written.
    MissingDependencyError
        When there are to be pictures, without matplotlib.
    """
    kinds = f"{', '.join(suffixes[:-1])} or {suffixes[-1]}" if suffixes[1:] else suffixes[0]
    for number, file in enumerate(files):
        path = Path(file)
        if path.suffix not in suffixes:
            raise ConfigError(f"-o {file}: expected a name that ends in {kinds}")
        if file in files[:number]:
            raise ConfigError(f"-o {file} is given twice")
        if path.is_dir():
            raise ConfigError(f"-o {file} is a folder; expected the name of a file")
        if not path.parent.is_dir():
            raise ConfigError(f"-o {file}: the folder {path.parent} does not exist")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise ConfigError(f"-o {file}: the folder {path.parent} cannot be written")
        if path.suffix in pictured and find_spec("matplotlib") is None:
            raise MissingDependencyError("matplotlib", f"-o {file}", "report")


def write_outputs(
    files: Iterable[str], write: Callable[[str], None]
) -> list[tuple[str, BiolinkError]]:
    """Write each file; one that fails does not keep the others from being written.

    Parameters
    ----------
    files
        That are to be written.
    write
        Writes one.

    Returns
    -------
    Those that could not be written, and why.
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
