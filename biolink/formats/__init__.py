"""File formats of documents: one module for each format, which recognises its own files.

The module of a format has ``LABEL``, ``SUFFIXES`` and ``sniff(path, head)``. If the format can be
read, it has ``read(path, on_problem)``, which yields documents as a stream; for a table ``read``
takes ``text_column`` as well. If the format can be written, the module has
``write(documents, stream)``, which takes ``on_problem`` if the format cannot hold every document.
If it cannot hold all metadata, ``left_out(document)`` yields a phrase for each value that it does
not hold. If it holds texts without mentions and links, the module has ``TEXT_ONLY = True``.
A format of several files has ``write_folder(documents, folder, on_problem)``, ``foreign(folder)``
and ``FOLDER`` in place of ``write``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from biolink.documents import Document, each_document
from biolink.errors import ConfigError, InputError
from biolink.formats.folders import files_below
from biolink.formats.problems import LeftOut, OnProblem, raise_or_report
from biolink.kb.arguments import need_callable, need_path, need_text
from biolink.kb.files import STDIO, display_name, peek, replace_file, replace_folder, stem_suffixes

__all__ = [
    "FORMATS",
    "TABLES",
    "FormatInfo",
    "check_target",
    "describe",
    "format_of_name",
    "read",
    "sniff_format",
    "write",
    "writes_links",
]

#: Name of a format -> its module, in the order in which :func:`sniff_format` asks them. A module is
#: loaded when it is used.
FORMATS: dict[str, str] = {
    "bioc-xml": "biolink.formats.bioc_xml",
    "bioc-json": "biolink.formats.bioc_json",
    "pubmed-xml": "biolink.formats.pubmed_xml",
    "jats": "biolink.formats.jats",
    "pubannotation": "biolink.formats.pubannotation",
    "europepmc": "biolink.formats.europepmc",
    "bigbio": "biolink.formats.bigbio",
    "brat": "biolink.formats.brat",
    "conll": "biolink.formats.conll",
    "medline": "biolink.formats.medline",
    "pubtator": "biolink.formats.pubtator",
    "jsonl": "biolink.formats.jsonl",
    "parquet": "biolink.formats.parquet",
    "tsv": "biolink.formats.tsv",
    "csv": "biolink.formats.csv",
    "sssom": "biolink.formats.sssom",
    "html": "biolink.formats.html",
    "lines": "biolink.formats.lines",
    "text": "biolink.formats.text",
}
#: Formats that take ``text_column``.
TABLES = ("tsv", "csv", "parquet")
#: Formats whose suffix many other formats have as well (.xml, .json).
_SHARED = ("bioc-xml", "bioc-json")
#: Formats whose files cannot be mistaken for those of another.
_SIGNED = (
    *("bioc-xml", "pubmed-xml", "jats", "bioc-json", "pubannotation", "europepmc", "bigbio"),
    *("conll", "parquet"),
)


@dataclass(frozen=True, slots=True)
class FormatInfo:
    """What a format can do, as ``biolink formats`` prints it."""

    name: str
    label: str
    suffixes: tuple[str, ...]
    reads: bool
    writes: bool
    writes_links: bool


def load(name: str) -> ModuleType:
    """Return the module of a format.

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
    """Describe all formats."""
    modules = {name: load(name) for name in FORMATS}
    return [
        FormatInfo(
            name,
            module.LABEL,
            tuple(module.SUFFIXES),
            hasattr(module, "read"),
            _writes(module),
            writes_links(name),
        )
        for name, module in modules.items()
    ]


def writes_links(name: str) -> bool:
    """Return whether mentions and links can be written in a format.

    >>> writes_links("pubtator"), writes_links("text"), writes_links("medline")
    (True, False, False)
    """
    module = load(name)
    return _writes(module) and not getattr(module, "TEXT_ONLY", False)


def _writes(module: ModuleType) -> bool:
    return hasattr(module, "write") or hasattr(module, "write_folder")


def check_target(name: str, path: str | Path) -> None:
    """Raise an error if documents cannot be written in a format to a path of this kind.

    Raises
    ------
    ConfigError
        When the format cannot be written, or is one of several files and the path is no folder.
    """
    module = load(name)
    if not _writes(module):
        writers = [info.name for info in describe() if info.writes]
        raise ConfigError(
            f"documents cannot be written as {name}; expected one of {', '.join(writers)}"
        )
    if hasattr(module, "write_folder") and (str(path) == STDIO or Path(path).suffix == ".ann"):
        shown = "standard output" if str(path) == STDIO else f"the file {str(path)!r}"
        raise ConfigError(f"{name} has two files for each document; expected a folder, not {shown}")


def sniff_format(path: str | Path, text_column: str | None = None) -> str:
    """Return the format of a file by its content, and by its name if the content fits several.

    Parameters
    ----------
    path
        The file. The beginning of stdin can be read again after this call.
    text_column
        If given, the file is a table.

    Raises
    ------
    InputError
        When there is no such file, or it has no format that is known. XML, HTML, JSON and binary
        files of other formats are never read as plain text.
    """
    source = display_name(path)
    if str(path) != STDIO and (Path(path).is_dir() or not Path(path).exists()):
        found = "a folder" if Path(path).is_dir() and str(path) else "no such file"
        raise InputError(source, None, found, "a file of documents")
    head = peek(path)
    named = None if str(path) == STDIO else format_of_name(path)
    unreadable = named is not None and not hasattr(load(named), "read")
    if unreadable:
        named = None
    if text_column is not None and named in (None, "text"):
        return "tsv" if "\t" in head.split("\n", 1)[0] else "csv"
    claims = [name for name in FORMATS if name != "text" and load(name).sniff(path, head)]
    if named in claims:
        return str(named)
    if named is not None and named not in ("text", *_SHARED):
        # The reader of the named format reports what is wrong, unless the content is clearly of
        # another format.
        return next((name for name in claims if name in _SIGNED), named)
    if claims:
        return claims[0]
    if unreadable or not load("text").sniff(path, head):
        readers = [info.name for info in describe() if info.reads and info.name != "text"]
        raise InputError(
            source,
            None,
            "an unknown format of documents",
            f"one of {', '.join(readers)}; name it with --format (in Python format=), or read the "
            "file as it stands with the format text",
        )
    return named or "text"


def format_of_name(path: str | Path) -> str | None:
    """Return the format of a file by the last known suffix of its name, or None."""
    by_suffix = {suffix: name for name in reversed(FORMATS) for suffix in load(name).SUFFIXES}
    suffixes = stem_suffixes(path)
    for suffix in reversed(suffixes):
        # Such as corpus.PubTator.txt, and x.sssom.tsv, which says more than .tsv.
        before = {".txt": ".pubtator", ".tsv": ".sssom"}.get(suffix)
        if suffix in by_suffix and before not in suffixes:
            return by_suffix[suffix]
    return None


def read(
    path: str | Path,
    format: str | None = None,
    on_problem: OnProblem = None,
    text_column: str | None = None,
) -> Iterator[Document]:
    r"""Read documents as a stream; files may be compressed with gzip or xz, and ``-`` is stdin.

    Parameters
    ----------
    path
        A file, or a folder. Of a folder all files are read, those in folders below it as well,
        except files and folders whose names begin with a dot.
    format
        The name of the format. Default: found from the content and the name of the file.
    on_problem
        Called with each problem in place of raising it; reading then goes on.
    text_column
        For a table (CSV, TSV, Parquet), the name of the column that holds the texts. Default:
        found by its name.

    Examples
    --------
    >>> from pathlib import Path
    >>> import biolink
    >>> _ = Path("notes.csv").write_text("id,note\n1,Aspirin helps.\n")
    >>> [(document.id, document.text) for document in biolink.read("notes.csv")]
    [('1', 'Aspirin helps.')]

    Raises
    ------
    InputError
        When a file does not follow its format; the message names the file and the line.
    ConfigError
        When an argument is not valid.
    """
    path = need_path(path, "the path of a file or folder of documents")
    if format is not None:
        load(format)
    need_callable("on_problem", on_problem, "a function that is called with a problem")
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
            expected = f"a table ({', '.join(TABLES)}), since a text column is named"
            raise InputError(display_name(path), None, f"the format {name}", expected)
        options["text_column"] = text_column
    documents: Iterator[Document] = reader.read(path, on_problem, **options)
    return documents


def _read_folder(
    folder: str | Path, format: str | None, on_problem: OnProblem, text_column: str | None
) -> Iterator[Document]:
    def tell(problem: InputError) -> None:
        raise_or_report(problem, on_problem)

    for file in files_below(folder, tell, format):
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
    """Write documents to a file; a name that ends in .gz or .xz gives a compressed file.

    The file is written under a temporary name and then renamed, so a failure leaves no partial
    file. A warning counts the metadata that the format does not hold, unless it is one for reading
    (HTML, plain text), and the mentions if it is plain text, which holds none.

    Parameters
    ----------
    documents
        One document or several.
    path
        The file, or ``-`` for standard output. For BRAT, a folder, which is new, empty or was
        written by biolink.
    format
        The name of the format. Default: follows from the file's name.
    on_problem
        Called with the problem of each document that the format cannot hold, in place of raising
        it; the other documents are written.

    Examples
    --------
    >>> import biolink
    >>> biolink.write(biolink.Document("1", "Aspirin helps."), "note.jsonl")
    >>> next(biolink.read("note.jsonl"))
    <Document '1': 'Aspirin helps.', 0 mentions>

    Raises
    ------
    ConfigError
        When the format is unknown, cannot be written, or does not follow from the name, or another
        argument is not valid.
    """
    path = need_path(path, "the path of a file to write")
    need_callable("on_problem", on_problem, "a function that is called with a problem")
    documents = each_document(documents, "write")
    name = format or format_of_name(path)
    if name is None:
        raise ConfigError(
            f"no format follows from the name {str(path)!r}; expected one with format=, or a name "
            "such as out.jsonl"
        )
    check_target(name, path)
    module = load(name)
    left_out = LeftOut("<stdout>" if str(path) == STDIO else str(path))
    phrases = getattr(module, "left_out", None if writes_links(name) else _mentions)
    if phrases is not None:
        documents = _counted(documents, phrases, left_out)
    if hasattr(module, "write_folder"):
        with replace_folder(path, module.foreign, module.FOLDER) as folder:
            module.write_folder(documents, folder, on_problem)
    else:
        options = {}
        if "on_problem" in inspect.signature(module.write).parameters:
            options["on_problem"] = on_problem
        with replace_file(path) as stream:
            module.write(documents, stream, **options)
    left_out.warn()


def _mentions(document: Document) -> Iterator[str]:
    """A phrase for each mention, which a format of texts does not hold."""
    return ("mentions" for _ in document.mentions)


def _counted(
    documents: Iterable[Document], phrases: Callable[[Document], Iterable[str]], left_out: LeftOut
) -> Iterator[Document]:
    """The documents, while the values that are not written are counted."""
    for document in documents:
        for what in phrases(document):
            left_out.add(what)
        yield document
