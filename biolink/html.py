"""Documents as HTML pages that are self-contained, have no scripts and escape all input."""

from __future__ import annotations

from collections.abc import Iterable

from biolink.coloured import document_html, escaped
from biolink.documents import Document, each_document

__all__ = ["document_html", "page_begin", "page_document", "page_end", "to_html"]

_STYLE = """
body { font: 16px/1.8 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }
h2 { font-size: 1em; color: #555; margin: 2em 0 .3em; }
""".strip()


def to_html(documents: Document | Iterable[Document]) -> str:
    """Return a page that shows texts with coloured mentions; a tooltip says what each is linked to.

    Parameters
    ----------
    documents
        One document or several.

    Examples
    --------
    >>> from biolink import Document, Mention
    >>> mention = Mention(0, 6, "Asthma", "Disease", nil_reason="no candidate")
    >>> "no candidate" in to_html(Document("1", "Asthma <here>.", mentions=(mention,)))
    True
    """
    pages = map(page_document, each_document(documents, "to_html"))
    return page_begin() + "".join(pages) + page_end()


def page_begin() -> str:
    """Return the part of the page before the first document."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>biolink</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n"
    )


def page_document(document: Document) -> str:
    """Return the part of the page that shows a document."""
    heading = f"<h2>{escaped(document.id)}</h2>\n" if document.id.strip() else ""
    return f"{heading}{document_html(document)}\n"


def page_end() -> str:
    """Return the part of the page after the last document."""
    return "</body>\n</html>\n"
