"""Plain text: a file is one document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from biolink.documents import Document
from biolink.formats.problems import OnProblem
from biolink.kb.files import STDIO, open_text

LABEL = "plain text, a file is one document"
SUFFIXES = (".txt", ".text")


def sniff(path: str | Path, head: str) -> bool:
    return True


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """The one document; its id is the file's name without suffixes."""
    with open_text(path) as stream:
        text = stream.read().removeprefix("\ufeff")
    name = "stdin" if str(path) == STDIO else Path(path).name.split(".")[0]
    yield Document(name, text)


def write(documents: Iterable[Document], stream: IO[str]) -> None:
    """The texts, a blank line between documents; annotations are not written."""
    for number, document in enumerate(documents):
        if number:
            stream.write("\n\n")
        stream.write(document.text)
