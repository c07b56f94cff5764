r"""BRAT's stand-off: ``NAME.txt`` with the text and ``NAME.ann`` with the annotations beside it.

Reading is given the file ``.ann``. Writing makes a folder with two files for each document, and
``annotation.conf`` with the types. In a folder of annotated texts, a text is read with its
annotations and not for itself.

A mention's ids are its normalisations (``N1\tReference T1 mesh:D001249\tAsthma``). What biolink
says of a link beside its id is a note (``#1\tAnnotatorNotes T1\tbiolink: probability 0.98``). A
mention over several lines is written in pieces, one for each line, as BRAT demands; reading joins
them again. An id of a document is the name of its files, with ``%2F`` and the like for characters
that a name cannot have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from biolink.assertion import ASSERTIONS
from biolink.documents import Document, Mention
from biolink.errors import InputError
from biolink.formats.bioc_common import from_entry
from biolink.formats.metadata import metadata_left_out, relations_left_out, relations_of
from biolink.formats.problems import (
    RECORD_ERRORS,
    IdsSeen,
    OnProblem,
    check_utf8,
    described,
    raise_or_report,
    whole_number,
)
from biolink.kb.files import (
    STDIO,
    display_name,
    foreign_names,
    numbered_lines,
    open_text,
    stem_suffixes,
)

LABEL = "BRAT stand-off (.ann beside .txt); a folder is written"
SUFFIXES = (".ann", ".brat")
#: What :func:`write_folder` writes, for messages.
FOLDER = "a folder of BRAT files that biolink wrote"
_CONF = "annotation.conf"
#: The first line of ``annotation.conf``, by which a folder is known as biolink's.
_SIGN = "# written by biolink\n"

_LINE = re.compile(r"[TREAMN#*]\S*\t")
_NOTE = "biolink: "
#: The database of an id without a prefix; BRAT needs one.
_NO_DATABASE = "ID:"
#: Line breaks in BRAT, which reads files line by line.
_BREAK = re.compile(r"[\r\n]+")
_LEFT_OUT = {
    "E": "events",
    "A": "attributes",
    "M": "attributes",
    "*": "equivalences",
    "#": "notes",
}
_UNFIT = re.compile(r"[^A-Za-z0-9_-]")


def sniff(path: str | Path, head: str) -> bool:
    lines = [line for line in head.split("\n")[:20] if line.strip()]
    return ".ann" in stem_suffixes(path) and all(_LINE.match(line) for line in lines)


@dataclass(slots=True)
class _Annotations:
    """The lines of a file: text-bound annotations by id, with their ids of concepts."""

    entities: dict[str, dict[str, Any]] = field(default_factory=dict)
    ids: dict[str, list[str]] = field(default_factory=dict)
    relations: list[dict[str, Any]] = field(default_factory=list)
    assertions: dict[str, list[str]] = field(default_factory=dict)


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Document]:
    """Read the document of a file of annotations; its text is in the file ``.txt`` beside it."""
    source = display_name(path)
    if str(path) == STDIO:
        raise InputError(source, None, "a stream", "a file .ann with a file .txt beside it")
    beside = text_beside(Path(path))
    if beside is None:
        raise InputError(source, None, "no file .txt beside it", "the text of the annotations")
    with open_text(beside) as stream:
        text = stream.read()
    seen = IdsSeen(source, "normalisations (lines N1, N2, ...)", "there are {}")
    read_lines = _Annotations()
    for number, line in numbered_lines(path, "surrogateescape"):
        try:
            if line.strip():
                check_utf8(line, source, number)
                _line(line, read_lines, seen)
        except InputError as error:
            raise_or_report(error, on_problem)
        except RECORD_ERRORS as error:
            expected = "a line such as T1, a tab, the type with two offsets, a tab and the words"
            problem = InputError(source, number, f"{line[:60]!r} ({described(error)})", expected)
            raise_or_report(problem, on_problem)
    for name in read_lines.ids.keys() - read_lines.entities.keys():
        for _ in read_lines.ids[name]:
            seen.left_out.add("normalisations of what is no text-bound annotation")
    annotations = [
        entity | {"infons": _infons(name, entity["type"], read_lines)}
        for name, entity in read_lines.entities.items()
    ]
    for entity in annotations:
        entity["locations"] = _joined(entity["spans"], text)
    entry = {
        "id": unquote(beside.name.removesuffix(".gz").removesuffix(".xz").removesuffix(".txt")),
        "passages": [{"offset": 0, "text": text, "annotations": annotations}],
        "relations": read_lines.relations,
    }
    try:
        document = from_entry(entry, source, on_problem, seen)
    except RECORD_ERRORS as error:
        problem = InputError(source, None, described(error), "annotations that fit the text")
        raise_or_report(problem, on_problem)
    else:
        yield document
    # A folder may have thousands of files without ids, so their lack is no reason for a warning.
    seen.left_out.warn()


def _infons(name: str, kind: str, lines: _Annotations) -> dict[str, Any]:
    """What is said of an annotation, as the infons of BioC."""
    assertions = lines.assertions.get(name)
    infons = {"type": kind, "identifier": lines.ids.get(name, [])}
    return infons | ({"assertion": "|".join(assertions)} if assertions else {})


def text_beside(file: Path) -> Path | None:
    """Return the file with the text of a file of annotations, or None where there is none."""
    match = re.fullmatch(r"(.*)\.ann(\.gz|\.xz)?", file.name, re.IGNORECASE | re.DOTALL)
    names = [f"{match[1]}.txt{end}" for end in ("", ".gz", ".xz")] if match else []
    return next((file.with_name(n) for n in names if file.with_name(n).is_file()), None)


def without_texts(files: Sequence[Path]) -> list[Path]:
    """Return the files without the texts of annotated documents, and without BRAT's settings."""
    annotations = {file: text_beside(file) for file in files if ".ann" in stem_suffixes(file)}
    texts = set(annotations.values())
    folders = {file.parent for file, text in annotations.items() if text is not None}
    return [
        file
        for file in files
        if file not in texts and not (file.suffix == ".conf" and file.parent in folders)
    ]


def _line(line: str, into: _Annotations, seen: IdsSeen) -> None:
    name, _, rest = line.partition("\t")
    if not name or not rest:
        raise ValueError("a line without a tab")
    if name[0] == "T":
        head, _, words = rest.partition("\t")
        kind, _, offsets = head.partition(" ")
        spans = [tuple(map(whole_number, piece.split(" "))) for piece in offsets.split(";")]
        if any(len(span) != 2 or span[0] >= span[1] for span in spans):
            raise ValueError("offsets that are no spans")
        if name in into.entities:
            raise ValueError(f"{name} a second time")
        into.entities[name] = {"id": name, "type": kind, "spans": spans, "text": words}
    elif name[0] == "N":
        head, _, _ = rest.partition("\t")
        _, of, written = head.split(" ", 2)
        into.ids.setdefault(of, []).append(written.strip().removeprefix(_NO_DATABASE))
    elif name[0] == "R":
        kind, *arguments = rest.split()
        nodes = [argument.partition(":") for argument in arguments]
        into.relations.append(
            {
                "id": name,
                "infons": {"type": kind},
                "nodes": [{"refid": of, "role": role} for role, _, of in nodes],
            }
        )
    elif name[0] in "AM" and rest.partition(" ")[0].lower() in ASSERTIONS and rest.count(" ") == 1:
        kind, _, of = rest.partition(" ")
        into.assertions.setdefault(of, []).append(kind.lower())
    elif name[0] not in _LEFT_OUT:
        raise ValueError(f"an annotation with the unknown id {name[:20]!r}")
    elif not (name[0] == "#" and rest.rpartition("\t")[2].startswith(_NOTE)):
        seen.left_out.add(_LEFT_OUT[name[0]])


def _joined(spans: list[tuple[int, int]], text: str) -> list[dict[str, int]]:
    """The locations of an annotation; pieces with only a line break between them are one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and _BREAK.fullmatch(text[joined[-1][1] : start]):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return [{"offset": start, "length": end - start} for start, end in joined]


def left_out(document: Document) -> Iterator[str]:
    yield from metadata_left_out(document, ("relations",))
    yield from relations_left_out(document)
    known = {mention.id for mention in document.mentions}
    for relation in relations_of(document):
        if not _arguments(relation, known):
            yield "relations that are not between mentions"
    for mention in document.mentions:
        if _UNFIT.search(mention.type):
            yield "characters of a type other than letters, digits, _ and -"
        if mention.parts:
            yield "the individual mentions of a composite one"
        if not _pieces(mention, document.text):
            yield "mentions of line breaks alone"
    if document.passages:
        yield "passages of a document"


def _arguments(relation: dict[str, Any], known: set[str]) -> list[tuple[str, str]]:
    """The arguments of a relation as (role, id); none if one of them is no mention."""
    nodes = relation.get("nodes")
    nodes = [node for node in nodes if isinstance(node, dict)] if isinstance(nodes, list) else []
    pairs = [
        (_name(str(node.get("role") or f"Arg{number}")), str(node.get("refid") or ""))
        for number, node in enumerate(nodes, 1)
    ]
    return pairs if len(pairs) > 1 and all(of and of in known for _, of in pairs) else []


def foreign(folder: Path) -> list[str]:
    """List the entries of a folder that biolink did not write: all, or none.

    Annotations made by hand are never replaced.
    """
    conf = folder / _CONF
    if conf.is_file() and conf.read_text(encoding="utf-8", errors="replace").startswith(_SIGN):
        return foreign_names(folder, ("*.ann", "*.txt", _CONF))
    return foreign_names(folder, ())


def write_folder(documents: Iterable[Document], folder: Path, on_problem: OnProblem = None) -> None:
    """Write two files for each document, and the types into ``annotation.conf``.

    A document whose id another one has, or is too long for the name of a file, is a problem.
    """
    types: dict[str, None] = {}
    relations: dict[str, None] = {}
    written: set[str] = set()
    for number, document in enumerate(documents, 1):
        name = quote(document.id, safe=" ,;=+@()[]") or str(number)
        name = name.replace(".", "%2E", 1) if name.startswith(".") else name
        if name.casefold() in written or len(name.encode()) > 200:
            what = "a second document" if name.casefold() in written else "the document"
            found = f"{what} {document.id[:60]!r}, which cannot be the name of another file"
            raise_or_report(
                InputError(LABEL, None, found, "ids that differ and are short"), on_problem
            )
            continue
        written.add(name.casefold())
        lines = list(_lines(document, types, relations))
        for suffix, content in ((".txt", document.text), (".ann", "".join(lines))):
            Path(folder, f"{name}{suffix}").write_text(content, encoding="utf-8", newline="")
    arguments = ", ".join(f"Arg{i}:<ENTITY>" for i in (1, 2))
    sections: dict[str, Iterable[str]] = {
        "entities": types,
        "relations": [f"{kind}\t{arguments}" for kind in relations],
        "events": [],
        "attributes": [f"{kind.capitalize()}\tArg:<ENTITY>" for kind in ASSERTIONS],
    }
    conf = "".join(f"[{name}]\n" + "".join(f"{t}\n" for t in of) for name, of in sections.items())
    Path(folder, _CONF).write_text(_SIGN + conf, encoding="utf-8", newline="")


def _lines(document: Document, types: dict[str, None], relations: dict[str, None]) -> Iterator[str]:
    """The lines of a file ``.ann``."""
    ids: dict[str, str] = {}
    numbers = {"N": 0, "A": 0, "#": 0, "R": 0}

    def line(letter: str, *fields: str) -> str:
        numbers[letter] += 1
        return "\t".join((f"{letter}{numbers[letter]}", *fields)) + "\n"

    taken = {m.id for m in document.mentions if re.fullmatch(r"T[0-9]+", m.id)}
    free = (f"T{number}" for number in range(1, 10**9) if f"T{number}" not in taken)
    for mention in document.mentions:
        pieces = _pieces(mention, document.text)
        if not pieces:
            continue
        of = mention.id if mention.id in taken else next(free)
        taken.discard(mention.id)
        ids.setdefault(mention.id, of)
        kind = _name(mention.type) or "Entity"
        types[kind] = None
        offsets = ";".join(f"{a} {b}" for a, b in pieces)
        words = " ".join(document.text[a:b] for a, b in pieces)
        yield f"{of}\t{kind} {offsets}\t{words}\n"
        for written, name in _concepts(mention):
            yield line("N", f"Reference {of} {written}", name)
        for assertion in mention.assertions:
            yield line("A", f"{assertion.capitalize()} {of}")
        note = _note(mention)
        if note:
            yield line("#", f"AnnotatorNotes {of}", _NOTE + note)
    for relation in relations_of(document):
        arguments = _arguments(relation, set(ids))
        infons = relation.get("infons")
        kind = _name(str(infons.get("type") or "")) if isinstance(infons, dict) else ""
        if arguments:
            relations[kind or "Relation"] = None
            yield line(
                "R", " ".join([kind or "Relation", *(f"{r}:{ids[t]}" for r, t in arguments)])
            )


def _pieces(mention: Mention, text: str) -> list[tuple[int, int]]:
    """The spans of a mention without line breaks."""
    pieces = []
    for start, end in mention.spans or ((mention.start, mention.end),):
        for found in re.finditer(r"[^\r\n]+", text[start:end]):
            pieces.append((start + found.start(), start + found.end()))
    return pieces


def _name(written: str) -> str:
    return _UNFIT.sub("_", written)


def _concepts(mention: Mention) -> Iterator[tuple[str, str]]:
    """The ids of a mention, each with its name: that of its best link, or its gold ids."""
    best = mention.best
    if best is not None:
        concepts = [(best.curie or best.concept_id, best.preferred_name or best.name)]
    else:
        concepts = [(concept_id, "") for concept_id in mention.concept_ids]
        concepts = [] if mention.nil_reason is not None else concepts
    for concept_id, name in concepts:
        flat = re.sub(r"\s", " ", concept_id)
        yield flat if ":" in flat else _NO_DATABASE + flat, re.sub(r"\s", " ", name)


def _note(mention: Mention) -> str:
    best = mention.best
    if best is not None:
        return f"probability {best.probability:.3g}, name {' '.join(best.name.split())}"
    return "" if mention.nil_reason is None else f"NIL, {' '.join(mention.nil_reason.split())}"
