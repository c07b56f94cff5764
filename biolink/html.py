"""Documents as HTML: self-contained, without scripts, everything from outside escaped."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from html import escape
from itertools import pairwise

from biolink.documents import Document, Mention, each_document

__all__ = ["document_html", "page_begin", "page_document", "page_end", "to_html"]

_STYLE = """
body { font: 16px/1.8 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }
h2 { font-size: 1em; color: #555; margin: 2em 0 .3em; }
""".strip()


def to_html(documents: Document | Iterable[Document]) -> str:
    """A page that shows texts with coloured mentions; under the pointer is what each is linked to.

    Parameters
    ----------
    documents
        One or several.

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
    """What stands in front of the first document."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>biolink</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n"
    )


def page_document(document: Document) -> str:
    """A document on the page."""
    heading = f"<h2>{_escaped(document.id)}</h2>\n" if document.id.strip() else ""
    return f"{heading}{document_html(document)}\n"


def page_end() -> str:
    """What stands behind the last document."""
    return "</body>\n</html>\n"


def document_html(document: Document) -> str:
    """A document as a piece of a page.

    Where mentions overlap, the colour is that of the shortest, and the pointer shows all.
    """
    cuts = {0, len(document.text)}
    for mention in document.mentions:
        for span in _spans(mention):
            cuts.update(span)
    marks = sorted(cuts)
    ends: dict[int, list[Mention]] = {}
    opened: dict[int, list[Mention]] = {}
    for mention in document.mentions:
        for start, end in _spans(mention):
            opened.setdefault(start, []).append(mention)
            ends.setdefault(end, []).append(mention)
    pieces: list[str] = []
    here: list[Mention] = []
    for begin, end in pairwise(marks):
        for mention in ends.get(begin, ()):
            here.remove(mention)
        here += opened.get(begin, [])
        text = _escaped(document.text[begin:end])
        if here:
            label = "".join(_label(m) for m in here if m.end == end)
            inner = min(here, key=lambda m: m.end - m.start)
            shown = "\n".join(_told(m) for m in here)
            text = f'<mark title="{_escaped(shown)}" style="{_look(inner)}">{text}{label}</mark>'
        pieces.append(text)
    return f'<div style="white-space: pre-wrap">{"".join(pieces)}</div>'


def _spans(mention: Mention) -> tuple[tuple[int, int], ...]:
    return mention.spans or ((mention.start, mention.end),)


def _escaped(text: str) -> str:
    # Control characters are not allowed in HTML, not even as references.
    return escape("".join(c if c >= " " or c in "\n\t" else "\ufffd" for c in text))


def _told(mention: Mention) -> str:
    """What the pointer shows of a mention."""
    kind = f"{mention.text} ({mention.type})" if mention.type else mention.text
    best = mention.best
    if best is not None:
        name, curie = best.preferred_name or best.name, best.curie or best.concept_id
        words = f"{kind}: {name} [{curie}], probability {best.probability:.2f}"
        return f"{words}, for {best.long_form}" if best.long_form else words
    if mention.nil_reason is not None:
        return f"{kind}: NIL, {mention.nil_reason}"
    if mention.concept_ids:
        return f"{kind}: given as {', '.join(mention.concept_ids)}"
    return f"{kind}: not linked"


def _label(mention: Mention) -> str:
    """The CURIE behind a mention."""
    best = mention.best
    shown = "NIL" if best is None else best.curie or best.concept_id
    if best is None and mention.nil_reason is None:
        shown = mention.id_joiner.join(mention.concept_ids)
    if not shown:
        return ""
    return f' <small style="opacity: .7">{_escaped(shown)}</small>'


def _look(mention: Mention) -> str:
    hue = zlib.crc32(mention.type.encode()) % 360
    if mention.best is None and not mention.concept_ids:
        return f"background: none; color: inherit; border-bottom: 2px dashed hsl({hue}, 60%, 60%)"
    return f"background: hsl({hue}, 75%, 85%); color: #111; border-radius: 3px; padding: 0 2px"
