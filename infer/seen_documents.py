"""Which documents a model was trained on, stored as hashes of texts and titles in its folder.

A model scores too well on documents that it was trained on. The same corpus comes in many formats,
so only letters and digits are hashed; white space, punctuation and case do not matter.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from biolink.documents import Document
from biolink.errors import ModelError
from biolink.kb.files import replace_file
from biolink.kb.model_files import SEEN_DOCUMENTS, has_file
from biolink.kb.model_folder import renew_seal

__all__ = ["SeenDocuments", "fingerprints", "write_seen_documents"]

_KIND = "biolink-seen-documents"
_VERSION = 1
_HEX = 16
#: Shorter titles, counted in letters and digits, may belong to several documents ("Letter to the
#: editor").
_LEAST_TITLE = 30


def fingerprints(document: Document) -> set[str]:
    """Hashes of a document's text and of its title: the first 8 bytes of SHA-256, in hexadecimal.

    The title is the first passage, or the first line if the document has no passages. A title of
    fewer than 30 letters and digits is not hashed, unless it is the whole text.

    >>> document = Document("1", "Asthma in 1,200 children")
    >>> fingerprints(document) == fingerprints(Document("x", "ASTHMA  in 1200 children."))
    True
    """
    text = document.text
    if document.passages:
        first = document.passages[0]
        title = text[first.start : first.end]
    else:
        title = text.strip().partition("\n")[0]
    whole, title = _letters(text), _letters(title)
    return {
        _hash(letters)
        for letters in (whole, title)
        if len(letters) >= _LEAST_TITLE or letters == whole
    }


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_HEX]


def write_seen_documents(folder: str | Path, documents: Iterable[Document]) -> Path:
    """Record in the folder of a model which documents it was trained on.

    Parameters
    ----------
    folder
        The model folder. Hashes that it has already are kept.
    documents
        All documents whose annotations were used for training, development documents included.

    Returns
    -------
    The path of the file that was written.
    """
    file = Path(folder) / SEEN_DOCUMENTS
    hashes = set(SeenDocuments(folder).hashes)
    for document in documents:
        hashes |= fingerprints(document)
    record = {"kind": _KIND, "version": _VERSION, "sha256_64": sorted(hashes)}
    with replace_file(file) as stream:
        stream.write(json.dumps(record, indent=0) + "\n")
    renew_seal(file)
    return file


class SeenDocuments:
    """The documents that a model was trained on. The file is read when it is first needed.

    Parameters
    ----------
    folder
        The model folder. If it is None, or the folder does not have the file, no document is known.
    """

    def __init__(self, folder: str | Path | None) -> None:
        self.folder = None if folder is None else Path(folder)

    @cached_property
    def hashes(self) -> frozenset[str]:
        """The hashes of texts and titles.

        Raises
        ------
        ModelError
            If the file is damaged.
        """
        if self.folder is None or not has_file(self.folder / SEEN_DOCUMENTS):
            return frozenset()
        file = self.folder / SEEN_DOCUMENTS
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            hashes = record["sha256_64"] if record["kind"] == _KIND else None
            known = record["version"] == _VERSION
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ModelError(f"{file} is damaged ({error}); expected hashes of documents") from None
        if not known:
            raise ModelError(f"{file} has version {record['version']}; expected {_VERSION}")
        if not isinstance(hashes, list) or not all(isinstance(digest, str) for digest in hashes):
            raise ModelError(f"{file} is damaged; expected hashes of documents")
        return frozenset(hashes)

    def __contains__(self, document: Document) -> bool:
        return not self.hashes.isdisjoint(fingerprints(document))
