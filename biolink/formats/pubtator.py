"""PubTator: ``id|t|title``, ``id|a|abstract``, tab-separated annotations, a blank line.

Offsets count characters of title + one character + abstract. A document that is not a title
followed by one passage is written whole into the title line, so its offsets stay. Line breaks and
tabs inside a text become spaces, one for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from biolink.documents import Document, Mention, Passage
from biolink.errors import InputError
from biolink.formats.align import align
from biolink.formats.ids import join_ids, split_ids
from biolink.formats.problems import OnProblem, raise_or_report
from biolink.kb.files import display_name, numbered_lines

LABEL = "PubTator"
SUFFIXES = (".pubtator",)

_TEXT = re.compile(r"^([^|\t]*)\|([ta])\|(.*)$", re.DOTALL)
# What ends a line for this format or for programs that read it line by line.
_BREAKS = re.compile(r"[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def sniff(path: str | Path, head: str) -> bool:
    return re.match(r"\s*[^|\t\n]*\|t\|", head) is not None


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """Stream documents; an annotation whose words do not stand at its offsets is realigned."""
    block: list[tuple[int, str]] = []
    for number, line in numbered_lines(path):
        if line.strip():
            block.append((number, line))
        elif block:
            yield from _document(block, display_name(path), on_problem)
            block = []
    if block:
        yield from _document(block, display_name(path), on_problem)


def _document(
    block: list[tuple[int, str]], source: str, on_problem: OnProblem
) -> Iterator[Document]:
    texts: dict[str, str] = {}
    doc_id = ""
    try:
        rows: list[tuple[int, list[str]]] = []
        relations: list[tuple[str, ...]] = []
        for number, line in block:
            match = _TEXT.match(line)
            if match and match[2] not in texts and not rows:
                if texts and match[1] != doc_id:
                    raise InputError(source, number, f"id {match[1]!r}", f"id {doc_id!r}")
                doc_id = match[1]
                texts[match[2]] = match[3]
                continue
            cells = line.split("\t")
            if not texts:
                raise InputError(source, number, repr(line[:60]), "id|t|title")
            if cells[0].strip() != doc_id.strip():
                raise InputError(source, number, f"id {cells[0][:40]!r}", f"id {doc_id!r}")
            if len(cells) >= 5 and cells[1].strip().isdigit() and cells[2].strip().isdigit():
                rows.append((number, cells))
            elif len(cells) in (4, 5) and not cells[1].strip().lstrip("-").isdigit():
                relations.append(tuple(cells[1:]))
            else:
                raise InputError(
                    source,
                    number,
                    repr(line[:60]),
                    "id, start, end, text, type and concept ids, separated by tabs",
                )
        if "t" not in texts:
            raise InputError(source, block[0][0], "no title", "id|t|title")
    except InputError as error:
        raise_or_report(error, on_problem)
        return
    title, abstract = texts["t"], texts.get("a", "")
    text = f"{title}\n{abstract}" if abstract else title
    passages = [Passage(0, len(title), "title")] if title else []
    if abstract:
        passages.append(Passage(len(title) + 1, len(text), "abstract"))
    mentions = []
    for number, cells in rows:
        start, end, words = int(cells[1]), int(cells[2]), cells[3]
        place = align(text, start, end, words)
        if place != (start, end):
            there = text[start:end]
            fate = "dropped" if place is None else f"moved to {place[0]}-{place[1]}"
            problem = InputError(
                source,
                number,
                f"annotation {start}-{end} says {words!r} but the text there is {there!r} ({fate})",
                "the same words",
            )
            raise_or_report(problem, on_problem, fatal=False)
        if place is None:
            continue
        ids, joiner = split_ids(cells[5] if len(cells) > 5 else "")
        mentions.append(
            Mention(
                *place,
                text[place[0] : place[1]],
                type=cells[4],
                concept_ids=ids,
                id_joiner=joiner,
                parts=tuple(cells[6].split("|")) if len(cells) > 6 and cells[6] else (),
            )
        )
    metadata = {"relations": relations} if relations else {}
    yield Document(doc_id, text, tuple(passages), tuple(mentions), metadata)


def write(documents: Iterable[Document], stream: IO[str]) -> None:
    """Write documents; linked mentions carry the best link's id, NIL is ``-1``."""
    for document in documents:
        text = _BREAKS.sub(" ", document.text)
        kinds = [passage.kind for passage in document.passages]
        title_end = document.passages[0].end if document.passages else 0
        # An abstract that begins with white space of its own would not come back.
        split = kinds[:1] == ["title"] and 0 < title_end < len(text) - 1
        split = split and text[title_end].isspace()
        title, abstract = (text[:title_end], text[title_end + 1 :]) if split else (text, "")
        doc_id = _BREAKS.sub(" ", document.id).replace("|", " ")
        stream.write(f"{doc_id}|t|{title}\n{doc_id}|a|{abstract}\n")
        for mention in document.mentions:
            words = text[mention.start : mention.end]
            row = [doc_id, str(mention.start), str(mention.end), words, mention.type, ids(mention)]
            if mention.parts:
                row.append("|".join(mention.parts))
            stream.write("\t".join(row) + "\n")
        for relation in document.metadata.get("relations", ()):
            stream.write("\t".join((doc_id, *relation)) + "\n")
        stream.write("\n")


def ids(mention: Mention, missing: str = "-1") -> str:
    """The id field of a mention: its best link where it was linked, else its gold ids."""
    if mention.links:
        return mention.links[0].concept_id
    if mention.nil_reason is not None:
        return missing
    return join_ids(mention.concept_ids, mention.id_joiner, missing)
