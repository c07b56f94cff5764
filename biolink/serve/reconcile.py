"""OpenRefine's Reconciliation Service API, version 0.2.

Source: https://www.w3.org/community/reports/reconciliation/CG-FINAL-specs-0.2-20230410/
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse, Response

from biolink import __version__
from biolink.answers.choosing import Choice
from biolink.answers.concepts import ConceptEntry, ConceptName, concept, suggest
from biolink.answers.linking import TermLink
from biolink.coloured import escaped
from biolink.errors import BiolinkError, ConfigError, UnknownConceptError, shown
from biolink.kb.types import kind_of
from biolink.serve.engine import Engine

__all__ = ["PATH", "reconcile_router"]

#: Where the service is.
PATH = "/reconcile"
#: The number of candidates of a query that does not say how many it wants, and the most.
_CANDIDATES, _MOST = 5, 50
#: What the style of a preview may do: it stands in a frame of OpenRefine.
_PREVIEW_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_WIDTH, _HEIGHT = 430, 300


def _texts(values: Iterable[str]) -> list[dict[str, str]]:
    return [{"str": value} for value in values]


def _names(values: Iterable[ConceptName]) -> list[dict[str, str]]:
    return [{"id": value.curie, "name": value.name} for value in values]


#: Id of a property that can be fetched -> its name, and its values for a concept.
_PROPERTIES: dict[str, tuple[str, Callable[[ConceptEntry], list[dict[str, str]]]]] = {
    "name": ("preferred name", lambda entry: _texts([entry.name])),
    "synonyms": ("synonyms", lambda entry: _texts(entry.synonyms)),
    "definition": ("definition", lambda entry: _texts(entry.definitions)),
    "types": ("semantic types", lambda entry: _texts(entry.types)),
    "parents": ("parents", lambda entry: _names(entry.parents)),
    "ancestors": ("ancestors", lambda entry: _names(entry.ancestors)),
    "xrefs": ("cross references", lambda entry: _texts(entry.xrefs)),
    "url": ("public page", lambda entry: _texts(filter(None, [entry.url]))),
}


def reconcile_router(engine: Engine) -> APIRouter:
    """Return the endpoints over an engine."""
    router = APIRouter(prefix=PATH, tags=["OpenRefine"])
    _add_suggestions(router, engine)

    @router.get("", summary="The manifest, or the answers to queries=... or extend=...")
    async def by_get(
        request: Request, queries: str | None = None, extend: str | None = None
    ) -> Response:
        return await _answered(engine, request, queries, extend)

    @router.post("", summary="The answers to the form fields queries=... or extend=...")
    async def by_post(request: Request) -> Response:
        # The form is taken apart here, since what needs multipart forms is not wanted otherwise.
        form = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=10)
        queries, extend = (form.get(name, [None])[0] for name in ("queries", "extend"))
        return await _answered(engine, request, queries, extend)

    @router.get("/preview", summary="A concept as a small page")
    def preview(id: str) -> HTMLResponse:
        headers = {"content-security-policy": _PREVIEW_POLICY}
        try:
            entry = concept(engine.bases, id)
        except UnknownConceptError as error:
            return HTMLResponse(_page("?", [f"<p>{escaped(str(error))}</p>"]), 404, headers)
        return HTMLResponse(_preview(entry), headers=headers)

    @router.get("/properties", summary="The properties that can be fetched for a type")
    def properties(type: str = "", limit: int | None = None) -> JSONResponse:
        names = [{"id": name, "name": label} for name, (label, _) in _PROPERTIES.items()]
        answer: dict[str, Any] = {"type": type, "properties": names[:limit]}
        return JSONResponse(answer if limit is None else {**answer, "limit": limit})

    return router


def _add_suggestions(router: APIRouter, engine: Engine) -> None:
    @router.get("/suggest/entity", summary="Concepts for what somebody types")
    def suggest_entity(prefix: str = "", cursor: int = 0, limit: int = 10) -> JSONResponse:
        found = []
        if prefix.strip() and 0 <= cursor < _MOST:
            last = cursor + max(0, min(limit, _MOST))
            hits = suggest(engine.bases, prefix, last)[cursor:last]
            found = [
                {
                    "id": hit.curie,
                    "name": hit.name,
                    "description": _description(hit.matched, hit.name, hit.types),
                    "notable": [_type(name) for name in hit.types],
                }
                for hit in hits
            ]
        return JSONResponse({"result": found})

    @router.get("/suggest/type", summary="Semantic types for what somebody types")
    def suggest_type(prefix: str = "") -> JSONResponse:
        begun = prefix.lower()
        kinds = [kind for kind in _kinds(engine) if kind.lower().startswith(begun)]
        return JSONResponse({"result": [_type(kind) for kind in kinds]})

    @router.get("/suggest/property", summary="Properties for what somebody types")
    def suggest_property(prefix: str = "") -> JSONResponse:
        begun = prefix.lower()
        found = [
            {"id": name, "name": label}
            for name, (label, _) in _PROPERTIES.items()
            if name.startswith(begun) or label.startswith(begun)
        ]
        return JSONResponse({"result": found})


async def _answered(
    engine: Engine, request: Request, queries: str | None, extend: str | None
) -> Response:
    if queries is not None:
        return JSONResponse(await _reconciled(engine, _object("queries", queries)))
    if extend is not None:
        asked = _object("extend", extend)
        return JSONResponse(await run_in_threadpool(_extended, engine, asked))
    return JSONResponse(manifest(engine, str(request.base_url).rstrip("/")))


def manifest(engine: Engine, address: str) -> dict[str, Any]:
    """Return the manifest of the service at an address."""
    here = f"{address}{PATH}"

    def at(path: str) -> dict[str, str]:
        return {"service_url": here, "service_path": path}

    return {
        "versions": ["0.2"],
        "name": f"biolink ({', '.join(_kinds(engine))})",
        "identifierSpace": "https://bioregistry.io/",
        "schemaSpace": f"{address}/openapi.json",
        "documentation": f"{address}/docs",
        "serviceVersion": __version__,
        "defaultTypes": [_type(kind) for kind in _kinds(engine)],
        "view": {"url": "https://bioregistry.io/{{id}}"},
        "preview": {"url": f"{here}/preview?id={{{{id}}}}", "width": _WIDTH, "height": _HEIGHT},
        "suggest": {
            "entity": at("/suggest/entity"),
            "type": at("/suggest/type"),
            "property": at("/suggest/property"),
        },
        "extend": {"propose_properties": at("/properties"), "property_settings": []},
    }


def _kinds(engine: Engine) -> list[str]:
    return sorted({kind for base in engine.bases.bases for kind in base.types})


def _type(kind: str) -> dict[str, str]:
    return {"id": kind, "name": kind}


def _description(matched: str, name: str, types: Sequence[str]) -> str:
    found = f", found as {matched}" if matched.casefold() != name.casefold() else ""
    return (", ".join(types) or "concept") + found


def _object(name: str, text: str) -> dict[str, Any]:
    """The JSON object in a field of a form or of an address."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError(f"{name} is no JSON; expected an object") from None
    if not isinstance(value, dict):
        raise ConfigError(f"{name} is {shown(value)}; expected an object")
    return value


async def _reconciled(engine: Engine, queries: dict[str, Any]) -> dict[str, Any]:
    """The answers to queries; those that want the same types are linked together."""
    engine.limits.check("terms", len(queries))
    asked = {key: _query(key, value, _kinds(engine)) for key, value in queries.items()}
    groups: dict[tuple[str, ...], list[str]] = {}
    for key, (_, _, types, _) in asked.items():
        groups.setdefault(types, []).append(key)
    answers: dict[str, Any] = {}
    for types, keys in groups.items():
        choice = Choice.of(types=types, top_k=max(asked[key][3] for key in keys))
        terms = [asked[key][0] for key in keys]
        links = await engine.link_terms(terms, [asked[key][1] for key in keys], choice)
        for key, link in zip(keys, links, strict=True):
            answers[key] = {"result": _results(link)[: asked[key][3]]}
    return {key: answers[key] for key in queries}


def _query(key: str, query: Any, kinds: Sequence[str]) -> tuple[str, str, tuple[str, ...], int]:
    """The term, the context, the types and the number of candidates of a query."""
    where = f"the query {key!r}"
    if not isinstance(query, dict):
        raise ConfigError(f"{where} is {shown(query)}; expected an object")
    term = query.get("query", "")
    if not isinstance(term, str):
        raise ConfigError(f"{where}: query is {shown(term)}; expected a string")
    wanted = query.get("type") or []
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
        raise ConfigError(f"{where}: type is {shown(wanted)}; expected a string or strings")
    types = tuple(dict.fromkeys(map(kind_of, wanted)))
    if unknown := [name for name in types if name not in kinds]:
        raise ConfigError(
            f"{where}: the type {unknown[0]!r} is unknown; expected one of {', '.join(kinds)}"
        )
    limit = query.get("limit", _CANDIDATES)
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not limit >= 1:
        raise ConfigError(f"{where}: limit is {shown(limit)}; expected a number from 1")
    return term, _context(where, query.get("properties") or []), types, int(min(limit, _MOST))


def _context(where: str, properties: Any) -> str:
    """The values of the properties of a query as a text around its term."""
    if not isinstance(properties, list):
        raise ConfigError(f"{where}: properties is {shown(properties)}; expected a list")
    texts: list[str] = []
    for item in properties:
        if not isinstance(item, dict) or "v" not in item:
            raise ConfigError(f'{where}: a property is {shown(item)}; expected "pid" and "v"')
        values = item["v"] if isinstance(item["v"], list) else [item["v"]]
        for value in values:
            said = value.get("name", value.get("id", "")) if isinstance(value, dict) else value
            texts.append(str(said))
    return ". ".join(filter(None, map(str.strip, texts)))


def _results(link: TermLink) -> list[dict[str, Any]]:
    accepted = link.nil_reason is None
    nil = link.nil_probability
    return [
        {
            "id": candidate.curie,
            "name": candidate.name,
            "description": _description(candidate.matched, candidate.name, candidate.types),
            "score": round(100 * candidate.probability, 2),
            "match": accepted and number == 0,
            "type": [_type(kind) for kind in candidate.types],
            "features": [
                {"id": "probability", "value": candidate.probability},
                {
                    "id": "same_name",
                    "value": candidate.matched.casefold() == link.term.strip().casefold(),
                },
                *([] if nil is None else [{"id": "nil_probability", "value": nil}]),
            ],
        }
        for number, candidate in enumerate(link.candidates)
    ]


def _extended(engine: Engine, asked: dict[str, Any]) -> dict[str, Any]:
    ids, wanted = asked.get("ids"), asked.get("properties")
    if not isinstance(ids, list) or not all(isinstance(value, str) for value in ids):
        raise ConfigError(f"extend: ids is {shown(ids)}; expected a list of strings")
    engine.limits.check("terms", len(ids))
    if not isinstance(wanted, list):
        raise ConfigError(f"extend: properties is {shown(wanted)}; expected a list")
    names = [item.get("id") if isinstance(item, dict) else None for item in wanted]
    if unknown := [name for name in names if name not in _PROPERTIES]:
        raise ConfigError(
            f"extend: the property {unknown[0]!r} is unknown; expected one of "
            f"{', '.join(_PROPERTIES)}"
        )
    rows: dict[str, dict[str, list[dict[str, str]]]] = {}
    for value in ids:
        try:
            entry = concept(engine.bases, value)
        except BiolinkError:
            rows[value] = {str(name): [] for name in names}
        else:
            rows[value] = {str(name): _PROPERTIES[str(name)][1](entry) for name in names}
    meta = [{"id": str(name), "name": _PROPERTIES[str(name)][0]} for name in names]
    return {"meta": meta, "rows": rows}


def _preview(entry: ConceptEntry) -> str:
    parts = [f"<p><code>{escaped(entry.curie)}</code> {escaped(', '.join(entry.types))}</p>"]
    parts += [f"<p>{escaped(text)}</p>" for text in entry.definitions[:1]]
    if entry.synonyms:
        parts.append(f"<p><b>Also</b> {escaped('; '.join(entry.synonyms[:8]))}</p>")
    if entry.parents:
        above = "; ".join(parent.name for parent in entry.parents)
        parts.append(f"<p><b>Above it</b> {escaped(above)}</p>")
    return _page(entry.name, parts)


def _page(title: str, parts: Sequence[str]) -> str:
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escaped(title)}</title><style>body{{font:14px/1.4 sans-serif;margin:8px}}"
        "h1{font-size:16px;margin:0}p{margin:4px 0}</style></head><body>"
        f"<h1>{escaped(title)}</h1>{''.join(parts)}</body></html>"
    )
