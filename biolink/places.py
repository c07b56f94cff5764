"""Where the embedded default lies; known without loading anything else."""

from __future__ import annotations

from pathlib import Path

__all__ = ["EMBEDDED"]

#: The embedded default: ``model`` and ``kb`` folders inside the package.
EMBEDDED = Path(__file__).parent / "embedded"
