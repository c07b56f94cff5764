"""What linkers are given: texts or documents, spans, and a recogniser."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from biolink.documents import Document, Mention
from biolink.errors import ConfigError, shown
from biolink.infer.decide.calibration import Calibration
from biolink.infer.remembered.decisions import Remembered
from biolink.kb.arguments import is_whole, need, need_callable

__all__ = [
    "called",
    "check_settings",
    "check_travels",
    "document_of",
    "recognised",
    "to_link",
    "with_spans",
]


def document_of(item: object, doc_id: str = "") -> Document:
    """The document itself, or a new document with the text that was given.

    Raises
    ------
    ConfigError
        If the item is neither, or the text is not valid Unicode.
    """
    if isinstance(item, str):
        try:
            return Document(doc_id, item)
        except ValueError as error:
            raise ConfigError(str(error)) from None
    if not isinstance(item, Document):
        cure = ": decode it to a text first" if isinstance(item, bytes | bytearray) else ""
        raise ConfigError(f"{shown(item)} cannot be linked{cure}; expected a text or a Document")
    return item


def with_spans(document: Document, spans: Iterable[Sequence[int]]) -> Document:
    """The document with mentions at these offsets, (start, end) in code points.

    >>> with_spans(Document("", "asthma and gout"), [(0, 6), (11, 15)]).mentions[1].text
    'gout'

    Raises
    ------
    ConfigError
        If a span is not a pair of offsets into the text.
    """
    size = len(document.text)
    if isinstance(spans, str | Mapping) or not isinstance(spans, Iterable):
        raise ConfigError(f"spans is {shown(spans)}; expected a list of (start, end)")
    mentions = []
    for span in spans:
        pair = tuple(span) if isinstance(span, Iterable) and not isinstance(span, str) else ()
        if len(pair) != 2 or not all(map(is_whole, pair)):
            raise ConfigError(f"the span {span!r} is not a pair of whole numbers (start, end)")
        start, end = map(int, pair)
        if not 0 <= start < end <= size:
            raise ConfigError(
                f"the span {start}-{end} lies outside the text of {size} characters, or is empty"
            )
        mentions.append(Mention(start, end, document.text[start:end]))
    return document.with_mentions(mentions)


def called(recogniser: object) -> str:
    """The name of a recogniser in messages."""
    return str(getattr(recogniser, "__name__", type(recogniser).__name__))


def recognised(recogniser: Any, documents: Sequence[Document]) -> list[Document]:
    """The documents with the mentions that a recogniser finds.

    If the recogniser has a method ``recognise_batch``, which takes and returns several documents,
    that is called; otherwise the recogniser itself is called with each document.

    Raises
    ------
    ConfigError
        If the recogniser returns anything but these documents with mentions.
    """
    recognise_batch = getattr(recogniser, "recognise_batch", None)
    returned = recognise_batch(documents) if recognise_batch else map(recogniser, documents)
    results = list(returned) if isinstance(returned, Iterable) else [returned]
    name = called(recogniser)
    for document, result in zip(documents, results, strict=False):
        if not isinstance(result, Document):
            raise ConfigError(
                f"the recogniser {name} gave {shown(result)} for the document {document.id!r}; "
                "expected the Document with its mentions"
            )
        if result.text != document.text:
            raise ConfigError(
                f"the recogniser {name} changed the text of the document {document.id!r}; "
                "expected the same text with mentions"
            )
    if len(results) != len(documents):
        raise ConfigError(
            f"the recogniser {name} gave {len(results)} documents for {len(documents)}; "
            "expected one for each"
        )
    return results


def to_link(
    recogniser: Any, documents: list[Document], recognise: bool | None
) -> tuple[list[Document], set[int]]:
    """The documents with their mentions, which a recogniser finds where that is wanted.

    Parameters
    ----------
    recogniser
        The recogniser, or None if there is none.
    documents, recognise
        See :meth:`Piping.pipe`.

    Returns
    -------
    The documents, and the indices of those whose mentions were found here.
    """
    wanted = [
        index
        for index, document in enumerate(documents)
        if recognise or (recognise is None and not document.mentions)
    ]
    if recogniser is None or not wanted:
        return documents, set()
    with_mentions = recognised(recogniser, [documents[index] for index in wanted])
    found_in = dict(zip(wanted, with_mentions, strict=True))
    return [found_in.get(index, document) for index, document in enumerate(documents)], set(wanted)


def check_settings(
    recogniser: object = None, calibration: object = None, remembered: object = None
) -> None:
    """Check the types of a recogniser, a calibration and what is remembered.

    Raises
    ------
    ConfigError
        If one of them has the wrong type.
    """
    need_callable("recogniser", recogniser, "a function from document to document")
    if calibration is not None:
        need("calibration", calibration, Calibration, "a Calibration")
    if remembered is not None:
        need("remembered", remembered, Remembered, "a Remembered")


def check_travels(recogniser: object) -> None:
    """Check that a recogniser can be pickled, that is, imported by name in another process.

    Raises
    ------
    ConfigError
        If it is a lambda, or was defined within a function.
    """
    written = getattr(recogniser, "func", recogniser)  # the function within a partial
    name = getattr(written, "__qualname__", type(written).__qualname__)
    if "<lambda>" in name or "<locals>" in name:
        raise ConfigError(
            f"a linker whose recogniser is {name} cannot be pickled or sent to other processes; "
            "expected a function or class at the top of a module"
        )
