"""Tables of every kind: their cells, the columns that are added, the report, the command."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biolink.answers.linking import NO_TEXT, Candidate, TermLink
from biolink.errors import ConfigError, InputError
from biolink.formats.sssom import NO_TERM
from biolink.pipeline import default_linker
from biolink.tables.linked import LinkedColumn, link_column, with_links
from biolink.tables.sheets import Sheet, kind_of_file, read_sheet, write_sheet
from tests.commands import run


def table(*rows: tuple[Any, ...]) -> Sheet:
    names, *cells = rows
    return Sheet(names, tuple(zip(*cells, strict=True)))


def rows(sheet: Sheet) -> list[tuple[Any, ...]]:
    columns = [sheet.cells(name, "x") for name in sheet.names]
    return list(zip(*columns, strict=True))


TEXT = table(("id", "disease"), ("1", 'quoted "a", b'), ("=2", "line\nbreak"), ("03", " é "))


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.xlsx", "x.parquet"])
def test_cells_of_text_are_kept(name: str, tmp_path: Path) -> None:
    write_sheet(TEXT, tmp_path / name)
    back = read_sheet(tmp_path / name)
    assert back.names == TEXT.names
    assert rows(back) == rows(TEXT)


def test_tsv_is_taken_literally(tmp_path: Path) -> None:
    file = tmp_path / "x.tsv"
    content = 'id\tdisease\n1\t"not a quote\n\t\n2\tback\\slash\n'
    file.write_text(content)
    write_sheet(read_sheet(file), tmp_path / "y.tsv")
    assert (tmp_path / "y.tsv").read_text() == content


def test_excel_keeps_values_and_never_writes_formulas(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "x.xlsx"
    when = datetime.datetime(2026, 1, 2)
    given = table(("a", "b", "c"), (1, 2.5, when), (None, True, "=1+1"), ("\x01x", None, None))
    write_sheet(given, file)
    back = rows(read_sheet(file))
    assert back == [(1, 2.5, when), (None, True, "=1+1"), (" x", None, None)]
    cell = openpyxl.load_workbook(file).worksheets[0]["C3"]
    assert cell.data_type == "s"
    book = openpyxl.load_workbook(file)
    book.create_sheet("more")
    book.save(file)
    read_sheet(file)
    assert "only the first sheet is read, not more" in caplog.text


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    given = pa.table({"n": pa.array([1, 2], pa.int16()), "t": pa.array(["a", None])})
    pq.write_table(given, tmp_path / "x.parquet")
    sheet = read_sheet(tmp_path / "x.parquet").with_columns(["p"], [[0.5, None]])
    write_sheet(sheet, tmp_path / "y.parquet")
    back = pq.read_table(tmp_path / "y.parquet")
    assert back.column("n").type == pa.int16()
    assert back.column("p").to_pylist() == [0.5, None]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("x.csv", "a,b\n1,2\n1,2,3\n", r"x\.csv:3: 3 cells; expected 2, as in the header"),
        ("x.csv", "", "no header"),
        ("x.csv", 'a,b\n"1,2\n', "without a closing quote"),
        ("x.tsv", "a\tb\n1\n", r"x\.tsv:2: 1 cell; expected 2"),
        ("x.xlsx", "no zip", r"expected a workbook of Excel"),
        ("x.parquet", "none", r"expected an Apache Parquet file"),
    ],
)
def test_a_broken_table_is_one_clear_error(
    name: str, content: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=why):
        read_sheet(tmp_path / name)


def test_kinds_follow_from_names() -> None:
    assert kind_of_file("a.TSV.gz") == "tsv"
    assert kind_of_file("-") == "csv"
    for name in ("a.doc", "a.xlsx.gz"):
        with pytest.raises(ConfigError, match="no kind of table follows"):
            kind_of_file(name)


def linked() -> LinkedColumn:
    gout = TermLink("gout", "Disease", "D006073", "mesh:D006073", "Gout", "Gout", 0.97)
    other = Candidate("D1", "mesh:D1", "Cold", "cold", 0.3)
    doubtful = TermLink(
        "cold", "Disease", "D2", "mesh:D2", "=Odd", "odd", 0.5, alternatives=(other,)
    )
    nil = TermLink("zzz", nil_reason="no candidate", nil_probability=0.75)
    empty = TermLink("", nil_reason=NO_TEXT)
    return LinkedColumn("d", [gout, nil, doubtful, gout, empty, nil, nil], 1)


def test_values_that_are_not_mapped_come_first() -> None:
    values = [(v.state, v.link.term, v.rows) for v in linked().values()]
    assert values == [("not mapped", "zzz", 3), ("unsure", "cold", 1), ("mapped", "gout", 2)]


def test_mappings_have_a_justification_and_a_confidence() -> None:
    gout, nil, doubtful = linked().mappings()
    assert (gout.justification, gout.confidence, gout.comment) == (
        "LexicalMatching",
        0.97,
        "2 rows",
    )
    assert (doubtful.justification, doubtful.curie) == ("CompositeMatching", "mesh:D2")
    assert (nil.curie, nil.confidence) == ("", 0.75)


def test_columns_are_added_and_formulas_guarded(tmp_path: Path) -> None:
    sheet = table(("d",), *((link.term,) for link in linked().links))
    done = with_links(sheet, linked())
    assert done.names[1:4] == ("d_biolink_id", "d_biolink_curie", "d_biolink_name")
    write_sheet(done, tmp_path / "x.csv")
    assert "cold,D2,mesh:D2,'=Odd,0.5,mesh:D1 Cold (0.30)," in (tmp_path / "x.csv").read_text()
    with pytest.raises(ConfigError, match="already has the column 'd_biolink_id'"):
        with_links(done, linked())


def test_a_context_decides_and_numbers_are_terms() -> None:
    sheet = table(
        ("gene", "note", "n"),
        ("p53", "In mice, p53 was found.", 7.0),
        ("p53", "In human cells, p53 was found.", 7),
        ("p53", None, 7),
    )
    linker = default_linker()
    found = link_column(sheet, "gene", "x", linker, context_columns=["note"], types="gene")
    assert [link.curie for link in found.links] == [
        "NCBIGene:22059", "NCBIGene:7157", "NCBIGene:7157",
    ]  # fmt: skip
    assert {link.term for link in link_column(sheet, "n", "x", linker).links} == {"7"}


def test_the_command(tmp_path: Path) -> None:
    """A table of 5,000 rows, with its mappings and its report."""
    source, out = tmp_path / "in.csv", tmp_path / "out.xlsx"
    terms = ["breast cancer", "asthma", "zzyzx", "", "heart attack"]
    lines = [f"{n},{terms[n % 5]}" for n in range(5_000)]
    source.write_text("\n".join(["n,disease", *lines]) + "\n")
    mappings, report = tmp_path / "m.sssom.tsv", tmp_path / "report.csv"
    done = run(
        *("table", source, "--column", "disease", "--types", "disease", "-o", out),
        *("--sssom", mappings, "--report", report),
    )
    assert done.returncode == 0, done.stderr
    assert "not mapped: 1 value in 1,000 rows" in done.stderr
    assert "no text: 1,000 rows" in done.stderr
    sheet = read_sheet(out)
    assert len(sheet.cells("n", "x")) == 5_000
    curies = sheet.cells("disease_biolink_curie", "x")[:5]
    assert [curie or "" for curie in curies] == [
        "mesh:D001943", "mesh:D001249", "", "", "mesh:D009203",
    ]  # fmt: skip
    assert NO_TERM in mappings.read_text()
    states = read_sheet(report).cells("state", "x")
    assert states == ["not mapped", "mapped", "mapped", "mapped"]
    again = run("table", source, "--column", "illness")
    assert again.returncode == 1
    assert again.stderr == (
        f"biolink: error: {source}: the columns are n, disease; expected one column 'illness'\n"
    )
    nowhere = run("table", source, "--column", "disease", "-o", tmp_path / "no" / "out.csv")
    assert "the folder" in nowhere.stderr
    assert "does not exist" in nowhere.stderr
