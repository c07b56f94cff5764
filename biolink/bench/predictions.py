"""Predictions of systems for documents, stored in files so that they are computed once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from biolink.documents import Document
from biolink.formats import read
from biolink.formats.jsonl import document_to_dict
from biolink.formats.problems import strict_json

__all__ = ["digest", "predictions"]

#: Called with the name of a prediction, the number of documents done and the number of all.
Progress = Callable[[str, int, int], None]
_BLOCK = 16


def digest(*parts: Any) -> str:
    """Return a digest of the values on which a prediction depends."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:12]


def predictions(
    folder: Path,
    names: Sequence[str],
    documents: Sequence[Document],
    predict: Callable[[Sequence[Document]], Sequence[Sequence[Document]]],
    progress: Progress,
) -> list[list[Document]]:
    """Return the predicted documents for each name, read from files if they are there.

    Predictions are written as they are made: an interrupted run continues after the last document
    that is complete in all files.

    Parameters
    ----------
    folder
        The folder of the files.
    names
        Names of the files, without ``.jsonl``. A name must contain everything on which the
        prediction depends, as a digest for example.
    documents
        The documents to predict; ``predict`` receives them without their mentions.
    predict
        A function from some documents to the predicted documents for each name.
    progress
        Called after each block of documents.
    """
    files = [folder / f"{name}.jsonl" for name in names]
    if all(file.is_file() for file in files):
        return [list(read(file, "jsonl")) for file in files]
    folder.mkdir(parents=True, exist_ok=True)
    partial = [file.with_suffix(".part") for file in files]
    done = min(_whole_lines(file) for file in partial)
    for file in partial:
        _keep_lines(file, done)
    bare = [document.with_mentions(()) for document in documents]
    for begin in range(done, len(bare), _BLOCK):
        results = predict(bare[begin : begin + _BLOCK])
        for file, predicted in zip(partial, results, strict=True):
            with file.open("a", encoding="utf-8") as stream:
                for document in predicted:
                    stream.write(strict_json(document_to_dict(document)) + "\n")
        progress(names[0], min(begin + _BLOCK, len(bare)), len(bare))
    for file, target in zip(partial, files, strict=True):
        file.touch()
        file.replace(target)
    return [list(read(file, "jsonl")) for file in files]


def _lines(file: Path) -> Iterator[bytes]:
    if file.is_file():
        with file.open("rb") as stream:
            yield from (line for line in stream if line.endswith(b"\n"))


def _whole_lines(file: Path) -> int:
    return sum(1 for _ in _lines(file))


def _keep_lines(file: Path, count: int) -> None:
    lines = [line for number, line in enumerate(_lines(file)) if number < count]
    file.write_bytes(b"".join(lines))
