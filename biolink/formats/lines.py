"""Plain text, a line is one document; ask for it by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from biolink.documents import Document
from biolink.formats.problems import OnProblem
from biolink.kb.files import numbered_lines

LABEL = "plain text, a line is one document (ask for it by name)"
SUFFIXES = (".lines",)


def sniff(path: str | Path, head: str) -> bool:
    return False


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """A document per line that is not blank; its id is the line's number."""
    for number, line in numbered_lines(path):
        if line.strip():
            yield Document(str(number), line)


def write(documents: Iterable[Document], stream: IO[str]) -> None:
    """The texts, a line each; line breaks inside a text become spaces."""
    for document in documents:
        stream.write(" ".join(document.text.splitlines()) + "\n")
