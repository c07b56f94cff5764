"""Small faults of formats: ids of variants, scores, numbers of rows, empty documents, messages."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import biolink
from biolink import Document, Link, Mention, read, write
from biolink.errors import InputError
from tests.commands import run

LINKED = Document(
    "d", "Asthma.", mentions=(Mention(0, 6, "Asthma", links=(Link("D1", "asthma", -0.5, 0.9, 1),)),)
)


@pytest.mark.parametrize(
    "variant",
    [
        *("rs113488022;VariantGroup:0", "rs1;Gene:3577;VariantGroup:0", "rs1;CA#:5"),
        "p.V600E;HGVS:p.V600E;RS#:1",
    ],
)
@pytest.mark.parametrize("name", ["x.PubTator", "x.tsv", "x.csv", "x.jsonl"])
def test_a_variant_with_its_group_is_one_id(variant: str, name: str, tmp_path: Path) -> None:
    file = tmp_path / "v.PubTator"
    file.write_text(f"1|t|V600E here\n1|a|\n1\t0\t5\tV600E\tSNP\t{variant}\n")
    documents = list(read(file))
    assert documents[0].mentions[0].concept_ids == (variant,)
    write(documents, tmp_path / name)
    assert next(iter(read(tmp_path / name))).mentions[0].concept_ids == (variant,)


def test_ids_of_several_genes_are_still_several(tmp_path: Path) -> None:
    file = tmp_path / "v.PubTator"
    file.write_text("1|t|BRCA genes\n1|a|\n1\t0\t4\tBRCA\tGene\t672;675\n")
    assert next(iter(read(file))).mentions[0].concept_ids == ("672", "675")


def test_csv_has_the_columns_of_tsv_and_keeps_the_score(tmp_path: Path) -> None:
    for name, separator in (("x.tsv", "\t"), ("x.csv", ",")):
        write([LINKED], tmp_path / name)
        assert "score" in (tmp_path / name).read_text().splitlines()[0].split(separator)
        link = next(iter(read(tmp_path / name))).mentions[0].best
        assert link is not None and (link.score, link.probability) == (-0.5, 0.9)
    # A cell that a spreadsheet would take for a formula still has its apostrophe.
    write([Document("-1+2", "-5", mentions=())], tmp_path / "y.csv")
    assert "'-1+2" in (tmp_path / "y.csv").read_text()
    assert [(d.id, d.text) for d in read(tmp_path / "y.csv")] == [("-1+2", "-5")]


@pytest.mark.parametrize("name", ["x.csv", "x.tsv"])
def test_rows_without_an_id_are_numbered_from_one(name: str, tmp_path: Path) -> None:
    comma = "\t" if name == "x.tsv" else ","
    rows = ("text,year", "Asthma,1", "Gout", "Fever,3")
    (tmp_path / name).write_text("\n".join(row.replace(",", comma) for row in rows))
    problems: list[InputError] = []
    found = read(tmp_path / name, on_problem=problems.append, text_column="text")
    assert [(d.id, d.text) for d in found] == [("1", "Asthma"), ("3", "Fever")]
    assert "x." in str(problems[0]) and ":3: 1 column; expected 2, as in the header" in str(
        problems[0]
    )


@pytest.mark.parametrize("columns", ["id\ttext", "id\ttext\tkind", "document\ttext"])
@pytest.mark.parametrize("name", ["x.tsv", "x.csv"])
def test_the_cells_of_a_table_of_texts_are_literal(columns: str, name: str, tmp_path: Path) -> None:
    words = "'=A1 in C:\\new\\temp\\\\ asthma"
    row = "\t".join(["1", words, "note"][: len(columns.split("\t"))])
    (tmp_path / name).write_text(f"{columns}\n{row}\n")
    for text_column in (None, "text"):
        (document,) = read(tmp_path / name, text_column=text_column)
        assert (document.id, document.text) == ("1", words)
    # Tables that biolink writes are read as they were.
    own = Document("1", "=A1 in C:\\new\t\n\\temp asthma")
    write(own, tmp_path / f"own-{name}")
    assert list(read(tmp_path / f"own-{name}")) == [own]
    (document, *_) = read(tmp_path / f"own-{name}", text_column="text")
    assert document.text == own.text


@pytest.mark.parametrize(
    ("name", "doc_id"),
    [
        *(("a.txt", "a"), ("a.text", "a"), ("a.TXT", "a"), ("a.txt.gz", "a"), ("a.xz", "a")),
        *(("a", "a"), ("a.v1.txt", "a.v1"), ("a.v2.txt", "a.v2"), ("Dr. X.txt.xz", "Dr. X")),
        *(("Dr. X", "Dr. X"), ("a.txt.txt", "a.txt"), ("a.gz.txt", "a.gz"), ("2.5", "2.5")),
    ],
)
def test_only_known_suffixes_are_not_part_of_an_id(name: str, doc_id: str, tmp_path: Path) -> None:
    write(Document("1", "Asthma."), tmp_path / name, format="text")
    for format in ("text", None):
        assert [d.id for d in read(tmp_path / name, format)] == [doc_id]


def test_a_text_of_replacement_characters_is_text(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("\ufffd\ufffd asthma")
    assert [d.text for d in read(tmp_path / "x.txt")] == ["\ufffd\ufffd asthma"]
    (tmp_path / "y.txt").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\xff")
    with pytest.raises(InputError, match="an unknown format"):
        list(read(tmp_path / "y.txt"))


def test_an_empty_document_keeps_its_line(tmp_path: Path) -> None:
    documents = [Document("1", "one"), Document("2", ""), Document("3", "three")]
    write(documents, tmp_path / "x.lines")
    assert (tmp_path / "x.lines").read_text() == "one\n\nthree\n"
    assert list(read(tmp_path / "x.lines")) == documents


def test_a_document_without_an_id_has_no_heading() -> None:
    assert "<h2>" not in biolink.to_html(Document("", "Asthma."))
    assert "<h2>1</h2>" in biolink.to_html(Document("1", "Asthma."))


def test_missing_ids_of_pubtator_are_reported_in_a_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "x.PubTator").write_text("1|t|Asthma\n1|a|\n1\t0\t6\tAsthma\tDisease\n")
    with caplog.at_level(logging.WARNING):
        list(read(tmp_path / "x.PubTator"))
    assert (
        "x.PubTator: no concept id in 1 annotation; expected ids in a sixth column, and "
        "the annotations have 5 columns"
    ) in caplog.text


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.jsonl", '{"mentions": []}', '"text" is missing'),
        ("x.jsonl", '{"text": "a", "id": [1]}', '"id" is a list, not a string or a whole number'),
        ("x.jsonl", "[1]", "the line is a list"),
        ("x.jsonl", '{"text": ', "JSON that is broken at column"),
        ("x.jsonl", '{"text": "a", "mentions": {}}', '"mentions" is an object, not a list'),
        (
            "x.jsonl",
            '{"text": "a", "mentions": [{"start": 0, "end": 1, "links": [{"x": 1}]}]}',
            'a link has the unknown key "x"',
        ),
        (
            "x.json",
            '{"id": "1", "passages": [{"text": "a"}]}',
            'document 1 cannot be read: "offset" is missing',
        ),
        ("x.json", '{"id": [1], "passages": []}', '"id" is a list, not a string'),
    ],
)
def test_the_fault_of_a_record_is_described_in_words(
    name: str, text: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text + "\n")
    format = "jsonl" if name == "x.jsonl" else "bioc-json"
    with pytest.raises(InputError) as raised:
        list(read(tmp_path / name, format))
    message = str(raised.value)
    assert said in message
    assert "Error" not in message and message.count("expected") == 1


def test_unknown_columns_are_named_with_the_expected_ones(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("code,words\n1,Asthma\n")
    with pytest.raises(InputError) as raised:
        list(read(tmp_path / "x.csv"))
    assert "x.csv:1: the columns are code, words; expected a column of texts" in str(raised.value)
    assert "--text-column (in Python text_column=)" in str(raised.value)


def test_a_table_for_reading_is_not_written_to_a_file(tmp_path: Path) -> None:
    done = run("link", "--text", "Aspirin.", "--to", "table", "-o", tmp_path / "t.txt")
    assert done.returncode == 1 and "--to table is for reading on a terminal" in done.stderr
    assert not (tmp_path / "t.txt").exists()


def test_a_missing_model_folder_is_reported() -> None:
    done = run("link", "--text", "Aspirin.", "--model", "/nowhere/model")
    assert done.returncode == 1 and "/nowhere/model is not a folder" in done.stderr


@pytest.mark.parametrize("name", ["x.xml", "x.jsonl", "x.PubTator", "x.json", "x.csv"])
def test_an_empty_file_has_no_documents(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"")
    assert list(read(tmp_path / name)) == []
    # A file with something else than records is a problem.
    if name == "x.xml":
        (tmp_path / name).write_bytes(b"<collection>")
        with pytest.raises(InputError, match="expected well-formed"):
            list(read(tmp_path / name))
