"""Documents, mentions and links: immutable values that flow through every stage.

Offsets are indices into ``Document.text`` in code points (what Python's ``str`` counts), never
bytes or UTF-16 units. ``document.text[m.start:m.end] == m.text`` holds for every mention of a
document; :class:`Document` refuses to be made otherwise.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

from biolink.coloured import document_html
from biolink.errors import ConfigError, DocumentError, shown

__all__ = ["Document", "Link", "Mention", "Passage", "check_text", "each_document"]

#: Characters of a text that :func:`repr` shows.
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Link:
    """One concept proposed for a mention.

    Attributes
    ----------
    concept_id
        Id inside the knowledge base, without prefix.
    name
        The name, as the knowledge base writes it, through which the concept was reached.
    score
        What ranked it, a log-probability: of the name for generation, of the concept for the
        combined linker. Comparable within one mention only.
    probability
        In [0, 1]; calibrated on development data where the model carries a calibration.
    rank
        From 1.
    shared
        The name belongs to several concepts of the knowledge base.
    also
        Ids of the other concepts that own the name.
    long_form
        The long form that was linked in place of the abbreviated mention, or None.
    preferred_name
        The concept's preferred name, whatever name it was reached through ("Breast Neoplasms"
        beside "Cancer, Breast").
    curie
        The id with the prefix of its vocabulary ("mesh:D001943").
    """

    concept_id: str
    name: str
    score: float
    probability: float
    rank: int
    shared: bool = False
    also: tuple[str, ...] = ()
    long_form: str | None = None
    preferred_name: str = ""
    curie: str = ""


@dataclass(frozen=True, slots=True)
class Mention:
    """A span of a document that names something: the slice ``text[start:end]`` is ``text``.

    Attributes
    ----------
    start, end
        Code-point offsets into the document's text, end exclusive. For a discontinuous mention
        they cover all of its spans.
    type
        Semantic type as the corpus or recogniser names it, or "".
    concept_ids
        Gold ids, in the order of the source; empty when unknown or when the gold says NIL.
    id_joiner
        How several ids belong together: "|" for alternatives or conjuncts named one by one,
        "+" for concepts that together make one mention, "," or ";" as some corpora write.
    parts
        The individual mentions that some corpora give for a composite one.
    spans
        The pieces of a discontinuous mention as (start, end); empty for a continuous one.
    links
        Ranked links, best first; empty for NIL or before linking.
    nil_reason
        Why there is no link (threshold, no candidate, pruned), or None.
    long_form
        What the mention abbreviates in this document, or None.
    id
        Identifier of the annotation in its source, or "".
    probability
        What a recogniser that found the mention gives for it, in [0, 1], or None.
    nil_probability
        What the linker gives for NIL, in [0, 1]: that no concept of the knowledge base is meant;
        None before linking, and from a linker for which NIL is not a candidate.

    Raises
    ------
    DocumentError
        When the offsets are no whole numbers in order, or the text is none. The rest is checked
        where the mention comes into a document.
    """

    start: int
    end: int
    text: str
    type: str = ""
    concept_ids: tuple[str, ...] = ()
    id_joiner: str = "|"
    parts: tuple[str, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()
    links: tuple[Link, ...] = ()
    nil_reason: str | None = None
    long_form: str | None = None
    id: str = ""
    probability: float | None = None
    nil_probability: float | None = None

    def __post_init__(self) -> None:
        # Mentions are made by the hundred thousand: what is right is seen at a glance.
        start, end = self.start, self.end
        if not (type(start) is type(end) is int and 0 <= start <= end and type(self.text) is str):
            check_text(self.text, "the text of a mention")
            _check_order(start, end, f"mention {reprlib.repr(self.text)}")

    @property
    def best(self) -> Link | None:
        """The first link, or None for NIL."""
        return self.links[0] if self.links else None


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a document (title, abstract, ...): ``text[start:end]`` of the document."""

    start: int
    end: int
    kind: str = ""

    def __post_init__(self) -> None:
        _check_order(self.start, self.end, "passage")


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its passages and mentions.

    Raises
    ------
    DocumentError
        When a mention's text is not the slice that its offsets name, a passage or mention lies
        outside the text, or a value has another type or cannot be written as UTF-8.
    """

    id: str
    text: str
    passages: tuple[Passage, ...] = ()
    mentions: tuple[Mention, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        check_text(self.id, "the id of a document")
        where = f"document {self.id!r}"
        check_text(self.text, f"{where}: its text")
        if not isinstance(self.metadata, dict):
            raise DocumentError(f"{where}: its metadata are {shown(self.metadata)}, not a dict")
        for name, kind in (("passages", Passage), ("mentions", Mention)):
            values = getattr(self, name)
            if not isinstance(values, tuple):
                if not isinstance(values, list):
                    raise DocumentError(f"{where}: its {name} are {shown(values)}, not a tuple")
                object.__setattr__(self, name, tuple(values))
            for value in values:
                if not isinstance(value, kind):
                    raise DocumentError(f"{where}: {shown(value)} among its {name}")
        size = len(self.text)
        for passage in self.passages:
            check_text(passage.kind, f"{where}: the kind of a passage")
            _check_span(passage.start, passage.end, size, f"{where}: passage", least=0)
        for mention in self.mentions:
            _check_mention(mention, self.text, where)

    def __repr__(self) -> str:
        size = len(self.text)
        text = repr(self.text if size <= _SHOWN else self.text[:_SHOWN] + "…")
        if size > _SHOWN:
            text += f" ({size:,} characters)"
        return f"<Document {self.id!r}: {text}, {len(self.mentions)} mentions>"

    def _repr_html_(self) -> str:
        """The text with coloured mentions, for notebooks."""
        return document_html(self)

    def with_mentions(self, mentions: Iterable[Mention]) -> Document:
        """The same document with other mentions."""
        return replace(self, mentions=tuple(mentions))


def each_document(given: object, what: str) -> Iterator[Document]:
    """The documents of a stream, or the one that was given; they are checked as they come.

    Parameters
    ----------
    given
        A document or several.
    what
        What takes them, for messages.

    Raises
    ------
    ConfigError
        When it is neither, at once; when something among them is no document.
    """
    if isinstance(given, Document):
        return iter((given,))
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise ConfigError(f"{what} was given {shown(given)}; expected a Document or several")
    return (_document(item, what) for item in given)


def _document(item: object, what: str) -> Document:
    if not isinstance(item, Document):
        raise ConfigError(f"{what} was given {shown(item)} in place of a Document")
    return item


def check_text(value: object, what: str) -> None:
    """Refuse what is no text, or has characters that cannot be written as UTF-8.

    Raises
    ------
    DocumentError
        When the value is no text, or has a lone surrogate (half of a character, or a byte that
        was no UTF-8).
    """
    if not isinstance(value, str):
        raise DocumentError(f"{what} is {shown(value)}, not a text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise DocumentError(
                f"{what} has a lone surrogate or bytes that are not UTF-8 at character "
                f"{error.start}"
            ) from None


def _check_order(start: object, end: object, what: str) -> None:
    for offset in (start, end):
        if not isinstance(offset, int) or isinstance(offset, bool):
            raise DocumentError(f"{what} begins or ends at {shown(offset)}, not a whole number")
    assert isinstance(start, int)
    assert isinstance(end, int)
    if not 0 <= start <= end:
        raise DocumentError(
            f"{what} {_place(start, end)} is not a span: expected offsets from 0, in order"
        )


def _check_span(start: int, end: int, size: int, what: str, least: int = 1) -> None:
    _check_order(start, end, what)
    if not start + least <= end <= size:
        place = _place(start, end)
        raise DocumentError(f"{what} {place} lies outside the text of {size} characters")


def _place(start: int, end: int) -> str:
    return f"{start}-{end}" if abs(start) + abs(end) < 10**15 else "with huge offsets"


def _check_mention(mention: Mention, text: str, where: str) -> None:
    start, end = mention.start, mention.end
    _check_span(start, end, len(text), f"{where}: mention {reprlib.repr(mention.text)}")
    if text[start:end] != mention.text:
        raise DocumentError(
            f"{where}: mention {start}-{end} says {reprlib.repr(mention.text)} but the text there "
            f"is {reprlib.repr(text[start:end])}"
        )
    what = f"{where}: mention {start}-{end}"
    check_text(mention.type, f"{what}: its type")
    check_text(mention.id, f"{what}: its id")
    check_text(mention.id_joiner, f"{what}: its id_joiner")
    _check_texts(mention.concept_ids, f"{what}: its concept_ids")
    _check_texts(mention.parts, f"{what}: its parts")
    for name in ("nil_reason", "long_form"):
        if getattr(mention, name) is not None:
            check_text(getattr(mention, name), f"{what}: its {name}")
    for name in ("probability", "nil_probability"):
        if getattr(mention, name) is not None:
            _check_number(getattr(mention, name), f"{what}: its {name}")
    if not isinstance(mention.spans, tuple):
        raise DocumentError(f"{what}: its spans are {shown(mention.spans)}, not a tuple")
    for span in mention.spans:
        if not isinstance(span, tuple) or len(span) != 2:
            raise DocumentError(f"{what}: {shown(span)} is not a span")
        _check_span(*span, len(text), f"{what}: its span")
    if not isinstance(mention.links, tuple):
        raise DocumentError(f"{what}: its links are {shown(mention.links)}, not a tuple")
    for link in mention.links:
        if not isinstance(link, Link):
            raise DocumentError(f"{what}: {shown(link)} is not a link")
        _check_link(link, what)


def _check_link(link: Link, what: str) -> None:
    for name in ("concept_id", "name", "preferred_name", "curie"):
        check_text(getattr(link, name), f"{what}: the {name} of a link")
    if link.long_form is not None:
        check_text(link.long_form, f"{what}: the long_form of a link")
    for name in ("score", "probability", "rank"):
        _check_number(getattr(link, name), f"{what}: the {name} of a link")
    _check_texts(link.also, f"{what}: the also of a link")


def _check_number(value: object, what: str) -> None:
    if not isinstance(value, Real) or isinstance(value, bool):
        raise DocumentError(f"{what} is {shown(value)}, not a number")


def _check_texts(values: object, what: str) -> None:
    if not isinstance(values, tuple):
        raise DocumentError(f"{what} are {shown(values)}, not a tuple of texts")
    for value in values:
        check_text(value, f"one of {what}")
