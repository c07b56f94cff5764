"""JATS XML, as PubMed Central and Europe PMC give full texts, one article at a time.

A document is the title, the abstract, the key words, the body and what belongs to it (notes,
appendices, acknowledgements); behind these come the captions of figures, the tables and the
references, so that they do not interrupt the text. Each paragraph, heading, caption, table and
reference is a passage of its own kind, with the titles of its sections in the metadata
(``passage_infons``). White space is folded, inline markup is taken away, and
:func:`biolink.formats.jats_places.places_in_xml` leads from offsets back to the file.

Authors, affiliations, journal, dates and licences are not read. Formulas, translated abstracts,
supplementary material and sub-articles (reviews, translations) are left out and counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from biolink.documents import Document
from biolink.errors import InputError
from biolink.formats.jats_text import Builder, Extracted
from biolink.formats.problems import RECORD_ERRORS, LeftOut, OnProblem, described, raise_or_report
from biolink.formats.xml import records, root_of
from biolink.kb.files import display_name

LABEL = "JATS XML (PMC, Europe PMC), full texts"
SUFFIXES = (".nxml",)

ARTICLE = ("article",)
#: The kinds of ids of an article, in the order in which they are taken for the document.
_IDS = ("pmcid", "pmc", "pmid", "doi", "publisher-id")


def sniff(path: str | Path, head: str) -> bool:
    return root_of(head) in ("article", "pmc-articleset", "articles")


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """Read the articles that have a text, as a stream."""
    source = display_name(path)
    left_out = LeftOut(source)
    for element in records(path, ARTICLE, LABEL, on_problem):
        try:
            document = document_of(extracted(element, left_out), element)
        except RECORD_ERRORS as error:
            problem = InputError(source, element.sourceline, described(error), "a JATS article")
            raise_or_report(problem, on_problem)
            continue
        if document.text:
            yield document
        else:
            found = f"the article {document.id or '?'} without a text"
            expected = "a title, an abstract or a body"
            problem = InputError(source, element.sourceline, found, expected)
            raise_or_report(problem, on_problem, fatal=False)
    left_out.warn()


def document_of(text: Extracted, element: etree._Element) -> Document:
    """Make the document of an article from its extracted text."""
    ids = article_ids(element)
    doc_id = next((ids[kind] for kind in _IDS if kind in ids), "")
    metadata: dict[str, Any] = {"passage_infons": text.infons} if text.infons else {}
    if ids:
        metadata["infons"] = {f"article-id_{kind}": written for kind, written in ids.items()}
    return Document(doc_id, text.text, tuple(text.passages), metadata=metadata)


def article_ids(element: etree._Element) -> dict[str, str]:
    """Return the ids of an article by their kind; those of PMC begin with the letters PMC."""
    ids = {}
    for written in element.iterfind("front/article-meta/article-id"):
        kind = written.get("pub-id-type", "")
        value = "".join(written.itertext()).strip()
        if kind in ("pmc", "pmcid") and value.isdigit():
            value = f"PMC{value}"
        if kind and value:
            ids[kind] = value
    return ids


def extracted(element: etree._Element, left_out: LeftOut, places: bool = False) -> Extracted:
    """Extract the text of an article.

    Parameters
    ----------
    element
        The article.
    left_out
        Counts what is not kept.
    places
        Whether the place of each piece of the text in the XML is noted.

    Raises
    ------
    ValueError
        If the text has a reference to an entity, which is not resolved.
    """
    entity = next(element.iter(etree.Entity), None)
    if entity is not None:
        raise ValueError(f"the text has the entity {entity.text[:40]}, which is not resolved")
    for name in ("sub-article", "response"):
        for _ in element.iterfind(name):
            left_out.add("sub-articles and responses")
    builder = Builder(left_out, places)
    meta = element.find("front/article-meta")
    if meta is not None:
        for title in meta.iterfind("title-group"):
            for part in title.iterfind("article-title"):
                subtitles = title.findall("subtitle")
                builder.flat("title", part, *subtitles)
        for abstract in meta.iterfind("abstract"):
            builder.blocks(abstract, "abstract")
        for _ in meta.iterfind("trans-abstract"):
            left_out.add("translated abstracts")
        for words in meta.iterfind("kwd-group"):
            builder.listed("keywords", words.iterfind("kwd"), "; ")
    for name in ("body", "back", "floats-group", "floats-wrap"):
        for part in element.iterfind(name):
            builder.blocks(part, "paragraph")
    return builder.finish()
