"""Every reader reads a small file of its format, with invented rows."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from biolink.cli.app import app
from biolink.errors import ConfigError, InputError, KnowledgeBaseError
from biolink.kb import Concept, KnowledgeBase
from biolink.kb.concept import Dropped
from biolink.kb.readers import READERS, read_concepts, sniff_format
from biolink.kb.readers.iris import curie_of
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
    # A1 is the tree number above A1.4.1.1.1 and A1.2.3.1, so their concepts are kept.
    assert ids(types="A1") == ["C2", "C3"]
    german = next(read_concepts(umls, language="GER"))
    assert german.name == "erfundenes Fieber"
    hidden = next(read_concepts(umls, suppressed=True))
    assert "hidden fever" in hidden.synonyms
    assert len(hidden.definitions) == 2
    with pytest.raises(InputError, match="T999"):
        ids(types="T999")


def test_umls_presets(umls: Path) -> None:
    """What a preset chooses and this copy does not have is counted."""
    kb = KnowledgeBase.read(umls, preset="all-english")
    assert [c.id for c in kb] == ["C1", "C2", "C3"]
    with (umls / "MRSTY.RRF").open("a") as stream:
        stream.write("C4|T103|A1.4.1|Chemical|AT4||\nC5|T201|A2.3.1|Clinical Attribute|AT5||\n")
    with (umls / "MRCONSO.RRF").open("a") as stream:
        stream.write(conso("C4", "made up chemical", SAB="SNOMEDCT_US"))
        stream.write(conso("C5", "made up attribute", SAB="LNC"))
    kb = KnowledgeBase.read(umls, preset="st21pv")
    # C2 is below T103; C1 and C3 have other types, and LNC is none of the 18 vocabularies.
    assert [c.id for c in kb] == ["C2", "C4"]
    dropped = {reason: entry["count"] for reason, entry in kb.manifest["dropped"].items()}
    assert dropped["chosen semantic types without a concept"] == 21 - 2
    assert dropped["chosen vocabularies without a name"] == 18 - 3
    assert dropped["concepts of other semantic types"] == 2
    with pytest.raises(ConfigError, match="preset is 'st22'; expected st21pv or all-english"):
        list(read_concepts(umls, preset="st22"))
    with pytest.raises(ConfigError, match="types is given beside preset='st21pv'"):
        list(read_concepts(umls, preset="st21pv", types="T047"))


def test_a_misspelt_vocabulary_is_counted(umls: Path) -> None:
    kb = KnowledgeBase.read(umls, sources="MSH,RXNROM")
    assert kb.manifest["dropped"]["chosen vocabularies without a name"] == {
        "count": 1, "examples": ["RXNROM"],
    }  # fmt: skip


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
    """The published tables leave out tree numbers without a dot."""
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
    with pytest.raises(InputError, match=r"x\.obo:9: .*the synonym .*expected a \"quoted\" text"):
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
    with pytest.raises(InputError, match=r"own\.tsv:2: 1 column; expected 2, as"):
        list(read_concepts(file, "table", id="code", name="term"))
    with pytest.raises(
        InputError,
        match=r"own\.tsv:1: the columns are code, term; expected a column id .*--option id=",
    ):
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
    with pytest.raises(InputError, match=r"kb\.jsonl:2: the object has no name"):
        list(read_concepts(file, "jsonl"))


def test_biosyn(tmp_path: Path) -> None:
    file = tmp_path / "dictionary.txt"
    file.write_text("D01|123||Fever|Heat\nD02+D03||Both\n")
    assert sniff_format(file) == "biosyn"
    kb = KnowledgeBase.read(file)
    assert kb.resolve("123") == "D01"
    assert kb["D02+D03"].name == "Both"
    file.write_text("D01||Fever\nnonsense\n")
    with pytest.raises(
        InputError, match=r"dictionary\.txt:2: the line 'nonsense'; expected id\|\|name"
    ):
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


def test_gene_info(tmp_path: Path) -> None:
    file = tmp_path / "gene_info.tsv"
    columns = "#tax_id\tGeneID\tSymbol\tSynonyms\tdbXrefs\tdescription\ttype_of_gene"
    file.write_text(
        f"{columns}\tOther_designations\n"
        "9606\t7157\tTP53\tP53|TRP53\tMIM:191170|HGNC:HGNC:11998\ttumor protein p53\t"
        "protein-coding\tantigen NY-CO-13\n"
        "10090\t22059\tTrp53\tp53\t-\t-\tprotein-coding\t-\n"
        "9606\t3\tNEWENTRY\t-\t-\t-\tother\t-\n"
    )
    assert sniff_format(file) == "gene-info"
    kb = KnowledgeBase.read(file)
    human, mouse = kb
    assert human.names == ("TP53", "tumor protein p53", "P53", "TRP53", "antigen NY-CO-13")
    assert human.xrefs == ("OMIM:191170", "HGNC:11998")
    assert (human.types, human.taxon) == (("Gene", "protein-coding"), "9606")
    assert mouse.names == ("Trp53", "p53")
    assert kb.curie("22059") == "NCBIGene:22059"
    assert kb.manifest["dropped"]["records that are no gene"]["count"] == 1
    part = KnowledgeBase.read(file, taxa="10090, 7955")
    assert [c.id for c in part] == ["22059"]
    assert part.manifest["dropped"]["genes of other species"]["count"] == 2


def test_taxdump(tmp_path: Path) -> None:
    def dump(name: str, *rows: tuple[str, ...]) -> None:
        lines = ("\t|\t".join(row) + "\t|\n" for row in rows)
        (tmp_path / f"{name}.dmp").write_text("".join(lines))

    dump(
        "names",
        ("1", "root", "", "scientific name"),
        ("9605", "Homo", "", "scientific name"),
        ("9606", "human", "", "genbank common name"),
        ("9606", "Homo sapiens", "", "scientific name"),
        ("9606", "Homo sapiens Linnaeus, 1758", "", "authority"),
    )
    dump("nodes", ("1", "1", "no rank"), ("9605", "1", "genus"), ("9606", "9605", "species", "HS"))
    dump("merged", ("12", "9606"))
    assert sniff_format(tmp_path) == "taxdump"
    kb = KnowledgeBase.read(tmp_path)
    assert kb["9606"].names == ("Homo sapiens", "human")
    assert [concept.parents for concept in kb] == [(), (), ("9605",)]
    assert (kb.resolve("12"), kb.curie("9606")) == ("9606", "NCBITaxon:9606")
    assert [c.id for c in KnowledgeBase.read(tmp_path, ranks="species")] == ["9606"]


def test_hgnc(tmp_path: Path) -> None:
    file = tmp_path / "hgnc.tsv"
    columns = "hgnc_id\tsymbol\tname\talias_symbol\talias_name\tprev_symbol\tstatus\tentrez_id"
    file.write_text(
        f"{columns}\n"
        'HGNC:1\tNEW\tnew gene\t"AL1|AL2"\talias\tOLD\tApproved\t11\n'
        "HGNC:2\tGONE\t\t\t\t\tEntry Withdrawn\t\n"
        "HGNC:3\tNOID\tno id\t\t\t\tApproved\t\n"
    )
    assert sniff_format(file) == "hgnc"
    kb = KnowledgeBase.read(file)
    assert [c.id for c in kb] == ["HGNC:1", "HGNC:3"]
    assert kb["HGNC:1"].names == ("NEW", "new gene", "AL1", "AL2", "alias", "OLD")
    assert kb["HGNC:1"].xrefs == ("NCBIGene:11",)
    (gene,) = KnowledgeBase.read(file, ids="ncbi", previous=False)
    assert (gene.id, gene.xrefs, gene.taxon) == ("11", ("HGNC:1",), "9606")
    assert "OLD" not in gene.names
    with pytest.raises(ConfigError, match="the option ids is 'x'; expected hgnc or ncbi"):
        KnowledgeBase.read(file, ids="x")


def test_ssslm(tmp_path: Path) -> None:
    file = tmp_path / "lexicon.ssslm.tsv"
    file.write_text(
        "text\tcurie\tname\tpredicate\tsource\n"
        "heat\tmondo:1\tfever\toboInOwl:hasRelatedSynonym\tx\n"
        "pyrexia\tmondo:1\tfever\toboInOwl:hasExactSynonym\tx\n"
        "HL60\tcellosaurus:0002\tHL-60\toboInOwl:hasRelatedSynonym\ty\n"
    )
    assert sniff_format(file) == "ssslm"
    fever, line = read_concepts(file)
    assert (fever.id, fever.names, fever.source) == (
        "mondo:1",
        ("fever", "heat", "pyrexia"),
        "mondo",
    )
    assert line.names == ("HL-60", "HL60")
    assert [c.id for c in read_concepts(file, vocabularies="cellosaurus")] == ["cellosaurus:0002"]
    (exact, _) = read_concepts(file, predicates="hasExactSynonym")
    assert exact.names == ("fever", "pyrexia")


def test_unknown_files_formats_and_options(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text("nothing that is known")
    with pytest.raises(InputError, match="the format of the knowledge base is not recognised"):
        KnowledgeBase.read(file)
    with pytest.raises(InputError, match="no such file"):
        KnowledgeBase.read(tmp_path / "none")
    with pytest.raises(ConfigError, match="the format 'xyz' of a knowledge base is unknown"):
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


@pytest.mark.parametrize(
    ("iri", "curie"),
    [
        ("http://www.ebi.ac.uk/efo/EFO_0000270", "EFO:0000270"),
        ("http://www.orpha.net/ORDO/Orphanet_558", "Orphanet:558"),
        ("http://snomed.info/id/22298006", "SNOMEDCT:22298006"),
        ("http://snomed.info/sct/900000000000207008/id/22298006", "SNOMEDCT:22298006"),
        ("https://purl.obolibrary.org/obo/HP_0001250", "HP:0001250"),
        ("http://purl.obolibrary.org/obo/APOLLO_SV_00000001", "APOLLO_SV:00000001"),
        ("http://purl.bioontology.org/ontology/ICD10CM/A00.1", "ICD10CM:A00.1"),
        ("https://identifiers.org/mesh/D001241", "mesh:D001241"),
        ("https://identifiers.org/hgnc/HGNC:5", "hgnc:5"),
        ("http://identifiers.org/omim:253300", "omim:253300"),
        ("http://id.nlm.nih.gov/mesh/2024/D001241", "MESH:D001241"),
        ("http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl#C3262", "NCIT:C3262"),
        ("http://www.snomed.info/sct/22298006", "SNOMEDCT:22298006"),
        ("http://purl.org/sig/ont/fma/fma7088", "FMA:7088"),
        ("http://www.bioassayontology.org/bao#BAO_0000015", "BAO:0000015"),
        ("http://example.org/onto#MU_0001", "MU:0001"),
        ("HP:0001250", "HP:0001250"),
        ("http://example.org/Fever", None),
        ("http://www.w3.org/2002/07/owl#Thing", None),
        ("_:genid12", None),
        ("", None),
    ],
)
def test_iris_become_curies(iri: str, curie: str | None) -> None:
    assert curie_of(iri) == curie


def graph(file: Path, *nodes: object) -> Path:
    file.write_text(json.dumps({"graphs": [{"nodes": nodes}]}))
    return file


def test_obographs_counts_what_it_leaves_out(tmp_path: Path) -> None:
    def replaced(by: str) -> dict[str, object]:
        properties = [{"pred": "http://purl.obolibrary.org/obo/IAO_0100001", "val": by}]
        return {"deprecated": True, "basicPropertyValues": properties}

    obo = "http://purl.obolibrary.org/obo/MU_"
    file = graph(
        tmp_path / "x.json",
        {"id": f"{obo}1", "lbl": "fever", "type": "CLASS"},
        {"id": f"{obo}2", "type": "CLASS", "meta": replaced(f"{obo}1")},
        {"id": f"{obo}3", "lbl": "obsolete hot", "type": "CLASS", "meta": replaced("MU:2")},
        {"id": f"{obo}4", "lbl": "obsolete", "type": "CLASS", "meta": replaced(f"{obo}77")},
        {"id": f"{obo}5", "lbl": "obsolete", "type": "CLASS", "meta": {"deprecated": True}},
        {"id": f"{obo}6", "type": "CLASS"},
        {"id": "http://example.org/Heat", "lbl": "heat", "type": "CLASS"},
        {"id": f"{obo}7", "lbl": "part of", "type": "PROPERTY"},
    )
    kb = KnowledgeBase.read(file)
    assert [c.id for c in kb] == ["MU:1"]
    assert kb["MU:2"].id == kb["MU:3"].id == "MU:1"
    assert {reason: entry["count"] for reason, entry in kb.manifest["dropped"].items()} == {
        "obsolete": 1,
        "without a name": 1,
        "without a CURIE for its IRI": 1,
        "not a class (properties, individuals)": 1,
        "obsolete, and lead on to what replaced them": 2,
        "obsolete, and what replaced it is not here": 1,
    }
    kb.save(tmp_path / "x.kb")
    for derived in (KnowledgeBase.open(tmp_path / "x.kb"), kb.with_names([("MU:3", "hot")])):
        assert derived["MU:3"].id == "MU:1"


@pytest.mark.parametrize(
    "nodes",
    [
        [None],
        [5],
        [{"id": 5, "lbl": "x"}],
        [{"id": "MU:1", "lbl": ["x"]}],
        [{"id": "MU:1", "lbl": "x", "meta": []}],
        [{"id": "MU:1", "lbl": "x", "meta": {"synonyms": {"val": "y"}}}],
        [{"id": "MU:1", "lbl": "x", "meta": {"synonyms": [None]}}],
        [{"id": "MU:1", "lbl": "x", "meta": {"synonyms": [{"pred": "p", "val": 5}]}}],
        [{"id": "MU:1", "lbl": "x", "meta": {"definition": "y"}}],
        [{"id": "MU:1", "lbl": "x", "meta": {"xrefs": ["y"]}}],
        [{"id": "MU:1", "lbl": "x", "meta": {"basicPropertyValues": [{"pred": 5}]}}],
        [{"id": "MU:1\ud800", "lbl": "x"}],
    ],
)
def test_odd_graphs_name_the_node(nodes: list[object], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="graph 1, node 1: "):
        KnowledgeBase.read(graph(tmp_path / "x.json", *nodes))


def test_odd_json_is_one_clear_error(tmp_path: Path) -> None:
    deep, digits = "[" * 100_000, "9" * 6_000
    for text in (
        '{"graphs": 5}', '{"graphs": [5]}', '{"graphs": [{"nodes": 5}]}', "[]", "5",
        f'{{"graphs": [{deep}', f'{{"graphs": [{digits}]}}', f'{{"D01": ["x", {digits}]}}',
        f'{{"D01": [{deep}', '{"D01": ["x", null]}', '{"D01": {"a": 1}}', '{"D01": ["\\ud800"]}',
    ):  # fmt: skip
        file = tmp_path / "x.json"
        file.write_text(text)
        for format in (None, "obographs", "json", "genbioel"):
            with pytest.raises(InputError):
                KnowledgeBase.read(file, format)
    for line in (
        '{"id": "a\\ud800", "name": "x"}', '{"id": 5, "name": "x"}', '{"id": "a", "name": 5}',
        '{"id": "a", "name": "x", "synonyms": [null]}', '{"id": "a", "name": "x", "source": []}',
        '{"id": "a", "name": "x", "synonyms": {"a": 1}}', "null", f'{{"id": {digits}}}', deep,
    ):  # fmt: skip
        file = tmp_path / "x.jsonl"
        file.write_text(f'{{"id": "b", "name": "y"}}\n{line}\n')
        with pytest.raises(InputError, match=r"x\.jsonl:2: "):
            KnowledgeBase.read(file)


@pytest.mark.parametrize(
    "text",
    [
        DESCRIPTOR.replace('"1.0"', '"1.0" encoding="klingon"'),
        DESCRIPTOR.replace('"1.0"', '"1.0" encoding="euc-jp"'),
        DESCRIPTOR.replace("Hot", "&#xD800;").replace("made up", "&#xD800;"),
        DESCRIPTOR.replace("<DescriptorUI>D01</DescriptorUI>", ""),
        DESCRIPTOR.replace("<ScopeNote>", "<a>" * 50_000),
        "<DescriptorRecordSet></DescriptorRecordSet>",
    ],
)
def test_odd_xml_is_one_clear_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_text(text)
    with pytest.raises(InputError, match=r"x\.xml"):
        KnowledgeBase.read(tmp_path / "x.xml")


def test_obsolete_obo_terms_lead_to_their_replacements(tmp_path: Path) -> None:
    def old(number: int, *lines: str) -> str:
        body = "\n".join((f"id: MU:{number}", "name: old", "is_obsolete: true", *lines))
        return f"[Term]\n{body}\n\n"

    iao = "property_value: IAO:0100001"
    file = tmp_path / "x.obo"
    file.write_text(
        old(2, "replaced_by: MU:3 ! other")
        + old(3, "replaced_by: MU:1")
        + "[Term]\nid: MU:1\nname: fever\nalt_id: MU:9\n\n"
        + old(4, f"{iao} MU:1", "is_obsolete: true", "replaced_by: MU:1")
        + old(5, f'{iao} "http://purl.obolibrary.org/obo/MU_1" xsd:anyURI')
        + old(6, "replaced_by: MU:9")
        + old(7, "replaced_by: MU:1", "replaced_by: MU:2")
        + old(8, "consider: MU:1")
    )
    kb = KnowledgeBase.read(file)
    assert {i: kb.resolve(f"MU:{i}") for i in range(1, 10)} == {
        **dict.fromkeys((1, 2, 3, 4, 5, 6, 9), "MU:1"),
        **dict.fromkeys((7, 8)),
    }
    assert kb.manifest["dropped"]["obsolete"]["count"] == 2
    assert kb.merge(kb).manifest["dropped"]["obsolete"]["count"] == 4
    kept = KnowledgeBase.read(file, obsolete=True)
    assert kept["MU:2"].id == "MU:2" and len(kept) == 8


def test_circular_replacements_end(tmp_path: Path) -> None:
    kb = KnowledgeBase.from_concepts(
        [
            Dropped("obsolete", "A", replaced_by="B"),
            Dropped("obsolete", "B", replaced_by="A"),
            Dropped("obsolete", "C", replaced_by="C"),
            Concept("D", "d"),
        ]
    )
    assert [kb.resolve(i) for i in "ABCD"] == [None, None, None, "D"]


def test_retired_cuis_lead_to_their_replacements(umls: Path) -> None:
    (umls / "MRCUI.RRF").write_text(
        "C9|2020AA|SY|||C1|Y|\nC8|2020AA|RB|||C1|Y|\nC7|2020AA|DEL||||N|\n"
    )
    kb = KnowledgeBase.read(umls)
    assert [kb.resolve(f"C{i}") for i in (9, 8, 7)] == ["C1", None, None]
    counts = {reason: entry["count"] for reason, entry in kb.manifest["dropped"].items()}
    assert counts == {
        "suppressed names": 1,
        "suppressed definitions": 1,
        "names in other languages": 1,
        "obsolete, and lead on to what replaced them": 1,
    }


def test_all_files_of_ctd(tmp_path: Path) -> None:
    file = tmp_path / "CTD_chemicals.csv"
    file.write_text(
        "# Fields:\n# ChemicalName,ChemicalID,CasRN,PubChemCID,PubChemSID,DTXSID,InChIKey,"
        "Definition,ParentIDs,TreeNumbers,ParentTreeNumbers,MESHSynonyms,CTDCuratedSynonyms\n#\n"
        "Aspirin,MESH:D001241,50-78-2,2244,,DTXSID5020108,,,,,,Acetylsalicylic Acid|ASA,x|ASA\n"
    )
    kb = KnowledgeBase.read(file)
    assert kb["MESH:D001241"].synonyms == ("Acetylsalicylic Acid", "ASA", "x")
    assert kb["D001241"].xrefs == ("CAS:50-78-2", "pubchem.compound:2244", "comptox:DTXSID5020108")
    assert kb.curie("253300") == "OMIM:253300"
    file = tmp_path / "CTD_genes.tsv"
    file.write_text(
        "# Fields:\n# GeneSymbol\tGeneName\tGeneID\tAltGeneIDs\tSynonyms\n#\n"
        "PTGS2\tprostaglandin synthase 2\t574312\t1|2\tCOX2|COX-2\n"
    )
    kb = KnowledgeBase.read(file)
    (gene,) = kb
    assert gene.names == ("PTGS2", "prostaglandin synthase 2", "COX2", "COX-2")
    assert (kb.curie(gene.id), kb.resolve("NCBIGene:2")) == ("NCBIGene:574312", "574312")
    file = tmp_path / "CTD_anatomy.tsv"
    file.write_text("# AnatomyName\tAnatomyID\tSynonyms\nHeart\tMESH:D006321\tCor\n")
    (heart,) = KnowledgeBase.read(file)
    assert (heart.id, heart.names, heart.types) == ("D006321", ("Heart", "Cor"), ("Anatomy",))


def test_quotes_have_a_meaning_only_in_csv(tmp_path: Path) -> None:
    file = tmp_path / "q.tsv"
    file.write_text('id\tname\n1\t"open quote disease\n2\tsecond\n3\t"third" x\n4\t3\' end\n')
    assert [c.name for c in KnowledgeBase.read(file)] == [
        '"open quote disease', "second", '"third" x', "3' end",
    ]  # fmt: skip
    file = tmp_path / "q.csv"
    file.write_text('id,name\n1,"a, ""b""\nc"\n2,second\n')
    assert [c.name for c in KnowledgeBase.read(file)] == ['a, "b" c', "second"]
    file.write_text('id,name\n1,"open\n2,second\n')
    with pytest.raises(InputError, match=r"q\.csv:2: a quoted cell without a closing quote"):
        KnowledgeBase.read(file)


def test_bioportal(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    iri = "http://purl.bioontology.org/ontology/X/"
    file.write_text(
        "Class ID,Preferred Label,Synonyms,Definitions,Obsolete,CUI,Semantic Types,Parents\n"
        f'{iri}1,asthma,bronchial asthma|wheezy,"a, b",false,C0004096|C1,T047,\n'
        f"{iri}2,old thing,,,true,,,\n"
    )
    assert sniff_format(file) == "table"
    kb = KnowledgeBase.read(file)
    (asthma,) = kb
    assert (asthma.id, asthma.synonyms) == ("X:1", ("bronchial asthma", "wheezy"))
    assert (asthma.types, asthma.xrefs) == (("T047",), ("UMLS:C0004096", "UMLS:C1"))
    assert kb[f"{iri}1"] == asthma
    assert kb.manifest["dropped"]["obsolete"]["count"] == 1


def test_options_of_a_table_say_that_it_is_one(tmp_path: Path) -> None:
    file = tmp_path / "k.csv"
    file.write_text("code,label,alt\nA1,asthma,wheeze\n")
    (concept,) = KnowledgeBase.read(file, id="code", name="label", synonyms="alt")
    assert concept.names == ("asthma", "wheeze")
    with pytest.raises(
        InputError, match="the columns are code, label, alt; expected the column 'other'"
    ):
        KnowledgeBase.read(file, id="code", name="label", synonyms="other")
    with pytest.raises(InputError, match=r"the columns are code, label, alt; .*--option id=COLUMN"):
        KnowledgeBase.read(file)


def test_a_base_without_concepts_or_names_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    for text, message in (
        ("id,name\n", "no concept"),
        ("id,name,obsolete\n1,old,true\n2,older,yes\n", r"no concept \(obsolete: 2\)"),
        ("id,name\n+,-\n", "no name in 1 concept;"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=message):
            KnowledgeBase.read(file)
        failed = CliRunner().invoke(app, ["kb", "build", str(file), "-o", str(tmp_path / "x.kb")])
        assert isinstance(failed.exception, InputError)
        assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]
    with pytest.raises(KnowledgeBaseError, match="without a concept"):
        some = KnowledgeBase.from_concepts([Concept("1", "fever")])
        some.subset(ids=[]).save(tmp_path / "x.kb")
    assert not (tmp_path / "x.kb").exists()


def run(*arguments: object) -> str:
    """The output of a command, with errors."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_building_prints_what_was_left_out(tmp_path: Path) -> None:
    (tmp_path / "x.obo").write_text(OBO + "\n[Term]\nid: MU:5\n")
    said = run("kb", "build", tmp_path / "x.obo", "-o", tmp_path / "x.kb")
    assert "obsolete: 1 (for example MU:2)" in said
    assert "without a name: 1 (for example MU:5)" in said
    assert "obsolete: 1" in run("kb", "info", tmp_path / "x.kb")


def test_an_id_that_was_replaced_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kb = KnowledgeBase.from_concepts(
        [Concept("T:1", "asthma"), Dropped("obsolete", "T:3", replaced_by="T:1")]
    )
    kb.save(tmp_path / "x.kb")
    said = run("kb", "search", "T:3", "--kb", tmp_path / "x.kb")
    assert "was replaced by T:1 (asthma)" in said
    assert "replaced" not in run("kb", "search", "T:1", "--kb", tmp_path / "x.kb")
    (tmp_path / "ids.txt").write_text("T:3\nT:1\nT:7\n")
    said = run(
        "kb", "subset", tmp_path / "x.kb", "--ids", tmp_path / "ids.txt", "-o", tmp_path / "y.kb"
    )
    assert "1 of 3 ids are not in the knowledge base: 'T:7'" in caplog.text
    assert "replaced by another id: 1 id (for example T:3 by T:1)" in said


def test_columns_are_named_when_no_synonym_was_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = {
        "x.tsv": "id\tname\tother_names\n1\tone\tfirst\n",
        "x.csv": "# ChemicalName,ChemicalID,Other\none,MESH:D1,x\n",
        "x.jsonl": '{"id": "1", "name": "one", "other_names": ["first"]}\n',
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        caplog.clear()
        KnowledgeBase.read(tmp_path / name)
        assert "no concept has a synonym" in caplog.text
        assert "ther" in caplog.text
    (tmp_path / "y.tsv").write_text("id\tname\n1\tone\n1\tfirst\n")
    caplog.clear()
    KnowledgeBase.read(tmp_path / "y.tsv")
    assert not caplog.text
