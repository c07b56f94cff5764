"""What the page asks for beside the endpoints that others use: files, candidates, acts, exports.

Every mention comes with all of its candidates and with the reason why the linker's own policy makes
it NIL, so that the page can show what another threshold would do without asking again.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from biolink import __version__
from biolink.answers.choosing import Choice
from biolink.answers.concepts import bases_described
from biolink.answers.urls import url_of
from biolink.corrections.acts import act_from_dict
from biolink.corrections.files import write_corrections
from biolink.documents import Document, Mention
from biolink.errors import ConfigError, DocumentError, InputError
from biolink.formats import FormatInfo, describe, load, read, sniff_format, write
from biolink.infer.decide.nil import Likelier
from biolink.infer.decide.outcome import evidence
from biolink.kb.bases import KnowledgeBases
from biolink.kb.files import open_binary
from biolink.serve.bodies import JSON, documents_of_json, written
from biolink.serve.engine import Engine
from biolink.serve.limits import Limits, TooLarge
from biolink.serve.reviewing import Review, acted, viewed

__all__ = ["EXAMPLES", "page_router"]

#: The texts that the page offers.
EXAMPLES = Path(__file__).parent / "static" / "examples.json"
#: The number of candidates of a mention.
_CANDIDATES = 10
#: The name that messages have for a text that was not in a file.
_PASTED = "the text"


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Spot(_Asked):
    """A mention that somebody added, or whose span changed: its candidates are asked for."""

    text: str
    start: int
    end: int
    type: str = ""


class Changed(_Asked):
    """A document, the acts on it, and one more."""

    document: dict[str, Any]
    acts: list[dict[str, Any]]
    act: dict[str, Any]


class ToExport(_Asked):
    """Documents to write in a format."""

    documents: list[dict[str, Any]]


class Decisions(_Asked):
    """Documents, each with the acts on it."""

    documents: list[dict[str, Any]]
    acts: list[list[dict[str, Any]]]


def page_router(engine: Engine, review: Review | None = None) -> APIRouter:
    """Return the endpoints of the page.

    Parameters
    ----------
    engine
        The engine.
    review
        The documents under review, or None.
    """
    # Long because each endpoint is a function within it.
    # They are no part of the description, since only the page asks them.
    router = APIRouter(prefix="/page", include_in_schema=False)
    bases: KnowledgeBases = engine.bases

    @router.get("/setup")
    def setup() -> dict[str, Any]:
        return {
            "version": __version__,
            "kinds": list(bases.kinds),
            "bases": [base.name for base in bases_described(bases)],
            "formats": [
                {"name": info.name, "label": info.label, "suffix": _suffix(info)}
                for info in describe()
                if info.writes
            ],
            "reads": [info.name for info in describe() if info.reads],
            "suffixes": sorted({s for info in describe() if info.reads for s in info.suffixes}),
            "examples": json.loads(EXAMPLES.read_text(encoding="utf-8")),
            "review": None if review is None else review.name,
            "saved": None if review is None else str(review.journal.path),
        }

    @router.post("/link")
    async def link(request: Request, name: str = "") -> dict[str, Any]:
        body = await request.body()
        kind, documents, problems = await run_in_threadpool(_read, body, name, engine.limits)
        linked = await _linked(engine, documents)
        answer = await run_in_threadpool(_answer, linked, bases)
        return {"format": kind, "problems": problems, **answer}

    @router.post("/candidates")
    async def candidates(spot: Spot) -> dict[str, Any]:
        mention = Mention(spot.start, spot.end, spot.text[spot.start : spot.end], spot.type)
        document = Document("", spot.text, mentions=(mention,))
        linked = await _linked(engine, [document], False)
        return await run_in_threadpool(_answer, linked, bases)

    @router.post("/act")
    def act(changed: Changed) -> dict[str, Any]:
        (document,) = documents_of_json([changed.document])
        return viewed(document, acted(document, _acts(changed.acts), changed.act))

    @router.post("/corrections")
    def corrections(decisions: Decisions) -> Response:
        documents = documents_of_json(decisions.documents)
        if len(documents) != len(decisions.acts):
            raise ConfigError("there are not as many lists of acts as documents")
        done = [
            (document, _acts(acts))
            for document, acts in zip(documents, decisions.acts, strict=True)
            if acts
        ]
        with tempfile.TemporaryDirectory(prefix="biolink-") as folder:
            file = Path(folder, "corrections.jsonl")
            write_corrections(file, done)
            return _download(file)

    @router.post("/export")
    def export(given: ToExport, format: str) -> Response:
        return _exported(documents_of_json(given.documents), format)

    if review is not None:
        _add_review(router, review, bases)
    return router


def _add_review(router: APIRouter, review: Review, bases: KnowledgeBases) -> None:
    @router.get("/review")
    def summary() -> dict[str, Any]:
        return review.summary()

    @router.get("/review/export")
    def export_all(format: str) -> Response:
        return _exported(review.corrected(), format)

    @router.get("/review/{number}")
    def document(number: int) -> dict[str, Any]:
        view = review.view(number)
        return {**view, **_around([review.corrected()[number]], bases)}

    @router.post("/review/{number}")
    def act(number: int, record: dict[str, Any]) -> dict[str, Any]:
        return review.act(number, record)


def _acts(records: Sequence[dict[str, Any]]) -> list[Any]:
    return [act_from_dict(record) for record in records]


async def _linked(
    engine: Engine, documents: Sequence[Document], recognise: bool | None = None
) -> list[Document]:
    """The documents with all candidates; a mention that the policy makes NIL has its reason."""
    policy = engine.linker.nil or Likelier()
    # A policy that compares with concepts outside of a part of the base decides while it links.
    choice = Choice(nil=None if policy.whole else "none", top_k=_CANDIDATES)
    linked = await engine.link(documents, choice, recognise)

    def with_reason(mention: Mention) -> Mention:
        if policy.whole or not mention.links:
            return mention
        kb = engine.bases.of_mention(mention.type)
        reason = policy.reason(evidence(mention, mention.links, None, kb))
        return replace(mention, nil_reason=reason)

    return [document.with_mentions(map(with_reason, document.mentions)) for document in linked]


def _answer(documents: Sequence[Document], bases: KnowledgeBases) -> dict[str, Any]:
    return {**json.loads(written(documents, JSON)), **_around(documents, bases)}


def _around(documents: Sequence[Document], bases: KnowledgeBases) -> dict[str, Any]:
    """The concepts above all candidates, the names of these, and the pages of candidates."""
    above: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    urls: dict[str, str] = {}
    for document in documents:
        for mention in document.mentions:
            kb = bases.of_mention(mention.type)
            for link in mention.links:
                key = link.curie or link.concept_id
                urls[key] = url_of(link.curie)
                if key in above or not kb.has_hierarchy or link.concept_id not in kb:
                    continue
                higher = [(kb.curie(i), kb.row_of(i)) for i in kb.ancestors(link.concept_id)]
                above[key] = [curie for curie, row in higher if row is not None]
                names |= {c: kb.preferred_name_at(row) for c, row in higher if row is not None}
    return {"above": above, "names": names, "urls": urls}


def _read(body: bytes, name: str, limits: Limits) -> tuple[str, list[Document], list[str]]:
    """The format of a text or a file, its documents, and what could not be read.

    A text that is not in a file and has none of the formats is one document as it stands.

    Raises
    ------
    InputError
        If the file does not have its format.
    TooLarge
        If the file is larger than a body may be once it is decompressed.
    """
    suffixes = re.findall(r"\.[A-Za-z0-9-]{1,12}", name[-60:])
    problems: list[InputError] = []
    with tempfile.TemporaryDirectory(prefix="biolink-") as folder:
        stem = re.sub(r"[^\w -]", "_", Path(name).name.split(".")[0])[:60] or "text"
        file = Path(folder, stem + "".join(suffixes[-3:]))
        file.write_bytes(body)
        shown = name or _PASTED
        try:
            with open_binary(file) as content:
                if len(content.read(limits.body + 1)) > limits.body:
                    raise TooLarge(f"{shown} has more than {limits.body:,} bytes, decompressed")
            kind = _format(file, pasted=not name)
            # One more than can be linked, so that the limit is told.
            documents = list(islice(read(file, kind, problems.append), limits.documents + 1))
        except InputError as error:
            raise InputError(shown, error.line, error.found, error.expected) from None
        told = [str(InputError(shown, p.line, p.found, p.expected)) for p in problems]
    if not name and kind == "text":
        documents = [replace(document, id="") for document in documents]
    if not documents:
        raise InputError(shown, None, "no document", "one at least" if not told else told[0])
    return kind, _numbered(documents), told


def _format(file: Path, pasted: bool) -> str:
    try:
        kind = sniff_format(file)
    except InputError:
        if pasted:
            return "text"
        raise
    return "text" if pasted and kind == "lines" else kind


def _numbered(documents: Sequence[Document]) -> list[Document]:
    """The documents with ids by which acts can name them."""
    seen: set[str] = set()
    named = []
    for number, document in enumerate(documents, 1):
        doc_id = document.id or str(number)
        while doc_id in seen:
            doc_id = f"{doc_id}-{number}"
        seen.add(doc_id)
        named.append(replace(document, id=doc_id))
    return named


def _exported(documents: Sequence[Document], kind: str) -> Response:
    info = next((info for info in describe() if info.name == kind and info.writes), None)
    if info is None:
        raise ConfigError(f"documents cannot be written as {kind!r}")
    with tempfile.TemporaryDirectory(prefix="biolink-") as folder:
        file = Path(folder, f"linked{_suffix(info)}")
        target = file.with_suffix("") if _of_folders(kind) else file
        try:
            write(documents, target, kind)
        except InputError as error:
            raise DocumentError(str(error)) from None
        if target != file:
            shutil.make_archive(str(target), "zip", target)
        return _download(file)


def _suffix(info: FormatInfo) -> str:
    """The suffix of a file that is exported; a format of several files comes in an archive."""
    return ".zip" if _of_folders(info.name) else next(iter(info.suffixes), ".json")


def _of_folders(kind: str) -> bool:
    return hasattr(load(kind), "write_folder")


def _download(file: Path) -> Response:
    """A file for the page, which offers it under its name. No browser shows it as a page."""
    return Response(
        file.read_bytes(),
        media_type="application/octet-stream",
        headers={"content-disposition": f'attachment; filename="{file.name}"'},
    )
