"""HTML for readers: texts with coloured mentions, and tooltips that say what each is linked to."""

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
    """Write one page with all documents."""
    stream.write(page_begin())
    for document in documents:
        stream.write(page_document(document))
    stream.write(page_end())
