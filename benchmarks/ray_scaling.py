"""Compare ``biolink link --engine ray`` on one and two workers with the plain command.

    python benchmarks/ray_scaling.py --data ../shared/data [--abstracts 48] [--quick]

A worker has one thread, and so has the plain command here. Times are those of the whole command
with the start of the cluster. The rate is that of the second half of the abstracts, computed with
the help of a run on the first half. The efficiency is the rate of two workers divided by twice the
rate of one. All forms are measured in turn.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from commands import abstracts, link
from common import REPEATS, arguments, machine, ratios, record, spread

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
    parser.add_argument("--abstracts", type=int, default=48)
    given = parser.parse_args()
    count = 32 if given.quick else given.abstracts
    rates: dict[str, list[float]] = {name: [] for name in FORMS}
    rests: dict[str, list[float]] = {name: [] for name in FORMS}
    peaks: dict[str, list[float]] = {name: [] for name in FORMS}
    print(machine())
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for size in (count // 2, count):
            abstracts(given.data, size, folder / f"{size}.jsonl")
        for _ in range(1 if given.quick else REPEATS):
            for name, form in FORMS.items():
                seconds = []
                for size in (count // 2, count):
                    shutil.rmtree(folder / "shards", ignore_errors=True)
                    run = link(
                        str(folder / f"{size}.jsonl"), "--mentions", "find", "--precision", "int8",
                        *form[:-1], str(folder / form[-1]), threads=1,
                    )  # fmt: skip
                    seconds.append(run.seconds)
                    peaks[name].append(run.peak)
                rates[name].append((count - count // 2) / (seconds[1] - seconds[0]))
                rests[name].append(seconds[1] - count / rates[name][-1])
    print("| form | documents/s | start and end, s | peak, MiB |\n| --- | --- | --- | --- |")
    for name in FORMS:
        print(
            f"| {name} | {spread(rates[name], 1, 2)} | {spread(rests[name])} | "
            f"{max(peaks[name]):.0f} |"
        )
    plain, both, one, two = rates.values()
    print(f"\nefficiency from 1 to 2 workers: {spread(ratios(two, [2 * r for r in one]), 1, 2)}")
    print(
        f"ray / plain command: {spread(ratios(one, plain), 1, 2)} with one worker, "
        f"{spread(ratios(two, both), 1, 2)} with two"
    )
    record(given.json, {"rates": rates, "rests": rests, "peaks": peaks})


if __name__ == "__main__":
    main()
