"""Streams of samples that a training can resume at the position of a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch.utils.data import IterableDataset

__all__ = ["MARKS", "MarkedStream"]

#: The name of the file with the marks in a checkpoint.
MARKS = "stream_marks.json"


class MarkedStream(IterableDataset):
    """A stream whose position is the number of samples taken from it.

    A subclass yields its samples from the mark ``_start`` on, without the first ``_skip``. It
    appends marks to :attr:`marks`, each with the number of a sample and the state from which the
    samples after it can be made again.
    """

    def __init__(self) -> None:
        self.marks: list[dict[str, Any]] = []
        self._start: dict[str, Any] = {"number": 0, "state": None}
        self._skip = 0

    def resume(self, consumed: int, marks: Sequence[dict[str, Any]]) -> None:
        """Continue after ``consumed`` samples.

        Parameters
        ----------
        consumed
            The number of samples that were taken from the stream.
        marks
            The value of :attr:`marks` when the checkpoint was written.
        """
        earlier = [mark for mark in marks if mark["number"] <= consumed]
        self._start = earlier[-1] if earlier else {"number": 0, "state": None}
        self._skip = consumed - self._start["number"]
        self.marks = list(earlier)

    def save_marks(self, file: Path) -> None:
        """Write the marks as JSON."""
        file.write_text(json.dumps(self.marks), encoding="utf-8")
