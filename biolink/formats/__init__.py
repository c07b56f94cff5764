"""File formats of documents: one module per format, each able to recognise its own files.

A format module has ``LABEL``, ``SUFFIXES`` and ``sniff(path, head)``. One that can be read has
``read(path, on_problem)``, which yields documents as a stream, with ``text_column`` where it is a
table; one that can be written has ``write(documents, stream)``, with ``on_problem`` where it cannot
hold every document.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from biolink.documents import Document, each_document
from biolink.errors import ConfigError, InputError
from biolink.formats.folders import files_below
from biolink.formats.problems import OnProblem, raise_or_report
from biolink.kb.arguments import need_callable, need_path, need_text
from biolink.kb.files import STDIO, display_name, peek, replace_file, stem_suffixes

__all__ = ["FORMATS", "TABLES", "describe", "format_of_name", "read", "sniff_format", "write"]

#: Name -> module, in the order in which they are asked whether a file is theirs. Loaded when used.
FORMATS: dict[str, str] = {
    "bioc-xml": "biolink.formats.bioc_xml",
    "bioc-json": "biolink.formats.bioc_json",
    "pubmed-xml": "biolink.formats.pubmed_xml",
    "medline": "biolink.formats.medline",
    "pubtator": "biolink.formats.pubtator",
    "jsonl": "biolink.formats.jsonl",
    "parquet": "biolink.formats.parquet",
    "tsv": "biolink.formats.tsv",
    "csv": "biolink.formats.csv",
    "html": "biolink.formats.html",
    "lines": "biolink.formats.lines",
    "text": "biolink.formats.text",
}


@dataclass(frozen=True, slots=True)
class FormatInfo:
    """What a format can do, as ``biolink formats`` prints it."""

    name: str
    label: str
    suffixes: tuple[str, ...]
    reads: bool
    writes: bool


def load(name: str) -> ModuleType:
    """The module of a format.

    Raises
    ------
    ConfigError
        When there is no such format.
    """
    if not isinstance(name, str) or name not in FORMATS:
        raise ConfigError(
            f"the format {name!r} of documents is unknown; expected one of {', '.join(FORMATS)}"
        )
    return import_module(FORMATS[name])


def describe() -> list[FormatInfo]:
    """All formats."""
    modules = {name: load(name) for name in FORMATS}
    return [
        FormatInfo(
            name,
            module.LABEL,
            tuple(module.SUFFIXES),
            hasattr(module, "read"),
            hasattr(module, "write"),
        )
        for name, module in modules.items()
    ]


def sniff_format(path: str | Path, text_column: str | None = None) -> str:
    """The format of a file, by its content; where that leaves a choice, by its name.

    Parameters
    ----------
    path
        The file; of stdin the beginning is looked at, and can still be read.
    text_column
        Says that the file is a table.

    Raises
    ------
    InputError
        For what is neither a file nor of any format: XML, HTML, JSON and binary files that are not
        known are never taken for plain text.
    """
    source = display_name(path)
    if str(path) != STDIO and (Path(path).is_dir() or not Path(path).exists()):
        found = "a folder" if Path(path).is_dir() and str(path) else "no such file"
        raise InputError(source, None, found, "a file of documents")
    head = peek(path)
    named = None if str(path) == STDIO else format_of_name(path)
    if named is not None and not hasattr(load(named), "read"):
        named = None
    if text_column is not None and named in (None, "text"):
        return "tsv" if "\t" in head.split("\n", 1)[0] else "csv"
    claims = [name for name in FORMATS if name != "text" and load(name).sniff(path, head)]
    if named in claims:
        return str(named)
    if named is not None and named not in ("text", *_SHARED):
        # Its reader says what is wrong, unless the file bears the signs of another.
        return next((name for name in claims if name in _SIGNED), named)
    if claims:
        return claims[0]
    if not load("text").sniff(path, head):
        readers = [info.name for info in describe() if info.reads and info.name != "text"]
        raise InputError(
            source,
            None,
            "a format of documents that is not known",
            f"one of {', '.join(readers)}; name it with --format (in Python format=), or read the "
            "file as it stands with the format text",
        )
    return named or "text"


#: Formats that take ``text_column``.
TABLES = ("tsv", "csv", "parquet")
#: Formats whose suffix is that of many others (.xml, .json).
_SHARED = ("bioc-xml", "bioc-json")
#: Formats for which no other can be taken.
_SIGNED = ("bioc-xml", "pubmed-xml", "bioc-json", "parquet")


def format_of_name(path: str | Path) -> str | None:
    """The format that a file's name asks for, or None; the last known suffix decides."""
    by_suffix = {suffix: name for name in reversed(FORMATS) for suffix in load(name).SUFFIXES}
    for suffix in reversed(stem_suffixes(path)):
        if suffix in by_suffix and not (suffix == ".txt" and ".pubtator" in stem_suffixes(path)):
            return by_suffix[suffix]
    return None


def read(
    path: str | Path,
    format: str | None = None,
    on_problem: OnProblem = None,
    text_column: str | None = None,
) -> Iterator[Document]:
    """Stream the documents of a file, gzip and xz included; ``-`` is stdin.

    Parameters
    ----------
    path
        The file, or a folder: all files in it and below it, whose names do not begin with a dot.
    format
        Name of the format; found from content and name when None.
    on_problem
        Called with each problem instead of raising it; the documents that can be read follow.
    text_column
        Of a table (CSV, TSV, Parquet): the column that holds the texts; found by its name when
        None.

    Raises
    ------
    InputError
        When the file is not what its format says, with file and line.
    ConfigError
        When an argument is not what it should be.
    """
    path = need_path(path, "the path of a file or folder of documents")
    if format is not None:
        load(format)
    need_callable("on_problem", on_problem, "a function that is told of a problem")
    if text_column is not None:
        need_text("text_column", text_column)
    if str(path) != STDIO and Path(path).is_dir():
        return _read_folder(path, format, on_problem, text_column)
    name = format or sniff_format(path, text_column)
    reader = load(name)
    if not hasattr(reader, "read"):
        readers = [info.name for info in describe() if info.reads]
        raise ConfigError(
            f"documents cannot be read as {name}; expected one of {', '.join(readers)}"
        )
    options = {}
    if text_column is not None:
        if name not in TABLES:
            expected = f"a table ({', '.join(TABLES)}), as a column of texts is named"
            raise InputError(display_name(path), None, f"the format {name}", expected)
        options["text_column"] = text_column
    documents: Iterator[Document] = reader.read(path, on_problem, **options)
    return documents


def _read_folder(
    folder: str | Path, format: str | None, on_problem: OnProblem, text_column: str | None
) -> Iterator[Document]:
    def tell(problem: InputError) -> None:
        raise_or_report(problem, on_problem)

    for file in files_below(folder, tell):
        try:
            yield from read(file, format, on_problem, text_column)
        except InputError as problem:
            tell(problem)


def write(
    documents: Document | Iterable[Document],
    path: str | Path,
    format: str | None = None,
    on_problem: OnProblem = None,
) -> None:
    """Write documents to a file, ``-`` for stdout; compressed when its name ends in .gz or .xz.

    Written under a temporary name and renamed, so a failure leaves no half file.

    Parameters
    ----------
    documents
        One or several.
    path
        The file.
    format
        Name of the format; follows from the file's name when None.
    on_problem
        Called with the problem of a document that the format cannot hold, instead of raising it;
        the others are written.

    Raises
    ------
    ConfigError
        When the format is unknown, cannot be written, or does not follow from the name, or an
        argument is not what it should be.
    """
    path = need_path(path, "the path of a file to write")
    need_callable("on_problem", on_problem, "a function that is told of a problem")
    documents = each_document(documents, "write")
    name = format or format_of_name(path)
    if name is None:
        raise ConfigError(
            f"the name {str(path)!r} tells no format; expected one with format=, or a name such as "
            "out.jsonl"
        )
    module = load(name)
    if not hasattr(module, "write"):
        writers = [info.name for info in describe() if info.writes]
        raise ConfigError(
            f"documents cannot be written as {name}; expected one of {', '.join(writers)}"
        )
    options = {}
    if "on_problem" in inspect.signature(module.write).parameters:
        options["on_problem"] = on_problem
    with replace_file(path) as stream:
        module.write(documents, stream, **options)
