"""Linked documents under review: what is decided, and acts, which are saved at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from biolink.corrections.acts import Act, act_from_dict, act_to_dict
from biolink.corrections.applying import Corrected, apply_acts, effective
from biolink.corrections.files import Journal
from biolink.documents import Document
from biolink.errors import ConfigError, DocumentError, UnknownConceptError
from biolink.formats.jsonl import document_to_dict
from biolink.formats.problems import strict_json

__all__ = ["Review", "acted", "viewed"]

#: The number of characters of a document that the list of documents shows.
_SHOWN = 80


def acted(document: Document, acts: Sequence[Act], record: dict[str, Any]) -> list[Act]:
    """Return the acts on a document and one more, which gets the time, and its number if it adds.

    Raises
    ------
    DocumentError
        If the act does not fit, or there is nothing that it could take back.
    """
    given = {**record, "document": document.id, "at": datetime.now(UTC).isoformat("T", "seconds")}
    if given.get("act") == "add":
        used = [act.mention for act in acts if act.act == "add" and act.mention is not None]
        given["mention"] = max([len(document.mentions) - 1, *used]) + 1
    act = act_from_dict(given)
    if act.act == "undo" and not effective(acts):
        raise DocumentError("there is no act on this document that could be taken back")
    after = [*acts, act]
    apply_acts(document, after)
    return after


def viewed(document: Document, acts: Sequence[Act]) -> dict[str, Any]:
    """Return a document after its acts as the page shows it."""
    corrected = apply_acts(document, acts)
    return {
        # A number that is not finite, such as a probability that is unknown, is null.
        "document": json.loads(strict_json(document_to_dict(corrected.document))),
        "mentions": [
            {"number": m.number, "decision": m.decision, "changed": m.changed}
            for m in corrected.mentions
        ],
        "acts": [act_to_dict(act) for act in acts],
        "undoable": len(effective(acts)),
    }


class Review:
    """Documents, and the file that keeps what is decided about them.

    Parameters
    ----------
    documents
        The linked documents.
    journal
        The open file of corrections. A document that it has is shown as it was linked then.
    name
        The name of the file of documents.

    Raises
    ------
    ConfigError
        If two documents have the same id, or a document has another text than in the journal.
    """

    def __init__(self, documents: Sequence[Document], journal: Journal, name: str) -> None:
        self.journal, self.name = journal, name
        self._lock = threading.Lock()
        known = journal.corrections.documents
        self._documents: list[Document] = []
        self._at: dict[str, int] = {}
        for number, document in enumerate(documents):
            named = document if document.id else replace(document, id=str(number + 1))
            if named.id in self._at:
                raise ConfigError(
                    f"two documents of {name} have the id {named.id!r}; expected an id of its own "
                    "for each, by which corrections name it"
                )
            before = known.get(named.id, named)
            if before.text != named.text:
                raise ConfigError(
                    f"the text of document {named.id!r} in {name} differs from that in "
                    f"{journal.path}; expected corrections of these documents, or another -o"
                )
            self._at[named.id] = number
            self._documents.append(before)
        #: The number of documents in the file of corrections that are not under review.
        self.others = len(known.keys() - self._at.keys())
        self._acts: list[list[Act]] = [[] for _ in self._documents]
        for act in journal.corrections.acts:
            if act.document in self._at:
                self._acts[self._at[act.document]].append(act)
        self._corrected: list[Corrected] = [
            apply_acts(document, acts)
            for document, acts in zip(self._documents, self._acts, strict=True)
        ]

    def __len__(self) -> int:
        return len(self._documents)

    def corrected(self) -> list[Document]:
        """Return all documents after the acts on them."""
        return [corrected.document for corrected in self._corrected]

    def progress(self) -> dict[str, int]:
        """Return the numbers of documents and mentions, and of those that are decided."""
        mentions = [m for corrected in self._corrected for m in corrected.mentions]
        return {
            "documents": len(self),
            "finished": sum(corrected.finished for corrected in self._corrected),
            "mentions": len(mentions),
            "decided": sum(bool(m.decision) for m in mentions),
        }

    def summary(self) -> dict[str, Any]:
        """Return the list of documents for the page."""
        return {
            "name": self.name,
            "progress": self.progress(),
            "documents": [
                {
                    "id": corrected.document.id,
                    "begins": corrected.document.text[:_SHOWN],
                    "mentions": len(corrected.mentions),
                    "decided": sum(bool(m.decision) for m in corrected.mentions),
                }
                for corrected in self._corrected
            ],
        }

    def view(self, number: int) -> dict[str, Any]:
        """Return a document for the page.

        Raises
        ------
        UnknownConceptError
            If there is no such document.
        """
        if not 0 <= number < len(self):
            raise UnknownConceptError(f"there is no document {number} under review")
        view = viewed(self._documents[number], self._acts[number])
        return {**view, "progress": self.progress()}

    def act(self, number: int, record: dict[str, Any]) -> dict[str, Any]:
        """Save an act, and return the document after it.

        Raises
        ------
        DocumentError
            If the act does not fit the document.
        InputError
            If the act cannot be saved; then nothing is changed.
        """
        with self._lock:
            self.view(number)
            document = self._documents[number]
            after = acted(document, self._acts[number], record)
            self.journal.add(document, after[-1])
            self._acts[number] = after
            self._corrected[number] = apply_acts(document, after)
            return self.view(number)
