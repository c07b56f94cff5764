"""PubMed XML (``PubmedArticleSet``, as in the baseline and from efetch), one article at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from biolink.documents import Document
from biolink.errors import InputError
from biolink.formats.medline import NO_TITLE, titled
from biolink.formats.problems import OnProblem, raise_or_report
from biolink.formats.xml import records, root_of, text_of
from biolink.kb.files import display_name

LABEL = "PubMed XML"
SUFFIXES = ()

_ARTICLE = ("PubmedArticle", "PubmedBookArticle", "MedlineCitation")
_SETS = ("PubmedArticleSet", "PubmedBookArticleSet", "MedlineCitationSet")
_TITLES = ("ArticleTitle", "VernacularTitle", "BookTitle")


def sniff(path: str | Path, head: str) -> bool:
    return root_of(head) in (*_ARTICLE, *_SETS)


def _text(element: etree._Element | None) -> str:
    return " ".join(text_of(element).split())


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """Read the articles that have a title or an abstract, as a stream.

    The sections of a structured abstract are joined by spaces, each after its label. If there is no
    title in English, the title in the article's own language is used.
    """
    source = display_name(path)
    for element in records(path, _ARTICLE, LABEL, on_problem):
        try:
            document = _article(element)
        except ValueError as error:
            problem = InputError(source, element.sourceline, str(error), "a PubMed article")
            raise_or_report(problem, on_problem)
            continue
        if document is None:
            problem = InputError(
                source,
                element.sourceline,
                f"the record {element.findtext('.//PMID') or '?'} without a title or an abstract",
                "ArticleTitle or AbstractText",
            )
            raise_or_report(problem, on_problem, fatal=False)
        else:
            yield document


def _article(element: etree._Element) -> Document | None:
    titles = [_text(element.find(f".//{name}")) for name in _TITLES]
    title = next((t for t in titles if t and not NO_TITLE.fullmatch(t)), "")
    sections = []
    for section in element.iterfind(".//Abstract/AbstractText"):
        label, words = section.get("Label"), _text(section)
        if words:
            sections.append(f"{label}: {words}" if label else words)
    abstract = " ".join(sections)
    if not (title or abstract):
        # A document with the words "not available" is better than none.
        title = next(filter(None, titles), "")
    if not (title or abstract):
        return None
    return titled((element.findtext(".//PMID") or "").strip(), title, abstract)
