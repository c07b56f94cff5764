"""Europe PMC's JSON: records with title and abstract, or annotations of articles.

A search (``resultType=core``) gives records, of which titles and abstracts are read. The service
for annotations gives neither texts nor offsets, only the words of each annotation and a few words
around them. Each annotation makes a passage of its own of these, so the document is no running
text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from biolink.documents import Document, Mention, Passage
from biolink.errors import InputError
from biolink.formats.json_files import json_values
from biolink.formats.medline import titled
from biolink.formats.problems import (
    RECORD_ERRORS,
    IdsSeen,
    OnProblem,
    described,
    raise_or_report,
)
from biolink.kb.files import display_name
from biolink.kb.wording import json_kind

LABEL = "Europe PMC JSON (records, or annotations)"
SUFFIXES = ()

_EXPECTED = "a record with title or abstractText, or an article with a list of annotations"
_HEADING = re.compile(r"<(?:h4|title)>\s*([^<]*?)\s*:?\s*</(?:h4|title)>")
_MARKUP = re.compile(r"</?(?:h\d|title|p|br|div|span|i|b|u|em|strong|sub|sup|sc|a)\b[^<>]*>", re.I)
_ADDRESS = re.compile(
    r"https?://(?:www\.)?(?:identifiers\.org/(?P<known>[\w.]+)[:/](?P<local>[^/\s]+)"
    r"|purl\.obolibrary\.org/obo/(?P<prefix>[A-Za-z]+)_(?P<id>[^/\s]+))"
)
#: Keys of an annotation that are used, or that only describe it.
_KNOWN = ("exact", "prefix", "postfix", "tags", "type", "section", "id", "provider")


def sniff(path: str | Path, head: str) -> bool:
    if re.match(r"\s*[\[{]", head) is None:
        return False
    annotations = '"extId"' in head and re.search(r'"annotations"\s*:\s*\[', head) is not None
    return annotations or re.search(r'"resultList"\s*:\s*\{', head) is not None


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """Read the records or articles of a file, which may be an answer on each line."""
    source = display_name(path)
    seen = IdsSeen(source, 'addresses in "tags"', "they have {}")
    number = 0
    for line, value in json_values(path, "Europe PMC's JSON", on_problem, _is_record):
        for record in _records(value):
            number += 1
            try:
                document = _document(record, seen)
                if document is None:
                    found = f"the record {record.get('id', '?')!r} without a title or an abstract"
                    problem = InputError(source, line, found, "title or abstractText")
                    raise_or_report(problem, on_problem, fatal=False)
                else:
                    yield document
            except RECORD_ERRORS as error:
                found = f"record {number} cannot be read: {described(error)}"
                raise_or_report(InputError(source, line, found, _EXPECTED), on_problem)
    seen.warn()


def _is_record(value: Any) -> bool:
    return isinstance(value, dict) and ("annotations" in value or "title" in value)


def _records(value: Any) -> list[Any]:
    if isinstance(value, dict) and isinstance(value.get("resultList"), dict):
        value = value["resultList"].get("result", [])
    return value if isinstance(value, list) else [value]


def _document(record: Any, seen: IdsSeen) -> Document | None:
    if not isinstance(record, dict):
        raise TypeError(f"the record is {json_kind(record)}, not an object")
    if "annotations" in record:
        return _annotated(record, seen)
    title, abstract = (_plain(record, key) for key in ("title", "abstractText"))
    return titled(_id(record), title, abstract) if title or abstract else None


def _id(record: dict[str, Any]) -> str:
    """The id of a record: that of PubMed, or else that of its source."""
    return next((str(record[k]) for k in ("pmid", "extId", "id", "pmcid") if record.get(k)), "")


def _plain(record: dict[str, Any], key: str) -> str:
    """A text without markup; a heading of an abstract is followed by a colon."""
    text = record.get(key)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise TypeError(f'"{key}" is {json_kind(text)}, not a string')
    text = _HEADING.sub(r" \1: ", text)
    text = re.sub(r"</?(?:p|br|div)\b[^<>]*>", " ", text)
    return " ".join(html.unescape(_MARKUP.sub("", text)).split())


def _annotated(record: dict[str, Any], seen: IdsSeen) -> Document:
    text, passages, mentions = "", [], []
    for annotation in record["annotations"]:
        before, words, after = (annotation.get(k) or "" for k in ("prefix", "exact", "postfix"))
        if not words:
            raise ValueError('an annotation without "exact"')
        begin = len(text) + 1 if text else 0
        text += ("\n" if text else "") + before + words + after
        passages.append(Passage(begin, len(text), _section(annotation)))
        start = begin + len(before)
        ids = tuple(dict.fromkeys(_curie(tag["uri"]) for tag in annotation.get("tags") or ()))
        seen.add(bool(ids), annotation)
        for key in annotation.keys() - {*_KNOWN}:
            seen.left_out.add(f"the key {key[:40]!r} of annotations")
        kind, written = annotation.get("type") or "", annotation.get("id") or ""
        mentions.append(Mention(start, start + len(words), words, kind, ids, id=written))
    for key in record.keys() - {"annotations", "extId", "source", "pmcid"}:
        seen.left_out.add(f"the key {key[:40]!r} of articles")
    metadata = {key: record[key] for key in ("source", "pmcid") if record.get(key)}
    return Document(_id(record), text, tuple(passages), tuple(mentions), metadata)


def _section(annotation: dict[str, Any]) -> str:
    """The section, of which some answers give an address as well: "Abstract (http://...)"."""
    return str(annotation.get("section") or "").partition(" (http")[0]


def _curie(address: str) -> str:
    """The CURIE of an address, or the address where it has no known form.

    >>> _curie("http://purl.obolibrary.org/obo/GO_0005634"), _curie("http://x.org/1")
    ('GO:0005634', 'http://x.org/1')
    >>> _curie("https://identifiers.org/taxonomy/9606"), _curie("http://identifiers.org/GO:1")
    ('taxonomy:9606', 'GO:1')
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return address
    return f"{match['known'] or match['prefix']}:{match['local'] or match['id']}"
