"""Compare reading OBO and OBO Graphs files by this project's readers and by pronto.

pip install pronto && python benchmarks/obo.py --data ../shared/data
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import pronto

from biolink.kb.readers import read_concepts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| file | biolink, s | terms | pronto, s | terms | ratio |")
    print("| --- | --- | --- | --- | --- | --- |")
    folder = arguments.data / "kb"
    for file in sorted([*folder.glob("*/*.obo.gz"), *folder.glob("*/*.obographs.json.gz")]):
        began = time.perf_counter()
        ours = sum(1 for _ in read_concepts(file))
        seconds = time.perf_counter() - began
        began = time.perf_counter()
        try:
            terms = str(len(pronto.Ontology(str(file)).terms()))
        except (SyntaxError, ValueError) as error:
            terms = f"refused: {str(error).splitlines()[0][:60]}"
        other = time.perf_counter() - began
        ratio = "" if terms.startswith("refused") else f"{other / seconds:.1f}"
        print(f"| {file.name} | {seconds:.2f} | {ours} | {other:.2f} | {terms} | {ratio} |")


if __name__ == "__main__":
    main()
