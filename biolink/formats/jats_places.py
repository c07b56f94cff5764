"""From offsets in the text of a JATS article back to the text nodes of its XML."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from biolink.documents import Document
from biolink.errors import ConfigError, InputError
from biolink.formats.jats import ARTICLE, LABEL, document_of, extracted
from biolink.formats.jats_text import Piece
from biolink.formats.problems import LeftOut
from biolink.formats.xml import records
from biolink.kb.arguments import need_path
from biolink.kb.files import display_name

__all__ = ["XmlPlace", "places_in_xml"]


@dataclass(frozen=True, slots=True)
class XmlPlace:
    """A part of a mention that lies in one text node of the XML.

    Attributes
    ----------
    path
        The XPath of the text node from its article, such as
        ``/article/body/sec[1]/p[2]/italic/text()[1]``.
    start, end
        Code-point offsets into the text node, end exclusive.
    """

    path: str
    start: int
    end: int


def places_in_xml(document: Document, path: str | Path) -> list[tuple[XmlPlace, ...]]:
    """Return where each mention of a document stands in the JATS file that it was read from.

    Parameters
    ----------
    document
        A document that was read from the file, with mentions.
    path
        The file.

    Returns
    -------
    For each mention its places: one, or one for each text node where markup lies within it.

    Raises
    ------
    ConfigError
        When the value is not a document.
    InputError
        When the file has no article with the document's id and text.

    Examples
    --------
    >>> from pathlib import Path
    >>> import biolink
    >>> xml = "<article><body><p>Severe  <i>asthma</i> attacks.</p></body></article>"
    >>> _ = Path("a.nxml").write_text(xml)
    >>> (read,) = biolink.read("a.nxml")
    >>> asthma = biolink.Mention(7, 13, "asthma")
    >>> biolink.places_in_xml(read.with_mentions([asthma]), "a.nxml")
    [(XmlPlace(path='/article/body/p/i/text()[1]', start=0, end=6),)]
    """
    if not isinstance(document, Document):
        raise ConfigError(f"places_in_xml was given a {type(document).__name__}, not a Document")
    path = need_path(path, "the path of a JATS file")
    silent = LeftOut(display_name(path))
    for element in records(path, ARTICLE, LABEL, None):
        text = extracted(element, silent, places=True)
        if text.text == document.text and document_of(text, element).id == document.id:
            paths = etree.ElementTree(element)
            starts = [piece.start for piece in text.pieces]
            return [
                _places(text.pieces, starts, paths, m.spans or ((m.start, m.end),))
                for m in document.mentions
            ]
    expected = f"the article {document.id!r} with the text of the document"
    raise InputError(display_name(path), None, "no such article", expected)


def _places(
    pieces: list[Piece],
    starts: list[int],
    paths: etree._ElementTree,
    spans: tuple[tuple[int, int], ...],
) -> tuple[XmlPlace, ...]:
    places: list[XmlPlace] = []
    for start, end in spans:
        number = max(0, bisect.bisect_right(starts, start) - 1)
        while number < len(pieces) and pieces[number].start < end:
            piece = pieces[number]
            begin, stop = max(start, piece.start), min(end, piece.end)
            if begin < stop:
                path = f"{paths.getpath(piece.element)}/text()[{piece.node}]"
                first = piece.offset + begin - piece.start
                last = piece.offset + stop - piece.start
                if places and places[-1].path == path and places[-1].end <= first:
                    first = places.pop().start
                places.append(XmlPlace(path, first, last))
            number += 1
    return tuple(places)
