"""The data of a valid file that readers keep, and the warnings about the rest."""

from __future__ import annotations

import json
import logging
import math
import re
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from biolink.documents import Document, Link, Mention
from biolink.errors import InputError
from biolink.formats import bioc_json, bioc_xml, jsonl, read, write
from biolink.formats.ids import ids_under, join_ids, split_ids

RELATION = {
    "id": "R1",
    "infons": {"type": "Association", "entity1": "D001241", "entity2": "D001249", "novel": "No"},
    "nodes": [{"refid": "1", "role": "cause"}, {"refid": "2", "role": ""}],
}


def annotation(**infons: Any) -> dict[str, Any]:
    location = {"offset": 0, "length": 6}
    return {"id": "1", "infons": infons, "text": "Asthma", "locations": [location]}


def bioc(**changes: Any) -> dict[str, Any]:
    passage = {
        "offset": 0,
        "infons": {"type": "title", "section_type": "TITLE", "year": "2024"},
        "text": "Asthma.",
        "annotations": [annotation(type="Disease", identifier="D001249")],
    }
    return {"id": "1", "infons": {"license": "CC0"}, "passages": [passage], **changes}


def documents_in(file: Path, content: Any) -> list[Document]:
    file.write_text(json.dumps(content))
    return list(read(file))


def test_infons_and_keys_of_a_bioc_document_become_metadata(tmp_path: Path) -> None:
    record = bioc(relations=[RELATION], journal="J. Asthma", pmid=12, metadata={"x": [1]})
    (document,) = documents_in(tmp_path / "x.json", {"documents": [record]})
    assert document.id == "1"
    assert document.metadata == {
        "infons": {"license": "CC0"},
        "relations": [RELATION],
        "passage_infons": [record["passages"][0]["infons"]],
        "journal": "J. Asthma",
        "pmid": 12,
        "metadata": {"x": [1]},
    }


@pytest.mark.parametrize("name", ["x.json", "x.xml", "x.jsonl"])
def test_infons_and_relations_are_read_as_they_were_written(name: str, tmp_path: Path) -> None:
    passage = bioc()["passages"][0]
    inner = {**passage, "relations": [{"id": "R2", "infons": {}, "nodes": []}]}
    second = {"offset": 8, "infons": {}, "text": "Gout."}
    record = bioc(relations=[RELATION], passages=[inner, second])
    (document,) = documents_in(tmp_path / "a.json", record)
    assert [relation["id"] for relation in document.metadata["relations"]] == ["R1", "R2"]
    write(document, tmp_path / name)
    assert list(read(tmp_path / name)) == [document]


def test_infons_that_are_not_strings_are_written_to_xml(tmp_path: Path) -> None:
    odd = {"a": 5, "b": None, "c": ["x"], "d": "\x00", "e": True}
    write(Document("1", "x", metadata={"infons": odd, "passage_infons": 5}), tmp_path / "x.xml")
    (document,) = read(tmp_path / "x.xml")
    infons = {key: value or "" for key, value in document.metadata["infons"].items()}
    assert infons == {"a": "5", "b": "", "c": '["x"]', "d": " ", "e": "true"}


@pytest.mark.parametrize("name", ["x.json", "x.xml", "x.jsonl"])
@pytest.mark.parametrize("value", [object(), {1, 2}, b"x"])
def test_a_document_whose_metadata_cannot_be_written_is_left_out(
    name: str, value: Any, tmp_path: Path
) -> None:
    documents = [Document("1", "x", metadata={"infons": {"a": value}}), Document("2", "y")]
    problems: list[InputError] = []
    write(documents, tmp_path / name, on_problem=problems.append)
    assert [document.id for document in read(tmp_path / name)] == ["2"]
    assert len(problems) == 1
    with pytest.raises(InputError, match="metadata that JSON can hold"):
        write(documents, tmp_path / name)


def test_relations_are_converted_from_pubtator_to_bioc_and_back(tmp_path: Path) -> None:
    content = "1|t|Asthma\n1|a|here\n1\tCID\tD1\tD2\n1\tAssociation\tD1\tD2\tNovel\n\n"
    (tmp_path / "x.PubTator").write_text(content)
    write(read(tmp_path / "x.PubTator"), tmp_path / "x.json")
    (document,) = read(tmp_path / "x.json")
    first, second = (relation["infons"] for relation in document.metadata["relations"])
    assert first == {"type": "CID", "entity1": "D1", "entity2": "D2"}
    assert second["novel"] == "Novel"
    write(document, tmp_path / "y.PubTator")
    assert (tmp_path / "y.PubTator").read_text() == content


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"infons": ["x"]}, "infons of a document that are a list (1)"),
        ({"infons": "x"}, "infons of a document that are a string (1)"),
        ({"relations": {"x": 1}}, "relations that are an object (1)"),
        ({"relations": ["x", 5]}, "a relation that is a string (1), a relation that is a number"),
    ],
)
def test_odd_infons_and_relations_are_reported(
    change: dict[str, Any], told: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (document,) = documents_in(tmp_path / "x.json", bioc(**change))
    assert len(document.mentions) == 1
    assert told in caplog.text


@pytest.mark.parametrize(
    ("infons", "ids"),
    [
        ({"identifier": {"database": "MESH", "id": "D1"}}, ("D1",)),
        ({"identifier": [{"ui": "D1"}, {"mesh": "D2"}, "D3|D4"]}, ("D1", "D2", "D3", "D4")),
        ({"identifier": {"mesh": ["D1"]}}, ("D1",)),
        ({"NCBI Gene": 672.0}, ("672",)),
        ({"identifier": ["rs1;Gene:0", "c|SUB|A|5|C"]}, ("rs1;Gene:0", "c|SUB|A|5|C")),
        ({"identifier": {"x": "y"}, "mesh": "D1"}, ("D1",)),
    ],
)  # fmt: skip
def test_identifiers_that_are_objects_and_lists(infons: dict[str, Any], ids: Any) -> None:
    assert ids_under({"type": "Disease", **infons})[0] == ids


@pytest.mark.parametrize("odd", [{"who": "knows"}, [{"x": 1}], 1.5])
def test_identifiers_that_cannot_be_read_are_reported(
    odd: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = bioc()
    record["passages"][0]["annotations"] = [annotation(identifier=odd, note="x", database="y")]
    (document,) = documents_in(tmp_path / "x.json", record)
    assert document.mentions[0].concept_ids == ()
    for words in ("x.json", "the infon 'note' of annotations (1)", "the infon 'identifier' that"):
        assert words in caplog.text
    assert "database" not in caplog.text.split("not kept")[1].split("no concept id")[0]


@pytest.mark.parametrize(
    ("infons", "told"),
    [
        ({"identifier": "D1", "mesh": "D2", "NCBI Gene": "672"}, ["'mesh'", "'NCBI Gene'"]),
        ({"identifier": "D1", "score": "0.3", "link": "x"}, ["'score'", "'link'"]),
        ({"identifier": "D1", "mesh": {"x": 1}}, ["'mesh' that is an object"]),
        ({"identifier": "-", "mesh": "D2"}, ["'mesh'"]),
        ({"type": "Gene", "semantic_type": "T116"}, ["'semantic_type'"]),
        ({"type": ["Gene", "Protein"]}, ["types of an annotation after the first (1)"]),
        # The infons of PubTator 3, and those that biolink writes.
        (
            {
                "identifier": "MESH:D1", "type": "Disease", "valid": True, "normalized": ["D1"],
                "database": "ncbi_mesh", "normalized_id": "D1", "biotype": "disease",
                "name": "Asthma", "accession": "@DISEASE_Asthma",
            },
            [],
        ),
        ({"identifier": ["D1", True]}, ["an entry of a list of ids that is true"]),
        ({"identifier": ["D1", "", {"x": 1}]}, ["an entry of a list of ids that is an object"]),
        ({"identifier": "D1", "mesh": "", "note": None, "nil_reason": "none"}, []),
        ({"identifier": "672", "NCBI Gene": 672, "type": ["Gene", "gene"]}, []),
    ],
)  # fmt: skip
def test_second_ids_and_types_are_reported(
    infons: dict[str, Any], told: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = bioc()
    record["passages"][0]["annotations"] = [annotation(**{"identifier": "D1", **infons})]
    documents_in(tmp_path / "x.json", record)
    for words in told:
        assert words in caplog.text
    assert caplog.text.count("(1)") == len(told)


@pytest.mark.parametrize("name", ["x.json", "x.xml"])
def test_reading_what_biolink_wrote_gives_no_warning(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    link = Link("D1", "Asthma", -1.0, 0.5, 1, preferred_name="a", curie="mesh:D1", long_form="b")
    mentions = (Mention(0, 1, "a", links=(link,)), Mention(0, 1, "a", nil_reason="no candidate"))
    write(Document("1", "a", mentions=mentions), tmp_path / name)
    assert len(next(read(tmp_path / name)).mentions) == 2
    assert not caplog.text


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("y.json", ["'journal'", "'volume'"]),
        ("y.xml", ["'journal'", "'volume'"]),
        ("y.tsv", ["'infons'", "'journal'", "'relations'", "'volume'"]),
        ("y.csv.gz", ["'infons'", "'journal'", "'relations'", "'volume'"]),
        ("y.PubTator", ["'infons'", "'journal'", "'volume'", "relations without the ids"]),
        ("y.jsonl", []),
    ],
)
def test_metadata_that_a_format_does_not_hold_are_reported(
    name: str, left_out: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    relations = [RELATION, {"id": "R2", "infons": {"type": "x"}, "nodes": RELATION["nodes"]}]
    passage = {"offset": 0, "text": "Asthma."}
    record = bioc(journal="J. Asthma", volume=0, relations=relations, passages=[passage])
    documents = documents_in(tmp_path / "x.json", {"documents": [record, record]})
    assert documents[0].metadata["volume"] == 0
    write(documents, tmp_path / name)
    told = [record.message for record in caplog.records]
    assert len(told) == bool(left_out)
    for words in left_out:
        assert words in told[0] and "(2)" in told[0]
    assert ("relations" in "".join(told)) == ("relations" in "".join(left_out))
    assert all(f"{name}: these values are not kept: " in message for message in told)


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.json", "x.xml", "x.PubTator"])
@pytest.mark.parametrize("key", [1, 2.5, None, True, (1, "a")])
def test_keys_of_metadata_that_are_not_strings_are_reported(
    name: str, key: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(Document("1", "asthma", metadata={key: 2}), tmp_path / name)
    assert f"these values are not kept: the entry {str(key)!r} of metadata (1)" in caplog.text
    assert [d.text for d in read(tmp_path / name)] == ["asthma"]


def test_a_key_that_is_a_number_is_a_string_in_json_lines(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(Document("1", "asthma", metadata={1: 2}), tmp_path / "x.jsonl")  # type: ignore[dict-item]
    assert next(read(tmp_path / "x.jsonl")).metadata == {"1": 2}
    assert not caplog.text


@pytest.mark.parametrize(
    ("metadata", "names", "told"),
    [
        ({"relations": 5}, "json xml PubTator", "relations that are a number"),
        ({"relations": ["x"]}, "json xml PubTator", "a relation that is a string"),
        ({"relations": [["CID", "D1"]]}, "json xml PubTator", "a relation that is a list of other"),
        ({"relations": [{"score": 1}]}, "json xml", "the key 'score' of relations"),
        ({"relations": [{"infons": [1]}]}, "json xml", "infons of a relation that are a list"),
        ({"relations": [{"nodes": 5}]}, "json xml", "nodes of a relation that are a number"),
        ({"relations": [{"nodes": [5]}]}, "json xml", "a node of a relation that is a number"),
        ({"relations": [{"nodes": [{"x": 1}]}]}, "json xml", "the key 'x' of nodes of relations"),
        ({"relations": [{**RELATION, "id": ""}]}, "PubTator", "the key 'nodes' of relations"),
        (
            {"relations": [{"infons": {**RELATION["infons"], "score": 1}}]},
            "PubTator", "the infon 'score' of relations",
        ),
        ({"infons": [1]}, "json xml", "infons of a document that are a list"),
        ({"infons": {"x": math.nan}}, "json xml jsonl", "not finite in the entry 'infons' of"),
        ({"passage_infons": 5}, "json xml", "infons of passages that are a number"),
        ({"passage_infons": [{}, {}]}, "json xml", "infons of passages of another number"),
        ({"passage_infons": ["x"]}, "json xml", "infons of a passage that are a string"),
        ({"x": math.nan}, "jsonl", "a number that is not finite in the entry 'x' of metadata"),
        ({1: [{"a": (np.float32("-inf"),)}]}, "jsonl", "not finite in the entry '1' of metadata"),
    ],
)  # fmt: skip
def test_metadata_in_another_form_are_reported(
    metadata: dict[Any, Any],
    names: str,
    told: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for suffix in names.split():
        caplog.clear()
        write([Document("1", "x", metadata=metadata), Document("2", "y")], tmp_path / f"x.{suffix}")
        (warning,) = (record.message for record in caplog.records)
        assert f"x.{suffix}: these values are not kept: " in warning
        assert told in warning and warning.count("(1)") == 1
        assert [document.text for document in read(tmp_path / f"x.{suffix}")] == ["x", "y"]


@pytest.mark.parametrize("name", ["x.json", "x.xml", "x.jsonl", "x.PubTator"])
def test_metadata_that_say_nothing_are_not_reported(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    metadata = {"relations": [] if "l" in name else ()}
    if name != "x.PubTator":
        metadata |= {"infons": {}, "passage_infons": []}
    write(Document("1", "x", metadata=metadata), tmp_path / name)
    assert not caplog.text


def test_metadata_that_contain_themselves_are_a_problem(tmp_path: Path) -> None:
    own: dict[str, Any] = {}
    own["x"] = [own, math.inf]
    for name in ("x.jsonl", "x.json"):
        with pytest.raises(InputError, match="metadata that JSON can hold"):
            write(Document("1", "x", metadata={"infons": own}), tmp_path / name)


def test_other_keys_of_json_lines_are_kept_or_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mention = {"start": 0, "end": 6, "label": "Disease", "mesh": ["D1", 1.5]}
    line = {"id": "1", "pmid": 7, "title": "T", "text": "Asthma", "year": 2024, "meta": {"a": [1]}}
    record = {**line, "metadata": {"metadata": 1}, "mentions": [mention, mention]}
    (document,) = documents_in(tmp_path / "x.jsonl", record)
    assert document.metadata == {
        "pmid": 7, "title": "T", "year": 2024, "meta": {"a": [1]}, "metadata": 1,
    }  # fmt: skip
    assert document.mentions[0].concept_ids == ("D1",)
    assert (
        "x.jsonl: these values are not kept: an entry of a list of ids that is a number (2), "
        "the key 'label' of mentions (2)"
    ) in caplog.text
    write(document, tmp_path / "y.jsonl")
    assert list(read(tmp_path / "y.jsonl")) == [document]


def test_many_odd_keys_give_one_short_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mentions = [{"start": 0, "end": 1, f"key{number}": 1} for number in range(500)]
    documents_in(tmp_path / "x.jsonl", {"text": "a", "mentions": mentions})
    told = [record.message for record in caplog.records if "not kept" in record.message]
    assert len(told) == 1
    assert len(told[0]) < 1_200
    assert "other keys (480)" in told[0]
    assert re.findall(r"'key(\d+)'", told[0]) == [str(number) for number in range(20)]


def test_columns_after_the_seventh_are_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "x.PubTator"
    file.write_text("1|t|Asthma\n1|a|\n1\t0\t6\tAsthma\tDisease\tD1\tAsthma\tmore\tmore\n\n")
    with caplog.at_level(logging.WARNING):
        (document,) = read(file)
    assert document.mentions[0].parts == ("Asthma",)
    assert "columns of annotations after the seventh (1)" in caplog.text


SEVERAL = {
    "D001|D002": ("D001", "D002"),
    "D001;D002": ("D001", "D002"),
    "D001,D002": ("D001", "D002"),
    "D001+D002": ("D001", "D002"),
    " D001 | D002 ": ("D001", "D002"),
    "22142,53857;22152": ("22142", "53857", "22152"),
    "D1|D2+D3": ("D1", "D2", "D3"),
    "D1|-1": ("D1",),
    ",15978,16153": ("15978", "16153"),
    "26972(Tax:10090)+1": ("26972(Tax:10090)", "1"),
    "Na+|K+": ("Na+", "K+"),
    "rs1|rs2": ("rs1", "rs2"),
    "rs1;VariantGroup:0|rs2;VariantGroup:1": ("rs1;VariantGroup:0", "rs2;VariantGroup:1"),
    "D1 + D2": ("D1", "D2"),
    "26972(Tax:10090) + 1": ("26972(Tax:10090)", "1"),
    "D1 + D2;D3": ("D1", "D2", "D3"),
}
JOINERS = {
    **{"D001;D002": ";", "D001,D002": ",", "D001+D002": "+", "22142,53857;22152": ";"},
    **{",15978,16153": ",", "26972(Tax:10090)+1": "+", "D1 + D2": "+"},
    **{"26972(Tax:10090) + 1": "+", "D1 + D2;D3": ";"},
}
ONE = (
    *("rs123;VariantGroup:4", "rs6232;Disease:D009765,D007333;VariantGroup:0", "rs1;Gene:672"),
    *("c|DEL888|C", "c|SUB|G|2633+1|C;Gene:6559", "|INS|118_119|A;Gene:2626;VariantGroup:0"),
    *("p|FS|S,A|290,291||;Gene:2162", "tmVar:p|SUB|V|600|E;HGVS:p.V600E;RS#:1", "HGVS:c.1A>G"),
    *("NM_004333.4:c.88+2T>G", "c.IVS4+1G>A", "Na+", "CHEBI:29101", "p.V600E;VariantGroup:0"),
    *("c.88 + 2T>G", "Na+ ion"),
)


@pytest.mark.parametrize("kind", ["Chemical", "Disease", "Gene"])
@pytest.mark.parametrize("written", SEVERAL)
def test_every_format_separates_ids_by_the_same_rule(
    written: str, kind: str, tmp_path: Path
) -> None:
    (tmp_path / "x.PubTator").write_text(f"1|t|Asthma\n1|a|\n1\t0\t6\tAsthma\t{kind}\t{written}\n")
    write(read(tmp_path / "x.PubTator"), tmp_path / "y.PubTator")
    for name in ("x.PubTator", "y.PubTator"):
        (document,) = read(tmp_path / name)
        assert document.mentions[0].concept_ids == SEVERAL[written]
        assert document.mentions[0].id_joiner == JOINERS.get(written, "|")


@pytest.mark.parametrize("written", ONE)
def test_the_id_of_a_variant_is_one_id(written: str, tmp_path: Path) -> None:
    (tmp_path / "x.PubTator").write_text(f"1|t|Asthma\n1|a|\n1\t0\t6\tAsthma\tSNP\t{written}\n")
    for name in ("y.PubTator", "y.json", "y.tsv", "y.jsonl"):
        write(read(tmp_path / "x.PubTator"), tmp_path / name)
        (document,) = read(tmp_path / name)
        assert document.mentions[0].concept_ids == (written,)


IDS = st.text("aD1|+,;\\:rs c.#V", min_size=1, max_size=8).map(str.strip)


@given(st.lists(IDS.filter(bool), min_size=1, max_size=3).map(tuple), st.sampled_from("|+,;/"))
@example(("a", "DEL", "1"), "|")
@example(("x\\", "y"), "|")
def test_any_ids_can_be_read_from_the_field_they_are_joined_into(
    ids: tuple[str, ...], joiner: str
) -> None:
    assert split_ids(join_ids(ids, joiner))[0] == ids


def test_a_joiner_that_separates_nothing_is_replaced(tmp_path: Path) -> None:
    mention = Mention(0, 1, "a", concept_ids=("D1", "D2"), id_joiner=" / ")
    write(Document("1", "a", mentions=(mention,)), tmp_path / "x.PubTator")
    (document,) = read(tmp_path / "x.PubTator")
    assert document.mentions[0].concept_ids == ("D1", "D2")


@pytest.mark.parametrize("name", ["x.json", "x.xml"])
def test_ids_of_annotations_are_kept_and_new_ones_are_distinct(name: str, tmp_path: Path) -> None:
    given_ids = ("", "0", "x", "", "x", "2")
    mentions = tuple(Mention(0, 1, "a", id=one) for one in given_ids)
    write(Document("1", "a", mentions=mentions), tmp_path / name)
    (document,) = read(tmp_path / name)
    assert [m.id for m in document.mentions] == ["1", "0", "x", "3", "4", "2"]


OWN = {"text": "Asthma", "passages": [{"start": 0, "end": 6, "kind": "title"}]}


@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x"])
def test_own_lines_are_told_from_lines_of_bioc(name: str, tmp_path: Path) -> None:
    own = {**OWN, "id": "1", "metadata": {"infons": {"a": "b"}, "relations": [RELATION]}}
    for record, text in ((own, "Asthma"), (bioc(relations=[RELATION]), "Asthma.")):
        (tmp_path / name).write_text(f"{json.dumps(record)}\n{json.dumps(record)}\n")
        documents = list(read(tmp_path / name))
        assert [document.text for document in documents] == [text, text]
        assert documents[0].metadata["relations"] == [RELATION]


@pytest.mark.parametrize("inner", ["As<!-- x -->thma", "As<?x y?>thma", "<b>As</b>thma"])
def test_comments_and_markup_do_not_end_a_text(inner: str, tmp_path: Path) -> None:
    piece = "<passage><offset>0</offset><text>{}</text></passage>"
    record = f"<document><id>1<!-- x --></id>{piece.format(inner)}</document>"
    (tmp_path / "x.xml").write_text(f"<collection>{record}</collection>")
    (document,) = read(tmp_path / "x.xml")
    assert (document.id, document.text) == ("1", "Asthma")


def test_an_entity_in_a_text_costs_its_document(tmp_path: Path) -> None:
    piece = "<document><id>{}</id><passage><offset>0</offset><text>a{}</text></passage></document>"
    article = "<PubmedArticle><PMID>{}</PMID><ArticleTitle>a{}</ArticleTitle></PubmedArticle>"
    for root, record in (("collection", piece), ("PubmedArticleSet", article)):
        (tmp_path / "x.xml").write_text(
            f'<!DOCTYPE x [<!ENTITY e "b"><!ENTITY f SYSTEM "x.xml">]><{root}>'
            + record.format("1", "&e;") + record.format("2", "&f;") + record.format("3", "&lt;")
            + f"</{root}>"
        )  # fmt: skip
        problems: list[InputError] = []
        documents = list(read(tmp_path / "x.xml", on_problem=problems.append))
        assert [(document.id, document.text) for document in documents] == [("3", "a<")]
        assert ["&e;" in str(problems[0]), "&f;" in str(problems[1])] == [True, True]


def test_infons_that_are_repeated_are_a_list(tmp_path: Path) -> None:
    types = '<infon key="type">Disease</infon><infon key="type">Finding</infon>'
    infons = types + "".join(f'<infon key="identifier">{one}</infon>' for one in ("D1", "D2", "D3"))
    place = '<location offset="0" length="6"/><text>Asthma</text>'
    annotation = f'<annotation id="1">{infons}{place}</annotation>'
    passage = f"<passage>{types}<offset>0</offset><text>Asthma</text>{annotation}</passage>"
    (tmp_path / "x.xml").write_text(
        f"<collection><document><id>1</id>{passage}</document></collection>"
    )
    (document,) = read(tmp_path / "x.xml")
    assert document.mentions[0].concept_ids == ("D1", "D2", "D3")
    assert document.metadata["passage_infons"] == [{"type": ["Disease", "Finding"]}]
    for name in ("y.xml", "y.json"):
        write(document, tmp_path / name)
        (again,) = read(tmp_path / name)
        assert again.metadata == document.metadata
        assert [passage.kind for passage in again.passages] == ["Disease"]


@pytest.mark.parametrize(
    ("kind", "read_as", "told"),
    [(["Disease"], "Disease", False), ({"a": 1}, "", True), ([{}], "", True), (7, "7", False)],
)
def test_types_that_are_no_texts(
    kind: Any, read_as: str, told: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = bioc()
    passage = record["passages"][0]
    passage["infons"] = {"type": kind}
    passage["annotations"] = [annotation(type=kind, identifier="D1")]
    (document,) = documents_in(tmp_path / "x.json", record)
    assert document.mentions[0].type == read_as
    assert [passage.kind for passage in document.passages] == [read_as] * bool(read_as)
    assert document.metadata["passage_infons"] == [{"type": kind}]
    assert ("a type that is" in caplog.text) == told


def test_lines_that_end_in_carriage_returns_only_are_refused(tmp_path: Path) -> None:
    content = "1|t|Asthma\r1|a|here\r1\t0\t6\tAsthma\tDisease\tD1\r\r2|t|Gout\r2|a|\r"
    for text in (content, content.replace("1|a|here\r", "")):
        (tmp_path / "x.PubTator").write_text(text, newline="")
        with pytest.raises(InputError, match="carriage returns only"):
            list(read(tmp_path / "x.PubTator"))
    (tmp_path / "x.PubTator").write_text("1|t|Asthma\r here\n1|a|\n\n", newline="")
    assert [document.text for document in read(tmp_path / "x.PubTator")] == ["Asthma\r here"]


@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.xml"])
def test_numbers_of_numpy_are_written(name: str, tmp_path: Path) -> None:
    infons = {"a": np.float32(0.5), "b": np.int64(3)}
    write(Document("1", "x", metadata={"infons": infons}), tmp_path / name)
    (document,) = read(tmp_path / name)
    kept = document.metadata["infons"]
    assert {key: float(value) for key, value in kept.items()} == {"a": 0.5, "b": 3}


def test_an_error_of_the_stream_is_not_one_of_the_document() -> None:
    class Full:
        """A stream that cannot be written."""

        def write(self, text: str) -> None:
            if "Asthma" in text:
                raise ValueError("I/O operation on closed file")

    problems: list[InputError] = []
    for module in (bioc_json, bioc_xml, jsonl):
        with pytest.raises(ValueError, match="closed file"):
            module.write([Document("1", "Asthma")], cast(Any, Full()), problems.append)
    assert not problems


@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.xml"])
def test_numbers_that_are_not_finite_become_null(name: str, tmp_path: Path) -> None:
    metadata = {"infons": {"a": float("nan"), "b": [float("-inf")]}}
    link = Link("D1", "Asthma", float("nan"), 0.5, 1)
    document = Document("1", "a", mentions=(Mention(0, 1, "a", links=(link,)),), metadata=metadata)
    write(document, tmp_path / name)
    written = (tmp_path / name).read_text()
    assert "NaN" not in written and "Infinity" not in written
    (again,) = read(tmp_path / name)
    assert again.text == "a"
    if name == "x.jsonl":
        assert math.isnan(again.mentions[0].links[0].score)
        assert again.metadata == {"infons": {"a": None, "b": [None]}}


def test_utf16_is_not_called_broken_json(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(json.dumps(bioc()).encode("utf-16"))
    with pytest.raises(InputError, match="not UTF-8"):
        list(read(tmp_path / "x.json"))
