"""Compare reading OBO and OBO Graphs files by this project's readers and by pronto.

pip install pronto && python benchmarks/obo.py --data ../shared/data
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

from common import arguments, machine, record

from biolink.evaluation.report import markdown_table
from biolink.kb.readers import read_concepts


def terms_of(file: Path) -> int | str:
    """Return the number of terms that pronto reads, or why it refuses the file."""
    import pronto

    try:
        return len(pronto.Ontology(str(file)).terms())
    except (SyntaxError, ValueError) as error:
        return f"refused: {str(error).splitlines()[0][:60]}"


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
    folder = given.data / "kb"
    results: list[dict[str, Any]] = []
    for file in sorted([*folder.glob("*/*.obo.gz"), *folder.glob("*/*.obographs.json.gz")]):
        began = time.perf_counter()
        terms = sum(1 for _ in read_concepts(file))
        middle = time.perf_counter()
        pronto_terms = terms_of(file)
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
