"""The command writes the same bytes with any number of workers and any size of batch."""

from __future__ import annotations

import json
import lzma
from itertools import islice
from pathlib import Path

import pytest

from biolink import Document, write
from tests.commands import run


@pytest.mark.corpus
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_workers_and_batches_change_no_byte(
    data_folder: Path, tmp_path: Path, precision: str
) -> None:
    file = tmp_path / "abstracts.jsonl"
    with lzma.open(data_folder / "text" / "pubmed_abstracts.jsonl.xz", "rt") as lines:
        abstracts = [json.loads(line)["abstract"] for line in islice(lines, 8)]
    write((Document(str(i), abstract) for i, abstract in enumerate(abstracts)), file)
    written = []
    for options in (
        ("--workers", "1"),
        ("--workers", "2", "--batch-size", "3"),
        ("--batch-size", "1"),
    ):
        out = tmp_path / "out.jsonl"
        done = run("link", file, "--precision", precision, "-o", out, *options)
        assert done.returncode == 0, done.stderr
        written.append(out.read_bytes())
    assert len(written[0]) > 30_000
    assert written[1] == written[0]
    assert written[2] == written[0]
