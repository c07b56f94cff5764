"""The documents that a command is given: files, folders, standard input and texts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from itertools import chain
from pathlib import Path
from typing import TypeVar

from biolink.cli.console import message
from biolink.documents import Document
from biolink.errors import BiolinkError, ConfigError, InputError
from biolink.formats import TABLES, load, read
from biolink.formats.folders import files_below
from biolink.kb.files import STDIO, display_name

__all__ = [
    "check_inputs",
    "documents_of",
    "files_of",
    "raise_problem",
    "read_all",
    "some_documents",
]

T = TypeVar("T")
OnProblem = Callable[[BiolinkError], None]


def check_inputs(
    files: Sequence[str], texts: Sequence[str], format: str | None, text_column: str | None
) -> None:
    """Refuse options of files where there are none, or none with columns.

    Raises
    ------
    ConfigError
        Naming the option that would have no effect.
    """
    for name, value in (("--format", format), ("--text-column", text_column)):
        if value is not None and texts and not files:
            raise ConfigError(f"{name} goes with files, and there is only --text; leave it out")
    if text_column is not None and format is not None and format not in TABLES:
        load(format)
        raise ConfigError(
            f"--text-column goes with a table, and --format is {format}; expected the format "
            f"{' or '.join(TABLES)}"
        )


def files_of(names: Iterable[str], on_problem: OnProblem, output: str = STDIO) -> list[str]:
    """The files that names mean: a folder stands for the files in it and below it, sorted.

    Names that begin with a dot are left out, as ``ls`` leaves them out, and so is the file that
    the command itself writes. Whatever else in a folder cannot be read is a problem.

    Parameters
    ----------
    names
        Files, folders and ``-``.
    on_problem
        Told of folders without a file, and of what is in a folder and no file.
    output
        Where the command writes.
    """
    files: list[str] = []
    for name in names:
        if name == STDIO or not name or not Path(name).is_dir():
            files.append(name)
            continue
        found = files_below(name, on_problem)
        if output != STDIO:
            found = [file for file in found if not _same(file, output)]
        files += map(str, found)
    return files


def _same(file: Path, other: str) -> bool:
    try:
        return file.samefile(other)
    except OSError:
        return False


def read_all(
    names: Iterable[str],
    format: str | None,
    on_problem: OnProblem,
    text_column: str | None = None,
    output: str = STDIO,
) -> Iterator[Document]:
    """The documents of several files and folders; a file that cannot be read is a problem, too.

    Parameters
    ----------
    names, output
        As for :func:`files_of`.
    format
        Of the files; found by content when None.
    on_problem
        Told of what cannot be read.
    text_column
        Of tables: the column that holds the texts.
    """
    options = {} if text_column is None else {"text_column": text_column}
    for file in files_of(names, on_problem, output):
        if file != STDIO and not (file and Path(file).exists()):
            found, expected = "no such file or folder", "documents to read"
            on_problem(InputError(display_name(file), None, found, expected))
            continue
        if file == STDIO and sys.stdin is not None and sys.stdin.isatty():
            message("biolink: reading from the terminal; end the text with Ctrl-D")
        try:
            yield from read(file, format, on_problem, **options)
        except InputError as error:
            on_problem(error)
        except OSError as error:
            what = error.strerror or str(error)
            on_problem(InputError(display_name(file), None, what, "a readable file"))


def documents_of(texts: Sequence[str]) -> Iterator[Document]:
    """Texts of the command line as documents, numbered from 1.

    >>> [document.id for document in documents_of(["Asthma.", "Gout."])]
    ['1', '2']

    Raises
    ------
    ConfigError
        For bytes that are not UTF-8.
    """
    for number, text in enumerate(texts, 1):
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise ConfigError(f"text {number} of --text is not UTF-8") from None
        yield Document(str(number), text)


def raise_problem(problem: BiolinkError) -> None:
    """End a command at the first problem: what :func:`read_all` takes as ``on_problem``."""
    raise problem


def some_documents(documents: Iterable[T], problems: Sized) -> Iterator[T]:
    """The documents or texts, once it is known that there is one.

    Nothing is loaded and no output is opened for input that cannot be read at all.

    Parameters
    ----------
    documents
        As :func:`read_all` gives them, or :class:`biolink.texts.TextReader`.
    problems
        Where the reading tells its problems.

    Raises
    ------
    ConfigError
        When there are problems, and no document.
    """
    stream = iter(documents)
    first = next(stream, None)
    if first is None:
        if problems:
            raise ConfigError("no document could be read, so nothing was written")
        message("biolink: warning: the input has no documents")
        return iter(())
    return chain((first,), stream)
