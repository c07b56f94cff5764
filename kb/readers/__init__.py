"""Readers of knowledge bases: one module per format, each able to recognise its own files.

A reader module has ``LABEL`` (what it reads, for people), ``sniff(path, head)`` and
``read(path, on_problem, **options)``, which yields concepts as a stream, and among them what it
says of records that it leaves out. A row that cannot be read costs itself alone: its problem goes
to :func:`biolink.kb.problems.raise_or_report`. ``prefix`` of the registry's entry is the CURIE
prefix of the ids, ``prefixes`` names that of ids of other origin; a module whose files differ in it
has a function ``prefixes(path)``.
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
from biolink.kb.build import built
from biolink.kb.concept import Concept, Record
from biolink.kb.contents import Contents
from biolink.kb.curies import Prefixes
from biolink.kb.files import STDIO, display_name, peek, sha256_of
from biolink.kb.problems import OnProblem, raise_or_report
from biolink.kb.wording import counted

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
    """An entry of the registry; the module is imported when it is used."""

    module: str
    prefix: str = ""
    prefixes: tuple[tuple[str, str], ...] = ()

    def load(self) -> ModuleType:
        return import_module(self.module)

    def prefixes_of(self, path: str | Path) -> Prefixes:
        """The CURIE prefixes of the ids in a file."""
        of_file = getattr(self.load(), "prefixes", None)
        if of_file is None:
            return Prefixes.of(self.prefix, self.prefixes)
        found: Prefixes = of_file(path)
        return found


#: In the order in which they are asked whether a file is theirs.
READERS: dict[str, Reader] = {
    "umls-rrf": Reader("biolink.kb.readers.umls", "umls"),
    "mesh-xml": Reader("biolink.kb.readers.mesh_xml", "mesh"),
    "mesh-tables": Reader("biolink.kb.readers.mesh_tables", "mesh"),
    "ctd": Reader("biolink.kb.readers.ctd"),
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
    """Name of the reader whose format the file or folder has.

    Parameters
    ----------
    path
        The file or folder.
    options
        Options for the reader. Where no reader that knows the file has all of them, the only one
        that has is taken: names of columns say that it is a table.

    Raises
    ------
    InputError
        When no reader knows it.
    """
    if not Path(path).exists() and str(path) != STDIO:
        raise InputError(str(path), None, "no such file or folder", "a knowledge base")
    head = peek(path)
    given = set(options or ())
    known = None
    for name, reader in READERS.items():
        if reader.load().sniff(path, head):
            known = known or name
            if given <= set(_options_of(name)):
                return name
    meant = [name for name in READERS if given and given <= set(_options_of(name))]
    if not Path(path).is_dir() and len(meant) == 1:
        return meant[0]
    if known is not None:
        return known
    table = READERS["table"].load().unknown_columns(path, head)
    raise table or InputError(
        display_name(path),
        None,
        "a format of knowledge bases that is not known",
        f"one of {', '.join(READERS)}; name it with --format (in Python format=)",
    )


def _options_of(name: str) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(READERS[name].load().read).parameters
    return dict(list(parameters.items())[2:])


def read_concepts(path: str | Path, format: str | None = None, **options: Any) -> Iterator[Concept]:
    """Stream the concepts of a file or folder in any readable format."""
    records = read_records(path, format, **options)
    return (record for record in records if isinstance(record, Concept))


def read_records(
    path: str | Path,
    format: str | None = None,
    on_problem: OnProblem = None,
    **options: Any,
) -> Iterator[Record]:
    """Stream the concepts, and what the reader says of records that it leaves out."""
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

    def told(problem: InputError) -> None:
        nonlocal problems
        problems += 1
        raise_or_report(problem, on_problem)

    name = format or sniff_format(path, options)
    records = read_records(path, name, told, **options)
    files = sorted(p for p in Path(path).iterdir() if p.is_file()) if Path(path).is_dir() else []
    if not files and Path(path).is_file():
        files = [Path(path)]
    try:
        data = built(
            records if progress is None else _told(records, progress),
            READERS[name].prefixes_of(path),
            [{"file": file.name, "sha256": sha256_of(file)} for file in files],
            {"format": name, **options},
        )
    except KnowledgeBaseError as error:
        raise KnowledgeBaseError(f"{display_name(path)}: {error}") from None
    concepts = data.table.num_rows
    if not len(data.names):
        found = f"no name in {counted(concepts, 'concept')}" if concepts else "no concept"
        dropped = data.manifest.get("dropped", {})
        reasons = [f"{reason}: {entry['count']:,}" for reason, entry in dropped.items()]
        if problems:
            reasons.append(f"rows that cannot be read: {problems:,}")
        if reasons:
            found += f" ({'; '.join(reasons)})"
        raise InputError(display_name(path), None, found, f"concepts with names, read as {name}")
    columns = data.manifest.get("columns")
    if columns and not data.has_synonyms:
        log.warning(
            "%s: no concept has a second name; the columns or fields are: %s",
            display_name(path),
            ", ".join(columns),
        )
    return data


def _told(records: Iterator[Record], progress: Callable[[int, None], None]) -> Iterator[Record]:
    for number, record in enumerate(records, 1):
        if number % 1000 == 0:
            progress(number, None)
        yield record
