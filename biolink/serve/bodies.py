"""Documents in the bodies of requests and answers, in the format that the content type names."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from biolink.documents import Document
from biolink.errors import ConfigError, DocumentError, InputError
from biolink.formats import load, read
from biolink.formats.jsonl import IDS_EXPECTED, document_from_dict
from biolink.formats.problems import RECORD_ERRORS, IdsSeen, described

__all__ = [
    "CONTENT_TYPES",
    "JSON",
    "accepted",
    "documents_in",
    "documents_of_json",
    "written",
]

#: The content type of this service's own requests and answers.
JSON = "application/json"
#: Content type -> the format of documents that it names.
CONTENT_TYPES = {
    "text/plain": "text",
    "application/x-pubtator": "pubtator",
    "text/x-pubtator": "pubtator",
    "application/bioc+json": "bioc-json",
    "application/x-bioc+json": "bioc-json",
    "application/bioc+xml": "bioc-xml",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
}
#: The source that messages name in place of a file.
_SOURCE = "the body"


def documents_in(body: bytes, content_type: str) -> list[Document]:
    """Read the documents of a body that is not in this service's own JSON.

    >>> documents_in(b"Aspirin helps.", "text/plain; charset=utf-8")
    [<Document ...: 'Aspirin helps.', 0 mentions>]

    Raises
    ------
    ConfigError
        If the content type is none of :data:`CONTENT_TYPES`.
    InputError
        If the body does not have its format; the message names the line.
    """
    kind = _bare(content_type)
    if kind not in CONTENT_TYPES:
        expected = ", ".join((JSON, *CONTENT_TYPES))
        raise ConfigError(f"the content type is {kind!r}; expected one of {expected}")
    if CONTENT_TYPES[kind] == "text":
        return [Document("", _decoded(body))]
    with tempfile.TemporaryDirectory(prefix="biolink-") as folder:
        file = Path(folder, "body")
        file.write_bytes(body)
        try:
            return list(read(file, CONTENT_TYPES[kind]))
        except InputError as error:
            raise InputError(_SOURCE, error.line, error.found, error.expected) from None


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"bytes that are not UTF-8, at byte {error.start}"
        raise InputError(_SOURCE, None, found, "a text in UTF-8") from None


def documents_of_json(records: Sequence[Any]) -> list[Document]:
    """Return the documents of a JSON list, in the form of JSON Lines.

    Raises
    ------
    DocumentError
        If an item is no document; the message says which.
    """
    documents = []
    seen = IdsSeen(_SOURCE, IDS_EXPECTED, "their keys are {}")
    for number, record in enumerate(records, 1):
        try:
            if not isinstance(record, dict):
                raise ValueError("it is no object")
            documents.append(document_from_dict(record, str(number), seen))
        except RECORD_ERRORS as error:
            raise DocumentError(f"document {number} cannot be read: {described(error)}") from None
    return documents


def accepted(accept: str, content_type: str) -> str:
    """Return the content type of the answer to a request.

    It is the first one of ``Accept`` that can be written, or that of the request.

    >>> accepted("text/html, application/x-pubtator;q=0.9", "application/json")
    'application/x-pubtator'
    >>> accepted("*/*", "text/plain"), accepted("", "application/bioc+json")
    ('application/json', 'application/bioc+json')
    """
    own = _bare(content_type)
    writable = [JSON, *(kind for kind in CONTENT_TYPES if kind != "text/plain")]
    for part in accept.split(","):
        if _bare(part) in writable:
            return _bare(part)
    return own if own in writable else JSON


def _bare(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def written(documents: Iterable[Document], content_type: str) -> str:
    """Write documents in the format that a content type names.

    This service's own JSON is an object with ``documents``, in the form of JSON Lines.

    >>> written([Document("7", "Fever.")], JSON)
    '{"documents": [{"id": "7", "text": "Fever.", "mentions": []}]}'

    Raises
    ------
    DocumentError, InputError
        If the format cannot hold one of them.
    """
    stream = io.StringIO()
    load(CONTENT_TYPES.get(content_type, "jsonl")).write(documents, stream)
    text = stream.getvalue()
    if content_type == JSON:
        return f'{{"documents": [{", ".join(text.split(chr(10))[:-1])}]}}'
    return text
