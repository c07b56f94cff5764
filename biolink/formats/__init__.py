"""File formats of documents: one module per format, each able to recognise its own files.

A format module has ``LABEL``, ``SUFFIXES``, ``sniff(path, head)`` and ``read(path, on_problem)``,
which yields documents as a stream; one that can be written has ``write(documents, stream)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from biolink.documents import Document
from biolink.errors import ConfigError, InputError
from biolink.formats.problems import OnProblem
from biolink.kb.files import STDIO, display_name, peek, replace_file, stem_suffixes

__all__ = ["FORMATS", "describe", "format_of_name", "read", "sniff_format", "write"]

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
    if name not in FORMATS:
        raise ConfigError(f"unknown format {name!r}: one of {', '.join(FORMATS)}")
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


def sniff_format(path: str | Path) -> str:
    """The format of a file, by its content; a file that no other format claims is text.

    stdin cannot be read twice, so its format must be named (plain text otherwise).
    """
    if str(path) == STDIO:
        return "text"
    if not Path(path).is_file():
        found = "a folder" if Path(path).is_dir() else "no such file"
        raise InputError(display_name(path), None, found, "a file of documents")
    head = peek(path)
    return next(name for name in FORMATS if load(name).sniff(path, head))


def format_of_name(path: str | Path) -> str | None:
    """The format that a file's name asks for, or None; the last known suffix decides."""
    by_suffix = {suffix: name for name in reversed(FORMATS) for suffix in load(name).SUFFIXES}
    for suffix in reversed(stem_suffixes(path)):
        if suffix in by_suffix and not (suffix == ".txt" and ".pubtator" in stem_suffixes(path)):
            return by_suffix[suffix]
    return None


def read(
    path: str | Path, format: str | None = None, on_problem: OnProblem = None
) -> Iterator[Document]:
    """Stream the documents of a file, gzip and xz included; ``-`` is stdin.

    Parameters
    ----------
    path
        The file.
    format
        Name of the format; found from the content when None.
    on_problem
        Called with each problem instead of raising it; the documents that can be read follow.

    Raises
    ------
    InputError
        When the file is not what its format says, with file and line.
    """
    reader = load(format or sniff_format(path))
    documents: Iterator[Document] = reader.read(path, on_problem)
    return documents


def write(documents: Iterable[Document], path: str | Path, format: str | None = None) -> None:
    """Write documents to a file, ``-`` for stdout; compressed when its name ends in .gz or .xz.

    Written under a temporary name and renamed, so a failure leaves no half file.

    Raises
    ------
    ConfigError
        When the format is unknown, cannot be written, or does not follow from the name.
    """
    name = format or format_of_name(path)
    if name is None:
        raise ConfigError(f"no format follows from the name {str(path)!r}: give one (--format)")
    module = load(name)
    if not hasattr(module, "write"):
        writers = [info.name for info in describe() if info.writes]
        raise ConfigError(f"{name} cannot be written: one of {', '.join(writers)}")
    with replace_file(path) as stream:
        module.write(documents, stream)
