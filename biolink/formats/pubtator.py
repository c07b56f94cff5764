r"""PubTator: ``id|t|title``, ``id|a|abstract``, tab-separated annotations, a blank line.

Offsets count the characters of the title, one character, and the abstract. If a document is not a
title followed by one passage, its whole text is written into the title line, so that its offsets
stay the same. Line breaks and tabs inside a text become spaces, one for one. In all other fields
they are written ``\t``, ``\n`` and so on, and a bar in a document's id or inside a concept id is
written ``\|``, so reading returns the same fields.

Files may lack the blank line between documents, or have one before the annotations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from biolink.documents import Document, Mention, Passage
from biolink.errors import InputError
from biolink.formats.align import align
from biolink.formats.ids import join_ids, split_bars, split_ids
from biolink.formats.metadata import (
    RELATION,
    metadata_left_out,
    relations_left_out,
    relations_of,
    says_nothing,
)
from biolink.formats.problems import (
    IdsSeen,
    OnProblem,
    check_utf8,
    raise_or_report,
    whole_number,
)
from biolink.kb.files import display_name, numbered_lines

LABEL = "PubTator"
SUFFIXES = (".pubtator",)

_TEXT = re.compile(r"^((?:[^|\t\\]|\\.)*)\|([ta])\|(.*)$", re.DOTALL)
# Characters that end a field or a line, in this format or in programs that read it line by line.
_BREAKS = re.compile(r"[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_ESCAPED = {
    character: f"\\u{ord(character):04x}" for character in "\v\f\x1c\x1d\x1e\x85\u2028\u2029"
}
_ESCAPED |= {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
_ESCAPE = re.compile(r"\\(?:[tnr|]|u[0-9a-f]{4}|\\)")
# What follows a carriage return that is meant as the end of a line.
_OTHER_BREAKS = re.compile(r"\r[^|\t\r]*(?:\|[ta]\||\t[0-9]+\t[0-9]+\t)")
_NUMBER = re.compile(r"\s*[0-9]+\s*")


def sniff(path: str | Path, head: str) -> bool:
    return re.match(r"\s*(?:[^|\t\n\\{]|\\.)*\|t\|", head) is not None


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """Read documents as a stream; an annotation whose words are not at its offsets is moved."""
    source = display_name(path)
    seen = IdsSeen(source, "ids in a sixth column", "the annotations have {} columns")
    block: list[tuple[int, str]] = []
    for number, line in numbered_lines(path, "surrogateescape"):
        if not line.strip():
            continue
        if block and _begins_document(line, block):
            yield from _document(block, source, on_problem, seen)
            block = []
        block.append((number, line))
    if block:
        yield from _document(block, source, on_problem, seen)
    seen.warn()


def _begins_document(line: str, block: list[tuple[int, str]]) -> bool:
    """Whether a line is the title of the next document after that of the block."""
    match = _TEXT.match(line)
    if match is None or match[2] != "t":
        return False
    before = _TEXT.match(block[0][1])
    # The abstract of a document may come before its title.
    return not (len(block) == 1 and before and before[1] == match[1] and before[2] == "a")


def _document(
    block: list[tuple[int, str]], source: str, on_problem: OnProblem, seen: IdsSeen
) -> Iterator[Document]:
    texts: dict[str, str] = {}
    doc_id = ""
    mentions: list[Mention] = []
    try:
        rows: list[tuple[int, list[str]]] = []
        relations: list[list[str]] = []
        for number, line in block:
            check_utf8(line, source, number)
            match = _TEXT.match(line)
            if match and match[2] not in texts and not rows:
                if texts:
                    _check_id(match[1], doc_id, source, number)
                if _OTHER_BREAKS.search(match[3]):
                    found = "lines that end in carriage returns only"
                    raise InputError(source, number, found, "line feeds")
                doc_id = match[1]
                texts[match[2]] = match[3]
                continue
            cells = line.split("\t")
            if not texts:
                raise InputError(source, number, f"the line {line[:60]!r}", "id|t|title")
            _check_id(cells[0].strip(), doc_id.strip(), source, number)
            if len(cells) >= 5 and _NUMBER.fullmatch(cells[1]) and _NUMBER.fullmatch(cells[2]):
                rows.append((number, cells))
            elif len(cells) in (4, 5) and _is_relation(cells):
                relations.append([_unescaped(cell) for cell in cells[1:]])
            else:
                raise InputError(
                    source,
                    number,
                    f"the line {line[:60]!r}",
                    "id, start, end, text, type and concept ids, separated by tabs",
                )
        if "t" not in texts:
            raise InputError(source, block[0][0], "a document without a title", "id|t|title")
        title, abstract = texts["t"], texts.get("a", "")
        text = f"{title}\n{abstract}" if abstract else title
        passages = [Passage(0, len(title), "title")] if title else []
        if abstract:
            passages.append(Passage(len(title) + 1, len(text), "abstract"))
        for number, cells in rows:
            mention = _mention(cells, text, source, number, on_problem)
            if len(cells) > 7:
                seen.left_out.add("columns of annotations after the seventh")
            if mention is not None:
                seen.add(len(cells) > 5, (str(len(cells)),))
                mentions.append(mention)
        metadata = {"relations": relations} if relations else {}
        document = Document(_unescaped(doc_id), text, tuple(passages), tuple(mentions), metadata)
    except InputError as error:
        raise_or_report(error, on_problem)
        return
    except ValueError as error:
        problem = InputError(source, block[0][0], str(error), "a PubTator document")
        raise_or_report(problem, on_problem)
        return
    yield document


def _check_id(written: str, doc_id: str, source: str, number: int) -> None:
    if written != doc_id:
        found, expected = f"the document id {written[:40]!r}", f"{doc_id!r}, as above"
        raise InputError(source, number, found, expected)


def _is_relation(cells: list[str]) -> bool:
    """Whether the cells are a relation (``id CID D1 D2``): the second is a word, not an offset."""
    first = cells[1].strip()
    odd = re.fullmatch(r"(?i)[+-]?(nan|inf|infinity|true|false|none|null)", first)
    return first[:1].isalpha() and first[:1].isascii() and odd is None


def _mention(
    cells: list[str], text: str, source: str, number: int, on_problem: OnProblem
) -> Mention | None:
    try:
        start, end = whole_number(cells[1]), whole_number(cells[2])
    except ValueError as error:
        raise InputError(
            source, number, str(error), "two whole numbers, the start and end of the annotation"
        ) from None
    words = cells[3]
    span = align(text, start, end, words)
    if span != (start, end):
        there = text[start:end]
        fate = "dropped" if span is None else f"moved to {span[0]}-{span[1]}"
        problem = InputError(
            source,
            number,
            f"the annotation {start}-{end} has the words {words[:80]!r}, the text there is "
            f"{there[:80]!r} ({fate})",
            "the same words",
        )
        raise_or_report(problem, on_problem, fatal=False)
    if span is None:
        return None
    ids, joiner = split_ids(cells[5] if len(cells) > 5 else "")
    return Mention(
        *span,
        text[span[0] : span[1]],
        type=_unescaped(cells[4]),
        concept_ids=tuple(map(_unescaped, ids)),
        id_joiner=joiner,
        parts=tuple(map(_unescaped, split_bars(cells[6]))) if len(cells) > 6 and cells[6] else (),
    )


def _escaped(field: str, bars: bool = False) -> str:
    if _ESCAPE.search(field) or _BREAKS.search(field) or (bars and re.search(r"\||\\$", field)):
        field = field.replace("\\", "\\\\")
        field = _BREAKS.sub(lambda m: _ESCAPED[m[0]], field)
    return field.replace("|", "\\|") if bars else field


def _unescaped(field: str) -> str:
    def plain(match: re.Match[str]) -> str:
        code = match[0][1]
        if code == "u":
            return chr(int(match[0][2:], 16))
        return {"t": "\t", "n": "\n", "r": "\r"}.get(code, code)

    return _ESCAPE.sub(plain, field) if "\\" in field else field


def left_out(document: Document) -> Iterator[str]:
    yield from metadata_left_out(document, ("relations",))
    yield from relations_left_out(document)
    for mention in document.mentions:
        yield from ("assertions of mentions" for _ in mention.assertions)
    for relation in relations_of(document):
        if not _cells(relation):
            yield "relations without the ids of two concepts"
        else:
            yield from _beside_cells(relation)


def write(documents: Iterable[Document], stream: IO[str], on_problem: OnProblem = None) -> None:
    """Write documents; a linked mention has the id of its best link, and NIL is ``-1``."""
    for document in documents:
        text = _BREAKS.sub(" ", document.text)
        kinds = [passage.kind for passage in document.passages]
        title_end = document.passages[0].end if document.passages else 0
        # The title is split off only if one white space follows it, so reading gives the same text.
        split = kinds[:1] == ["title"] and 0 < title_end < len(text) - 1
        split = split and text[title_end].isspace()
        title, abstract = (text[:title_end], text[title_end + 1 :]) if split else (text, "")
        doc_id = _escaped(document.id, bars=True)
        stream.write(f"{doc_id}|t|{title}\n{doc_id}|a|{abstract}\n")
        for mention in document.mentions:
            words = text[mention.start : mention.end]
            row = [doc_id, str(mention.start), str(mention.end), words]
            row += [_escaped(mention.type), ids(mention, escape=True)]
            if mention.parts:
                row.append("|".join(_escaped(part, bars=True) for part in mention.parts))
            stream.write("\t".join(row) + "\n")
        for cells in filter(None, map(_cells, relations_of(document))):
            stream.write("\t".join((doc_id, *map(_escaped, cells))) + "\n")
        stream.write("\n")


def ids(mention: Mention, missing: str = "-1", escape: bool = False) -> str:
    """Return the id field of a mention: the id of its best link, or its gold ids."""
    concept_ids, joiner = mention.concept_ids, mention.id_joiner
    if mention.links:
        concept_ids, joiner = (mention.links[0].concept_id,), "|"
    elif mention.nil_reason is not None:
        return missing
    if escape:
        concept_ids = tuple(map(_escaped, concept_ids))
    return join_ids(concept_ids, joiner, missing)


def _beside_cells(relation: dict[str, Any]) -> Iterator[str]:
    """Yield a phrase for each value of a relation that is not one of its cells."""
    for key, value in relation.items():
        if key != "infons" and not says_nothing(value):
            yield f"the key {str(key)[:40]!r} of relations"
    for key in relation["infons"]:
        if key not in RELATION:
            yield f"the infon {str(key)[:40]!r} of relations"


def _cells(relation: dict[str, Any]) -> list[str]:
    """The cells of a relation, or none if the format cannot hold it."""
    infons = relation.get("infons")
    infons = infons if isinstance(infons, dict) else {}
    keys = RELATION if RELATION[-1] in infons else RELATION[:-1]
    cells = [cell for cell in map(infons.get, keys) if isinstance(cell, str)]
    return cells if len(cells) == len(keys) and _is_relation(["", *cells]) else []
