"""The concepts of all knowledge bases and ontologies among the data."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from biolink.errors import InputError
from biolink.kb import Concept
from biolink.kb.readers import read_concepts, sniff_format

__all__ = ["other_concepts"]


def other_concepts(data: Path) -> Iterator[Concept]:
    """Yield the concepts of all files outside ``mesh`` and ``partial``.

    Files whose format is not that of a knowledge base are left out.
    """
    for file in sorted((data / "kb").glob("*/*")):
        if file.parent.name in ("mesh", "partial"):
            continue
        try:
            format = sniff_format(file)
        except InputError as error:
            print("left out:", error, file=sys.stderr)
            continue
        yield from read_concepts(file, format)
