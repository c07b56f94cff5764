"""Stand-off and JSON formats of other tools: PubAnnotation, Europe PMC, BigBIO, BRAT, CoNLL."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biolink.documents import Document, Link, Mention, Passage
from biolink.errors import ConfigError, InputError
from biolink.formats import read, sniff_format, write

TEXT = "Kidney and liver\nfailure after aspirin."
LINK = Link(
    "D001241", "acetylsalicylic acid", -0.1, 0.93, 1, preferred_name="Aspirin", curie="mesh:D001241"
)


def annotated() -> Document:
    mentions = (
        Mention(
            *(0, 24, TEXT[:24], "Disease", ("D051437", "D017093"), "|"),
            spans=((0, 6), (17, 24)),
            id="T1",
        ),
        Mention(11, 24, TEXT[11:24], "Disease", ("MESH:D017093",), id="T2"),
        Mention(31, 38, "aspirin", "Chemical", links=(LINK,), id="T3"),
        Mention(25, 30, "after", "", nil_reason="no candidate", id="T4"),
    )
    relation = {
        "id": "R1",
        "infons": {"type": "causes"},
        "nodes": [{"refid": "T3", "role": "subject"}, {"refid": "T2", "role": "object"}],
    }
    passages = (Passage(0, 16, "title"), Passage(17, 39, "abstract"))
    return Document("9/a", TEXT, passages, mentions, {"relations": [relation]})


def rows(document: Document) -> list[tuple[Any, ...]]:
    return sorted((m.id, m.start, m.end, m.type, m.spans) for m in document.mentions)


def ids(document: Document) -> dict[str, tuple[str, ...]]:
    return {m.id: m.concept_ids for m in document.mentions}


def test_pubannotation_holds_mentions_ids_relations_and_passages(tmp_path: Path) -> None:
    document = annotated()
    file = tmp_path / "x.json"
    write([document, Document("2", "No mention.")], file, "pubannotation")
    assert sniff_format(file) == "pubannotation"
    back, second = read(file)
    assert (back.id, back.text, back.passages) == (document.id, TEXT, document.passages)
    assert rows(back) == rows(document)
    assert ids(back) == {
        "T1": ("D051437", "D017093"), "T2": ("MESH:D017093",), "T3": ("D001241",), "T4": (),
    }  # fmt: skip
    assert back.metadata["relations"] == document.metadata["relations"]
    assert second.text == "No mention."


def test_pubannotation_of_other_tools(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    record = {
        "target": "http://pubannotation.org/docs/sourcedb/PubMed/sourceid/7",
        "sourcedb": "PubMed",
        "sourceid": "7",
        "text": "𝛼-synuclein in asthma.",
        "tracks": [
            {
                "project": "a",
                "denotations": [
                    {"id": "T1", "span": {"begin": 0, "end": 11}, "obj": "Protein"},
                    {"id": "T2", "span": {"begin": 15, "end": 21}, "obj": "MONDO:0004979"},
                    {"id": "T3", "span": {"begin": 15, "end": 99}, "obj": "Disease"},
                ],
                "attributes": [
                    {"id": "A1", "subj": "T1", "pred": "Uncertain", "obj": "high"},
                    {"id": "A2", "subj": "T1", "pred": "identifier", "obj": "UniProt:P37840"},
                    {"id": "A3", "subj": "T9", "pred": "x", "obj": "y"},
                ],
            }
        ],
    }
    file = tmp_path / "x.json"
    file.write_text(json.dumps(record))
    problems: list[InputError] = []
    with caplog.at_level(logging.WARNING):
        (document,) = read(file, on_problem=problems.append)
    found = [(m.text, m.type, m.concept_ids) for m in document.mentions]
    assert found[:2] == [
        ("𝛼-synuclein", "Protein", ("UniProt:P37840",)),
        ("asthma", "", ("MONDO:0004979",)),
    ]
    assert document.id == "7"
    assert document.metadata["sourcedb"] == "PubMed"
    assert len(problems) == 1
    assert "the annotation T3" in str(problems[0])
    assert "the infon 'Uncertain' of annotations (1)" in caplog.text
    assert "attributes of what is no denotation (1)" in caplog.text


def test_europe_pmc_records_and_annotations(tmp_path: Path) -> None:
    result = {
        "id": "1", "source": "MED", "pmid": "1", "title": "A <i>title</i>",
        "abstractText": "<h4>Background</h4>p &lt; 0.05, n<sub>2</sub> <h4>Results:</h4>Fever.",
    }  # fmt: skip
    file = tmp_path / "records.json"
    file.write_text(json.dumps({"version": "6", "resultList": {"result": [result, {"id": "2"}]}}))
    problems: list[InputError] = []
    (document,) = read(file, on_problem=problems.append)
    assert document.text == "A title\nBackground: p < 0.05, n2 Results: Fever."
    assert "the record '2' without a title or an abstract" in str(problems[0])
    annotation = {
        "prefix": "in the ", "exact": "nucleus", "postfix": " of cells", "type": "Gene Ontology",
        "section": "Abstract (http://purl.org/dc/terms/abstract)", "id": "http://x#1",
        "tags": [{"name": "nucleus", "uri": "http://purl.obolibrary.org/obo/GO_0005634"}],
    }  # fmt: skip
    other = {"exact": "mice", "tags": [{"uri": "http://identifiers.org/taxonomy/10090"}]}
    article = {"source": "MED", "extId": "5", "pmcid": "PMC6", "annotations": [annotation, other]}
    file = tmp_path / "annotations.json"
    file.write_text(json.dumps([article]))
    (document,) = read(file)
    assert (document.id, document.text) == ("5", "in the nucleus of cells\nmice")
    assert [(m.start, m.text, m.concept_ids) for m in document.mentions] == [
        (7, "nucleus", ("GO:0005634",)),
        (24, "mice", ("taxonomy:10090",)),
    ]
    assert [p.kind for p in document.passages] == ["Abstract", ""]


def bigbio() -> dict[str, Any]:
    def entity(
        number: int, words: list[str], offsets: list[list[int]], *ids: dict[str, str]
    ) -> Any:
        name = f"e{number}"
        return {
            "id": name, "type": "Disease", "text": words, "offsets": offsets,
            "normalized": list(ids),
        }  # fmt: skip

    return {
        "id": "0",
        "document_id": "77",
        "passages": [
            {"id": "p1", "type": "title", "text": ["Gout here."], "offsets": [[0, 10]]},
            {"id": "p2", "type": "abstract", "text": ["Renal and liver failure."],
             "offsets": [[11, 35]]},
        ],
        "entities": [
            entity(1, ["Gout"], [[0, 4]], {"db_name": "MESH", "db_id": "D006073"}),
            entity(2, ["Renal", "failure"], [[11, 16], [27, 34]],
                   {"db_name": "NCBI Gene", "db_id": "672"}, {"db_name": "", "db_id": "HP:1"}),
        ],
        "events": [],
        "coreferences": [{"id": "c", "entity_ids": ["e1", "e2"]}],
        "relations": [{"id": "r", "type": "with", "arg1_id": "e1", "arg2_id": "e2",
                       "normalized": []}],
    }  # fmt: skip


@pytest.mark.parametrize("form", ["lines", "list", "parquet"])
def test_bigbio(form: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    record = bigbio()
    file = tmp_path / f"x.{'parquet' if form == 'parquet' else 'json'}"
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist([record]), file)
    else:
        file.write_text(json.dumps([record] if form == "list" else record))
    with caplog.at_level(logging.WARNING):
        (document,) = read(file)
    assert (document.id, document.text) == ("77", "Gout here.\nRenal and liver failure.")
    assert [p.kind for p in document.passages] == ["title", "abstract"]
    gout, failure = document.mentions
    assert (gout.start, gout.end, gout.concept_ids) == (0, 4, ("MESH:D006073",))
    assert failure.spans == ((11, 16), (27, 34))
    assert failure.concept_ids == ("NCBIGene:672", "HP:1")
    (relation,) = document.metadata["relations"]
    assert [node["refid"] for node in relation["nodes"]] == ["e1", "e2"]
    assert "coreferences (1)" in caplog.text


def test_brat_holds_mentions_ids_and_relations(tmp_path: Path) -> None:
    document = annotated()
    write([document, Document("2", "Plain.")], tmp_path / "out.brat")
    folder = tmp_path / "out.brat"
    names = sorted(file.name for file in folder.iterdir())
    assert names == ["2.ann", "2.txt", "9%2Fa.ann", "9%2Fa.txt", "annotation.conf"]
    second, back = read(folder)
    assert (second.id, second.text, second.mentions) == ("2", "Plain.", ())
    assert (back.id, back.text) == (document.id, TEXT)
    expected = [(*row[:3], row[3] or "Entity", row[4]) for row in rows(document)]
    assert rows(back) == expected
    assert ids(back) == {
        "T1": ("D051437", "D017093"), "T2": ("MESH:D017093",), "T3": ("mesh:D001241",), "T4": (),
    }  # fmt: skip
    assert [m.text for m in back.mentions] == [m.text for m in sorted(
        document.mentions, key=lambda m: (m.start, m.end))]  # fmt: skip
    (relation,) = back.metadata["relations"]
    assert relation["infons"]["type"] == "causes"
    lines = (folder / "9%2Fa.ann").read_text().splitlines()
    # BRAT reads a mention over two lines in two pieces.
    assert "T2\tDisease 11 16;17 24\tliver failure" in lines
    assert "N4\tReference T3 mesh:D001241\tAspirin" in lines
    assert "[entities]\nDisease\n" in (folder / "annotation.conf").read_text()


def test_brat_of_other_tools(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.txt").write_text("Fever and cough.\n")
    (tmp_path / "a.ann").write_text(
        "T1\tSymptom 0 5\tFever\nT2\tSymptom 11 16\tcough\nE1\tHas:T1 Theme:T2\n"
        "A1\tNegation T1\n#1\tAnnotatorNotes T1\tsure?\nN1\tReference T1 HPO:HP:0001945\tFever\n"
        "*\tEquiv T1 T2\n"
    )
    (tmp_path / "annotation.conf").write_text("[entities]\nSymptom\n")
    (tmp_path / "b.txt").write_text("A text without annotations.")
    problems: list[InputError] = []
    with caplog.at_level(logging.WARNING):
        first, second = read(tmp_path, on_problem=problems.append)
    assert [(m.start, m.text, m.concept_ids) for m in first.mentions] == [
        (0, "Fever", ("HPO:HP:0001945",)),
        (10, "cough", ()),
    ]
    assert second.id == "b"
    assert "moved to 10-15" in str(problems[0])
    for what in ("events", "attributes", "notes", "equivalences"):
        assert f"{what} (1)" in caplog.text
    # Asked for as plain text, every file is a text.
    assert [d.id for d in read(tmp_path, "text")] == ["a.ann", "a", "annotation.conf", "b"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("T2\tDisease 0\tFever", "offsets that are no spans"),
        ("T2\tDisease x 5\tFever", "not a whole number"),
        ("T1\tDisease 0 5\tFever", "T1 a second time"),
        ("nothing", "a line without a tab"),
        ("Q1\tx y", "unknown id"),
    ],
)
def test_a_bad_line_of_brat_is_named(line: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Fever.")
    (tmp_path / "a.ann").write_text(f"T1\tDisease 0 5\tFever\n{line}\n")
    with pytest.raises(InputError, match=rf"a\.ann:2: .*{why}"):
        list(read(tmp_path / "a.ann"))
    problems: list[InputError] = []
    (document,) = read(tmp_path / "a.ann", on_problem=problems.append)
    assert len(document.mentions) == len(problems) == 1


def test_brat_never_replaces_annotations_made_by_hand(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "a.txt").write_text("Fever.")
    (folder / "a.ann").write_text("T1\tDisease 0 5\tFever\n")
    with pytest.raises(InputError, match="a folder with something else in it"):
        write(annotated(), folder, "brat")
    assert (folder / "a.ann").exists()
    write(annotated(), tmp_path / "own", "brat")
    write(Document("1", "x"), tmp_path / "own", "brat")
    assert sorted(f.name for f in (tmp_path / "own").iterdir()) == [
        "1.ann", "1.txt", "annotation.conf",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="expected a folder, not standard output"):
        write(annotated(), "-", "brat")
    same = [Document("1", "x"), Document("1", "y")]
    with pytest.raises(InputError, match="a second document '1'"):
        write(same, tmp_path / "twice", "brat")
    assert not (tmp_path / "twice").exists()
    (tmp_path / "lone.ann").write_text("")
    with pytest.raises(InputError, match=r"no file \.txt beside it"):
        list(read(tmp_path / "lone.ann"))


CONLL = {
    "IOB2": "Kidney B-D\nfailure I-D\nand O\ngout B-D\nasthma B-D\n. O\n",
    "IOB1": "Kidney I-D\nfailure I-D\nand O\ngout I-D\nasthma B-D\n. O\n",
    "IOBES": "Kidney B-D\nfailure E-D\nand O\ngout S-D\nasthma S-D\n. O\n",
    "BILOU": "Kidney B-D\nfailure L-D\nand O\ngout U-D\nasthma U-D\n. O\n",
}


@pytest.mark.parametrize("scheme", CONLL)
def test_conll_tags_of_every_scheme(scheme: str, tmp_path: Path) -> None:
    file = tmp_path / "x.tsv"
    file.write_text(CONLL[scheme].replace(" ", "\t"))
    (document,) = read(file)
    assert document.text == "Kidney failure and gout asthma ."
    assert [(m.text, m.type) for m in document.mentions] == [
        ("Kidney failure", "D"), ("gout", "D"), ("asthma", "D"),
    ]  # fmt: skip


def test_conll_documents_sentences_and_columns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "x.conll"
    file.write_text(
        "-DOCSTART- (27)\n\nFever NN B-Sign\nis VB O\n\nCough NN B-Sign\n\n# doc_id = b\n"
        "Gout NN B-Dis\n"
    )
    with caplog.at_level(logging.WARNING):
        first, second = read(file)
    assert (first.id, first.text) == ("27", "Fever is\nCough")
    assert [first.text[p.start : p.end] for p in first.passages] == ["Fever is", "Cough"]
    assert [m.start for m in first.mentions] == [0, 9]
    assert (second.id, second.text) == ("b", "Gout")
    assert "columns between the token and its tag (4)" in caplog.text
    file.write_text("Fever B\nis O\nbad O\n\nGout B\n")
    assert [(d.id, d.text) for d in read(file)] == [("1", "Fever is bad"), ("5", "Gout")]
    file.write_text("Fever B\nis bad\n")
    with pytest.raises(InputError, match=r"x\.conll:2: .*expected a token and a tag"):
        list(read(file))
    prose = tmp_path / "x.txt"
    prose.write_text("He saw me and I\nmeant it so O\nnot a table at all\n")
    assert sniff_format(prose) == "text"


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["pubannotation", "brat"])
def test_full_texts_keep_their_mentions(name: str, corpora: Path, tmp_path: Path) -> None:
    def spans(document: Document) -> set[tuple[Any, ...]]:
        # BRAT has no mention without a type.
        return {
            (m.start, m.end, m.text, m.type.replace("Entity", ""), m.spans, *m.concept_ids)
            for m in document.mentions
        }

    given = read(corpora / "nlm_chem/nlm_chem_traindev.bioc.xml.gz", on_problem=lambda _: None)
    documents = [document for document, _ in zip(given, range(20), strict=False)]
    write(documents, tmp_path / "x", name)
    back = {d.id: d for d in read(tmp_path / "x")}
    assert sum(len(d.mentions) for d in documents) > 2_000
    for document in documents:
        assert back[document.id].text == document.text
        assert spans(back[document.id]) == spans(document)
