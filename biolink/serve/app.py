"""The application: the endpoints of this service, and those of gilda, OpenRefine and agents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from biolink import __version__
from biolink.answers.choosing import Choice
from biolink.answers.concepts import ConceptEntry, Found, bases_described, concept, search
from biolink.answers.linking import TermLink
from biolink.documents import Document
from biolink.errors import BiolinkError, ConfigError, UnknownConceptError
from biolink.kb.bases import KnowledgeBases
from biolink.serve.bodies import (
    CONTENT_TYPES,
    JSON,
    accepted,
    documents_in,
    documents_of_json,
    written,
)
from biolink.serve.engine import Engine
from biolink.serve.gilda import gilda_router
from biolink.serve.limits import Busy, TooLarge, TooSlow
from biolink.serve.metrics import Metrics
from biolink.serve.middleware import BodyLimit, Cors, Observed, Token, failed
from biolink.serve.page import page_router
from biolink.serve.reconcile import PATH, reconcile_router
from biolink.serve.reviewing import Review

__all__ = ["STATIC", "make_app"]

#: The folder of the page.
STATIC = Path(__file__).parent / "static"
#: What the page of the OpenAPI description may do: its viewer writes styles into the page.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_DOCS = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>biolink</title>
<link rel="stylesheet" href="static/api/swagger-ui.css"></head><body><div id="swagger-ui"></div>
<script src="static/api/swagger-ui-bundle.js"></script><script src="static/docs.js"></script>
</body></html>"""
#: The names of this machine.
_LOCAL = ("127.0.0.1", "localhost")
#: ``mentions`` of a request -> ``recognise`` of :meth:`biolink.Linker.pipe`.
_RECOGNISE = {"auto": None, "given": False, "find": True}

Texts = str | list[str] | None


class Wanted(BaseModel):
    """A part of what is linked, and other settings."""

    model_config = ConfigDict(extra="forbid")
    types: Texts = Field(None, description="Semantic types, as biolink link --types takes them.")
    taxa: Texts = Field(None, description="NCBI Taxonomy ids of the species of genes.")
    branch: Texts = Field(None, description="Ids of concepts; only those below them are linked.")
    nil: str | float | None = Field(None, description="The NIL policy, or a threshold.")
    top_k: int | None = Field(None, ge=1, le=100, description="Links for each mention.")

    def choice(self) -> Choice:
        """The choice among what the linker links."""
        return Choice.of(self.types, self.taxa, self.branch, self.nil, self.top_k)


class ToLink(Wanted):
    """A text, or documents in the form of JSON Lines."""

    text: str | None = None
    documents: list[dict[str, Any]] | None = None
    mentions: Literal["auto", "given", "find"] = Field(
        "auto", description="given links the mentions of the documents, find finds others."
    )


class Linked(BaseModel):
    """Linked documents, in the form of JSON Lines."""

    documents: list[dict[str, Any]]


class Terms(Wanted):
    """Names that stand by themselves, with a text around each if there is one."""

    terms: list[str]
    contexts: list[str] | None = None


class TermLinks(BaseModel):
    """The answers, in the order of the terms."""

    terms: list[TermLink]


class Hits(BaseModel):
    """The concepts that were found."""

    hits: list[Found]


def make_app(
    engine: Engine,
    metrics: Metrics | None = None,
    token: str | None = None,
    origins: Sequence[str] = (),
    host: str = "127.0.0.1",
    review: Review | None = None,
) -> FastAPI:
    """Return the application over an engine.

    Parameters
    ----------
    engine
        The engine, which is closed when the application shuts down.
    metrics
        What counts requests. Default: new ones.
    token
        The token that requests must have. Default: none is needed.
    origins
        The origins whose pages may ask everywhere; ``/reconcile`` is open to all.
    host
        The address at which the service listens, by which agents may call it.
    review
        The documents that the page reviews. Default: none; it links what it is given. A service
        with a review answers only pages of its own address.
    """
    metrics = metrics or Metrics()
    metrics.watch(lambda: engine.waiting)
    agents = _agents(engine)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(engine.close)
            if agents is not None:
                await stack.enter_async_context(agents.session_manager.run())
            yield

    app = FastAPI(
        title="biolink",
        version=__version__,
        summary="Links biomedical text, terms and tables to a knowledge base.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    _add_endpoints(app, engine, metrics)
    app.include_router(gilda_router(engine))
    app.include_router(reconcile_router(engine))
    app.include_router(page_router(engine, review))
    _add_pages(app)
    if agents is not None:
        tools = agents.streamable_http_app(json_response=True, stateless_http=True, host=host)
        # A stream of messages that nobody asked for has none here, and would hold up the end.
        app.router.routes += [
            Route(route.path, route.endpoint, methods=["POST"])
            for route in tools.routes
            if isinstance(route, Route)
        ]
    _add_errors(app)
    app.add_middleware(BodyLimit, limits=engine.limits)
    app.add_middleware(Token, token=token)
    if review is not None:
        # No page elsewhere whose name leads to this machine can decide anything.
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*_LOCAL, host])
    app.add_middleware(Cors, open_path=PATH, origins=tuple(origins))
    app.add_middleware(Observed, metrics=metrics)
    return app


def _agents(engine: Engine) -> Any:
    """The server of the agents' tools, or None if its package is not installed."""
    try:
        from biolink.serve.agents import make_agents
    except ImportError:
        return None
    return make_agents(engine)


def _add_endpoints(app: FastAPI, engine: Engine, metrics: Metrics) -> None:
    # Long because each endpoint is a function within it.
    bases: KnowledgeBases = engine.bases

    @app.post(
        "/link",
        tags=["linking"],
        summary="Find mentions in a text or in documents, and link them",
        response_model=Linked,
        openapi_extra={"requestBody": _bodies()},
    )
    async def link(
        request: Request,
        types: str | None = None,
        taxa: str | None = None,
        branch: str | None = None,
        nil: str | None = None,
        top_k: int | None = Query(None, ge=1, le=100),
        mentions: Literal["auto", "given", "find"] = "auto",
    ) -> Response:
        content_type = request.headers.get("content-type", JSON)
        body = await request.body()
        if content_type.partition(";")[0].strip().lower() == JSON:
            if request.query_params:
                raise ConfigError("the settings of a request in JSON stand in its body")
            asked = _parsed(ToLink, body)
            documents = await run_in_threadpool(_documents, asked)
            choice, how = asked.choice(), asked.mentions
        else:
            documents = await run_in_threadpool(documents_in, body, content_type)
            choice, how = Choice.of(types, taxa, branch, nil, top_k), mentions
        linked = await engine.link(documents, choice, _RECOGNISE[how])
        kind = accepted(request.headers.get("accept", ""), content_type)
        return Response(await run_in_threadpool(written, linked, kind), media_type=kind)

    @app.post("/link/terms", tags=["linking"], summary="Link names that stand by themselves")
    async def link_terms(asked: Terms) -> TermLinks:
        links = await engine.link_terms(asked.terms, asked.contexts, asked.choice())
        return TermLinks(terms=links)

    @app.get("/search", tags=["concepts"], summary="Find concepts by id, name and similar names")
    def find(
        q: str = Query(min_length=1, max_length=1000),
        types: str | None = None,
        limit: int = Query(10, ge=0, le=100),
    ) -> Hits:
        part = bases if not types else bases.part(types.split(","))
        return Hits(hits=search(part, q, limit))

    @app.get("/concepts/{id:path}", tags=["concepts"], summary="What is known of a concept")
    def get_concept(id: str) -> ConceptEntry:
        return concept(bases, id)

    @app.get("/health", tags=["service"], summary="Whether the process runs")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/ready", tags=["service"], summary="Whether requests are taken")
    async def ready() -> Response:
        status = "ready" if engine.ready else "closing"
        return JSONResponse({"status": status}, 200 if engine.ready else 503)

    @app.get("/metrics", tags=["service"], summary="Figures for Prometheus")
    async def figures() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/info", tags=["service"], summary="Versions, knowledge bases and limits")
    def info() -> dict[str, Any]:
        return {
            "version": __version__,
            "kinds": list(bases.kinds),
            "bases": [asdict(base) for base in bases_described(bases)],
            "nil": None if engine.linker.nil is None else str(engine.linker.nil),
            "limits": asdict(engine.limits),
            "content_types": [JSON, *CONTENT_TYPES],
        }


def _bodies() -> dict[str, Any]:
    """The bodies that ``/link`` takes, for the OpenAPI description."""
    content: dict[str, Any] = {JSON: {"schema": ToLink.model_json_schema()}}
    content |= {kind: {"schema": {"type": "string"}} for kind in CONTENT_TYPES}
    return {"required": True, "content": content}


def _parsed(model: type[ToLink], body: bytes) -> ToLink:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None


def _documents(asked: ToLink) -> list[Document]:
    if (asked.text is None) == (asked.documents is None):
        raise ConfigError('the request needs either "text" or "documents"')
    if asked.text is not None:
        return [Document("", asked.text)]
    return documents_of_json(asked.documents or [])


def _add_pages(app: FastAPI) -> None:
    app.mount("/static/api", StaticFiles(directory=str(files("fastapi_offline") / "static")))
    app.mount("/static", StaticFiles(directory=STATIC))

    @app.get("/", include_in_schema=False)
    async def index() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(_DOCS, headers={"content-security-policy": _DOCS_POLICY})


def _add_errors(app: FastAPI) -> None:
    """Say what is wrong with a request, in one sentence and without its content."""

    async def wrong(_: Request, error: Exception) -> JSONResponse:
        if isinstance(error, Busy):
            return failed(429, str(error), **{"retry-after": str(error.seconds)})
        if isinstance(error, TooSlow):
            return failed(503, str(error), **{"retry-after": "10"})
        status = 413 if isinstance(error, TooLarge) else 422
        return failed(404 if isinstance(error, UnknownConceptError) else status, str(error))

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        said = [
            f"{'.'.join(str(part) for part in item['loc'] if part != 'body')}: {item['msg']}"
            for item in error.errors()[:5]
        ]
        return failed(422, "; ".join(part.removeprefix(": ") for part in said))

    async def http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return failed(error.status_code, str(error.detail), **dict(error.headers or {}))

    app.add_exception_handler(BiolinkError, wrong)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
