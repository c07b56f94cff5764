"""Plain text in which a file is one document."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from biolink.documents import Document
from biolink.formats.problems import OnProblem
from biolink.kb.files import STDIO, open_text

LABEL = "plain text, a file is one document"
SUFFIXES = (".txt", ".text")
TEXT_ONLY = True


def sniff(path: str | Path, head: str) -> bool:
    """Return whether a file can be plain text: it is not XML, HTML, JSON or binary."""
    return not (looks_structured(head) or looks_binary(head))


def looks_structured(head: str) -> bool:
    """Return whether a file begins as XML, HTML or JSON does.

    >>> looks_structured("<!DOCTYPE html><p>"), looks_structured('[{"a": 1}]')
    (True, True)
    >>> looks_structured("[Not Available]."), looks_structured("<2 mg of aspirin")
    (False, False)
    """
    markup = (
        r"<(?:\?xml\b|!DOCTYPE\b|!--|[A-Za-z_][\w.:-]*(?:\s+[\w.:-]+\s*=\s*[\"'][^<>]*)?\s*/?>)"
    )
    json = r"\{\s*(?:\}|\"[^\"\n]*\"\s*:)|\[\s*(?:\{|\[|\"[^\"\n]*\"\s*[,\]]|\]\s*$)"
    return re.match(rf"\s*(?:{markup}|{json})", head, re.IGNORECASE) is not None


def looks_binary(head: str) -> bool:
    r"""Return whether a file begins with bytes that plain text does not have.

    Bytes that are not UTF-8 are no sign by themselves: a text may be in another encoding, which its
    reader reports.

    >>> looks_binary("na\ufffdve caf\ufffd"), looks_binary("\ufffdPNG\x00\ufffd")
    (False, True)
    """
    controls = sum(c < " " and c not in "\t\n\r\f\v\x1a\x1b" for c in head)
    unfit = controls + head.count("\ufffd") if controls else 0
    return head.startswith(("%PDF-", "PK\x03\x04", "{\\rtf")) or unfit > len(head) // 10


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """Read the file as one document; its id is the file's name without the format's suffix."""
    with open_text(path) as stream:
        text = stream.read().removeprefix("\ufeff")
    name = "stdin" if str(path) == STDIO else _name(Path(path).name)
    # The name of a file may have bytes that are not UTF-8.
    yield Document(os.fsencode(name).decode("utf-8", "replace"), text)


def _name(name: str) -> str:
    """The name of a file without the suffixes of a compression and of this format.

    Other dots belong to the name, since files may differ in what follows them.

    >>> _name("a.v1.txt.gz"), _name("Dr. X.TXT"), _name("notes")
    ('a.v1', 'Dr. X', 'notes')
    """
    for suffixes in ((".gz", ".xz"), SUFFIXES):
        suffix = Path(name).suffix
        if suffix.lower() in suffixes:
            name = name.removesuffix(suffix)
    return name


def write(documents: Iterable[Document], stream: IO[str]) -> None:
    """Write the texts without annotations, with a blank line between documents."""
    for number, document in enumerate(documents):
        if number:
            stream.write("\n\n")
        stream.write(document.text)
