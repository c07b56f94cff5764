"""Documents, mentions and links: immutable values that pass through every stage.

Offsets are indices into ``Document.text`` in code points (what Python's ``str`` counts), never
bytes or UTF-16 units. ``document.text[m.start:m.end] == m.text`` holds for every mention of a
document; a :class:`Document` for which it does not hold cannot be made.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

from biolink.coloured import document_html
from biolink.errors import ConfigError, DocumentError, shown
from biolink.kb.wording import counted

__all__ = ["Document", "Link", "Mention", "Passage", "check_text", "each_document"]

#: The number of characters of a text that :func:`repr` shows.
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Link:
    """One concept that is proposed for a mention.

    Attributes
    ----------
    concept_id
        Id of the concept in the knowledge base, without a prefix.
    name
        The name through which the concept was reached, as the knowledge base writes it.
    score
        The log-probability by which the links are ranked: that of the name for the method
        ``generate``, that of the concept for the method ``combined``. Scores can be compared
        within one mention only.
    probability
        The probability that the link is right, from 0 to 1. It is calibrated on development data
        where the model has a calibration.
    rank
        The position among the mention's links, from 1.
    shared
        Whether the name belongs to several concepts of the knowledge base.
    also
        Ids of the other concepts that have the name.
    long_form
        The long form that was linked in place of the abbreviated mention, or None.
    preferred_name
        The concept's preferred name, whatever name it was reached through ("Breast Neoplasms"
        where ``name`` is "Cancer, Breast").
    curie
        The id with the prefix of its vocabulary ("mesh:D001943").
    reason
        Why this concept was chosen among those of the same name, such as the place where the
        document names the species of a gene, or "".

    Examples
    --------
    >>> import biolink
    >>> link = biolink.link("Cancer of the breast.").mentions[0].best
    >>> link.concept_id, link.curie, link.rank
    ('D001943', 'mesh:D001943', 1)
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
    reason: str = ""


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
        Gold ids, in the order of the source; empty when they are unknown or the gold answer is
        NIL.
    id_joiner
        How several ids belong together: "|" for alternatives, or for the concepts of a composite
        mention, "+" for concepts that are meant only together. Some corpora write "," or ";".
    parts
        The individual mentions that some corpora give for a composite one.
    spans
        The pieces of a discontinuous mention as (start, end); empty for a continuous one.
    links
        Links, best first; empty for NIL and before linking.
    nil_reason
        Why there is no link (threshold, no candidate, pruned), or None.
    long_form
        The long form of which the mention is an abbreviation in this document, or None.
    id
        Identifier of the annotation in its source, or "".
    probability
        The probability from 0 to 1 that the recogniser gives the mention, or None.
    nil_probability
        The probability from 0 to 1 that the mention means no concept of the knowledge base. It is
        None before linking, and from a linker for which NIL is not a candidate.
    assertions
        What the text says of the mention: negated, hypothetical, family or historical. It is empty
        for a mention that the text affirms, and where nobody looked.

    Examples
    --------
    >>> mention = Mention(0, 7, "Aspirin", "Chemical", concept_ids=("D001241",))
    >>> mention.text == "Aspirin helps."[mention.start : mention.end], mention.best
    (True, None)

    Raises
    ------
    DocumentError
        When the offsets are not whole numbers in order, or the text is not a string. The other
        values are checked when the mention is put into a document.
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
    assertions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # Mentions are made by the hundred thousand, so valid ones pass after this one check.
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
    """A part of a document (title, abstract, ...): ``text[start:end]`` of the document.

    >>> Passage(0, 5, "title").kind
    'title'
    """

    start: int
    end: int
    kind: str = ""

    def __post_init__(self) -> None:
        _check_order(self.start, self.end, "passage")


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its passages and mentions.

    Attributes
    ----------
    id
        Identifier of the document in its source, or "".
    text
        The whole text, to which all offsets refer.
    passages
        Parts of the text such as title and abstract.
    mentions
        The mentions, annotated or found, with their links.
    metadata
        Further values, which JSON Lines files keep.

    Examples
    --------
    >>> from biolink import Document, Mention
    >>> document = Document("1", "Fever.", mentions=(Mention(0, 5, "Fever"),))
    >>> document
    <Document '1': 'Fever.', 1 mention>
    >>> Document("1", "Fever.", mentions=(Mention(0, 5, "Cough"),))
    Traceback (most recent call last):
    biolink.errors.DocumentError: document '1': mention 0-5 says 'Cough' ...

    Raises
    ------
    DocumentError
        When a mention's text differs from the text at its offsets, a passage or mention lies
        outside the text, or a value has a wrong type or cannot be written as UTF-8.
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
        return f"<Document {self.id!r}: {text}, {counted(len(self.mentions), 'mention')}>"

    def _repr_html_(self) -> str:
        """Show the text with coloured mentions in a notebook."""
        return document_html(self)

    def with_mentions(self, mentions: Iterable[Mention]) -> Document:
        """Return a copy of the document with other mentions."""
        return replace(self, mentions=tuple(mentions))


def each_document(given: object, what: str) -> Iterator[Document]:
    """Return an iterator over the given document or documents.

    Parameters
    ----------
    given
        One document or an iterable of documents.
    what
        The name of the function to which they were given, for messages.

    Raises
    ------
    ConfigError
        At once when ``given`` is neither; later, when the iterator comes to a value that is not a
        document.
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
    """Raise an error unless the value is a string that can be written as UTF-8.

    Raises
    ------
    DocumentError
        When the value is not a string, or has a lone surrogate (half of a character, or a byte
        that was not UTF-8).
    """
    if not isinstance(value, str):
        raise DocumentError(f"{what} is {shown(value)}, not a string")
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
            f"{what} {_written_span(start, end)} is not a span: expected offsets from 0, in order"
        )


def _check_span(start: int, end: int, size: int, what: str, least: int = 1) -> None:
    _check_order(start, end, what)
    if not start + least <= end <= size:
        written = _written_span(start, end)
        raise DocumentError(f"{what} {written} lies outside the text of {size} characters")


def _written_span(start: int, end: int) -> str:
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
    _check_texts(mention.assertions, f"{what}: its assertions")
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
    for name in ("concept_id", "name", "preferred_name", "curie", "reason"):
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
        raise DocumentError(f"{what} are {shown(values)}, not a tuple of strings")
    for value in values:
        check_text(value, f"one of {what}")
