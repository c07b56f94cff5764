"""JATS: what the text consists of, what stands apart, and the way back to the XML."""

from __future__ import annotations

import json
import logging
import lzma
import re
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from lxml import etree

import biolink
from biolink.documents import Document, Mention
from biolink.errors import InputError
from biolink.formats import read, sniff_format, write

DATA = Path(__file__).parents[2] / "data"


def article() -> Document:
    (document,) = read(DATA / "article.nxml")
    return document


def kinds(document: Document) -> list[tuple[str, str]]:
    return [(p.kind, document.text[p.start : p.end]) for p in document.passages]


def test_the_parts_of_an_article(caplog: pytest.LogCaptureFixture) -> None:
    assert sniff_format(DATA / "article.nxml") == "jats"
    with caplog.at_level(logging.WARNING):
        document = article()
    assert document.id == "PMC123"
    assert document.metadata["infons"]["article-id_pmid"] == "99"
    assert kinds(document) == [
        ("title", "Severe BRCA1-linked breast cancer"),
        ("section_title", "Background"),
        ("abstract", "H2O and fever."),
        ("keywords", "asthma; gout"),
        ("section_title", "1 Introduction"),
        ("paragraph", "As shown before 1, asthma is bad here."),
        ("paragraph", "a first"),
        ("paragraph", "second"),
        ("paragraph", "and after."),
        ("section_title", "Patients"),
        ("paragraph", "Two men."),
        ("section_title", "Thanks"),
        ("paragraph", "To all."),
        ("footnote", "* No conflict."),
        # What stands apart follows the running text.
        ("figure_caption", "Figure 1 Fig title. A caption."),
        ("table_caption", "Table 1 Tab cap"),
        ("table", "Drug\tN\nAspirin\t\t3"),
        ("table_footnote", "* foot"),
        ("section_title", "References"),
        ("reference", "1 Doe J On asthma 1999"),
    ]
    infons = document.metadata["passage_infons"]
    assert infons[10]["section"] == "Introduction / Patients"
    assert infons[10]["section_type"] == "intro"
    assert infons[14]["xml_id"] == "F1"
    for what in ("sub-articles and responses (1)", "translated abstracts (1)", "formulas (1)"):
        assert what in caplog.text


def test_each_word_leads_back_to_the_xml() -> None:
    document = article()
    words = [(m.start(), m.end()) for m in re.finditer(r"\S+", document.text)]
    words.append((document.text.index("BRCA1"), document.text.index("cancer") + 6))
    mentions = tuple(Mention(a, b, document.text[a:b]) for a, b in words)
    tree = etree.parse(DATA / "article.nxml")
    places = biolink.places_in_xml(document.with_mentions(mentions), DATA / "article.nxml")
    assert len(places) == len(mentions)
    for mention, parts in zip(mentions, places, strict=True):
        nodes = ["".join(tree.xpath(part.path)) for part in parts]
        there = [node[p.start : p.end] for node, p in zip(nodes, parts, strict=True)]
        # The separator of key words is not in the XML.
        assert "".join("".join(there).split()) == "".join(mention.text.split()).rstrip(";")
    assert len(places[-1]) == 2
    other = Document("PMC123", "another text")
    with pytest.raises(InputError, match="no such article"):
        biolink.places_in_xml(other, DATA / "article.nxml")


def test_sections_are_kept_in_bioc(tmp_path: Path) -> None:
    document = article()
    for name in ("x.json", "x.xml"):
        write(document, tmp_path / name)
        (back,) = read(tmp_path / name)
        assert back.metadata["passage_infons"] == document.metadata["passage_infons"]
        assert kinds(back) == kinds(document)


def test_many_articles_and_a_broken_one(tmp_path: Path) -> None:
    one = "<article><body><p>Fever.</p></body></article>"
    entity = "<article><body><p>&what;</p></body></article>"
    file = tmp_path / "x.xml"
    file.write_text(
        f"<!DOCTYPE a [<!ENTITY what 'x'>]><pmc-articleset>{one}{entity}{one}</pmc-articleset>"
    )
    problems: list[InputError] = []
    assert [d.text for d in read(file, on_problem=problems.append)] == ["Fever.", "Fever."]
    assert "has the entity &what;" in str(problems[0])
    file.write_text("<article><body><p>Fever.</body></article>")
    with pytest.raises(InputError, match=r"x\.xml:1: .*expected well-formed JATS XML"):
        list(read(file))


@pytest.mark.corpus
def test_full_texts_of_pmc(data_folder: Path, tmp_path: Path) -> None:
    """Paragraphs of real articles are read as they are, and their words lead back to the XML."""
    texts = lzma.open(data_folder / "text" / "pmc_oa_ccby_articles.jsonl.xz", "rt")
    with texts:
        records = [json.loads(next(texts)) for _ in range(40)]
    file = tmp_path / "x.xml"
    with file.open("w", encoding="utf-8") as stream:
        stream.write("<pmc-articleset>\n")
        for record in records:
            body = "".join(f"<p>\n  {_marked(p)}\n</p>" for p in record["body"])
            stream.write(
                "<article><front><article-meta>"
                f"<article-id pub-id-type='pmc'>{record['pmcid']}</article-id><title-group>"
                f"<article-title>{escape(record['title'])}</article-title></title-group><abstract>"
                f"<p>{_marked(record['abstract'])}</p></abstract></article-meta></front>"
                f"<body>{body}</body></article>\n"
            )
        stream.write("</pmc-articleset>")
    documents = list(read(file))
    assert len(documents) == len(records)
    for document, record in zip(documents, records, strict=True):
        given = [record["title"], record["abstract"], *record["body"]]
        expected = [" ".join(text.split()) for text in given if text.strip()]
        assert [words for _, words in kinds(document)] == expected
    tree = etree.parse(file)
    document = documents[7]
    spans = [(m.start(), m.end()) for m in re.finditer(r"\w+ \w+", document.text)]
    mentions = tuple(Mention(a, b, document.text[a:b]) for a, b in spans)
    (element,) = (a for a in tree.iterfind("article") if a.findtext(".//article-id") in document.id)
    article = etree.ElementTree(etree.fromstring(etree.tostring(element)))
    for mention, parts in zip(
        mentions, biolink.places_in_xml(document.with_mentions(mentions), file), strict=True
    ):
        there = ["".join(article.xpath(p.path))[p.start : p.end] for p in parts]
        assert "".join("".join(there).split()) == "".join(mention.text.split())


def _marked(text: str) -> str:
    """A text with every tenth word in italics, and line breaks as files have them."""
    words = [escape(word) for word in text.split()]
    return "\n".join(f"<italic>{w}</italic>" if n % 10 == 0 else w for n, w in enumerate(words))
