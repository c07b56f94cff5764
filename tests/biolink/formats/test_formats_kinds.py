"""Input of the kinds that real tools write: it is read, or a bad record is left out alone."""

from __future__ import annotations

import csv
import json
import logging
from pathlib import Path
from typing import Any

import pytest

import biolink
from biolink.documents import Document, Link, Mention
from biolink.errors import BiolinkError, InputError
from biolink.formats import read, sniff_format, write
from biolink.formats.align import align
from biolink.formats.ids import ids_under, join_ids, split_ids

DEEP = "[" * 100_000
GOOD = ({"id": "g1", "text": "asthma"}, {"id": "g2", "text": "gout"})


def bad_mentions() -> list[Any]:
    right = {"start": 0, "end": 6, "text": "asthma"}
    wrong = (
        *({"type": 5}, {"concept_ids": [1]}, {"concept_ids": "D1"}, {"start": True}, {"end": 6.0}),
        *({"start": -1}, {"end": "6"}, {"end": 10**400}, {"spans": [[0]]}, {"spans": 3}),
        *({"links": [{}]}, {"links": ["x"]}, {"nil_reason": 3}, {"probability": "x"}, {"id": []}),
        *({"text": "\ud800sthma"}, {"parts": [None]}, {"type": "\ud800"}, {"start": None}),
    )
    return ["x", 5, None, [], *({**right, **one} for one in wrong)]


BAD_LINES = [
    *(json.dumps({"id": "b", "text": "asthma", "mentions": [one]}) for one in bad_mentions()),
    *(json.dumps({"id": "b", "text": one}) for one in (5, None, [], {}, "a\ud800b")),
    *(json.dumps({"id": one, "text": "x"}) for one in ([], {}, True, 1.5, "\udc80")),
    *(json.dumps({"id": "b", "text": "x", "passages": one}) for one in (5, "x", [1], [{}])),
    *(json.dumps({"id": "b", "text": "x", "metadata": one}) for one in (5, [1], {"a": "\ud800"})),
    '{"id": "b", "text": "x", "metadata": {"a": ' + "[" * 400 + "]" * 400 + "}}",
    DEEP,
    '{"id": "b", "text": "x", "mentions": ' + DEEP,
    '{"id": ' + "9" * 5000 + ', "text": "x"}',
    '{"id": "b", "text": "x", "mentions": [{"start": NaN, "end": 1}]}',
    "5",
    "null",
    b'{"id": "b", "text": "\xff"}'.decode("utf-8", "surrogateescape"),
]


@pytest.mark.parametrize("bad", BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_bad_line_of_json_does_not_affect_others(bad: str, tmp_path: Path) -> None:
    lines = [json.dumps(GOOD[0]), bad, json.dumps(GOOD[1])]
    file = tmp_path / "x.jsonl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogateescape")
    problems: list[InputError] = []
    assert [d.id for d in read(file, on_problem=problems.append)] == ["g1", "g2"]
    assert [p.line for p in problems] == [2]
    with pytest.raises(InputError):
        list(read(file))


def bioc(doc_id: str = "1", **change: Any) -> dict[str, Any]:
    annotation = {
        "id": "1", "infons": {"type": "Disease", "identifier": "D1"}, "text": "Asthma",
        "locations": [{"offset": 0, "length": 6}],
    }  # fmt: skip
    passage = {"offset": 0, "infons": {}, "text": "Asthma.", "annotations": [annotation]}
    for key, value in change.items():
        for record in (annotation, passage, annotation["locations"][0]):  # type: ignore[index]
            if key in record:  # type: ignore[operator]
                record[key] = value  # type: ignore[index, call-overload]
                break
    return {"id": doc_id, "infons": {}, "passages": [passage]}


BAD_BIOC = [
    *(bioc("b", text=one) for one in (5, [])),
    *(bioc("b", offset=one) for one in ("²", True, 1.5, None, "9" * 5000, [])),
    *(bioc("b", length=one) for one in ("x", None, {})),
    *(bioc("b", locations=one) for one in (5, ["x"])),
    *(bioc("b", infons=one) for one in (5, ["x"])),
    {"id": "b", "passages": 5},
    {"id": "b", "passages": [5]},
    {"id": "b"},
    {"id": [], "passages": []},
    5,
    "x",
    None,
]


@pytest.mark.parametrize("bad", BAD_BIOC, ids=range(len(BAD_BIOC)))
def test_a_bad_bioc_document_does_not_affect_others(bad: Any, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps({"documents": [bioc("g1"), bad, bioc("g2")]}))
    problems: list[InputError] = []
    assert [d.id for d in read(file, on_problem=problems.append)] == ["g1", "g2"]
    assert problems


@pytest.mark.parametrize("bad", [DEEP, '{"id": "b", "passages": [', "{"])
def test_a_broken_bioc_document_does_not_affect_others(bad: str, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    entries = ",\n".join((json.dumps(bioc("g1")), bad, json.dumps(bioc("g2"))))
    file.write_text('{"documents": [\n' + entries + "\n]}\n")
    problems: list[InputError] = []
    assert [d.id for d in read(file, "bioc-json", problems.append)] == ["g1", "g2"]
    assert problems


PIECE = "<document><id>{}</id><passage><offset>{}</offset><text>{}</text></passage></document>"
BAD_XML = [
    PIECE.format("b", "²", "x").encode(),
    PIECE.format("b", "9" * 5000, "x").encode(),
    PIECE.format("b", "0", "&#xD800;").encode(),
    PIECE.format("b", "0", "a").replace("a<", "\udcff<").encode("utf-8", "surrogateescape"),
    PIECE.format("b", "0", "<unclosed>").encode(),
    b"<document><id>b</id><passage>",
    b"<document><id>b</id>" + b"<a>" * 50_000 + b"</a>" * 50_000 + b"</document>",
]


@pytest.mark.parametrize("bad", BAD_XML, ids=range(len(BAD_XML)))
def test_a_bad_record_of_xml_does_not_affect_others(bad: bytes, tmp_path: Path) -> None:
    file = tmp_path / "x.xml"
    good = [PIECE.format(i, 0, "Asthma.").encode() for i in ("g1", "g2", "g3")]
    file.write_bytes(b"<collection>" + b"\n".join((good[0], bad, *good[1:])) + b"</collection>")
    problems: list[InputError] = []
    found = [d.id for d in read(file, on_problem=problems.append)]
    assert [i for i in found if i != "b"] == ["g1", "g2", "g3"]
    assert problems
    with pytest.raises(BiolinkError):
        list(read(file))


@pytest.mark.parametrize("number", ["²", "9" * 5000, "-1", "1.5", "NaN", "True", "1e3", "٣", ""])
def test_pubtator_numbers_that_are_not_offsets(number: str, tmp_path: Path) -> None:
    file = tmp_path / "x.PubTator"
    for row in (f"1\t{number}\t7\tAspirin\tChemical\tD1", f"1\t0\t{number}\tAspirin\tChemical"):
        file.write_text(f"1|t|Aspirin works\n1|a|well.\n{row}\n\n2|t|Asthma\n2|a|here.\n\n")
        problems: list[InputError] = []
        assert [d.id for d in read(file, on_problem=problems.append)] == ["2"]
        assert len(problems) == 1


def test_bioc_by_sentences(tmp_path: Path) -> None:
    sentences = [
        {"offset": 10, "text": "Asthma here.", "annotations": []},
        {"offset": 23, "text": "Gout there.", "annotations": [
            {"id": "1", "infons": {"cui": "C1"}, "text": "Gout",
             "locations": [{"offset": 23, "length": 4}]}]},
    ]  # fmt: skip
    document = {"id": "1", "passages": [{"offset": 10, "sentences": sentences}]}
    (tmp_path / "x.json").write_text(json.dumps([{"documents": [document]}, document]))
    for found in read(tmp_path / "x.json"):
        assert found.text[10:] == "Asthma here. Gout there."
        assert [(m.start, m.concept_ids) for m in found.mentions] == [(23, ("C1",))]


def test_huge_offsets_take_no_memory_and_mentions_keep_their_words(tmp_path: Path) -> None:
    record = bioc("1", locations=[{"offset": 10**12, "length": 6}])
    record["passages"][0]["offset"] = 10**12
    (tmp_path / "x.json").write_text(json.dumps({"documents": [record]}))
    problems: list[InputError] = []
    (found,) = read(tmp_path / "x.json", on_problem=problems.append)
    assert (found.text, found.mentions[0].text) == ("Asthma.", "Asthma")
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [("CUI", "C1"), ("ncbi gene IDENTIFIER", 672), ("Normalized_ID", "D1"), ("native id", "D1"),
     ("MESH", "D1"), ("conceptId", "D1"), ("normalized", ["D1"]), ("umls_cui", "C1")],
)  # fmt: skip
def test_ids_under_the_keys_of_other_tools(key: str, value: Any) -> None:
    wanted = value[0] if isinstance(value, list) else str(value)
    assert ids_under({"type": "Disease", key: value}) == ((wanted,), "|")


def test_fields_with_one_id_and_with_several() -> None:
    for one in ("tmVar:p|SUB|V|600|E;HGVS:p.V600E;RS#:1", "c|DEL||32", "|SUB|E|5|K", "a|b"):
        assert split_ids(join_ids((one,))) == ((one,), "|")
    assert split_ids("D001943|D010051")[0] == ("D001943", "D010051")
    assert split_ids("MESH:D1;OMIM:2") == (("MESH:D1", "OMIM:2"), ";")
    assert split_ids(join_ids(("a|b", "c"))) == (("a|b", "c"), "|")


def test_a_file_without_ids_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    record = bioc(infons={"type": "Disease", "strange_key": "D1"})
    (tmp_path / "x.json").write_text(json.dumps({"documents": [record]}))
    with caplog.at_level(logging.WARNING):
        list(read(tmp_path / "x.json"))
    assert "strange_key" in caplog.text
    caplog.clear()
    (tmp_path / "x.json").write_text(json.dumps({"documents": [bioc()]}))
    list(read(tmp_path / "x.json"))
    assert not caplog.text


ROW = "{0}|t|Asthma\n{1}{0}|a|Fever\n{2}{0}\t0\t6\tAsthma\tDisease\tD001249\n{3}"


@pytest.mark.parametrize("blanks", [("", "", ""), ("", "\n", ""), ("", "\n", "\n"), ("\n", "", "")])
def test_pubtator_with_blank_lines_anywhere(blanks: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "x").write_text("".join(ROW.format(i, *blanks) for i in "123"))
    found = [(d.id, d.text, len(d.mentions)) for d in read(tmp_path / "x", "pubtator")]
    assert found == [(i, "Asthma\nFever", 1) for i in "123"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("TNF-α", "TNF-a"), ("IL‑1β", "IL-1b"), ("5′-end", "5'-end"), ("“x”", '"x"'), ("ＤＭ", "dm"),
     ("Ménière", "Meniere"), ("μ-opioid", "u-opioid"), ("a\u00a0b", "a b"), ("β-x", "?-x")],
)  # fmt: skip
def test_words_with_folded_characters_match_the_text(text: str, words: str) -> None:
    assert align(f"the {text} here", 4, 4 + len(text), words) == (4, 4 + len(text))
    assert align("the fever", 4, 9, "gouty") is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("j.xml", "<?xml version='1.0'?><book><front/></book>"),
        ("e.xml", "<eFetchResult><ERROR>Empty id list</ERROR></eFetchResult>"),
        ("p.html", "<!DOCTYPE html><html><p>Asthma</p></html>"),
        ("p.txt", "<html><body>Asthma</body></html>"),
        ("q.json", '{"words": 5, "entities": []}'),
        ("l.json", '[{"a": "Asthma"}]'),
        ("noname", '{"a": "Asthma"}'),
        ("b.pdf", "%PDF-1.4 ..."),
        ("b.bin", "\x00\x01\x02\x03"),
    ],
)
def test_unknown_structure_is_refused(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match="pubtator"):
        list(read(tmp_path / name))


@pytest.mark.parametrize("text", ["[Not Available].", "<2 mg of aspirin", "{ sic } a < b", "[1] x"])
def test_plain_text_with_signs_is_text(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text(text)
    assert [d.text for d in read(tmp_path / "x.txt")] == [text]


def test_the_name_of_a_file_decides_before_its_content(tmp_path: Path) -> None:
    for name, text, wanted in (
        ("x.jsonl", '{"text": "a", "type": "9|t|x"}', "jsonl"),
        ("x.PubTator", 'x"text": |t|a', "pubtator"),
        ("x.lines", "1|t|Asthma", "lines"),
        ("x.txt", "1|t|Asthma\n1|a|\n", "pubtator"),
        ("x.csv", "id,text\n1,PMID- 5\n", "csv"),
    ):
        (tmp_path / name).write_text(text)
        assert sniff_format(tmp_path / name) == wanted


@pytest.mark.parametrize("comma", [",", ";", "\t"])
@pytest.mark.parametrize(
    "header", [("id", "title"), ("PMID", "Text"), ("Doc ID", "abstract"), ("document_id", "note")]
)
def test_tables_of_texts(comma: str, header: tuple[str, str], tmp_path: Path) -> None:
    file = tmp_path / ("x.tsv" if comma == "\t" else "x.csv")
    file.write_text(f"\ufeff{comma.join(header)}\n11{comma}Aspirin\n12{comma}Gout\n")
    assert [(d.id, d.text) for d in read(file)] == [("11", "Aspirin"), ("12", "Gout")]


def test_text_columns_are_named_or_missing(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text('id,words\n1,"a, ""b""\nc"\n2,open "quote\n3,"broken" x\n4,last\n')
    with pytest.raises(InputError, match="id, words"):
        list(read(file))
    problems: list[InputError] = []
    found = list(read(file, on_problem=problems.append, text_column="words"))
    assert [(d.id, d.text) for d in found] == [
        *(("1", 'a, "b"\nc'), ("2", 'open "quote'), ("4", "last"))
    ]
    assert len(problems) == 1
    with pytest.raises(InputError, match="id, words"):
        list(read(file, text_column="none"))


ODD = ("x\ty\n9|t|inj", "a|b", "=1+1", "back\\slash", "end\\", "\\t", "", "é\u2028x", "<b>&\"'")


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["pubtator", "tsv", "csv", "jsonl", "bioc-json"])
def test_odd_characters_in_a_field_break_no_output(name: str, odd: str, tmp_path: Path) -> None:
    mentions = (Mention(0, 6, "asthma", odd, (f"D{odd}", "D2"), parts=(f"p{odd}", "q")),)
    documents = [Document(f"d{odd}", "asthma here", mentions=mentions), Document("2", "gout")]
    write(documents, tmp_path / "x", name)
    back = list(read(tmp_path / "x", name))
    assert [(d.id, d.text) for d in back] == [(d.id, d.text) for d in documents]
    assert [(m.type, m.concept_ids) for m in back[0].mentions] == [(odd, (f"D{odd}", "D2"))]
    if name != "bioc-json":
        assert back[0].mentions[0].parts == (f"p{odd}", "q")


def shown() -> Document:
    link = Link("D1", "Cancer, Breast", -1.5, 0.91, 1, preferred_name="Breast <b>", curie="mesh:D1")
    mentions = (
        Mention(0, 13, "breast cancer", "Disease", links=(link,)),
        Mention(7, 13, "cancer", "Disease", nil_reason='below "0.5"'),
        Mention(7, 17, "cancer <s>", "Other"),
    )
    return Document("<1>", "breast cancer <s> & more\x00", mentions=mentions)


def test_html_shows_all_and_is_escaped(tmp_path: Path) -> None:
    page = biolink.to_html([shown()])
    for words in ("mesh:D1", "Breast &lt;b&gt;", "0.91", "below &quot;0.5&quot;", "&lt;1&gt;"):
        assert words in page
    assert "<script" not in page
    assert "<s>" not in page
    assert "\x00" not in page
    assert "http" not in page
    assert "mesh:D1" in shown()._repr_html_()
    write([shown()], tmp_path / "x.html")
    assert (tmp_path / "x.html").read_text() == page


def test_csv_is_safe_in_spreadsheets(tmp_path: Path) -> None:
    write([shown(), Document("=cmd()", "+1 -2 @x")], tmp_path / "x.csv")
    with (tmp_path / "x.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    cells = [cell for row in rows for cell in row.values()]
    # A score is a negative number, which a spreadsheet does not take for a formula.
    scores = {row["score"] for row in rows}
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells if cell not in scores)
    (linked, nil) = [row for row in rows if row["kind"] == "mention"][:2]
    assert (linked["curie"], linked["preferred_name"]) == ("mesh:D1", "Breast <b>")
    assert nil["nil_reason"] == 'below "0.5"'


def test_dataframe() -> None:
    pytest.importorskip("pandas")
    table = biolink.to_dataframe([shown()])
    assert list(table["curie"].fillna("")) == ["mesh:D1", "", ""]
    assert table.loc[1, "nil_reason"] == 'below "0.5"'


def test_json_lines_are_read_as_equal_documents(tmp_path: Path) -> None:
    documents = [Document("", ""), Document(" ", "x\r\n\u2028"), shown()]
    documents += [Document("m", "x", metadata={"a": [1, {"b": None}]})]
    write(documents, tmp_path / "x.jsonl")
    assert list(read(tmp_path / "x.jsonl")) == documents


def test_a_document_that_json_cannot_hold_does_not_affect_others(tmp_path: Path) -> None:
    documents = [Document("1", "x", metadata={"a": object()}), Document("2", "y")]
    problems: list[InputError] = []
    write(documents, tmp_path / "x.jsonl", on_problem=problems.append)
    assert [d.id for d in read(tmp_path / "x.jsonl")] == ["2"]
    assert len(problems) == 1
    with pytest.raises(BiolinkError):
        write(documents, tmp_path / "y.jsonl")
    assert not (tmp_path / "y.jsonl").exists()


def test_documents_reject_wrong_types() -> None:
    for bad in ({"id": 5}, {"text": 5}, {"text": "a\ud800"}, {"mentions": "x"}, {"metadata": []}):
        with pytest.raises(ValueError, match=r"document|text"):
            Document(**{"id": "1", "text": "x", **bad})  # type: ignore[arg-type]
