"""INCEpTION's UIMA CAS XMI, through dkpro-cassis: a file for each document.

Mentions are annotations of the layer "Named entity", whose value is the type and whose identifier
is the CURIE. In INCEpTION, import the files as "UIMA CAS XMI (XML 1.0)", and export them so.
dkpro-cassis converts the offsets of UIMA, which counts in UTF-16, into code points.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from lxml.etree import LxmlError

from biolink.documents import Document, Mention
from biolink.errors import DocumentError, InputError, MissingDependencyError
from biolink.formats.problems import RECORD_ERRORS, described
from biolink.kb.files import display_name, foreign_names, replace_folder

__all__ = ["read", "write"]

_ENTITY = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
_TYPES = "TypeSystem.xml"
#: The state of a document before anybody changed it, in the export of a project.
_INITIAL = "INITIAL_CAS"
_EXPECTED = "a folder or a ZIP file of UIMA CAS XMI files, as INCEpTION exports them"


def _cassis() -> Any:
    try:
        import cassis
    except ModuleNotFoundError:
        raise MissingDependencyError("dkpro-cassis", "UIMA CAS XMI", "review") from None
    return cassis


def _errors() -> tuple[type[Exception], ...]:
    """The classes of the errors with which damaged files are refused."""
    from cassis.typesystem import AnnotationHasNoSofa, TypeCheckError, TypeNotFoundError

    of_cassis = AnnotationHasNoSofa, TypeCheckError, TypeNotFoundError, RuntimeError
    return (*RECORD_ERRORS, *of_cassis, LxmlError, DocumentError)


def _foreign(folder: Path) -> list[str]:
    return foreign_names(folder, ("*.xmi", _TYPES))


def write(documents: Sequence[Document], path: str | Path) -> None:
    """Write a folder with a file for each document, and the type system."""
    cassis = _cassis()
    types = cassis.load_dkpro_core_typesystem()
    entity = types.get_type(_ENTITY)
    with replace_folder(path, _foreign, "a folder of XMI files") as folder:
        types.to_xml(folder / _TYPES)
        for document in documents:
            cas = cassis.Cas(types)
            cas.sofa_string, cas.sofa_mime = document.text, "text/plain"
            for mention in document.mentions:
                values = {"value": mention.type or None}
                if mention.best is not None:
                    values["identifier"] = mention.best.curie or mention.best.concept_id
                cas.add(entity(begin=mention.start, end=mention.end, **values))
            cas.to_xmi(folder / f"{quote(document.id, safe=' ')}.xmi")


def read(path: str | Path) -> Iterator[Document]:
    """Read the documents of a folder, of a ZIP file (also in ZIP files within it), or of a file.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    cassis = _cassis()
    types = cassis.load_dkpro_core_typesystem()
    found, errors = False, _errors()
    for name, content in _files(Path(path)):
        found = True
        try:
            cas = cassis.load_cas_from_xmi(BytesIO(content), typesystem=types, lenient=True)
            text = cas.sofa_string
            mentions = [
                Mention(
                    a.begin,
                    a.end,
                    text[a.begin : a.end],
                    a.value or "",
                    concept_ids=(a.identifier,) if a.identifier else (),
                )
                for a in cas.select(_ENTITY)
            ]
            document = Document(unquote(name.removesuffix(".xmi")), text, mentions=tuple(mentions))
        except errors as error:
            where = f"{display_name(path)}: {name}"
            raise InputError(where, None, described(error), _EXPECTED) from None
        yield document
    if not found:
        raise InputError(display_name(path), None, "no file .xmi", _EXPECTED)


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    """The names and contents of the XMI files."""
    if path.is_dir():
        for file in sorted(path.glob("*.xmi")):
            yield file.name, file.read_bytes()
    elif zipfile.is_zipfile(path):
        yield from _zipped(path.read_bytes())
    elif path.is_file():
        yield path.name, path.read_bytes()


def _zipped(content: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        for name in sorted(archive.namelist()):
            if Path(name).name.startswith(_INITIAL):
                continue
            if name.endswith(".xmi"):
                yield Path(name).name, archive.read(name)
            elif name.endswith(".zip"):
                yield from _zipped(archive.read(name))
