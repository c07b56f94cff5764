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
from biolink.kb.files import STDIO, check_named_folder, display_name

__all__ = [
    "check_apart",
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
    files: Sequence[str],
    texts: Sequence[str],
    format: str | None,
    text_column: str | None,
    output: str = STDIO,
) -> None:
    """Raise an error if an option would have no effect, or the output is also an input.

    What cannot be read in an input would be lost if the output replaced it.

    Raises
    ------
    ConfigError
        The message names the option.
    """
    check_apart(files, output)
    for name, value in (("--format", format), ("--text-column", text_column)):
        if value is not None and texts and not files:
            raise ConfigError(f"{name} goes with files, and there is only --text; leave it out")
    if text_column is not None and format is not None and format not in TABLES:
        load(format)
        raise ConfigError(
            f"--text-column goes with a table, and --format is {format}; expected the format "
            f"{' or '.join(TABLES)}"
        )


def check_apart(files: Iterable[str], output: str) -> None:
    """Raise an error if the output is also an input.

    Every file that is read from an input folder is an input, because nothing tells an earlier
    output from a file that would be lost.

    Parameters
    ----------
    files
        The input files and folders.
    output
        The output file.

    Raises
    ------
    ConfigError
        It names the output, and the folder in which it is an input.
    """
    if output == STDIO:
        return
    for name in files:
        if not name or name == STDIO:
            continue
        if _same(Path(name), output):
            raise ConfigError(f"-o {output} is also an input; expected another name")
        if Path(output).is_dir():
            check_named_folder(output, "the output")
            if Path(output).resolve() in Path(name).resolve().parents:
                raise ConfigError(f"-o {output} contains the input {name}; expected another name")
        if Path(name).is_dir() and any(_same(file, output) for file in _visible(Path(name))):
            raise ConfigError(
                f"-o {output} is also an input, because it exists in {name}; expected another "
                "name; if an earlier command wrote the file, remove it first"
            )


def _visible(folder: Path) -> list[Path]:
    """The files that are read from a folder; its problems are reported when it is read."""
    return files_below(folder, lambda problem: None, "text")  # All files, also texts of BRAT.


def files_of(names: Iterable[str], on_problem: OnProblem, format: str | None = None) -> list[str]:
    """List the input files; a folder stands for the files in it and below it, sorted.

    As with ``ls``, names in a folder that begin with a dot are left out.

    Parameters
    ----------
    names
        Files, folders and ``-``.
    on_problem
        Called for a folder without files, and for an entry of a folder that is not a file.
    format
        The format of the files, if it is given.
    """
    files: list[str] = []
    for name in names:
        if name == STDIO or not name or not Path(name).is_dir():
            files.append(name)
        else:
            files += map(str, files_below(name, on_problem, format))
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
) -> Iterator[Document]:
    """Yield the documents of several files and folders; a file that cannot be read is a problem.

    Parameters
    ----------
    names
        Files, folders and ``-``, as for :func:`files_of`.
    format
        The format of the files. Default: found by content.
    on_problem
        Called with each problem.
    text_column
        For tables, the column that holds the texts.
    """
    options = {} if text_column is None else {"text_column": text_column}
    for file in files_of(names, on_problem, format):
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
    """Yield texts of the command line as documents, numbered from 1.

    >>> [document.id for document in documents_of(["Asthma.", "Gout."])]
    ['1', '2']

    Raises
    ------
    ConfigError
        When a text has bytes that are not UTF-8.
    """
    for number, text in enumerate(texts, 1):
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise ConfigError(f"text {number} of --text is not UTF-8") from None
        yield Document(str(number), text)


def raise_problem(problem: BiolinkError) -> None:
    """Raise a problem; as ``on_problem`` of :func:`read_all` this ends a command at the first."""
    raise problem


def some_documents(documents: Iterable[T], problems: Sized) -> Iterator[T]:
    """Return the documents or texts after checking that there is at least one.

    If no input can be read, no model is loaded and no output is opened.

    Parameters
    ----------
    documents
        Documents of :func:`read_all`, or texts of :class:`biolink.texts.TextReader`.
    problems
        The list to which reading adds its problems.

    Raises
    ------
    ConfigError
        When there are problems and no document.
    """
    stream = iter(documents)
    first = next(stream, None)
    if first is None:
        if problems:
            raise ConfigError("no document could be read, so nothing was written")
        message("biolink: warning: the input has no documents")
        return iter(())
    return chain((first,), stream)
