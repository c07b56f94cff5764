"""OBO flat files (https://owlcollab.github.io/oboformat/doc/obo-syntax.html); only terms are read.

The package pronto was tried first. It cannot read four of the nine OBO and OBO Graphs files that
were measured (``benchmarks/results/knowledge-bases.md``), each because of a line that this reader
does not need.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from biolink.errors import InputError
from biolink.kb.concept import Concept, Dropped, Record
from biolink.kb.files import display_name
from biolink.kb.problems import OnProblem, raise_or_report, readable_lines
from biolink.kb.readers.iris import curie_of

LABEL = "OBO"

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(\S*)')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "W": " "}


def sniff(path: str | Path, head: str) -> bool:
    return re.search(r"^format-version:|^\[Term\]\s*$", head, re.MULTILINE) is not None


def _plain(text: str) -> str:
    """Resolve the escapes of a text."""
    return _ESCAPE.sub(lambda m: _ESCAPES.get(m[1], m[1]), text)


def _value(text: str) -> str:
    """Return a value without its comment and qualifiers."""
    return _plain(re.split(r"(?<!\\)\s+[!{]", text, maxsplit=1)[0]).strip()


def read(
    path: str | Path,
    on_problem: OnProblem = None,
    scopes: str = "exact,related,broad,narrow",
    obsolete: bool = False,
) -> Iterator[Record]:
    """Stream the terms.

    Parameters
    ----------
    path
        The file.
    on_problem
        Called with the problem of each line or term that cannot be read, instead of raising it.
    scopes
        The scopes of the synonyms that are kept, separated by commas. Default: all four.
    obsolete
        Whether obsolete terms are kept. Default: False.

    Raises
    ------
    InputError
        If a line in a term is not ``tag: value``, or a term has no id.
    """
    kept = {scope.strip().upper() for scope in scopes.split(",")}
    source = display_name(path)
    namespace, begin = "", 0

    def term_of(lines: list[tuple[int, str, str]], begin: int) -> list[Record]:
        try:
            return list(_term(lines, begin, source, namespace, kept, obsolete))
        except InputError as error:
            raise_or_report(error, on_problem)
            return []

    term: list[tuple[int, str, str]] | None = None
    for number, line in readable_lines(path, on_problem):
        line = line.strip()
        if line.startswith("["):
            if term is not None:
                yield from term_of(term, begin)
            term = [] if line == "[Term]" else None
            begin = number
        elif begin == 0 and line.startswith("default-namespace:"):
            namespace = _value(line.partition(":")[2])
        elif term is not None and line and not line.startswith("!"):
            tag, colon, value = line.partition(":")
            if colon:
                term.append((number, tag.strip(), value.strip()))
            else:
                problem = InputError(source, number, f"the line {line[:60]!r}", "tag: value")
                raise_or_report(problem, on_problem)
    if term is not None:
        yield from term_of(term, begin)


def _term(
    lines: list[tuple[int, str, str]],
    begin: int,
    source: str,
    namespace: str,
    kept: set[str],
    obsolete: bool,
) -> Iterator[Record]:
    fields: dict[str, list[str]] = {}
    synonyms: dict[str, None] = {}
    definitions = []
    other_scopes = 0
    for number, tag, value in lines:
        if tag == "synonym" or tag.endswith("_synonym"):
            match = _QUOTED.match(value)
            if match is None:
                raise InputError(source, number, f"the synonym {value[:60]!r}", 'a "quoted" text')
            scope = match[2] if tag == "synonym" else tag.removesuffix("_synonym").upper()
            if (scope if scope in {"EXACT", "BROAD", "NARROW"} else "RELATED") in kept:
                synonyms[_plain(match[1])] = None
            else:
                other_scopes += 1
        elif tag == "def":
            match = _QUOTED.match(value)
            if match is None:
                raise InputError(
                    source, number, f"the definition {value[:60]!r}", 'a "quoted" text'
                )
            definitions.append(_plain(match[1]))
        else:
            fields.setdefault(tag, []).append(_value(value))
    term_id = fields.get("id", [""])[0]
    if not term_id:
        raise InputError(source, begin, "a term without an id", "a line id: ... below [Term]")
    if "true" in fields.get("is_obsolete", ()) and not obsolete:
        # If several terms replace it, or some are only suggestions, no replacement is recorded.
        new_ids = {*_replaced_by(fields)}
        yield Dropped("obsolete", term_id, replaced_by=new_ids.pop() if len(new_ids) == 1 else "")
        return
    name = fields.get("name", [""])[0]
    if other_scopes:
        yield Dropped("synonyms of other scopes", term_id, other_scopes)
    if not name and not synonyms:
        yield Dropped("without a name", term_id)
        return
    synonyms.pop(name, None)
    yield Concept(
        id=term_id,
        name=name,
        synonyms=tuple(synonyms),
        definitions=tuple(definitions),
        types=tuple(fields.get("namespace", [namespace] if namespace else [])),
        xrefs=tuple(dict.fromkeys(x.split(' "')[0].strip() for x in fields.get("xref", ()))),
        alternative_ids=tuple(fields.get("alt_id", ())),
        source=term_id.partition(":")[0],
        parents=tuple(dict.fromkeys(fields.get("is_a", ()))),
    )


def _replaced_by(fields: dict[str, list[str]]) -> Iterator[str]:
    """Yield the ids in ``replaced_by: MONDO:1`` and ``property_value: IAO:0100001 MONDO:1``."""
    for value in fields.get("replaced_by", ()):
        yield curie_of(value) or value
    for value in fields.get("property_value", ()):
        predicate, _, rest = value.partition(" ")
        if re.split(r"[/#]", predicate)[-1] in ("IAO:0100001", "IAO_0100001", "replaced_by"):
            new_id = rest.strip().strip('"').split('"')[0].split(" ")[0]
            if new_id:
                yield curie_of(new_id) or new_id
