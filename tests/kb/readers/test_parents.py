"""Readers give the parents of concepts, and count those that they leave out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from biolink.errors import InputError
from biolink.kb import KnowledgeBase

OBO = """format-version: 1.2

[Term]
id: HP:1
name: All

[Term]
id: HP:2
name: Fever
is_a: HP:1 ! All
is_a: HP:9 {source="x"} ! obsolete
relationship: part_of HP:4 ! not a parent

[Term]
id: HP:4
name: Sign

[Term]
id: HP:9
name: Old sign
is_obsolete: true
replaced_by: HP:4
"""


def test_obo(tmp_path: Path) -> None:
    (tmp_path / "x.obo").write_text(OBO)
    kb = KnowledgeBase.read(tmp_path / "x.obo")
    assert kb["HP:2"].parents == ("HP:1", "HP:9")
    assert kb.ancestors("HP:2") == ("HP:1", "HP:4")


def test_obographs(tmp_path: Path) -> None:
    iri = "http://purl.obolibrary.org/obo/HP_"

    def edge(child: str, parent: str, predicate: str = "is_a") -> dict[str, str]:
        return {"sub": iri + child, "pred": predicate, "obj": parent}

    graph = {
        "nodes": [{"id": f"{iri}{i}", "lbl": f"name {i}", "type": "CLASS"} for i in (1, 2, 3)],
        "edges": [
            edge("2", f"{iri}1"),
            edge("3", f"{iri}2"),
            edge("3", f"{iri}1", "http://purl.obolibrary.org/obo/BFO_0000050"),
            edge("1", "http://www.w3.org/2002/07/owl#Thing"),
            edge("3", "http://example.org/Fever"),
            edge("3", f"{iri}1"),
        ],
    }
    file = tmp_path / "x.json"
    file.write_text(json.dumps({"graphs": [graph]}))
    kb = KnowledgeBase.read(file)
    assert [c.parents for c in kb] == [(), ("HP:1",), ("HP:2", "HP:1")]
    entry = kb.manifest["dropped"]["parents without a CURIE for their IRI"]
    assert (entry["count"], entry["examples"]) == (1, ["HP:3"])
    graph["edges"].append({"sub": 5, "pred": "is_a", "obj": f"{iri}1"})
    file.write_text(json.dumps({"graphs": [graph]}))
    with pytest.raises(InputError, match='graph 1, edge 7: "sub" is 5, not a string'):
        KnowledgeBase.read(file)
    problems: list[InputError] = []
    assert len(KnowledgeBase.read(file, on_problem=problems.append)) == 3
    assert len(problems) == 1


def test_mesh_tables(tmp_path: Path) -> None:
    terms = "DescriptorUI\tDescriptorName\tTermName\tRecordPreferredTermYN\n"
    trees = "DescriptorUI\tTreeNumber\n"
    for ui, name, numbers in (
        ("D001943", "Breast Neoplasms", ("C04.588.180", "C17.800.090.500")),
        ("D009371", "Neoplasms by Site", ("C04.588",)),
        ("D009369", "Neoplasms", ()),  # the published table has no numbers of tops
    ):
        terms += f"{ui}\t{name}\t{name}\tY\n"
        trees += "".join(f"{ui}\t{number}\n" for number in numbers)
    (tmp_path / "terms.tsv").write_text(terms)
    (tmp_path / "trees.tsv").write_text(trees)
    kb = KnowledgeBase.read(tmp_path)
    assert [c.parents for c in kb] == [("D009371",), ("D009369",), ()]
    entry = kb.manifest["dropped"]["tree numbers below one that no descriptor has"]
    assert (entry["count"], entry["examples"]) == (1, ["D001943"])


def record(ui: str, *numbers: str) -> str:
    tree = "".join(f"<TreeNumber>{number}</TreeNumber>" for number in numbers)
    return (
        f"<DescriptorRecord><DescriptorUI>{ui}</DescriptorUI>"
        f"<DescriptorName><String>{ui} name</String></DescriptorName>"
        f"<TreeNumberList>{tree}</TreeNumberList></DescriptorRecord>"
    )


def test_mesh_xml(tmp_path: Path) -> None:
    file = tmp_path / "desc.xml"
    records = (
        record("D3", "C04.1.1", "C17.1.5"),
        record("D1", "C04"),
        record("D2", "C04.1"),
        record("D4"),  # without a tree number, as check tags are
    )
    file.write_text(f"<DescriptorRecordSet>{''.join(records)}</DescriptorRecordSet>")
    kb = KnowledgeBase.read(file)
    assert {c.id: c.parents for c in kb} == {"D3": ("D2",), "D2": ("D1",), "D1": (), "D4": ()}
    entry = kb.manifest["dropped"]["tree numbers below one that no descriptor has"]
    assert (entry["count"], entry["examples"]) == (1, ["D3"])
    mapped = "".join(
        "<HeadingMappedTo><DescriptorReferredTo>"
        f"<DescriptorUI>{ui}</DescriptorUI></DescriptorReferredTo></HeadingMappedTo>"
        for ui in ("*D2", "D3")
    )
    file.write_text(
        "<SupplementalRecordSet><SupplementalRecord><SupplementalRecordUI>C1</SupplementalRecordUI>"
        "<SupplementalRecordName><String>rare</String></SupplementalRecordName>"
        f"<HeadingMappedToList>{mapped}</HeadingMappedToList>"
        "</SupplementalRecord></SupplementalRecordSet>"
    )
    assert KnowledgeBase.read(file)["C1"].parents == ("D2", "D3")


def conso(cui: str) -> str:
    return f"{cui}|ENG|P|L1|PF|S1|Y|A1||||MSH|MH|D1|name of {cui}|0|N||\n"


def rel(first: str, relation: str, second: str, source: str = "MSH", suppress: str = "N") -> str:
    cells = (first, "A1", "AUI", relation, second, "A2", "AUI", "", "R1", "", source, source)
    return "|".join((*cells, "", "", suppress, "")) + "|\n"


def test_umls(tmp_path: Path) -> None:
    (tmp_path / "MRCONSO.RRF").write_text("".join(map(conso, ("C1", "C2", "C3", "C4"))))
    (tmp_path / "MRREL.RRF").write_text(
        # The Anatomical Therapeutic Chemical Classification says
        # C3540036|A22726695|AUI|CHD|C0001645|A22729715|AUI|isa|...: the second is a child.
        rel("C1", "CHD", "C2")
        + rel("C2", "PAR", "C1")
        + rel("C3", "PAR", "C2")
        + rel("C3", "PAR", "C4", "SNOMEDCT_US")
        + rel("C3", "RB", "C1")
        + rel("C4", "PAR", "C1", suppress="O")
        + rel("C4", "PAR", "C4")
    )
    kb = KnowledgeBase.read(tmp_path)
    assert {c.id: c.parents for c in kb} == {"C1": (), "C2": ("C1",), "C3": ("C2", "C4"), "C4": ()}
    counts = {reason: entry["count"] for reason, entry in kb.manifest["dropped"].items()}
    assert counts == {"suppressed parents": 1, "parents that are the concept itself": 1}
    kb = KnowledgeBase.read(tmp_path, sources="MSH", suppressed=True)
    assert {c.id: c.parents for c in kb} == {
        "C1": (), "C2": ("C1",), "C3": ("C2",), "C4": ("C1",),
    }  # fmt: skip
    assert kb.manifest["dropped"]["parents in other vocabularies"]["count"] == 1
    with (tmp_path / "MRREL.RRF").open("a") as stream:
        stream.write("C4|PAR|\n")
    with pytest.raises(InputError, match=r"MRREL\.RRF:8: 2 columns; expected 16"):
        KnowledgeBase.read(tmp_path)


def test_ctd(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text(
        "# Fields:\n# DiseaseName\tDiseaseID\tParentIDs\n"
        "Neoplasms\tMESH:D1\tMESH:C\nTumour\tMESH:D2\tMESH:D1|MESH:D1\n"
    )
    kb = KnowledgeBase.read(tmp_path / "x.tsv")
    assert [c.parents for c in kb] == [("C",), ("D1",)]


def test_tables(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text(
        "id\tname\tparents\ttaxon\n1\tfever\t2|3\t9606\n2\tsign\t\t\n1\tpyrexia\t4\t\n"
    )
    kb = KnowledgeBase.read(tmp_path / "x.tsv")
    assert (kb["1"].parents, kb["1"].taxon, kb["2"].parents) == (("2", "3", "4"), "9606", ())
    (tmp_path / "x.csv").write_text("id,name,above,species\n1,fever,2,9606\n")
    (fever,) = KnowledgeBase.read(tmp_path / "x.csv", parents="above", taxon="species")
    assert (fever.parents, fever.taxon) == (("2",), "9606")


def test_bioportal(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(
        "Class ID,Preferred Label,Parents\n"
        "http://www.ebi.ac.uk/efo/EFO_1,disease,http://www.w3.org/2002/07/owl#Thing\n"
        "http://www.ebi.ac.uk/efo/EFO_2,fever,http://www.ebi.ac.uk/efo/EFO_1\n"
    )
    kb = KnowledgeBase.read(tmp_path / "x.csv")
    assert [c.parents for c in kb] == [(), ("EFO:1",)]


def test_json_lines(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(
        '{"id": "1", "name": "fever", "parents": ["2", "3"], "taxon": "9606"}\n'
        '{"id": "2", "name": "sign", "parents": "3"}\n'
    )
    kb = KnowledgeBase.read(tmp_path / "x.jsonl")
    assert [(c.parents, c.taxon) for c in kb] == [(("2", "3"), "9606"), (("3",), "")]
    (tmp_path / "x.jsonl").write_text('{"id": "1", "name": "fever", "taxon": 9606}\n')
    with pytest.raises(InputError, match='"taxon" is 9606, not a string'):
        KnowledgeBase.read(tmp_path / "x.jsonl")


@pytest.mark.corpus
def test_published_hierarchies(data_folder: Path) -> None:
    mesh = KnowledgeBase.read(data_folder / "kb" / "mesh")
    names = [mesh[i].name for i in mesh.ancestors("D001943")]
    assert names[:2] == ["Neoplasms by Site", "Breast Diseases"]
    assert {"Neoplasms", "Skin Diseases"} <= set(names)
    neoplasms = mesh.subset(branch="D009369")
    assert "D001943" in neoplasms and "D001249" not in neoplasms
    # This table puts Strabismus and Ocular Motility Disorders below each other.
    assert {mesh.id_at(row) for row in mesh.rows_in_cycles()} == {"D013285", "D015835"}
    for file in ("hpo/hp-2016-04-01.obo.gz", "doid/doid-2018-07-05.obographs.json.gz"):
        kb = KnowledgeBase.read(data_folder / "kb" / file)
        below = sum(bool(concept.parents) for concept in kb)
        assert below > 0.95 * len(kb)
        assert kb.rows_in_cycles() == []
