"""Every reader on a small file of its format: rows made up here, no licensed content."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from biolink.errors import ConfigError, InputError
from biolink.kb import KnowledgeBase
from biolink.kb.readers import READERS, read_concepts, sniff_format
from biolink.kb.readers.sssom import read_mappings


def conso(cui: str, name: str, **changes: str) -> str:
    row = {
        "CUI": cui, "LAT": "ENG", "TS": "S", "LUI": "L1", "STT": "VO", "SUI": "S1", "ISPREF": "N",
        "AUI": "A1", "SAUI": "", "SCUI": "", "SDUI": "", "SAB": "MSH", "TTY": "SY", "CODE": "D1",
        "STR": name, "SRL": "0", "SUPPRESS": "N", "CVF": "",
    }  # fmt: skip
    return "|".join((row | changes).values()) + "|\n"


@pytest.fixture
def umls(tmp_path: Path) -> Path:
    folder = tmp_path / "META"
    folder.mkdir()
    (folder / "MRCONSO.RRF").write_text(
        conso("C1", "made up fever")
        + conso("C1", "Made-up fever", TS="P", STT="PF", ISPREF="Y", TTY="MH")
        + conso("C1", "erfundenes Fieber", LAT="GER")
        + conso("C1", "hidden fever", SUPPRESS="O")
        + conso("C2", "made up substance", SAB="RXNORM", CODE="77")
        + conso("C3", "made up organ")
    )
    (folder / "MRSTY.RRF").write_text(
        "C1|T047|B2.2.1.2.1|Disease or Syndrome|AT1||\n"
        "C2|T121|A1.4.1.1.1|Pharmacologic Substance|AT2||\n"
        "C3|T023|A1.2.3.1|Body Part|AT3||\n"
    )
    (folder / "MRDEF.RRF").write_text(
        "C1|A1|AT1||MSH|A fever that was made up.|N||\nC1|A1|AT2||MSH|Old.|O||\n"
    )
    return folder


def test_umls(umls: Path) -> None:
    assert sniff_format(umls) == "umls-rrf"
    kb = KnowledgeBase.read(umls)
    fever = kb["C1"]
    assert fever.name == "Made-up fever"
    assert fever.synonyms == ("made up fever",)
    assert fever.definitions == ("A fever that was made up.",)
    assert fever.types == ("T047",)
    assert fever.xrefs == ("MSH:D1",)
    assert kb.curie("C1") == "umls:C1"


def test_umls_options(umls: Path) -> None:
    def ids(**options: object) -> list[str]:
        return [c.id for c in read_concepts(umls, **options)]

    assert ids(sources="RXNORM") == ["C2"]
    assert ids(term_types="MH") == ["C1"]
    assert ids(types="T047") == ["C1"]
    # A1 is the tree number above A1.4.1.1.1 and A1.2.3.1: descendants are kept.
    assert ids(types="A1") == ["C2", "C3"]
    german = next(read_concepts(umls, language="GER"))
    assert german.name == "erfundenes Fieber"
    hidden = next(read_concepts(umls, suppressed=True))
    assert "hidden fever" in hidden.synonyms
    assert len(hidden.definitions) == 2
    with pytest.raises(InputError, match="T999"):
        ids(types="T999")


def test_umls_names_the_line_of_a_short_row(umls: Path) -> None:
    with (umls / "MRCONSO.RRF").open("a") as stream:
        stream.write("C4|ENG|\n")
    with pytest.raises(InputError, match=r"MRCONSO\.RRF:7: 2 columns; expected 18"):
        list(read_concepts(umls))


DESCRIPTOR = """<?xml version="1.0"?>
<DescriptorRecordSet LanguageCode="eng">
<DescriptorRecord DescriptorClass="1"><DescriptorUI>D01</DescriptorUI>
<DescriptorName><String>Made-Up Fever</String></DescriptorName>
<TreeNumberList><TreeNumber>C01.1</TreeNumber><TreeNumber>F03.2</TreeNumber></TreeNumberList>
<ConceptList><Concept PreferredConceptYN="Y"><ConceptUI>M1</ConceptUI>
<ScopeNote>A fever, made up.</ScopeNote>
<TermList><Term IsPermutedTermYN="N"><TermUI>T1</TermUI><String>Made-Up Fever</String></Term>
<Term IsPermutedTermYN="Y"><TermUI>T1</TermUI><String>Fever, Made-Up</String></Term></TermList>
</Concept></ConceptList></DescriptorRecord></DescriptorRecordSet>"""

SUPPLEMENTARY = """<?xml version="1.0"?>
<SupplementalRecordSet><SupplementalRecord SCRClass="3">
<SupplementalRecordUI>C01</SupplementalRecordUI>
<SupplementalRecordName><String>Rare made-up fever</String></SupplementalRecordName>
<Note>Rare.</Note>
<HeadingMappedToList><HeadingMappedTo><DescriptorReferredTo><DescriptorUI>*D01</DescriptorUI>
</DescriptorReferredTo></HeadingMappedTo></HeadingMappedToList>
<ConceptList><Concept><TermList><Term IsPermutedTermYN="N"><String>RMUF</String></Term></TermList>
</Concept></ConceptList></SupplementalRecord></SupplementalRecordSet>"""


def test_mesh_xml(tmp_path: Path) -> None:
    file = tmp_path / "desc.gz"
    file.write_bytes(gzip.compress(DESCRIPTOR.encode()))
    assert sniff_format(file) == "mesh-xml"
    (fever,) = read_concepts(file)
    assert (fever.id, fever.name, fever.synonyms) == ("D01", "Made-Up Fever", ("Fever, Made-Up",))
    assert (fever.types, fever.definitions) == (("Disease",), ("A fever, made up.",))
    (fever,) = read_concepts(file, permuted=False)
    assert fever.synonyms == ()
    file = tmp_path / "supp.xml"
    file.write_text(SUPPLEMENTARY)
    (rare,) = read_concepts(file)
    assert (rare.id, rare.name, rare.types) == ("C01", "Rare made-up fever", ("Disease",))
    assert rare.synonyms == ("RMUF",)
    assert rare.xrefs == ("mesh-heading:D01",)


def test_broken_mesh_xml_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "desc.xml"
    file.write_text(DESCRIPTOR[:300])
    with pytest.raises(InputError, match=r"desc\.xml:\d+: .*expected well-formed MeSH XML"):
        list(read_concepts(file))


def test_mesh_tables(tmp_path: Path) -> None:
    columns = (
        "DescriptorUI DescriptorName ConceptUI ConceptPreferredTermYN TermUI TermName "
        "IsPermutedTermYN LexicalTag RecordPreferredTermYN"
    )
    (tmp_path / "a.tsv").write_text(
        "\t".join(columns.split())
        + "\nD01\tFever\tM1\tY\tT1\tFever\tN\tNON\tY\nD01\tFever\tM1\tY\tT1\tFevers\tN\tNON\tN\n"
    )
    (tmp_path / "b.tsv").write_text("DescriptorUI\tDescriptorName\tTreeNumber\nD01\tFever\tC01\n")
    (tmp_path / "c.tsv").write_text(
        "DescriptorUI\tDescriptorName2014\tScopeNote\nD01\tFever\tHot.\n"
    )
    (tmp_path / "d.tsv").write_text(
        "MeshUI\tName\tSources\nC000001\tsubstance\tgilda\nC535300\trare\tgilda\n"
    )
    assert sniff_format(tmp_path) == "mesh-tables"
    kb = KnowledgeBase.read(tmp_path)
    assert kb["D01"].synonyms == ("Fevers",)
    assert kb["D01"].definitions == ("Hot.",)
    assert [c.types for c in kb] == [("Disease",), ("Chemical",), ("Disease",)]
    assert kb.row_of("MESH:D01") == 0
    assert kb.curie("D01") == "mesh:D01"
    (tmp_path / "d.tsv").write_text("MeshUI\tName\tSources\nC000001\tsubstance\n")
    with pytest.raises(InputError, match=r"d\.tsv:2: 2 columns"):
        list(read_concepts(tmp_path))


def test_mesh_tables_know_the_tops_of_the_tree(tmp_path: Path) -> None:
    """The published tables of tree numbers leave out what has no dot in it."""
    terms = "DescriptorUI\tDescriptorName\tTermName\tRecordPreferredTermYN\n"
    for ui, name in (("D009369", "Neoplasms"), ("D008055", "Lipids"), ("D001943", "Breast Cancer")):
        terms += f"{ui}\t{name}\t{name}\tY\n"
    (tmp_path / "terms.tsv").write_text(terms)
    (tmp_path / "trees.tsv").write_text("DescriptorUI\tTreeNumber\nD001943\tC04.588.180\n")
    kb = KnowledgeBase.read(tmp_path)
    assert [c.types for c in kb] == [("Disease",), ("Chemical",), ("Disease",)]
    assert "D009369" in kb.subset(types={"Disease"})


def test_ctd(tmp_path: Path) -> None:
    file = tmp_path / "CTD_diseases.tsv"
    file.write_text(
        "# a comment\n# Fields:\n# DiseaseName\tDiseaseID\tAltDiseaseIDs\tDefinition\tParentIDs\t"
        "TreeNumbers\tParentTreeNumbers\tSynonyms\tSlimMappings\n#\n"
        "Fever\tMESH:D01\tOMIM:123|DO:DOID:1\tHot.\t\t\t\tFevers|Heat\t\n"
    )
    assert sniff_format(file) == "ctd"
    kb = KnowledgeBase.read(file)
    fever = kb["D01"]
    assert (fever.synonyms, fever.types) == (("Fevers", "Heat"), ("Disease",))
    assert kb.resolve("OMIM:123") == "D01"
    chemicals = tmp_path / "CTD_chemicals.csv"
    chemicals.write_text(
        '# Fields:\n# ChemicalName,ChemicalID,CasRN,Definition\n"a, b",MESH:D02,50-00-0,Toxic\n'
    )
    (chemical,) = read_concepts(chemicals)
    assert (chemical.name, chemical.types, chemical.xrefs) == (
        "a, b",
        ("Chemical",),
        ("CAS:50-00-0",),
    )


OBO = r"""format-version: 1.2
default-namespace: made_up

[Term]
id: MU:1
name: fever
alt_id: MU:9
def: "A \"hot\" state." [ref:1]
synonym: "feverish state" EXACT []
synonym: "heat" BROAD [] {comment="x"}
xref: UMLS:C1 "fever"
is_a: MU:0 ! state

[Term]
id: MU:2
name: old
is_obsolete: true

[Typedef]
id: part_of
name: part of
"""


def test_obo(tmp_path: Path) -> None:
    file = tmp_path / "x.obo"
    file.write_text(OBO)
    assert sniff_format(file) == "obo"
    (fever,) = read_concepts(file)
    assert fever.definitions == ('A "hot" state.',)
    assert fever.synonyms == ("feverish state", "heat")
    assert (fever.types, fever.xrefs, fever.alternative_ids) == (
        ("made_up",),
        ("UMLS:C1",),
        ("MU:9",),
    )
    assert next(read_concepts(file, scopes="exact")).synonyms == ("feverish state",)
    assert len(list(read_concepts(file, obsolete=True))) == 2
    file.write_text(OBO.replace('synonym: "feverish state"', "synonym: feverish"))
    with pytest.raises(InputError, match=r"x\.obo:9: .*expected a \"quoted\" synonym"):
        list(read_concepts(file))


def test_obographs(tmp_path: Path) -> None:
    node = {
        "id": "http://purl.obolibrary.org/obo/MU_1",
        "lbl": "fever",
        "type": "CLASS",
        "meta": {
            "definition": {"val": "Hot."},
            "synonyms": [{"pred": "hasExactSynonym", "val": "heat"}],
            "xrefs": [{"val": "MESH:D01"}],
        },
    }
    old = {**node, "id": "http://purl.obolibrary.org/obo/MU_2", "meta": {"deprecated": True}}
    file = tmp_path / "x.json"
    file.write_text(json.dumps({"graphs": [{"nodes": [node, old]}]}))
    assert sniff_format(file) == "obographs"
    (fever,) = read_concepts(file)
    assert (fever.id, fever.synonyms, fever.xrefs) == ("MU:1", ("heat",), ("MESH:D01",))
    file.write_text('{"graphs": [')
    with pytest.raises(InputError, match=r"x\.json:1"):
        list(read_concepts(file, "obographs"))


def test_sssom_and_merging_by_it(tmp_path: Path) -> None:
    file = tmp_path / "x.sssom.tsv"
    file.write_text(
        "# comment\nsubject_id\tsubject_label\tpredicate_id\tobject_id\tobject_label\n"
        "MONDO:1\tmade-up heat\tskos:exactMatch\tmesh:D01\tFever\n"
        "MONDO:2\tother\tskos:broadMatch\tmesh:D02\t\n"
    )
    assert sniff_format(file) == "sssom"
    assert len(list(read_mappings(file))) == 2
    (concept,) = read_concepts(file)
    assert (concept.id, concept.name, concept.synonyms) == ("D01", "made-up heat", ("Fever",))
    table = tmp_path / "kb.tsv"
    table.write_text("id\tname\nD01\tFever\n")
    merged = KnowledgeBase.read(table).merge(KnowledgeBase.read(file), unmatched=False)
    assert merged["D01"].names == ("Fever", "made-up heat")
    assert merged["D01"].xrefs == ("MONDO:1",)


def test_tables(tmp_path: Path) -> None:
    file = tmp_path / "kb.csv"
    file.write_text('id,name,synonyms,types\nX1,"fever, made up",heat|warmth,Disease\nX1,hot,,\n')
    assert sniff_format(file) == "table"
    kb = KnowledgeBase.read(file)
    assert kb["X1"].names == ("fever, made up", "heat", "warmth", "hot")
    file = tmp_path / "own.tsv"
    file.write_text("code\tterm\nX1\tfever\n")
    assert next(read_concepts(file, "table", id="code", name="term")).name == "fever"
    file.write_text("code\tterm\nX1\n")
    with pytest.raises(InputError, match=r"own\.tsv:2: 1 columns; expected 2"):
        list(read_concepts(file, "table", id="code", name="term"))
    with pytest.raises(InputError, match=r"own\.tsv:1: .*columns id and name"):
        list(read_concepts(file, "table"))


def test_jsonl(tmp_path: Path) -> None:
    file = tmp_path / "kb.jsonl"
    file.write_text(
        '{"id": "X1", "name": "fever", "synonyms": ["heat"], "types": ["Disease"]}\n'
        '{"concept_id": "X2", "canonical_name": "cold", "aliases": ["chill"], "definition": "d"}\n'
    )
    assert sniff_format(file) == "jsonl"
    one, two = read_concepts(file)
    assert one.names == ("fever", "heat")
    assert (two.names, two.definitions) == (("cold", "chill"), ("d",))
    file.write_text('{"id": "X1", "name": "fever"}\n{"id": "X2"}\n')
    with pytest.raises(InputError, match=r"kb\.jsonl:2: no id or no name"):
        list(read_concepts(file, "jsonl"))


def test_biosyn(tmp_path: Path) -> None:
    file = tmp_path / "dictionary.txt"
    file.write_text("D01|123||Fever|Heat\nD02+D03||Both\n")
    assert sniff_format(file) == "biosyn"
    kb = KnowledgeBase.read(file)
    assert kb.resolve("123") == "D01"
    assert kb["D02+D03"].name == "Both"
    file.write_text("D01||Fever\nnonsense\n")
    with pytest.raises(InputError, match=r"dictionary\.txt:2: 'nonsense'; expected id\|\|name"):
        list(read_concepts(file, "biosyn"))


def test_genbioel_and_flat_json(tmp_path: Path) -> None:
    file = tmp_path / "target_kb.json"
    file.write_text(json.dumps({"D01|D09": ["fever", "heat"]}))
    assert sniff_format(file) == "genbioel"
    (concept,) = read_concepts(file)
    assert (concept.id, concept.alternative_ids, concept.names) == (
        "D01",
        ("D09",),
        ("fever", "heat"),
    )
    file = tmp_path / "names.json"
    file.write_text(json.dumps({"D01": ["fever", "heat"], "D02": "cold"}))
    assert sniff_format(file) == "json"
    assert [c.names for c in read_concepts(file)] == [("fever", "heat"), ("cold",)]
    file.write_text('{"D01": 5}')
    with pytest.raises(InputError, match="D01"):
        list(read_concepts(file, "json"))


def test_unknown_files_formats_and_options(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text("nothing that is known")
    with pytest.raises(InputError, match="no format of a knowledge base"):
        KnowledgeBase.read(file)
    with pytest.raises(InputError, match="no such file"):
        KnowledgeBase.read(tmp_path / "none")
    with pytest.raises(ConfigError, match="unknown format 'xyz'"):
        KnowledgeBase.read(file, "xyz")
    with pytest.raises(ConfigError, match="has no option 'speed'"):
        KnowledgeBase.read(file, "biosyn", speed=1)


def test_every_reader_has_a_label() -> None:
    assert all(reader.load().LABEL for reader in READERS.values())


def test_damaged_gzip_is_one_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "dictionary.gz"
    file.write_bytes(gzip.compress(b"D01||Fever\n" * 1000)[:-20])
    with pytest.raises(InputError, match=r"dictionary\.gz.*damaged compression"):
        list(read_concepts(file, "biosyn"))
