"""Readers of knowledge bases: one module per format, each able to recognise its own files.

A reader module has three names. ``LABEL`` describes the format to users. ``sniff(path, head)`` says
whether a file has the format. ``read(path, on_problem, **options)`` yields a stream of concepts,
and of :class:`~biolink.kb.concept.Dropped` for records that it leaves out. A row that cannot be
read costs only itself: its problem is passed to :func:`biolink.kb.problems.raise_or_report`.

The registry names the CURIE prefix of the ids (``prefix``) and rules for ids that take another
(``prefixes``). A module in whose format this depends on the file has a function ``prefixes(path)``.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from biolink.errors import ConfigError, InputError, KnowledgeBaseError
from biolink.kb.arguments import need_flag, need_text
from biolink.kb.build import built, lack_of
from biolink.kb.concept import Concept, Record
from biolink.kb.contents import Contents
from biolink.kb.curies import Prefixes
from biolink.kb.files import STDIO, display_name, peek, sha256_of
from biolink.kb.problems import OnProblem, raise_or_report

__all__ = [
    "READERS",
    "Reader",
    "read_concepts",
    "read_contents",
    "read_records",
    "sniff_format",
]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reader:
    """An entry of the registry; its module is imported on first use."""

    module: str
    prefix: str = ""
    prefixes: tuple[tuple[str, str], ...] = ()

    def load(self) -> ModuleType:
        """Import the module of the reader."""
        return import_module(self.module)

    def prefixes_of(self, path: str | Path) -> Prefixes:
        """Return the CURIE prefixes of the ids in a file."""
        prefixes_of_file = getattr(self.load(), "prefixes", None)
        if prefixes_of_file is None:
            return Prefixes.of(self.prefix, self.prefixes)
        prefixes: Prefixes = prefixes_of_file(path)
        return prefixes


#: All readers, in the order in which their ``sniff`` is tried.
READERS: dict[str, Reader] = {
    "umls-rrf": Reader("biolink.kb.readers.umls", "umls"),
    "mesh-xml": Reader("biolink.kb.readers.mesh_xml", "mesh"),
    "taxdump": Reader("biolink.kb.readers.taxdump", "NCBITaxon"),
    "mesh-tables": Reader("biolink.kb.readers.mesh_tables", "mesh"),
    "ctd": Reader("biolink.kb.readers.ctd"),
    "gene-info": Reader("biolink.kb.readers.gene_info", "NCBIGene"),
    "hgnc": Reader("biolink.kb.readers.hgnc", "NCBIGene"),
    "ssslm": Reader("biolink.kb.readers.ssslm"),
    "obo": Reader("biolink.kb.readers.obo"),
    "obographs": Reader("biolink.kb.readers.obographs"),
    "sssom": Reader("biolink.kb.readers.sssom"),
    "genbioel": Reader("biolink.kb.readers.genbioel"),
    "json": Reader("biolink.kb.readers.flat_json"),
    "jsonl": Reader("biolink.kb.readers.jsonl"),
    "biosyn": Reader("biolink.kb.readers.biosyn"),
    "table": Reader("biolink.kb.readers.table"),
}


def sniff_format(path: str | Path, options: Mapping[str, Any] | None = None) -> str:
    """Recognise the format of a file or folder, and return the name of its reader.

    Parameters
    ----------
    path
        The file or folder.
    options
        The options for the reader. If no reader that recognises the file has all of them, the only
        reader that has them is chosen; for example, names of columns imply a table.

    Raises
    ------
    InputError
        If there is no such file, or no reader recognises it.
    """
    if not Path(path).exists() and str(path) != STDIO:
        raise InputError(str(path), None, "no such file or folder", "a knowledge base")
    head = peek(path)
    given = set(options or ())
    recognised = None
    for name, reader in READERS.items():
        if reader.load().sniff(path, head):
            recognised = recognised or name
            if given <= set(_options_of(name)):
                return name
    with_options = [name for name in READERS if given and given <= set(_options_of(name))]
    if not Path(path).is_dir() and len(with_options) == 1:
        return with_options[0]
    if recognised is not None:
        return recognised
    table_error = READERS["table"].load().unknown_columns(path, head)
    raise table_error or InputError(
        display_name(path),
        None,
        "the format of the knowledge base is not recognised",
        f"one of {', '.join(READERS)}; name it with --format (in Python format=)",
    )


def _options_of(name: str) -> dict[str, inspect.Parameter]:
    """Return the parameters of a reader after ``path`` and ``on_problem``."""
    parameters = inspect.signature(READERS[name].load().read).parameters
    return dict(list(parameters.items())[2:])


def read_concepts(path: str | Path, format: str | None = None, **options: Any) -> Iterator[Concept]:
    """Stream the concepts of a file or folder in any of the formats of :data:`READERS`.

    Raises
    ------
    InputError
        If the file does not have its format; the message names file and line.
    ConfigError
        If the format or an option is unknown, or an option has the wrong type.
    """
    records = read_records(path, format, **options)
    return (record for record in records if isinstance(record, Concept))


def read_records(
    path: str | Path,
    format: str | None = None,
    on_problem: OnProblem = None,
    **options: Any,
) -> Iterator[Record]:
    """Stream the concepts of a file, and what the reader reports about records it leaves out."""
    name = format or sniff_format(path, options)
    if not isinstance(name, str) or name not in READERS:
        raise ConfigError(
            f"the format {name!r} of a knowledge base is unknown; expected one of "
            f"{', '.join(READERS)}"
        )
    allowed = _options_of(name)
    for option, value in options.items():
        if option not in allowed:
            known = f"its options are {', '.join(allowed)}" if allowed else "it has no options"
            raise ConfigError(f"the reader {name!r} has no option {option!r}; {known}")
        if isinstance(allowed[option].default, bool):
            need_flag(option, value)
        elif value is not None or "None" not in str(allowed[option].annotation):
            need_text(option, value)
    records: Iterator[Record] = READERS[name].load().read(path, on_problem, **options)
    return records


def read_contents(
    path: str | Path,
    format: str | None = None,
    progress: Callable[[int, None], None] | None = None,
    on_problem: OnProblem = None,
    **options: Any,
) -> Contents:
    """Read a whole knowledge base; see :meth:`KnowledgeBase.read`."""
    problems = 0

    def count_problem(problem: InputError) -> None:
        nonlocal problems
        problems += 1
        raise_or_report(problem, on_problem)

    name = format or sniff_format(path, options)
    records = read_records(path, name, count_problem, **options)
    files = sorted(p for p in Path(path).iterdir() if p.is_file()) if Path(path).is_dir() else []
    if not files and Path(path).is_file():
        files = [Path(path)]
    try:
        data = built(
            records if progress is None else _with_progress(records, progress),
            READERS[name].prefixes_of(path),
            [{"file": file.name, "sha256": sha256_of(file)} for file in files],
            {"format": name, **options},
        )
    except KnowledgeBaseError as error:
        raise KnowledgeBaseError(f"{display_name(path)}: {error}") from None
    lack = lack_of(data, problems)
    if lack:
        raise InputError(display_name(path), None, lack, f"concepts with names, read as {name}")
    columns = data.manifest.get("columns")
    if columns and not data.has_synonyms:
        log.warning(
            "%s: no concept has a synonym; the columns or fields are: %s",
            display_name(path),
            ", ".join(columns),
        )
    return data


def _with_progress(
    records: Iterator[Record], progress: Callable[[int, None], None]
) -> Iterator[Record]:
    """Pass on the records, and report their number after every thousand."""
    for number, record in enumerate(records, 1):
        if number % 1000 == 0:
            progress(number, None)
        yield record
