"""Records of XML files, read one at a time; the others are read even if one is damaged."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from lxml import etree

from biolink.errors import InputError
from biolink.formats.problems import OnProblem, raise_or_report
from biolink.kb.files import STDIO, display_name, open_binary

__all__ = ["records", "root_of", "text_of"]

_CHUNK = 1 << 20


def root_of(head: str) -> str:
    """Return the name of the outermost element, or "" if a text does not begin as XML does.

    >>> root_of("<?xml version='1.0'?><!DOCTYPE c SYSTEM 'c.dtd'><c a='1'>"), root_of("a < b")
    ('c', '')
    """
    match = re.match(
        r"\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*|<!DOCTYPE(?:[^>\[]|\[.*?\]\s*(?=>))*>\s*)*"
        r"<([A-Za-z_][\w.:-]*)(?=[\s/>])",
        head,
        re.DOTALL,
    )
    return match[1] if match else ""


def text_of(element: etree._Element | None) -> str:
    """The text of an element and of those in it, without comments; "" if it is None.

    Raises
    ------
    ValueError
        If the text has a reference to an entity. Entities of documents are not resolved, because
        they may be files or grow without limit.
    """
    if element is None:
        return ""
    entity = next(element.iter(etree.Entity), None)
    if entity is not None:
        raise ValueError(f"the text has the entity {entity.text[:40]}, which is not resolved")
    return str(element.xpath("string()"))


def records(
    path: str | Path, tags: Sequence[str], label: str, on_problem: OnProblem
) -> Iterator[etree._Element]:
    """Yield the outermost elements with the given tags; memory holds one at a time.

    If the file is not well-formed and ``on_problem`` does not raise the problem, the records after
    the damage are found by their tags.

    Parameters
    ----------
    path
        The file.
    tags
        The tags of the records.
    label
        The name of the format in messages.
    on_problem
        Called with each problem in place of raising it.
    """
    source = display_name(path)
    done = 0
    try:
        with open_binary(path) as stream:
            if not stream.peek(1):  # type: ignore[attr-defined]
                return  # An empty file has no records, as in other formats.
            elements = etree.iterparse(
                stream, events=("end",), tag=tags, resolve_entities=False, huge_tree=True
            )
            for _, element in elements:
                if any(above.tag in tags for above in element.iterancestors()):
                    continue
                done += 1
                yield element
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
        return
    except etree.XMLSyntaxError as error:
        problem = InputError(source, error.lineno, error.msg, f"well-formed {label}")
        raise_or_report(problem, on_problem)
    if str(path) != STDIO:
        yield from _after_damage(path, tags, done, label, on_problem)


def _after_damage(
    path: str | Path, tags: Sequence[str], done: int, label: str, on_problem: OnProblem
) -> Iterator[etree._Element]:
    """The records after the first ``done``, each parsed separately."""
    for number, (line, data, encoding) in enumerate(_pieces(path, tags)):
        if number < done:
            continue
        parser = etree.XMLParser(resolve_entities=False, huge_tree=True, encoding=encoding)
        try:
            yield etree.fromstring(data, parser)
        except etree.XMLSyntaxError as error:
            if number > done:  # The problem of the first has been reported before.
                found = f"a record that is not well-formed ({error.msg})"
                raise_or_report(InputError(display_name(path), line, found, label), on_problem)


def _pieces(path: str | Path, tags: Sequence[str]) -> Iterator[tuple[int, bytes, str | None]]:
    """The text of each record with its tags, as (line, bytes, encoding)."""
    begins = re.compile(f"<({'|'.join(tags)})(?=[\\s>/])".encode())
    with open_binary(path) as stream:
        data = stream.read(_CHUNK)
        declared = re.match(rb"\s*<\?xml[^>]*encoding=[\"']([\w.-]+)", data)
        encoding = _known_encoding(declared[1].decode("ascii", "replace")) if declared else None
        line, at = 1, 0
        begin = None
        while True:
            if begin is None:
                begin = begins.search(data, at)
            end = None
            if begin is not None:
                end = re.compile(b"</" + begin[1] + rb"\s*>").search(data, begin.end())
            if begin is None or end is None:
                more = stream.read(_CHUNK)
                if not more:
                    if begin is not None:
                        yield (
                            line + data.count(b"\n", 0, begin.start()),
                            data[begin.start() :],
                            None,
                        )
                    return
                # A tag may begin in this chunk and end in the next.
                used = begin.start() if begin is not None else max(at, len(data) - 64)
                line += data.count(b"\n", 0, used)
                data, at, begin = data[used:] + more, 0, None
                continue
            another = re.compile(b"<" + begin[1] + rb"(?=[\s>/])").search(
                data, begin.end(), end.start()
            )
            stop = another.start() if another else end.end()
            yield (
                line + data.count(b"\n", 0, begin.start()),
                data[begin.start() : stop],
                encoding,
            )
            line += data.count(b"\n", 0, stop)
            data, at, begin = data[stop:], 0, None


def _known_encoding(encoding: str) -> str | None:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        return None
