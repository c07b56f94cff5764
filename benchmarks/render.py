"""Print what a benchmark printed, from its record.

    python benchmarks/render.py kb_store

A record is ``records/NAME.json``, which ``benchmarks/NAME.py --json`` wrote. The pages in
``results/`` have exactly this text; ``tests/test_figures.py`` checks it.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

RECORDS = Path(__file__).parent / "records"


def render(name: str) -> str:
    """Return the text that the program of this name prints for its record."""
    record = json.loads((RECORDS / f"{name}.json").read_text(encoding="utf-8"))
    text: str = importlib.import_module(name).tables(record["results"])
    return text


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(render(name))
