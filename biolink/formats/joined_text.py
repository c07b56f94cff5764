"""A text that is put together from pieces at their offsets."""

from __future__ import annotations

__all__ = ["JoinedText"]

#: The number of characters that all gaps between passages may have together. A passage that would
#: exceed it is put directly after the one before.
_GAPS = 1_000_000


class JoinedText:
    """A text that is put together from pieces at their offsets."""

    def __init__(self) -> None:
        self.text = ""
        self._gaps = 0

    def put(self, offset: int, words: str, filler: str) -> int:
        """Add a piece, and return the offset at which it stands."""
        size = len(self.text)
        actual = offset
        if not size <= offset <= size + _GAPS - self._gaps:
            actual = size + 1 if size else 0
        self._gaps += actual - size
        self.text += filler * (actual - size) + words
        return actual
