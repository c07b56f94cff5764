"""Readers of knowledge bases: one module per format, each able to recognise its own files.

A reader module has ``LABEL`` (what it reads, for people), ``sniff(path, head)`` and
``read(path, **options)``, which yields concepts as a stream. ``prefix`` of the registry's entry
is the CURIE prefix of the ids, ``prefixes`` names that of ids of other origin.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from biolink.errors import ConfigError, InputError
from biolink.kb.concept import Concept
from biolink.kb.files import STDIO, display_name, peek, sha256_of
from biolink.kb.knowledge_base import KnowledgeBase
from biolink.kb.store import is_store

__all__ = ["READERS", "Reader", "read_concepts", "read_knowledge_base", "sniff_format"]


@dataclass(frozen=True, slots=True)
class Reader:
    """An entry of the registry; the module is imported when it is used."""

    module: str
    prefix: str = ""
    prefixes: tuple[tuple[str, str], ...] = ()

    def load(self) -> ModuleType:
        return import_module(self.module)


_OMIM = ((r"[0-9]{6}", "OMIM"),)

#: In the order in which they are asked whether a file is theirs.
READERS: dict[str, Reader] = {
    "umls-rrf": Reader("biolink.kb.readers.umls", "umls"),
    "mesh-xml": Reader("biolink.kb.readers.mesh_xml", "mesh"),
    "mesh-tables": Reader("biolink.kb.readers.mesh_tables", "mesh"),
    "ctd": Reader("biolink.kb.readers.ctd", "mesh", _OMIM),
    "obo": Reader("biolink.kb.readers.obo"),
    "obographs": Reader("biolink.kb.readers.obographs"),
    "sssom": Reader("biolink.kb.readers.sssom"),
    "genbioel": Reader("biolink.kb.readers.genbioel"),
    "json": Reader("biolink.kb.readers.flat_json"),
    "jsonl": Reader("biolink.kb.readers.jsonl"),
    "biosyn": Reader("biolink.kb.readers.biosyn"),
    "table": Reader("biolink.kb.readers.table"),
}


def sniff_format(path: str | Path) -> str:
    """Name of the reader whose format the file or folder has.

    Raises
    ------
    InputError
        When no reader knows it.
    """
    if not Path(path).exists() and str(path) != STDIO:
        raise InputError(str(path), None, "no such file or folder", "a knowledge base")
    head = peek(path)
    for name, reader in READERS.items():
        if reader.load().sniff(path, head):
            return name
    raise InputError(
        display_name(path),
        None,
        "no format of a knowledge base that is known",
        f"one of {', '.join(READERS)} (name it with --format / format=)",
    )


def read_concepts(path: str | Path, format: str | None = None, **options: Any) -> Iterator[Concept]:
    """Stream the concepts of a file or folder in any readable format."""
    name = format or sniff_format(path)
    if name not in READERS:
        raise ConfigError(f"unknown format {name!r} of a knowledge base: one of {list(READERS)}")
    read = READERS[name].load().read
    allowed = list(inspect.signature(read).parameters)[1:]
    for option in options:
        if option not in allowed:
            known = f"it has {allowed}" if allowed else "it has none"
            raise ConfigError(f"the reader {name!r} has no option {option!r}; {known}")
    concepts: Iterator[Concept] = read(path, **options)
    return concepts


def read_knowledge_base(
    path: str | Path, format: str | None = None, **options: Any
) -> KnowledgeBase:
    """Read a whole knowledge base; a stored ``NAME.kb`` is opened instead."""
    if format is None and Path(path).is_dir() and is_store(path):
        return KnowledgeBase.open(path)
    name = format or sniff_format(path)
    concepts = read_concepts(path, name, **options)
    files = sorted(p for p in Path(path).iterdir() if p.is_file()) if Path(path).is_dir() else []
    if not files and Path(path).is_file():
        files = [Path(path)]
    return KnowledgeBase.from_concepts(
        concepts,
        prefix=READERS[name].prefix,
        prefixes=READERS[name].prefixes,
        sources=[{"file": file.name, "sha256": sha256_of(file)} for file in files],
        options={"format": name, **options},
    )
