"""MEDLINE as PubMed exports it (``.nbib``): ``PMID- ``, ``TI  - ``, ``AB  - ``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from biolink.documents import Document, Passage
from biolink.errors import InputError
from biolink.formats.problems import OnProblem, check_utf8, raise_or_report
from biolink.kb.files import display_name, numbered_lines

LABEL = "MEDLINE (nbib)"
SUFFIXES = (".nbib", ".medline")

_FIELD = re.compile(r"^([A-Z]{2,4}) *- ?(.*)$")

#: The words that PubMed writes for an article without a title in English.
NO_TITLE = re.compile(r"\W*(not available|in process citation)\W*", re.IGNORECASE)


def sniff(path: str | Path, head: str) -> bool:
    return re.search(r"^PMID *- ?\d", head, re.MULTILINE) is not None


def titled(doc_id: str, title: str, abstract: str) -> Document:
    """Make a document from a title and an abstract, with a line break between them."""
    text = f"{title}\n{abstract}" if title and abstract else title or abstract
    passages = [Passage(0, len(title), "title")] if title else []
    if abstract:
        passages.append(Passage(len(text) - len(abstract), len(text), "abstract"))
    return Document(doc_id, text, tuple(passages))


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """Read the records that have a title or an abstract, as a stream.

    If there is no title in English, the title in the article's own language (TT) is used.
    """
    source = display_name(path)
    fields: dict[str, str] = {}
    tag, begin = "", 0

    def finish() -> Iterator[Document]:
        titles = [fields.get(name, "") for name in ("TI", "TT", "BTI")]
        title = next((t for t in titles if t and not NO_TITLE.fullmatch(t)), "")
        abstract = fields.get("AB", "")
        title = title if title or abstract else next(filter(None, titles), "")
        try:
            if title or abstract:
                check_utf8(title + abstract, source, begin)
                yield titled(fields.get("PMID", str(begin)), title, abstract)
            elif fields:
                found = f"the record {fields.get('PMID', '?')} without a title or an abstract"
                raise_or_report(
                    InputError(source, begin, found, "a field TI or AB"), on_problem, fatal=False
                )
        except InputError as error:
            raise_or_report(error, on_problem)
        except ValueError as error:
            raise_or_report(InputError(source, begin, str(error), "a MEDLINE record"), on_problem)

    for number, line in numbered_lines(path, "surrogateescape"):
        match = _FIELD.match(line)
        if match:
            tag = match[1]
            if tag == "PMID":
                yield from finish()
                fields, begin = {}, number
            if tag in fields:
                fields[tag] += " " + match[2].strip()
            else:
                fields[tag] = match[2].strip()
        elif line.startswith("      ") and tag:
            fields[tag] = (fields[tag] + " " + line.strip()).strip()
        elif line.strip():
            problem = InputError(
                source,
                number,
                f"the line {line[:60]!r}",
                "TAG - value, or six spaces and the rest of a value",
            )
            raise_or_report(problem, on_problem)
    yield from finish()
