"""BioC JSON as PubTator 3 gives it: a collection, ``{"PubTator3": [...]}``, or lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from bioc.biocjson.decoder import parse_doc
from bioc.biocjson.encoder import BioCJSONEncoder

from biolink.documents import Document
from biolink.errors import InputError
from biolink.formats.bioc_common import from_bioc, to_bioc
from biolink.formats.problems import OnProblem, raise_or_report
from biolink.kb.files import display_name, numbered_lines

LABEL = "BioC JSON (PubTator 3)"
SUFFIXES = (".json",)


def sniff(path: str | Path, head: str) -> bool:
    return (
        re.match(r"\s*[\[{]", head) is not None
        and re.search(r'"(PubTator3|documents|passages)"\s*:\s*\[', head) is not None
        and re.search(r'"bioctype"|"infons"|"PubTator3"|"documents"|"annotations"', head)
        is not None
    )


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """Stream documents; a file with a document per line is never held whole."""
    source = display_name(path)
    lines = numbered_lines(path)
    whole: list[str] = []
    for number, line in lines:
        if not line.strip():
            continue
        if not whole:
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                whole.append(line)
                continue
            yield from _records(record, source, number, on_problem)
        else:
            whole.append(line)
    if whole:
        try:
            record = json.loads("\n".join(whole))
        except json.JSONDecodeError as error:
            problem = InputError(source, error.lineno, error.msg, "BioC JSON")
            raise_or_report(problem, on_problem)
            return
        yield from _records(record, source, None, on_problem)


def _records(
    record: Any, source: str, line: int | None, on_problem: OnProblem
) -> Iterator[Document]:
    if isinstance(record, dict):
        found = record.get("documents", record.get("PubTator3", [record]))
    else:
        found = record
    for number, entry in enumerate(found if isinstance(found, list) else [found], 1):
        try:
            yield from_bioc(parse_doc(_complete(entry)), source, on_problem)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            what = f"document {number} cannot be read ({type(error).__name__}: {error})"
            raise_or_report(InputError(source, line, what, "a BioC document"), on_problem)


def _complete(entry: dict[str, Any]) -> dict[str, Any]:
    """The document with the empty lists that the bioc package insists on."""
    passages = [
        {"infons": {}, "sentences": [], "annotations": [], "relations": [], **passage}
        for passage in entry["passages"]
    ]
    for passage in passages:
        passage["relations"] = []
        passage["annotations"] = [_plain(a) for a in passage["annotations"]]
        passage["sentences"] = [
            {
                "infons": {},
                **sentence,
                "relations": [],
                "annotations": [_plain(a) for a in sentence.get("annotations", ())],
            }
            for sentence in passage["sentences"]
        ]
    return {"infons": {}, **entry, "id": str(entry["id"]), "passages": passages, "relations": []}


def _plain(annotation: dict[str, Any]) -> dict[str, Any]:
    infons = {k: "" if v is None else str(v) for k, v in annotation.get("infons", {}).items()}
    return {"id": "", "text": "", **annotation, "infons": infons}


def write(documents: Iterable[Document], stream: IO[str]) -> None:
    """A collection, a document a line."""
    stream.write('{"source": "biolink", "date": "", "key": "biolink.key", "infons": {},\n')
    stream.write('"documents": [')
    for number, document in enumerate(documents):
        record = json.dumps(to_bioc(document), cls=BioCJSONEncoder, ensure_ascii=False)
        stream.write(("," if number else "") + "\n" + record)
    stream.write("\n]}\n")
