"""The concepts of all knowledge bases and ontologies among the data."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from biolink.errors import InputError
from biolink.kb import Concept
from biolink.kb.readers import read_concepts

__all__ = ["other_concepts"]


def other_concepts(data: Path) -> Iterator[Concept]:
    """Yield the concepts of all files except MeSH's; a file that cannot be read is left out.

    Some files are not knowledge bases, or lack columns of ids and names.
    """
    for file in sorted((data / "kb").glob("*/*")):
        if file.parent.name in ("mesh", "partial"):
            continue
        try:
            yield from read_concepts(file)
        except InputError as error:
            print("left out:", error, file=sys.stderr)
