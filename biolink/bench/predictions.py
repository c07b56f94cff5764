"""What systems say of documents, kept in files so that it is computed once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from biolink.documents import Document
from biolink.formats import read
from biolink.formats.jsonl import document_to_dict

__all__ = ["digest", "predictions"]

#: (what is under way, documents done, of how many)
Progress = Callable[[str, int, int], None]
_BLOCK = 16


def digest(*parts: Any) -> str:
    """A short name for what a prediction depends on."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:12]


def predictions(
    folder: Path,
    names: Sequence[str],
    documents: Sequence[Document],
    predict: Callable[[Sequence[Document]], Sequence[Sequence[Document]]],
    progress: Progress,
) -> list[list[Document]]:
    """Predictions of one pass that gives several, from their files where these are there.

    They are written as they come: an interrupted run goes on behind the last document that is
    whole in all files.

    Parameters
    ----------
    folder
        Of the files.
    names
        Of the files, without ``.jsonl``; a name must say all that the prediction depends on.
    documents
        That are predicted; their own mentions are not shown to ``predict``.
    predict
        Some documents -> for each name the predicted documents.
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
        for file, found in zip(partial, results, strict=True):
            with file.open("a", encoding="utf-8") as stream:
                for document in found:
                    stream.write(json.dumps(document_to_dict(document), ensure_ascii=False) + "\n")
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
    kept = [line for number, line in enumerate(_lines(file)) if number < count]
    file.write_bytes(b"".join(kept))
