"""HTML to look at: texts with coloured mentions, and what each is linked to under the pointer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO

from biolink.documents import Document
from biolink.html import page_begin, page_document, page_end

LABEL = "HTML, texts with coloured mentions"
SUFFIXES = (".html", ".htm")


def sniff(path: object, head: str) -> bool:
    return False


def write(documents: Iterable[Document], stream: IO[str]) -> None:
    """One page of all documents."""
    stream.write(page_begin())
    for document in documents:
        stream.write(page_document(document))
    stream.write(page_end())
