"""CoNLL files: a token on each line with its tag in the last column, and blank lines.

Tags are those of IOB1, IOB2, IOBES or BILOU, with a type behind a hyphen or without one. A file has
no original text, so tokens are joined by spaces, and sentences by line breaks. Documents begin at
lines such as ``-DOCSTART-``, ``# doc_id = 1`` or ``###MEDLINE:1``. If a file does not begin with
such a line, nothing says where its documents begin, and each sentence is a document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from biolink.documents import Document, Mention, Passage
from biolink.errors import InputError
from biolink.formats.problems import LeftOut, OnProblem, check_utf8, raise_or_report
from biolink.kb.files import display_name, numbered_lines

LABEL = "CoNLL, a token and its IOB tag on each line"
SUFFIXES = (".conll", ".iob", ".iob2", ".bio")

_TAG = re.compile(r"(?P<mark>[BIESLU])(?:[-_](?P<type>\S+))?|O")
_BEGINS_DOCUMENT = re.compile(
    r"-DOCSTART-(?:\s*\(?(?P<start>[^\s()]+)\)?)?(?:\s.*)?"
    r"|#\s*(?:new)?doc(?:ument)?(?:_?id)?\s*[=:]?\s*(?P<named>.+)|###\s*(?P<medline>\S.*)",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"#\s*\w+\s*[=:]|#\s*$")
#: The tokens that a file must begin with to be recognised.
_SURE = 3

#: The tokens of a sentence as (line, token, mark, type); the mark of O is "".
Tokens = list[tuple[int, str, str, str]]


def sniff(path: str | Path, head: str) -> bool:
    lines = [line for line in head.split("\n")[: -1 if len(head) > 2000 else None] if line.strip()]
    rows = [line.split() for line in lines if not _is_mark(line)]
    marks = {row[-1][:1] for row in rows}
    return (
        len(rows) >= _SURE
        and all(len(row) > 1 and _TAG.fullmatch(row[-1]) for row in rows)
        and len({len(row) for row in rows}) == 1
        and ("O" in marks or len(marks) > 1)
    )


def _is_mark(line: str) -> bool:
    return bool(_BEGINS_DOCUMENT.fullmatch(line.strip()) or _COMMENT.match(line))


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """Read documents as a stream; each is named by its mark, or by the number of its first line."""
    source = display_name(path)
    left_out = LeftOut(source)
    doc_id: str | None = None
    sentences: list[Tokens] = []
    for number, mark, tokens in _sentences(path, source, on_problem, left_out):
        if mark is not None or doc_id is None:
            if sentences:
                yield _document(doc_id, sentences)
                sentences = []
            doc_id = mark
        if tokens:
            sentences.append(tokens)
            if doc_id is None:
                yield _document(str(number), sentences)
                sentences = []
    if sentences:
        yield _document(doc_id, sentences)
    left_out.warn()


def _sentences(
    path: str | Path, source: str, on_problem: OnProblem, left_out: LeftOut
) -> Iterator[tuple[int, str | None, Tokens]]:
    """Yield each sentence as (first line, None, tokens), and each mark as (line, id, [])."""
    tokens: Tokens = []
    for number, line in numbered_lines(path, "surrogateescape"):
        try:
            check_utf8(line, source, number)
            mark = _BEGINS_DOCUMENT.fullmatch(line.strip())
            if mark or not line.strip():
                if tokens:
                    yield tokens[0][0], None, tokens
                    tokens = []
                if mark:
                    name = mark["start"] or mark["named"] or mark["medline"] or ""
                    # CoNLL 2003 has columns of no meaning behind the mark.
                    named = name.strip() if name not in ("-X-", "O") else ""
                    yield number, named or str(number), []
            elif _COMMENT.match(line) and len(line.split("\t")) == 1:
                left_out.add("lines of comments")
            else:
                tokens.append(_token(line, number, source, left_out))
        except InputError as error:
            raise_or_report(error, on_problem)
    if tokens:
        yield tokens[0][0], None, tokens


def _token(line: str, number: int, source: str, left_out: LeftOut) -> tuple[int, str, str, str]:
    cells = line.split("\t") if "\t" in line else line.split()
    tag = _TAG.fullmatch(cells[-1].strip())
    if len(cells) < 2 or tag is None or not cells[0].strip():
        expected = "a token and a tag such as B-Disease, I-Disease or O"
        raise InputError(source, number, f"the line {line[:60]!r}", expected)
    for _ in cells[1:-1]:
        left_out.add("columns between the token and its tag")
    return number, cells[0].strip(), tag["mark"] or "", tag["type"] or ""


def _document(doc_id: str | None, sentences: list[Tokens]) -> Document:
    text = ""
    passages: list[Passage] = []
    mentions: list[Mention] = []
    for tokens in sentences:
        begin = len(text) + 1 if passages else 0
        text += "\n" if passages else ""
        spans: list[tuple[int, int, str]] = []
        before = ("", "")
        for place, (_, token, mark, kind) in enumerate(tokens):
            start = len(text) + (1 if place else 0)
            text += f" {token}" if place else token
            if mark:
                new = mark in "BSU" or before[0] in ("", "E", "L", "S", "U") or before[1] != kind
                spans.append((start if new else spans.pop()[0], len(text), kind))
            before = (mark, kind)
        passages.append(Passage(begin, len(text), "sentence"))
        mentions += [Mention(start, end, text[start:end], kind) for start, end, kind in spans]
    passages = passages if len(passages) > 1 else []
    return Document(doc_id or "", text, tuple(passages), tuple(mentions))
