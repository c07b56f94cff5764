"""``biolink link --engine ray`` on one and two workers, beside the plain command on as many.

    python benchmarks/ray_scaling.py --data ../shared/data [--abstracts 256] [--quick]

A worker has one thread, and so has the plain command here. Times are of the whole command, the
start of the cluster included; the rate is that of the second half, from a run on half as many
abstracts. Efficiency: the rate of two workers over twice that of one.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from commands import abstracts, link
from common import arguments, machine, record, spread

_RAY = ("--engine", "ray", "--shard-size", "8")
FORMS = {
    "plain command, one thread": ("-o", "out.jsonl"),
    "plain command, 2 workers": ("--workers", "2", "--batch-size", "8", "-o", "out.jsonl"),
    "ray, 1 worker": (*_RAY, "--workers", "1", "-o", "shards"),
    "ray, 2 workers": (*_RAY, "--workers", "2", "-o", "shards"),
}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--abstracts", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    count = 32 if given.quick else given.abstracts
    results: dict[str, Any] = {}
    print(machine())
    print("| form | documents/s | start and end, s | peak, MiB |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for size in (count // 2, count):
            abstracts(given.data, size, folder / f"{size}.jsonl")
        for name, form in FORMS.items():
            rates, rests, peaks = [], [], []
            for _ in range(1 if given.quick else given.repeats):
                seconds = []
                for size in (count // 2, count):
                    shutil.rmtree(folder / "shards", ignore_errors=True)
                    run = link(
                        str(folder / f"{size}.jsonl"), "--mentions", "find", "--precision", "int8",
                        *form[:-1], str(folder / form[-1]), threads=1,
                    )  # fmt: skip
                    seconds.append(run.seconds)
                    peaks.append(run.peak)
                rates.append((count - count // 2) / (seconds[1] - seconds[0]))
                rests.append(seconds[1] - count / rates[-1])
            results[name] = {"rates": rates, "rests": rests, "peaks": peaks}
            print(
                f"| {name} | {spread(rates, 1, 2)} | {spread(rests)} | {max(peaks):.0f} |",
                flush=True,
            )
    plain, both, one, two = (statistics.median(results[name]["rates"]) for name in FORMS)
    print(f"\nefficiency from 1 to 2 workers: {two / (2 * one):.2f}")
    print(f"ray / plain command: {one / plain:.2f} with one worker, {two / both:.2f} with two")
    record(given.json, results)


if __name__ == "__main__":
    main()
