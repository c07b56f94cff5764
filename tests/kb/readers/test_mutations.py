"""Randomly damaged files of every format give a knowledge base or a clear error."""

from __future__ import annotations

import gzip
import json
import random
import shutil
from pathlib import Path

import pytest

from biolink.errors import BiolinkError
from biolink.kb import KnowledgeBase
from biolink.kb.readers import READERS
from tests.kb.readers.test_readers import DESCRIPTOR, OBO, SUPPLEMENTARY, conso
from tests.mutations import mutations

TERMS = (
    "DescriptorUI\tDescriptorName\tConceptUI\tTermUI\tTermName\tIsPermutedTermYN\tLexicalTag\t"
    "RecordPreferredTermYN\nD01\tFever\tM1\tT1\tFever\tN\tNON\tY\nD01\tFever\tM1\tT1\tHeat\tN\tNON\tN\n"
)
GRAPH = {
    "graphs": [
        {
            "nodes": [
                {
                    "id": f"http://purl.obolibrary.org/obo/MU_{number}",
                    "lbl": f"fever {number}",
                    "type": "CLASS",
                    "meta": {
                        "definition": {"val": "Hot.", "xrefs": ["x"]},
                        "synonyms": [{"pred": "hasExactSynonym", "val": "heat"}],
                        "xrefs": [{"val": "MESH:D01"}],
                        "basicPropertyValues": [
                            {"pred": "http://x/y#hasAlternativeId", "val": "MU:9"},
                            {"pred": "http://purl.obolibrary.org/obo/IAO_0100001", "val": "MU:1"},
                        ],
                        "deprecated": number > 2,
                    },
                }
                for number in range(1, 4)
            ],
            "edges": [],
        }
    ]
}

#: Format -> the files of an example, by name; several files are in a folder.
EXAMPLES: dict[str, dict[str, str]] = {
    "umls-rrf": {
        "MRCONSO.RRF": conso("C1", "fever", TS="P") + conso("C1", "heat") + conso("C2", "cold"),
        "MRSTY.RRF": "C1|T047|B2.2.1.2.1|Disease or Syndrome|AT1||\n",
        "MRDEF.RRF": "C1|A1|AT1||MSH|Hot.|N||\n",
        "MRCUI.RRF": "C9|2020AA|SY|||C1|Y|\n",
    },
    "mesh-xml": {"desc.xml": DESCRIPTOR, "supp.xml": SUPPLEMENTARY},
    "mesh-tables": {
        "a.tsv": TERMS,
        "b.tsv": "DescriptorUI\tDescriptorName\tTreeNumber\nD01\tFever\tC01\n",
        "c.tsv": "DescriptorUI\tDescriptorName2014\tScopeNote\nD01\tFever\tHot.\n",
        "d.tsv": "MeshUI\tName\tSources\nC535300\trare\tgilda\n",
    },
    "taxdump": {
        "names.dmp": "9606\t|\tHomo sapiens\t|\t\t|\tscientific name\t|\n"
        "9606\t|\thuman\t|\t\t|\tgenbank common name\t|\n",
        "nodes.dmp": "9606\t|\t9605\t|\tspecies\t|\tHS\t|\n",
        "merged.dmp": "63221\t|\t9606\t|\n",
    },
    "ctd": {
        "x.tsv": "# Fields:\n# DiseaseName\tDiseaseID\tAltDiseaseIDs\tDefinition\tSynonyms\n#\n"
        "Fever\tMESH:D01\tOMIM:123|DO:DOID:1\tHot.\tFevers|Heat\n",
        "x.csv": "# Fields:\n# ChemicalName,ChemicalID,CasRN,MESHSynonyms,CTDCuratedSynonyms\n"
        '"a, b",MESH:D02,50-00-0,c|d,e\n',
    },
    "obo": {"x.obo": OBO},
    "obographs": {"x.json": json.dumps(GRAPH, indent=1)},
    "sssom": {
        "x.tsv": "# c\nsubject_id\tsubject_label\tpredicate_id\tobject_id\tobject_label\n"
        "MONDO:1\theat\tskos:exactMatch\tmesh:D01\tFever\n"
    },
    "genbioel": {"target_kb.json": json.dumps({"D01|D09": ["fever", "heat"], "D02": ["cold"]})},
    "json": {"x.json": json.dumps({"D01": ["fever", "heat"], "D02": "cold"}, indent=1)},
    "jsonl": {
        "x.jsonl": '{"id": "X1", "name": "fever", "synonyms": ["heat"], "types": ["Disease"]}\n'
        '{"concept_id": "X2", "canonical_name": "cold", "aliases": ["chill"], "definition": "d"}\n'
    },
    "biosyn": {"x.txt": "D01|123||Fever|Heat\nD02+D03||Both\n"},
    "gene-info": {
        "x.tsv": "#tax_id\tGeneID\tSymbol\tSynonyms\tdbXrefs\ttype_of_gene\n"
        "9606\t1\tA1BG\tA1B|ABG\tMIM:138670|HGNC:HGNC:5\tprotein-coding\n"
    },
    "hgnc": {
        "x.tsv": "hgnc_id\tsymbol\tname\talias_symbol\tprev_symbol\tentrez_id\n"
        'HGNC:5\tA1BG\tglycoprotein\t"A1B|ABG"\tOLD\t1\n'
    },
    "ssslm": {
        "x.tsv": "text\tcurie\tname\tpredicate\nheat\tmondo:1\tfever\toboInOwl:hasExactSynonym\n"
    },
    "table": {
        "x.csv": 'id,name,synonyms,types\nX1,"fever, made up",heat|warmth,Disease\nX2,hot,,\n',
        "x.tsv": 'id\tname\tsynonyms\nX1\tfever\theat\nX2\t"cold\tchill\n',
        "b.csv": "Class ID,Preferred Label,Synonyms,Obsolete,CUI\n"
        "http://purl.bioontology.org/ontology/X/1,asthma,wheeze|puff,false,C1\n",
    },
}
FOLDERS = ("umls-rrf", "mesh-tables", "taxdump")
#: Odd values that careless programs write.
ODD = (b"null", b"5", b"{}", b"[]", b'"\\ud800"', b"1e999", b"9" * 5000, b"true", b"[" * 3000)


def with_odd_value(content: bytes, chance: random.Random) -> bytes:
    """Replace a few bytes with an odd value or with a separator."""
    place = chance.randrange(len(content) + 1)
    odd = chance.choice((*ODD, b"\t", b"|", b'"', b",", b"\0", b"\r"))
    return content[:place] + odd + content[place + chance.randint(0, 9) :]


def test_there_is_an_example_of_every_format() -> None:
    assert set(EXAMPLES) == set(READERS)


@pytest.mark.parametrize(
    ("format", "name"), [(format, name) for format, files in EXAMPLES.items() for name in files]
)
def test_damaged_files_give_a_base_or_a_clear_error(format: str, name: str, tmp_path: Path) -> None:
    chance = random.Random(f"{format} {name}")
    read = refused = 0
    original = EXAMPLES[format][name].encode()
    for number, (what, content) in enumerate(mutations(original, 64)):
        folder = tmp_path / "folder"
        folder.mkdir()
        files = EXAMPLES[format] if format in FOLDERS else {name: ""}
        for other, text in files.items():
            (folder / other).write_text(text, encoding="utf-8", newline="")
        if number % 3:
            content = with_odd_value(content, chance)
        (folder / name).write_bytes(content)
        path = folder if format in FOLDERS else folder / name
        for given in (None, format):
            try:
                assert len(KnowledgeBase.read(path, given)) > 0
                read += 1
            except BiolinkError as error:
                assert str(error), what
                refused += 1
        shutil.rmtree(folder)
    assert read and refused


@pytest.mark.parametrize("format", [format for format in EXAMPLES if format not in FOLDERS])
def test_damaged_compression_is_a_clear_error(format: str, tmp_path: Path) -> None:
    chance = random.Random(format)
    name, text = next(iter(EXAMPLES[format].items()))
    whole = gzip.compress(text.encode() * 20)
    for _ in range(20):
        content = bytearray(whole)
        content[chance.randrange(10, len(content))] ^= 1 << chance.randrange(8)
        (tmp_path / f"{name}.gz").write_bytes(content[: chance.choice((len(content), 60))])
        for given in (None, format):
            try:
                KnowledgeBase.read(tmp_path / f"{name}.gz", given)
            except BiolinkError as error:
                assert str(error)
