"""Plain text in which each line is one document; this format must be asked for by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from biolink.documents import Document
from biolink.kb.problems import OnProblem, readable_lines

LABEL = "plain text, a line is one document (ask for it by name)"
SUFFIXES = (".lines",)
TEXT_ONLY = True


_BREAKS = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def sniff(path: str | Path, head: str) -> bool:
    return False


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """Read a document from each line, blank lines included; its id is the number of the line."""
    for number, line in readable_lines(path, on_problem):
        yield Document(str(number), line)


def write(documents: Iterable[Document], stream: IO[str]) -> None:
    """Write each text on one line; line breaks inside a text become spaces."""
    for document in documents:
        stream.write(_BREAKS.sub(" ", document.text) + "\n")
