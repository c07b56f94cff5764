"""The file of corrections: JSON Lines to which acts are only ever added.

Its first line is ``{"biolink": "corrections", "version": 1}``. Each further line is either a
document as it was linked (``{"document": {"id": ..., "text": ..., "mentions": [...]}}``, in the
form of JSON Lines, before the first act on it), or an act. So the file can be understood without
any other.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from biolink.corrections.acts import Act, act_from_dict, act_to_dict
from biolink.corrections.applying import Corrected, apply_acts
from biolink.documents import Document
from biolink.errors import ConfigError, DocumentError, InputError
from biolink.formats.jsonl import IDS_EXPECTED, document_from_dict, document_to_dict
from biolink.formats.problems import RECORD_ERRORS, IdsSeen, described, strict_json
from biolink.kb.files import display_name, open_binary, replace_file
from biolink.kb.temporary import try_lock

__all__ = ["HEADER", "Corrections", "Journal", "read_corrections", "write_corrections"]

log = logging.getLogger(__name__)

#: The first line of a file of corrections.
HEADER: dict[str, Any] = {"biolink": "corrections", "version": 1}
_HEADER_LINE = json.dumps(HEADER).encode() + b"\n"
_EXPECTED = f"{json.dumps(HEADER)}, the first line of a file of corrections"


@dataclass(frozen=True, slots=True)
class Corrections:
    """The content of a file of corrections.

    Attributes
    ----------
    documents
        Id -> the document as it was linked.
    acts
        The acts, in the order in which they were decided.
    cut_off
        The number of acts that were cut off at the end of the file by a kill: 0 or 1.
    """

    documents: dict[str, Document]
    acts: tuple[Act, ...]
    cut_off: int = 0

    def corrected(self) -> list[Corrected]:
        """Return the documents after the acts on them, in the order of the file."""
        of: dict[str, list[Act]] = {doc_id: [] for doc_id in self.documents}
        for act in self.acts:
            of[act.document].append(act)
        return [apply_acts(document, of[doc_id]) for doc_id, document in self.documents.items()]


def read_corrections(path: str | Path) -> Corrections:
    """Read a file of corrections; a last line that a kill cut off is left out with a warning.

    Parameters
    ----------
    path
        The file, which may be compressed with gzip or xz, or ``-`` for stdin.

    Raises
    ------
    InputError
        If the file is none of corrections, or a line is neither an act nor a document, or does not
        fit what stands before it. The message names the line.
    """
    source = display_name(path)
    documents: dict[str, Document] = {}
    acts: list[Act] = []
    lines: list[int] = []
    seen = IdsSeen(source, IDS_EXPECTED, "their keys are {}")
    number = cut_off = 0
    with open_binary(path) as stream:
        for number, line in enumerate(stream, 1):
            whole = line.endswith(b"\n")
            if number > 1 and not line.strip():
                continue
            try:
                record = _record(line, number)
            except (ValueError, RecursionError) as error:
                if not whole and (number > 1 or _HEADER_LINE.startswith(line)):
                    cut_off = 1
                    log.warning(
                        "biolink: warning: %s: the last line was cut off and is left out; it is "
                        "an act that was not saved",
                        source,
                    )
                    break
                expected = _EXPECTED if number == 1 else "an act or a document"
                raise InputError(source, number, described(error), expected) from None
            if number == 1:
                continue
            with _told(source, number):
                _take(record, documents, acts, seen)
            lines += [number] * (len(acts) - len(lines))
    if number == 0:
        raise InputError(source, 1, "an empty file", _EXPECTED)
    corrections = Corrections(documents, tuple(acts), cut_off)
    try:
        corrections.corrected()
    except DocumentError:
        _tell_line(corrections, source, lines)
    return corrections


def _tell_line(corrections: Corrections, source: str, lines: list[int]) -> None:
    """Raise the error of acts that do not fit, with the line of the first that does not."""
    fit, wrong = 0, len(lines)
    while fit + 1 < wrong:
        middle = (fit + wrong) // 2
        try:
            replace(corrections, acts=corrections.acts[:middle]).corrected()
            fit = middle
        except DocumentError:
            wrong = middle
    with _told(source, lines[wrong - 1]):
        replace(corrections, acts=corrections.acts[:wrong]).corrected()


def _record(line: bytes, number: int) -> dict[str, Any]:
    """The object of a line."""
    record = json.loads(line.decode())
    if not isinstance(record, dict):
        raise ValueError("the line is no object")
    if number == 1:
        if record.get("biolink") != HEADER["biolink"]:
            raise ValueError("the line is not that")
        if record.get("version") != HEADER["version"]:
            raise ValueError(f"the version is {record.get('version')!r}")
    return record


def _take(
    record: dict[str, Any], documents: dict[str, Document], acts: list[Act], seen: IdsSeen
) -> None:
    """Add the document or the act of a line to what was read."""
    given = record.get("document")
    if isinstance(given, dict):
        document = document_from_dict(given, "", seen)
        if document.id in documents:
            raise DocumentError(f"the document {document.id!r} is there twice")
        documents[document.id] = document
        return
    act = act_from_dict(record)
    if act.document not in documents:
        raise DocumentError(f"the document {act.document!r} is not there before an act on it")
    acts.append(act)


@contextlib.contextmanager
def _told(source: str, number: int) -> Iterator[None]:
    """Name the file and the line in the errors of the block."""
    try:
        yield
    except InputError:
        raise
    except RECORD_ERRORS as error:
        expected = "an act that fits its document, or a document"
        raise InputError(source, number, described(error), expected) from None


class Journal:
    """An open file of corrections, to which acts are added; each is saved before the call returns.

    A kill can cut off no more than the act that is being written. Then the next journal of this
    file takes the piece of a line away, which is an act that nobody was told is saved.

    Parameters
    ----------
    path
        The file. It is made if it does not exist.

    Attributes
    ----------
    corrections
        What the file had when it was opened.

    Examples
    --------
    >>> from biolink import Mention
    >>> document = Document("1", "Fever.", mentions=(Mention(0, 5, "Fever"),))
    >>> with Journal("corrections.jsonl") as journal:
    ...     journal.add(document, Act("nil", "1", 0, 0, 5, "Fever"))
    >>> read_corrections("corrections.jsonl").corrected()[0].mentions[0].decision
    'nil'

    Raises
    ------
    InputError
        If the file exists and is none of corrections, or cannot be written.
    ConfigError
        If another process has it open.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._stream = _opened(self.path)
        try:
            if try_lock(self._stream.fileno()) is False:
                raise ConfigError(
                    f"{path} is open in another review; expected another file, or the end of that "
                    "review"
                )
            self.corrections = Corrections({}, ())
            if self.path.stat().st_size > 0:
                self.corrections = read_corrections(path)
                _end_at_a_line(self._stream, self.path, self.corrections.cut_off > 0)
            if self.path.stat().st_size == 0:
                self._write([HEADER])
        except BaseException:
            self._stream.close()
            raise
        self._known = set(self.corrections.documents)

    def add(self, document: Document, act: Act) -> None:
        """Save an act, and before it the document as it was linked, if it is not there yet.

        Raises
        ------
        DocumentError
            If the act is on another document.
        InputError
            If the file cannot be written.
        """
        if act.document != document.id:
            raise DocumentError(f"an act on document {act.document!r}, not on {document.id!r}")
        lines = [] if document.id in self._known else [{"document": document_to_dict(document)}]
        self._write([*lines, act_to_dict(act)])
        self._known.add(document.id)

    def _write(self, records: Iterable[dict[str, Any]]) -> None:
        written = "".join(strict_json(record) + "\n" for record in records).encode()
        before = self.path.stat().st_size
        try:
            while written:
                written = written[self._stream.write(written) :]
            os.fsync(self._stream.fileno())
        except OSError as error:
            # Half an act, as on a full disk, is taken away, so that the next begins a line.
            with contextlib.suppress(OSError):
                self._stream.truncate(before)
            raise InputError(
                str(self.path), None, error.strerror or str(error), "a file that can be written"
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("ab", buffering=0)
    except OSError as error:
        raise InputError(
            str(path), None, error.strerror or str(error), "a file that can be written"
        ) from None


def _end_at_a_line(stream: IO[bytes], path: Path, cut_off: bool) -> None:
    """Take away the piece of a line after a kill, and end a last line that has no end."""
    content = path.read_bytes()
    if content.startswith((b"\x1f\x8b", b"\xfd7zXZ")):
        raise InputError(str(path), None, "a compressed file", "one to which acts can be added")
    if cut_off:
        stream.truncate(content.rfind(b"\n") + 1)
    elif not content.endswith(b"\n"):
        stream.write(b"\n")


def write_corrections(
    path: str | Path, corrected: Iterable[tuple[Document, Iterable[Act]]]
) -> None:
    """Write a new file of corrections, such as those that were made with another tool.

    Parameters
    ----------
    path
        The file, which is replaced as a whole.
    corrected
        Documents as they were linked, each with the acts on it.

    Raises
    ------
    BiolinkError
        If an act does not fit its document, or the file cannot be written.
    """
    with replace_file(path) as stream:
        stream.write(strict_json(HEADER) + "\n")
        for document, acts in corrected:
            done = tuple(acts)
            apply_acts(document, done)
            stream.write(strict_json({"document": document_to_dict(document)}) + "\n")
            for act in done:
                if act.document != document.id:
                    raise DocumentError(f"an act on {act.document!r}, not on {document.id!r}")
                stream.write(strict_json(act_to_dict(act)) + "\n")
