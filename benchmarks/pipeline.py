"""Measure ``biolink link`` on abstracts: start-up, documents per second, peak memory, workers.

    python benchmarks/pipeline.py --data ../shared/data [--abstracts 120] [--quick]

The input is plain text in which mentions are found and linked. Each form is run on ``--abstracts``
abstracts and on twice as many. The rate is that of the additional abstracts, so it does not include
start-up, and the two peaks show whether memory grows with the corpus. Memory is that of all
processes together, with shared pages counted once. ``--corpus 10000`` runs the fastest form again
on 10,000 abstracts.

``--against PYTHON`` compares with the version that is installed in another environment, which is
given by its interpreter. Each form is run with both versions in turn, and a ratio is that of two
runs which follow each other.

    git worktree add build/released 2ba7a83
    python -m venv build/venv && build/venv/bin/pip install ./build/released
    python benchmarks/pipeline.py --data ../shared/data --abstracts 100 \\
        --against build/venv/bin/python

``--kinds`` compares diseases and chemicals alone with all six kinds of entities in the same way.
Both comparisons link diseases and chemicals alone on the side to which they compare.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from commands import Run, abstracts, link
from common import REPEATS, arguments, clocked, machine, ratios, record, spread
from threadpoolctl import threadpool_limits

import biolink
from biolink import read
from biolink.infer.mentions.recognise import TrainedRecogniser
from biolink.infer.network.model import LinkingModel
from biolink.infer.rank import combined
from biolink.infer.retrieve.dense import DenseIndex
from biolink.kb.lexical import LexicalIndex

ONE = Path(__file__).parents[1] / "examples" / "data" / "pubmed_227508.txt"
_FIND = ("--mentions", "find")
#: The kinds of entities that all versions know.
_TWO = ("--types", "disease,chemical")
#: The batch size of the short runs, which is small enough to give every worker documents.
_BLOCKS = ("--batch-size", "8")
FORMS = {
    "1 process, fp32": (),
    "2 workers, fp32": ("--workers", "2"),
    "1 process, int8": ("--precision", "int8"),
    "2 workers, int8": ("--workers", "2", "--precision", "int8"),
}


def profile(file: Path, precision: str) -> dict[str, float]:
    """Return the shares of the time of one process with one thread."""
    documents = list(read(file))
    linker = biolink.load(precision=precision)
    list(linker.pipe(documents[:1]))
    parts = (
        (TrainedRecogniser, "recognise_batch", "recognition"),
        (LinkingModel, "read", "encoding mentions in context"),
        (LinkingModel, "embed", "embedding mentions"),
        (LexicalIndex, "similarities", "n-grams"),
        (DenseIndex, "search", "cosines"),
        (combined, "hits_of", "candidates"),
        (combined, "with_features", "features"),
        (combined, "score_names", "generation"),
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with clocked(*parts) as seconds, threadpool_limits(1):
            began = time.perf_counter()
            linked = list(linker.pipe(documents))
            total = time.perf_counter() - began
    finally:
        torch.set_num_threads(threads)
    shares = {label: spent / total for label, spent in seconds.items()}
    mentions = sum(len(document.mentions) for document in linked)
    print(
        f"\nOne thread, {precision}: {len(documents) / total:.2f} documents/s, "
        f"{mentions / total:.0f} mentions/s"
    )
    print("\n| part | share |\n| --- | --- |")
    for label, share in (*shares.items(), ("the rest", 1 - sum(shares.values()))):
        print(f"| {label} | {share:.1%} |")
    return shares


def compared(given: argparse.Namespace) -> dict[str, Any]:
    """Run each form on two sides in turn, and print the ratios of the second to the first.

    The sides are another version and this one, or two kinds of entities and all six.
    """
    count = 16 if given.quick else given.abstracts
    repeats = 1 if given.quick else REPEATS
    sides: dict[str, tuple[str, tuple[str, ...]]] = (
        {"two kinds": (sys.executable, _TWO), "six kinds": (sys.executable, ())}
        if given.kinds
        else {"other": (given.against, ()), "this": (sys.executable, _TWO)}
    )
    results: dict[str, Any] = {}
    first, second = sides
    print(machine())
    print(f"\n| form | documents/s: {first} | {second} | ratio | peak, MiB: {first} | {second} |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        out = str(folder / "out.jsonl")
        files = {size: str(folder / f"{size}.jsonl") for size in (count, 2 * count)}
        for size, file in files.items():
            abstracts(given.data, size, Path(file))
        for name, form in FORMS.items():
            rates: dict[str, list[float]] = {side: [] for side in sides}
            peaks = dict.fromkeys(sides, 0.0)
            for _ in range(repeats):
                for side, (python, own) in sides.items():
                    options = (*_FIND, *_BLOCKS, "-o", out, *form, *own)
                    few, more = (
                        # Both sides have the same number of threads.
                        link(file, *options, threads=1, python=python)
                        for file in files.values()
                    )
                    rates[side].append(count / (more.seconds - few.seconds))
                    peaks[side] = max(peaks[side], few.peak, more.peak)
            results[name] = {"rates": rates, "peaks": peaks}
            print(
                f"| {name} | {spread(rates[first], 1, 2)} | {spread(rates[second], 1, 2)} | "
                f"{spread(ratios(rates[second], rates[first]), 1, 2)} | "
                f"{peaks[first]:.0f} | {peaks[second]:.0f} |",
                flush=True,
            )
    return results


def main() -> None:
    # Long because it runs one measurement after another.
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--abstracts", type=int, default=120)
    parser.add_argument("--corpus", type=int, help="number of abstracts of a long run")
    parser.add_argument("--against", help="the Python of an environment with another version")
    parser.add_argument("--kinds", action="store_true", help="compare two kinds with all six")
    given = parser.parse_args()
    if given.against or given.kinds:
        record(given.json, compared(given))
        return
    count = 16 if given.quick else given.abstracts
    forms = {n: f for n, f in FORMS.items() if not given.quick or n == "2 workers, int8"}
    repeats = 1 if given.quick else REPEATS
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        out = str(folder / "out.jsonl")
        link(str(ONE), "-o", out)  # This run reads the files into the page cache.
        starts = [link(str(ONE), "-o", out) for _ in range(repeats)]
        results["one abstract"] = [run.seconds for run in starts]
        print(machine())
        print(f"one abstract: {spread(results['one abstract'], 1, 2)} s, {starts[0].peak:.0f} MiB")
        for size in (count, 2 * count):
            abstracts(given.data, size, folder / f"{size}.jsonl")
        runs: dict[str, dict[int, list[Run]]] = {n: {count: [], 2 * count: []} for n in forms}
        for _ in range(repeats):
            for name, form in forms.items():
                for size in (count, 2 * count):
                    file = str(folder / f"{size}.jsonl")
                    runs[name][size].append(link(file, *_FIND, *_BLOCKS, "-o", out, *form))
        print(f"\n| form | documents/s | ratio | peak, MiB: {count} | {2 * count} documents |")
        print("| --- | --- | --- | --- | --- |")
        first: list[float] = []
        for name, of_form in runs.items():
            pairs = zip(*of_form.values(), strict=True)
            rates = [count / (b.seconds - a.seconds) for a, b in pairs]
            peaks = [max(run.peak for run in of_size) for of_size in of_form.values()]
            first = first or rates
            results[name] = {"rates": rates, "peaks": peaks}
            print(
                f"| {name} | {spread(rates, 1, 2)} | {spread(ratios(rates, first), 1, 2)} | "
                f"{peaks[0]:.0f} | {peaks[1]:.0f} |",
                flush=True,
            )
        for precision in ("int8",) if given.quick else ("fp32", "int8"):
            shares = profile(folder / f"{count}.jsonl", precision)
            results[f"profile, {precision}"] = shares
        if given.corpus:
            file = str(folder / "corpus.jsonl")
            abstracts(given.data, given.corpus, Path(file))
            long = link(file, *_FIND, "-o", out, *FORMS["2 workers, int8"])
            mentions = sum(len(document.mentions) for document in read(out))
            size = Path(out).stat().st_size
            results["corpus"] = [given.corpus, long.seconds, long.peak, mentions, size]
            print(
                f"\n{given.corpus:,} abstracts, 2 workers, int8: {long.seconds:.0f} s, "
                f"{given.corpus / long.seconds:.2f} documents/s, {mentions / given.corpus:.1f} "
                f"mentions a document, {mentions / long.seconds:.0f} mentions/s, peak "
                f"{long.peak:.0f} MiB, {size / given.corpus:.0f} bytes of output a document"
            )
    record(given.json, results)


if __name__ == "__main__":
    main()
