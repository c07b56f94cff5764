"""The place of the embedded default, in a module that loads nothing else."""

from __future__ import annotations

from pathlib import Path

__all__ = ["EMBEDDED"]

#: The folder of the embedded default inside the package, with the folders ``model`` and ``kb``.
EMBEDDED = Path(__file__).parent / "embedded"
