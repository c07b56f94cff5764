"""The endpoints of gilda's service, so that its clients work unchanged.

Source of the shapes: https://github.com/gyorilab/gilda (``gilda.app``, ``Term`` and ``Match``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from biolink.answers.choosing import Choice
from biolink.answers.concepts import concept
from biolink.answers.linking import Candidate, candidates_of
from biolink.documents import Document
from biolink.errors import ConfigError, UnknownConceptError
from biolink.kb.bases import KnowledgeBases
from biolink.kb.names import normalise_name
from biolink.serve.engine import Engine

__all__ = ["gilda_router", "ground_terms"]

#: Prefix in lower case -> the name of the vocabulary for gilda, where it is not the prefix in
#: capitals.
_NAMESPACES = {"ncbigene": "EGID", "ncbitaxon": "TAXONOMY", "cellosaurus": "CELLOSAURUS"}
_PREFIXES = {db: prefix for prefix, db in _NAMESPACES.items()}
#: Vocabularies whose ids keep their prefix, as in gilda: ``CHEBI`` with ``CHEBI:15365``.
_WITH_PREFIX = ("CHEBI", "GO", "HP", "DOID", "EFO", "MONDO", "UBERON", "CL", "HGNC")
_WORD = re.compile(r"\w+")
_DASH = re.compile(r"[-\u2010-\u2015\u2212]")


class Query(BaseModel):
    """A term to ground, with a text around it and the species of genes."""

    model_config = ConfigDict(extra="ignore")
    text: str
    context: str | None = None
    organisms: list[str] | None = None
    namespaces: list[str] | None = None


class Text(BaseModel):
    """A text to annotate."""

    model_config = ConfigDict(extra="ignore")
    text: str
    organisms: list[str] | None = None
    namespaces: list[str] | None = None


class Grounding(BaseModel):
    """A concept of a vocabulary."""

    model_config = ConfigDict(extra="ignore")
    db: str
    id: str


def gilda_router(engine: Engine) -> APIRouter:
    """Return the endpoints over an engine."""
    router = APIRouter(tags=["gilda"])

    @router.post("/ground", summary="Concepts that a term means, best first; none for NIL")
    async def ground(query: Query) -> list[dict[str, Any]]:
        return (await ground_terms(engine, [query]))[0]

    @router.post("/ground_multi", summary="The same for several terms")
    async def ground_multi(queries: list[Query]) -> list[list[dict[str, Any]]]:
        return await ground_terms(engine, queries)

    @router.post("/annotate", summary="The mentions of a text with their concepts")
    async def annotate(text: Text) -> list[dict[str, Any]]:
        choice = _choice(engine.bases, text.organisms)
        (document,) = await engine.link([Document("", text.text)], choice, True)
        annotations = []
        for mention in document.mentions:
            candidates = candidates_of(mention, engine.bases)
            matches = _matches(engine.bases, mention.text, candidates, text.namespaces)
            if matches:
                annotations.append(
                    {
                        "text": mention.text,
                        "start": mention.start,
                        "end": mention.end,
                        "matches": matches,
                    }
                )
        return annotations

    @router.post("/names", summary="All names of a concept")
    def names(grounding: Grounding) -> list[str]:
        try:
            entry = concept(engine.bases, _curie(grounding.db, grounding.id))
        except UnknownConceptError:
            return []
        return [entry.name, *entry.synonyms]

    return router


async def ground_terms(engine: Engine, queries: Sequence[Query]) -> list[list[dict[str, Any]]]:
    """Ground several terms; those for the same species are linked together."""
    by_choice: dict[Choice, list[int]] = {}
    for number, query in enumerate(queries):
        by_choice.setdefault(_choice(engine.bases, query.organisms), []).append(number)
    answers: list[list[dict[str, Any]]] = [[] for _ in queries]
    engine.limits.check("terms", len(queries))
    for choice, numbers in by_choice.items():
        chosen = [queries[number] for number in numbers]
        contexts = [query.context or "" for query in chosen]
        links = await engine.link_terms([query.text for query in chosen], contexts, choice)
        for number, query, link in zip(numbers, chosen, links, strict=True):
            candidates = () if link.nil_reason is not None else link.candidates
            answers[number] = _matches(engine.bases, query.text, candidates, query.namespaces)
    return answers


def _choice(bases: KnowledgeBases, organisms: Sequence[str] | None) -> Choice:
    """The species of genes that are wanted, as far as the knowledge bases have them."""
    if not organisms or not bases.has("Gene"):
        return Choice()
    known = bases.of("Gene").base.data.table.column("taxon").unique().to_pylist()
    taxa = [taxon for taxon in organisms if taxon in known]
    return Choice.of(taxa=taxa) if taxa else Choice()


def _matches(
    bases: KnowledgeBases,
    query: str,
    candidates: Sequence[Candidate],
    namespaces: Sequence[str] | None,
) -> list[dict[str, Any]]:
    matches = []
    for candidate in candidates:
        db, local = _grounding(candidate.curie)
        if namespaces and db not in namespaces:
            continue
        entry = concept(bases, candidate.curie)
        term = {
            "norm_text": normalise_name(candidate.matched),
            "text": candidate.matched,
            "db": db,
            "id": local,
            "entry_name": candidate.name,
            "status": "name" if candidate.matched == candidate.name else "synonym",
            "source": entry.source or db.lower(),
        }
        if entry.taxon:
            term["organism"] = entry.taxon.rpartition(":")[2]
        matches.append(
            {
                "term": term,
                "url": candidate.url,
                "score": candidate.probability,
                "match": compared(query, candidate.matched),
            }
        )
    return matches


def compared(query: str, ref: str) -> dict[str, Any]:
    """Say how a query differs from the name that was matched.

    >>> compared("breast-cancer", "Breast Cancer")["cap_combos"]
    [('all_lower', 'initial_cap'), ('all_lower', 'initial_cap')]
    >>> compared("HeLa", "HeLa")["exact"], compared("IL6", "IL-6")["dash_mismatches"]
    (True, ['ref'])
    """
    words, names = _WORD.findall(query), _WORD.findall(ref)
    cases = []
    if [word.lower() for word in words] == [word.lower() for word in names]:
        pairs = zip(words, names, strict=True)
        cases = [(_case(word), _case(name)) for word, name in pairs if word != name]
    dashes = [bool(_DASH.search(text)) for text in (query, ref)]
    mismatches = [] if dashes[0] == dashes[1] else ["query" if dashes[0] else "ref"]
    return {
        "query": query,
        "ref": ref,
        "exact": query == ref,
        "space_mismatch": (" " in query.strip()) != (" " in ref.strip()),
        "dash_mismatches": mismatches,
        "cap_combos": cases,
    }


def _case(word: str) -> str:
    letters = "".join(filter(str.isalpha, word))
    if letters.islower() or not letters:
        return "all_lower"
    if letters.isupper():
        return "all_caps" if len(letters) > 1 else "single_cap_letter"
    return "initial_cap" if letters[0].isupper() and letters[1:].islower() else "mixed"


def _grounding(curie: str) -> tuple[str, str]:
    """The name of the vocabulary and the id, as gilda writes them.

    >>> _grounding("mesh:D001943"), _grounding("NCBIGene:672"), _grounding("CHEBI:15365")
    (('MESH', 'D001943'), ('EGID', '672'), ('CHEBI', 'CHEBI:15365'))
    """
    prefix, _, local = curie.partition(":")
    db = _NAMESPACES.get(prefix.lower(), prefix.upper())
    return db, f"{db}:{local}" if db in _WITH_PREFIX else local or curie


def _curie(db: str, local: str) -> str:
    """The CURIE of a concept that gilda's clients name."""
    if not db.strip() or not local.strip():
        raise ConfigError("the vocabulary or the id is empty; expected both")
    prefix = _PREFIXES.get(db.upper(), db)
    return local if local.lower().startswith(f"{prefix.lower()}:") else f"{prefix}:{local}"
