"""Compare reading OBO and OBO Graphs files by this project's readers and by pronto.

    pip install pronto && python benchmarks/obo.py --data ../shared/data

Both sides read a small file of each format before they are timed, so that no import counts.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import arguments, machine, record

from biolink.evaluation.report import markdown_table
from biolink.kb.readers import read_concepts

#: A file of each format with one term.
SMALL = {
    "small.obo": "format-version: 1.4\n\n[Term]\nid: A:1\nname: fever\n",
    "small.json": '{"graphs": [{"id": "http://a.org/a.owl", "nodes": [{"id": '
    '"http://purl.obolibrary.org/obo/A_1", "lbl": "fever", "type": "CLASS"}]}]}',
}


def terms_by_pronto() -> Callable[[Path], int | str]:
    """Return a function that counts the terms pronto reads, or says why pronto refuses a file."""
    import pronto

    def terms(file: Path) -> int | str:
        try:
            return len(pronto.Ontology(str(file)).terms())
        except (SyntaxError, ValueError) as error:
            return f"refused: {str(error).splitlines()[0][:60]}"

    return terms


def terms_of(file: Path) -> int:
    """Return the number of terms that this project's readers read."""
    return sum(1 for _ in read_concepts(file))


def tables(results: list[dict[str, Any]]) -> str:
    """Return what the command prints, from the values of its record."""
    rows = []
    for of_file in results:
        refused = isinstance(of_file["pronto_terms"], str)
        rows.append(
            [
                of_file["file"],
                f"{of_file['seconds']:.2f}",
                str(of_file["terms"]),
                f"{of_file['pronto_seconds']:.2f}",
                str(of_file["pronto_terms"]),
                "" if refused else f"{of_file['pronto_seconds'] / of_file['seconds']:.1f}",
            ]
        )
    return markdown_table(("file", "biolink, s", "terms", "pronto, s", "terms", "ratio"), rows)


def main() -> None:
    parser = arguments(__doc__, quick=False)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    by_pronto = terms_by_pronto()
    with tempfile.TemporaryDirectory() as temporary:
        for name, text in SMALL.items():
            small = Path(temporary, name)
            small.write_text(text, encoding="utf-8")
            if (terms_of(small), by_pronto(small)) != (1, 1):
                raise SystemExit(f"{name} has one term; one side reads another number")
    folder = given.data / "kb"
    results: list[dict[str, Any]] = []
    for file in sorted([*folder.glob("*/*.obo.gz"), *folder.glob("*/*.obographs.json.gz")]):
        began = time.perf_counter()
        terms = terms_of(file)
        middle = time.perf_counter()
        pronto_terms = by_pronto(file)
        results.append(
            {
                "file": file.name,
                "seconds": middle - began,
                "terms": terms,
                "pronto_seconds": time.perf_counter() - middle,
                "pronto_terms": pronto_terms,
            }
        )
    record(given.json, results)
    print(f"{machine()}\n\n{tables(results)}")


if __name__ == "__main__":
    main()
