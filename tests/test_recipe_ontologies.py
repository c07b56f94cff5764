"""The concepts of all knowledge bases among the data, as the recipe reads them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from biolink.errors import InputError

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "default_model"))
from ontologies import other_concepts


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for folder, name, text in (
        ("a", "terms.tsv", "id\tname\nA:1\tfever\nA:2\tcough\n"),
        ("b", "numbers.tsv", "a\tb\n1\t2\n"),
        ("mesh", "terms.tsv", "id\tname\nM:1\tasthma\n"),
        ("partial", "terms.tsv", "id\tname\nP:1\tpain\n"),
    ):
        (tmp_path / "kb" / folder).mkdir(parents=True)
        (tmp_path / "kb" / folder / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_files_of_other_formats_are_left_out(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [concept.id for concept in other_concepts(data)] == ["A:1", "A:2"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"left out: {data}/kb/b/numbers.tsv")


def test_a_bad_row_is_an_error(data: Path) -> None:
    file = data / "kb" / "a" / "terms.tsv"
    file.write_text("id\tname\nA:1\tfever\n\tcough\nA:3\tpain\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"terms\.tsv:3: "):
        list(other_concepts(data))
