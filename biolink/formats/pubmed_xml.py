"""PubMed XML (``PubmedArticleSet``, as the baseline and efetch give it), an article at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from biolink.documents import Document
from biolink.errors import InputError
from biolink.formats.medline import titled
from biolink.formats.problems import OnProblem, raise_or_report
from biolink.kb.files import display_name, open_binary

LABEL = "PubMed XML"
SUFFIXES = ()

_ARTICLE = ("PubmedArticle", "PubmedBookArticle", "MedlineCitation")


def sniff(path: str | Path, head: str) -> bool:
    return (
        re.search(r"<(PubmedArticle(Set)?|MedlineCitation(Set)?|PubmedBookArticle)\b", head)
        is not None
    )


def _text(element: etree._Element | None) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """Stream the articles that have a title or an abstract.

    Sections of a structured abstract are joined by a space, their labels in front of them.
    """
    source = display_name(path)
    with open_binary(path) as stream:
        try:
            elements = etree.iterparse(
                stream, events=("end",), tag=_ARTICLE, resolve_entities=False, huge_tree=True
            )
            for _, element in elements:
                parent = element.getparent()
                if (
                    element.tag == "MedlineCitation"
                    and parent is not None
                    and (parent.tag == "PubmedArticle")
                ):
                    continue
                document = _article(element)
                if document is None:
                    problem = InputError(
                        source,
                        element.sourceline,
                        f"record {element.findtext('.//PMID') or '?'} without title and abstract",
                        "ArticleTitle or AbstractText",
                    )
                    raise_or_report(problem, on_problem, fatal=False)
                else:
                    yield document
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
        except etree.XMLSyntaxError as error:
            problem = InputError(source, error.lineno, error.msg, "well-formed PubMed XML")
            raise_or_report(problem, on_problem)


def _article(element: etree._Element) -> Document | None:
    title = _text(element.find(".//ArticleTitle"))
    if not title:
        title = _text(element.find(".//BookTitle"))
    sections = []
    for section in element.iterfind(".//Abstract/AbstractText"):
        label, words = section.get("Label"), _text(section)
        if words:
            sections.append(f"{label}: {words}" if label else words)
    abstract = " ".join(sections)
    if not (title or abstract):
        return None
    return titled((element.findtext(".//PMID") or "").strip(), title, abstract)
