"""BioC XML (Comeau et al., Database 2013), through the bioc package, a document at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from bioc import biocxml
from bioc.biocxml.encoder import encode_document
from lxml import etree

from biolink.documents import Document
from biolink.errors import InputError
from biolink.formats.bioc_common import from_bioc, to_bioc
from biolink.formats.problems import OnProblem, raise_or_report
from biolink.kb.files import display_name, open_binary

LABEL = "BioC XML"
SUFFIXES = (".bioc", ".xml")

# Characters that XML 1.0 cannot hold; a carriage return would come back as a line feed.
_UNFIT = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    return _UNFIT.sub(" ", text)


def sniff(path: str | Path, head: str) -> bool:
    return re.search(r"<collection\b", head) is not None


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """Stream documents; memory holds one at a time."""
    source = display_name(path)
    with open_binary(path) as stream:
        try:
            elements = etree.iterparse(
                stream, events=("end",), tag="document", resolve_entities=False, huge_tree=True
            )
            for _, element in elements:
                line = element.sourceline
                xml = etree.tostring(element, encoding="unicode", with_tail=False)
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
                try:
                    (record,) = biocxml.loads(f"<collection>{xml}</collection>").documents
                    record.id = record.id or ""
                    yield from_bioc(record, source, on_problem)
                except (ValueError, TypeError, KeyError) as error:
                    found = f"a document that cannot be read ({error})"
                    raise_or_report(InputError(source, line, found, "BioC XML"), on_problem)
        except etree.XMLSyntaxError as error:
            problem = InputError(source, error.lineno, error.msg, "well-formed BioC XML")
            raise_or_report(problem, on_problem)


def write(documents: Iterable[Document], stream: IO[str]) -> None:
    """A collection; characters that XML cannot hold become spaces, one for one."""
    stream.write('<?xml version="1.0" encoding="UTF-8"?>\n<collection>')
    stream.write("<source>biolink</source><date></date><key>biolink.key</key>\n")
    for document in documents:
        element = encode_document(to_bioc(document, clean))
        stream.write(etree.tostring(element, encoding="unicode") + "\n")
    stream.write("</collection>\n")
