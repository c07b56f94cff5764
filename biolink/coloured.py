"""A text with coloured mentions, as a piece of an HTML page in which all input is escaped."""

from __future__ import annotations

import zlib
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from biolink.kb.types import type_name

if TYPE_CHECKING:
    from biolink.documents import Document, Mention

__all__ = ["document_html", "escaped"]

#: Kind of entity -> its hue, far from the others. A type that is none of these has some hue, which
#: is always the same.
_HUES = {
    "disease": 5,
    "chemical": 210,
    "gene": 275,
    "species": 130,
    "cellline": 45,
    "variant": 325,
}


def document_html(document: Document) -> str:
    """Return a document as a piece of a page.

    Where mentions overlap, the text has the colour of the shortest, and the tooltip describes all.
    """
    cuts = {0, len(document.text)}
    for mention in document.mentions:
        for span in _spans(mention):
            cuts.update(span)
    marks = sorted(cuts)
    ends: dict[int, list[Mention]] = {}
    begins: dict[int, list[Mention]] = {}
    for mention in document.mentions:
        for start, end in _spans(mention):
            begins.setdefault(start, []).append(mention)
            ends.setdefault(end, []).append(mention)
    pieces: list[str] = []
    here: list[Mention] = []
    for begin, end in pairwise(marks):
        for mention in ends.get(begin, ()):
            here.remove(mention)
        here += begins.get(begin, [])
        text = escaped(document.text[begin:end])
        if here:
            label = "".join(_label(m) for m in here if m.end == end)
            inner = min(here, key=lambda m: m.end - m.start)
            tooltip = "\n".join(map(_description, here))
            text = f'<mark title="{escaped(tooltip)}" style="{_style(inner)}">{text}{label}</mark>'
        pieces.append(text)
    return f'<div style="white-space: pre-wrap">{"".join(pieces)}</div>'


def _spans(mention: Mention) -> tuple[tuple[int, int], ...]:
    return mention.spans or ((mention.start, mention.end),)


def escaped(text: str) -> str:
    """Return a text with the characters escaped that HTML cannot hold."""
    # Control characters are not allowed in HTML, not even as references.
    return escape("".join(c if c >= " " or c in "\n\t" else "\ufffd" for c in text))


def _description(mention: Mention) -> str:
    """The words with which the tooltip describes a mention."""
    said = ", ".join(filter(None, (mention.type, *mention.assertions)))
    typed = f"{mention.text} ({said})" if said else mention.text
    best = mention.best
    if best is not None:
        name, curie = best.preferred_name or best.name, best.curie or best.concept_id
        words = f"{typed}: {name} [{curie}], probability {best.probability:.2f}"
        words = f"{words}, for {best.long_form}" if best.long_form else words
        return f"{words} ({best.reason})" if best.reason else words
    if mention.nil_reason is not None:
        return f"{typed}: NIL, {mention.nil_reason}"
    if mention.concept_ids:
        return f"{typed}: given as {', '.join(mention.concept_ids)}"
    return f"{typed}: not linked"


def _label(mention: Mention) -> str:
    """The label after a mention: its CURIE, NIL, or its gold ids."""
    best = mention.best
    label = "NIL" if best is None else best.curie or best.concept_id
    if best is None and mention.nil_reason is None:
        label = mention.id_joiner.join(mention.concept_ids)
    if not label:
        return ""
    return f' <small style="opacity: .7">{escaped(label)}</small>'


def _style(mention: Mention) -> str:
    kind = type_name(mention.type)
    hue = _HUES.get(kind, zlib.crc32(kind.encode()) % 360)
    if mention.best is None and not mention.concept_ids:
        return f"background: none; color: inherit; border-bottom: 2px dashed hsl({hue}, 60%, 60%)"
    return f"background: hsl({hue}, 75%, 85%); color: #111; border-radius: 3px; padding: 0 2px"
