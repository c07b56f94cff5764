"""The figures of the README, the manual and the results pages are those that programs printed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
RECORDS = sorted((ROOT / "benchmarks" / "records").glob("*.json"))
NUMBER = re.compile(r"(?<![\w.,-])\d[\d,]*(?:\.\d+)?(?![\w-])")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_a_results_page_has_what_a_record_prints(record: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "render.py"), record.stem]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "| --- |" in done.stdout
    assert any(done.stdout in text_of(page) for page in RESULTS.glob("*.md")), done.stdout


def test_the_index_names_every_record() -> None:
    index = text_of(ROOT / "benchmarks" / "RESULTS.md")
    named = set(re.findall(r"records/(\w+)\.json", index))
    assert named == {record.stem for record in RECORDS} and named


def values_of(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)]


def missing(numbers: str, page: str) -> list[str]:
    """The numbers of a text that are no number of the page, rounded; GiB may be its MiB."""
    values = values_of(page)
    absent = []
    for match in NUMBER.finditer(numbers):
        number = match.group()
        in_gib = numbers[match.end() :].startswith(" GiB")
        values_here = values + [value / 1024 for value in values if in_gib]
        wanted = float(number.replace(",", ""))
        half = 0.5 / 10 ** len(number.partition(".")[2]) + 1e-9
        if not any(abs(value - wanted) <= half for value in values_here):
            absent.append(number)
    return absent


def rows_below(text: str, heading: str) -> Iterator[list[str]]:
    """The cells of the rows below the table row that begins with a text."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(heading))
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def page_of(program: str) -> str:
    """The page with the commands of a program."""
    pages = [text_of(page) for page in RESULTS.glob("*.md")]
    (page,) = [page for page in pages if f"python {program}" in page]
    return page


def test_the_accuracies_of_the_readme_are_those_of_its_page() -> None:
    rows = list(rows_below(text_of(ROOT / "README.md"), "| test set, knowledge base"))
    assert len(rows) == 6
    for row in rows:
        assert f"| {' | '.join(row)} |\n" in text_of(RESULTS / "accuracy.md")


def test_the_accuracies_of_kinds_are_those_of_their_page() -> None:
    page = text_of(RESULTS / "kinds.md").splitlines()
    rows = list(rows_below(text_of(ROOT / "README.md"), "| corpus | mentions of |"))
    assert len(rows) == 5
    for corpus, _, mentions, exact, biolink in rows:
        (line,) = [line for line in page if line.startswith(f"| {corpus} |")]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        # On the page: mentions; exact match, first species; the linker with its interval.
        assert (mentions, exact.removesuffix(" %")) == (cells[2], cells[6]), corpus
        assert cells[7].startswith(f"**{biolink.removesuffix(' %')}**"), corpus


def test_speed_and_memory_in_the_readme_are_those_of_their_pages() -> None:
    without_page = []
    rows = list(rows_below(text_of(ROOT / "README.md"), "| what | figure | command |"))
    for what, figure, command in rows:
        program = re.search(r"benchmarks/\w+\.py", command)
        if program:
            assert not missing(f"{what} {figure}", page_of(program[0])), what
        else:
            without_page.append(what)
    assert without_page == ["wheel"] and len(rows) > 5


@pytest.mark.parametrize(
    ("page", "heading"),
    [
        ("README.md", "| inference on |"),
        ("docs/how-to/partial-kb-benchmark.md", "| | MEDIC: in-KB |"),
    ],
)
def test_figures_of_parts_are_those_of_their_page(page: str, heading: str) -> None:
    rows = list(rows_below(text_of(ROOT / page), heading))
    assert rows
    for row in rows:
        assert values_of(" ".join(row[1:]))
        assert not missing(" ".join(row[1:]), text_of(RESULTS / "partial-kb.md"))


def test_a_figure_that_the_page_does_not_have_is_seen() -> None:
    page = "| 15.91 (12.48 to 17.70) | 3,564 s, peak 3450 MiB |"
    assert missing("16 and 15.9, 3,564 s, 3.4 GiB", page) == []
    assert missing("17 and 15.8, 3,560 s, 3.3 GiB", page) == ["17", "15.8", "3,560", "3.3"]
