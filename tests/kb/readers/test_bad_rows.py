"""A row of a knowledge base that cannot be read does not affect the others, in any format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from biolink.errors import BiolinkError, InputError
from biolink.kb import KnowledgeBase
from biolink.kb.readers import READERS, read_records
from tests.kb.readers.test_mutations import TERMS
from tests.kb.readers.test_readers import conso

RECORD = (
    "<DescriptorRecord><DescriptorUI>{}</DescriptorUI><DescriptorName><String>fever {}</String>"
    "</DescriptorName></DescriptorRecord>"
)
NODE = {"id": "http://purl.obolibrary.org/obo/MU_1", "lbl": "fever", "type": "CLASS"}
SSSOM = "subject_id\tsubject_label\tpredicate_id\tobject_id\n"

#: Format -> a file with one bad row, and what its message says.
FILES: dict[str, tuple[str, str, str]] = {
    "mesh-xml": (
        "desc.xml",
        f"<DescriptorRecordSet>{RECORD.format('D1', 1)}{RECORD.format('', 2)}"
        f"{RECORD.format('D3', 3)}</DescriptorRecordSet>",
        "a DescriptorRecord without DescriptorUI",
    ),
    "ctd": (
        "ctd.tsv",
        "# Fields:\n# DiseaseName\tDiseaseID\n#\nfever\tMESH:D1\nheat\t\ncold\tMESH:D2\n",
        "ctd.tsv:5: no id under DiseaseID",
    ),
    "obo": (
        "x.obo",
        "[Term]\nid: MU:1\nname: fever\n\n[Term]\nid: MU:2\nsynonym: heat\n\n"
        "[Term]\nid: MU:3\nname: cold\n",
        "x.obo:7: the synonym 'heat'",
    ),
    "obographs": (
        "x.json",
        json.dumps({"graphs": [{"nodes": [NODE, 5, {**NODE, "lbl": 7}]}]}),
        "x.json: graph 1, node 2: 5 is not an object",
    ),
    "sssom": (
        "x.sssom.tsv",
        SSSOM + "A:1\tfever\tskos:exactMatch\tM:1\nA:2\tcold\nA:3\tgout\tskos:exactMatch\tM:3\n",
        "x.sssom.tsv:3: 2 columns; expected 4",
    ),
    "genbioel": (
        "target_kb.json",
        '{"D1": ["fever"], "D2": [5], "D3": ["cold"]}',
        "target_kb.json: the entry 'D2' is 5, not a string",
    ),
    "json": (
        "x.json",
        '{"D1": ["fever"], "D2": [5], "D3": ["cold"]}',
        "x.json: the entry 'D2' is 5, not a string",
    ),
    "jsonl": (
        "x.jsonl",
        '{"id": "D1", "name": "fever"}\n[1]\n{"id": "D3", "name": "cold"}\n',
        "x.jsonl:2: the line is a list",
    ),
    "biosyn": ("x.txt", "D1||fever\nnonsense\nD3||cold\n", "x.txt:2: the line 'nonsense'"),
    "gene-info": (
        "x.tsv",
        "#tax_id\tGeneID\tSymbol\tSynonyms\n9606\t1\tA1BG\t-\n9606\t\tX\t-\n9606\t2\tA2M\t-\n",
        "x.tsv:3: no GeneID; expected one in each row",
    ),
    "hgnc": (
        "x.tsv",
        "hgnc_id\tsymbol\tname\talias_symbol\tprev_symbol\nHGNC:5\tA1BG\ta\t\t\nHGNC:6\n"
        "HGNC:7\tA2M\tb\t\t\n",
        "x.tsv:3: 1 column; expected 5",
    ),
    "ssslm": (
        "x.tsv",
        "text\tcurie\tname\tpredicate\nheat\tx:1\tfever\tp\nheat\nchill\tx:2\tcold\tp\n",
        "x.tsv:3: 1 column; expected 4",
    ),
    "table": ("x.tsv", "id\tname\nD1\tfever\nD2\nD3\tcold\n", "x.tsv:3: 1 column; expected 2"),
}
FOLDERS: dict[str, tuple[dict[str, str], str]] = {
    "umls-rrf": (
        {"MRCONSO.RRF": conso("C1", "fever", TS="P") + "C2|ENG|\n" + conso("C3", "cold")},
        "MRCONSO.RRF:2: 2 columns; expected 18",
    ),
    "taxdump": (
        {
            "names.dmp": "1\t|\troot\t|\t\t|\tscientific name\t|\n2\t|\tBacteria\t|\n"
            "9606\t|\tHomo sapiens\t|\t\t|\tscientific name\t|\n"
        },
        "names.dmp:2: 2 columns; expected 4 or more",
    ),
    "mesh-tables": (
        {"a.tsv": TERMS + "D02\tCold\n" + TERMS.splitlines(True)[1].replace("D01", "D03")},
        "a.tsv:4: 2 columns; expected 8",
    ),
}


def put(format: str, folder: Path) -> tuple[Path, str]:
    if format in FILES:
        name, text, message = FILES[format]
        (folder / name).write_text(text)
        return folder / name, message
    files, message = FOLDERS[format]
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder, message


@pytest.mark.parametrize("format", READERS)
def test_a_bad_row_does_not_affect_others(format: str, tmp_path: Path) -> None:
    path, message = put(format, tmp_path)
    problems: list[BiolinkError] = []
    kb = KnowledgeBase.read(path, format, on_problem=problems.append)
    expected = 1 if format == "obographs" else 2
    assert len(kb) == expected
    assert len(problems) == (2 if format == "obographs" else 1)
    assert message in str(problems[0])
    with pytest.raises(InputError) as raised:
        list(read_records(path, format))
    assert message in str(raised.value)


@pytest.mark.parametrize("format", ["biosyn", "jsonl", "table", "ctd", "sssom", "obo"])
def test_a_line_that_is_not_utf8_does_not_affect_others(format: str, tmp_path: Path) -> None:
    path, _ = put(format, tmp_path)
    text = path.read_bytes()
    last = text.rstrip(b"\n").rsplit(b"\n", 1)
    path.write_bytes(last[0] + b"\n\xe9" + last[1] + b"\n")
    problems: list[BiolinkError] = []
    list(read_records(path, format, problems.append))
    assert any("not UTF-8" in str(problem) for problem in problems)


def test_an_open_quote_affects_only_its_line(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text('id,name\n1,"fever\n2,cold\n3,"gout, ""acute"""\n4,"a" b\n')
    problems: list[InputError] = []
    kb = KnowledgeBase.read(file, on_problem=problems.append)
    assert [c.name for c in kb] == ["cold", 'gout, "acute"']
    assert [problem.line for problem in problems] == [2, 5]
    assert "without a closing quote" in str(problems[0]) or "between a closing" in str(problems[0])


def test_only_bad_rows_are_an_error(tmp_path: Path) -> None:
    file = tmp_path / "x.tsv"
    file.write_text("id\tname\nD1\nD2\n")
    problems: list[InputError] = []
    with pytest.raises(InputError, match=r"no concept \(rows that cannot be read: 2\)"):
        KnowledgeBase.read(file, on_problem=problems.append)
    assert [problem.line for problem in problems] == [2, 3]


def test_unknown_columns_are_reported_with_the_expected_ones(tmp_path: Path) -> None:
    file = tmp_path / "x.tsv"
    file.write_text("code\ttitle\n1\tfever\n")
    for format in (None, "table"):
        with pytest.raises(InputError) as raised:
            KnowledgeBase.read(file, format)
        said = str(raised.value)
        assert "x.tsv:1: the columns are code, title; expected a column id (id, concept_id" in said
        assert "a column name (name, label" in said
        assert "--option id=COLUMN --option name=COLUMN (in Python id=, name=)" in said
    file.write_text("id\ttitle\n1\tfever\n")
    with pytest.raises(
        InputError, match=r"expected a column name \(name, .*--option name=COLUMN \("
    ):
        KnowledgeBase.read(file)
    (tmp_path / "mesh").mkdir()
    (tmp_path / "mesh" / "a.tsv").write_text("DescriptorUI\tTerm\nD1\tfever\n")
    with pytest.raises(InputError, match=r"in a\.tsv the columns are DescriptorUI, Term"):
        KnowledgeBase.read(tmp_path / "mesh", "mesh-tables")
