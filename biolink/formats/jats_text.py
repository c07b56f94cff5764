"""The text of an article in JATS: passages of paragraphs, captions, tables and references.

Words are put together from the text nodes of the XML. A node belongs to the element that contains
it; its number among the text nodes of that element is the one that XPath's ``text()[n]`` has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from biolink.documents import Passage
from biolink.formats.problems import LeftOut

__all__ = ["Builder", "Extracted", "Piece"]

#: Elements that are left out, and what a warning calls them.
_LEFT_OUT = {
    "disp-formula": "formulas",
    "inline-formula": "formulas",
    "tex-math": "formulas",
    "math": "formulas",
    "chem-struct": "formulas",
    "supplementary-material": "supplementary material",
    "inline-supplementary-material": "supplementary material",
    "media": "supplementary material",
    "trans-title": "translated titles",
    "trans-abstract": "translated abstracts",
}
#: Elements without a text of the article.
_SILENT = {"graphic", "inline-graphic", "object-id", "alt-text", "long-desc", "permissions"}
_SILENT |= {"contrib-group", "bio", "sec-meta", "journal-id", "issn"}
#: Elements that stand apart, with the kind of their passages.
_APART = {"fig": "figure_caption", "table-wrap": "table_caption", "ref": "reference"}
#: Elements that are a passage or have passages in them.
_BLOCKS = {"sec", "app", "app-group", "ack", "notes", "fn-group", "fn", "glossary", "boxed-text"}
_BLOCKS |= {"list", "list-item", "def-list", "def-item", "disp-quote", "statement", "verse-group"}
_BLOCKS |= {"fig-group", "table-wrap-group", "ref-list", "speech", "p", "title", "def", "term"}
_BLOCKS |= {"abstract", "body", "back", "floats-group", "array", "table", "disp-formula-group"}
_BLOCKS |= {
    "td",
    "th",
    "tr",
    "label",
    "subtitle",
    "attrib",
    "verse-line",
    "term-head",
    "def-head",
    "author-comment",
}
#: Elements between whose children there is a gap, even if the file has none.
_GAPPED = {"element-citation", "nlm-citation", "citation", "name", "person-group", "fig", "caption"}
_GAPPED |= {"table-wrap", "table-wrap-foot", "ref", "citation-alternatives", "string-name"}
_GAPPED |= {"break", "product", "kwd", "compound-kwd"}
_TABLES = ("table", "array")
_WORDS = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the extracted text that stands in the XML as it is.

    Attributes
    ----------
    start, end
        The offsets in the text.
    element
        The element that contains the text node.
    node
        The number of the node among the text nodes of the element, from 1.
    offset
        The offset of the piece in the node.
    """

    start: int
    end: int
    element: etree._Element
    node: int
    offset: int


@dataclass(slots=True)
class Extracted:
    """The text of an article, its passages, their infons and, if wanted, its pieces."""

    text: str
    passages: list[Passage]
    infons: list[dict[str, Any]]
    pieces: list[Piece]


@dataclass(slots=True)
class _Flow:
    """A part of the text that is put together: the running text, figures, tables, references."""

    text: list[str] = field(default_factory=list)
    size: int = 0
    passages: list[Passage] = field(default_factory=list)
    infons: list[dict[str, Any]] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    begin: int | None = None
    gap: str = ""

    def add(self, words: str) -> int:
        """Add words, after a gap if there is one; return their offset."""
        if self.begin is None:
            # Passages are separated by a line break; a passage does not begin with a gap.
            self.gap = "\n" if self.text else ""
        if self.gap:
            self.text.append(self.gap)
            self.size += len(self.gap)
            self.gap = ""
        start = self.size
        if self.begin is None:
            self.begin = start
        self.text.append(words)
        self.size += len(words)
        return start

    def space(self, gap: str = " ") -> None:
        """Put a gap before the next words of the passage; a space adds nothing to a gap."""
        if self.begin is not None and (gap != " " or not self.gap):
            self.gap = self.gap.strip(" ") + gap

    def close(self, kind: str, infons: dict[str, Any]) -> None:
        """End the passage, if any words were added to it."""
        if self.begin is not None:
            self.passages.append(Passage(self.begin, self.size, kind))
            self.infons.append(infons)
        self.begin, self.gap = None, ""


class Builder:
    """Puts the text of an article together.

    Parameters
    ----------
    left_out
        Counts what is not kept.
    places
        Whether the pieces of the text are noted.
    """

    def __init__(self, left_out: LeftOut, places: bool) -> None:
        self._left_out = left_out
        self._places = places
        self._flows = {name: _Flow() for name in ("text", *_APART)}
        self._flow = self._flows["text"]
        self._sections: list[tuple[str, str]] = []

    def flat(self, kind: str, *elements: etree._Element) -> None:
        """Make one passage of elements, whatever is in them."""
        for element in elements:
            self._flow.space()
            self._inline(element, None)
        self._close(kind, elements[0])

    def listed(self, kind: str, elements: Iterable[etree._Element], joiner: str) -> None:
        """Make one passage of short texts such as key words."""
        last = None
        for element in elements:
            self._flow.space(joiner)
            self._inline(element, None)
            last = element
        if last is not None:
            self._close(kind, last.getparent())

    def blocks(self, element: etree._Element, kind: str) -> None:
        """Make passages of the blocks in an element; text beside them is of passages as well."""
        section = element.tag in ("sec", "app", "ack", "glossary", "notes", "abstract")
        if section:
            title = element.find("title")
            words = "" if title is None else " ".join(" ".join(title.itertext()).split())
            self._sections.append((words, element.get("sec-type") or ""))
        self._inline(element, kind)
        self._close(kind, element)
        if section:
            self._sections.pop()

    def finish(self) -> Extracted:
        """Return the running text, and behind it figures, tables and references."""
        whole = Extracted("", [], [], [])
        for flow in self._flows.values():
            if not flow.size:
                continue
            shift = len(whole.text) + 1 if whole.text else 0
            whole.text += ("\n" if whole.text else "") + "".join(flow.text)
            whole.passages += [
                Passage(p.start + shift, p.end + shift, p.kind) for p in flow.passages
            ]
            whole.infons += flow.infons
            whole.pieces += [
                Piece(p.start + shift, p.end + shift, p.element, p.node, p.offset)
                for p in flow.pieces
            ]
        return whole

    def _close(self, kind: str, element: etree._Element) -> None:
        infons = {"type": kind}
        titles = [title for title, _ in self._sections if title]
        if titles:
            infons["section"] = " / ".join(titles)
        kinds = [written for _, written in self._sections if written]
        if kinds:
            infons["section_type"] = kinds[-1]
        if element.get("id"):
            infons["xml_id"] = element.get("id")
        self._flow.close(kind, infons)

    def _inline(self, element: etree._Element, kind: str | None) -> None:
        """Add the words in an element; with a kind, blocks in it are passages of their own."""
        node = 0
        gapped = element.tag in _GAPPED
        if element.text:
            node += 1
            self._words(element.text, element, node)
        for child in element:
            if isinstance(child.tag, str):
                if gapped:
                    self._flow.space()
                self._child(child, element, kind)
                if gapped:
                    self._flow.space()
            if child.tail:
                node += 1
                self._words(child.tail, element, node)

    def _child(self, child: etree._Element, parent: etree._Element, kind: str | None) -> None:
        name = etree.QName(child).localname
        if name in _LEFT_OUT:
            self._left_out.add(_LEFT_OUT[name])
            self._flow.space()
        elif name in _APART:
            self._apart(child, name, kind)
        elif name in _SILENT:
            return
        elif name == "break":
            self._flow.space()
        elif kind is None or name not in _BLOCKS:
            self._spaced(child, name, kind)
        elif name == "label":  # What follows it is of the same passage.
            self._flow.space()
            self._inline(child, None)
            self._flow.space()
        elif name == "title":
            # The number of a section, which is its label, stands before its title.
            self.flat("section_title", child)
        elif name in _TABLES:
            self._close(kind, parent)
            self._table(child)
        elif name == "ref-list":
            self._close(kind, parent)
            outer, self._flow = self._flow, self._flows["ref"]
            self.blocks(child, "reference")
            self._flow = outer
        else:
            before = child.getprevious()
            if before is None or before.tag != "label":
                self._close(kind, parent)
            self.blocks(child, "footnote" if name in ("fn", "author-comment") else kind)

    def _spaced(self, child: etree._Element, name: str, kind: str | None) -> None:
        """Add an inline element; a raised citation does not run into the word before it."""
        citation = name == "sup" and child.find(".//xref[@ref-type='bibr']") is not None
        if citation or (kind is None and name in _BLOCKS):
            self._flow.space()
        if name == "xref" and child.get("ref-type") == "bibr" and (child.text or "")[:1].isalnum():
            before = self._flow.text[-1][-1:] if self._flow.text else ""
            if before.isalnum():
                self._flow.space()
        self._inline(child, kind)
        if kind is None and name in _BLOCKS:
            self._flow.space()

    def _apart(self, element: etree._Element, name: str, kind: str | None) -> None:
        """Make passages of a figure, a table or a reference in a flow of its own."""
        outer, self._flow = self._flow, self._flows[name]
        outer.space()
        if name == "table-wrap":
            self._table_wrap(element)
        else:
            self.flat(_APART[name], element)
        self._flow = outer

    def _table_wrap(self, element: etree._Element) -> None:
        heads = [child for child in element if child.tag in ("label", "caption")]
        if heads:
            self.flat("table_caption", *heads)
        for child in element:
            name = child.tag if isinstance(child.tag, str) else ""
            if name == "table-wrap-foot":
                self.flat("table_footnote", child)
            elif name and name not in ("label", "caption", *_SILENT):
                tables = [child] if name in _TABLES else child.findall(".//table")
                for table in tables:
                    self._table(table)
                if not tables:
                    self._child(child, element, None)
                    self._close("table", child)

    def _table(self, table: etree._Element) -> None:
        """Make a passage of a table: a line for each row, with tabs between the cells."""
        for row in table.iter("tr"):
            if next(row.iterancestors(*_TABLES)) is not table:
                continue  # A table in a cell belongs to the cell.
            self._flow.space("\n")
            for number, cell in enumerate(c for c in row if c.tag in ("td", "th")):
                if number:
                    self._flow.space("\t")
                self._inline(cell, None)
        self._close("table", table)

    def _words(self, text: str, element: etree._Element, node: int) -> None:
        """Add the words of a text node, with single spaces between them."""
        flow = self._flow
        last = 0
        for match in _WORDS.finditer(text):
            if match.start() > last:
                flow.space()
            start = flow.add(match[0])
            if self._places:
                end = start + len(match[0])
                flow.pieces.append(Piece(start, end, element, node, match.start()))
            last = match.end()
        if last < len(text):
            flow.space()
