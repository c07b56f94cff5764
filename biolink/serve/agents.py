"""The tools of agents, over the Model Context Protocol (https://modelcontextprotocol.io).

Every answer says which knowledge base it comes from, so an agent can quote it, and ids are only
ever those of concepts that exist.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field

from biolink import __version__
from biolink.answers.choosing import Choice
from biolink.answers.concepts import (
    Base,
    ConceptEntry,
    Found,
    Verified,
    bases_described,
    concept,
    search,
    verify,
)
from biolink.answers.linking import TermLink
from biolink.documents import Document, Mention
from biolink.errors import BiolinkError
from biolink.kb.bases import KnowledgeBases
from biolink.pipeline import AnyLinker
from biolink.serve.engine import Engine

__all__ = ["make_agents", "run_agents"]

_INSTRUCTIONS = (
    "Links biomedical text and names to concepts of a knowledge base, and checks ids. Never write "
    "an id (MeSH, OMIM, NCBI Gene, NCBI Taxonomy, Cellosaurus or other) from memory: get it here, "
    "or check it with verify. Where there is no link, nil_reason says why; then report that no "
    "concept was found, and do not make one up."
)
_READ_ONLY = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)

Types = Annotated[
    list[str] | None,
    Field(description="Semantic types that are wanted, such as disease or gene. Default: all."),
]
Taxa = Annotated[
    list[str] | None,
    Field(description="NCBI Taxonomy ids of the species of genes, the preferred one first."),
]


@dataclass(frozen=True, slots=True)
class Source:
    """A knowledge base: its name, version and checksum."""

    name: str
    version: str
    checksum: str


@dataclass(frozen=True, slots=True)
class TextMention:
    """A mention in a text: ``text[start:end]``, counted in code points."""

    text: str
    start: int
    end: int
    type: str
    curie: str
    name: str
    probability: float | None
    nil_reason: str | None
    alternatives: list[str]
    long_form: str | None = None


class LinkedText(BaseModel):
    """The mentions of a text."""

    mentions: list[TextMention]
    bases: list[Source]


class LinkedTerms(BaseModel):
    """What each term is linked to, in their order."""

    terms: list[TermLink]
    bases: list[Source]


class SearchResult(BaseModel):
    """The concepts that were found, the best first."""

    hits: list[Found]
    bases: list[Source]


class ConceptResult(BaseModel):
    """A concept."""

    concept: ConceptEntry
    bases: list[Source]


class Verification(BaseModel):
    """What is known about each id, in their order."""

    ids: list[Verified]
    bases: list[Source]


def make_agents(engine: Engine) -> MCPServer[Any]:
    """Return the server of the tools over an engine.

    >>> import asyncio, biolink
    >>> engine = Engine(biolink.load())
    >>> tools = asyncio.run(make_agents(engine).list_tools())
    >>> [tool.name for tool in tools]
    ['link_text', 'link_terms', 'search', 'get_concept', 'verify']
    >>> engine.close()
    """
    # Long because each tool is a function within it.
    bases: KnowledgeBases = engine.bases
    sources = [_source(base) for base in bases_described(bases)]
    server: MCPServer[Any] = MCPServer(
        "biolink", instructions=_INSTRUCTIONS, version=__version__, log_level="WARNING"
    )

    def tool(name: str, title: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return server.tool(name, title, annotations=_READ_ONLY, structured_output=True)

    @tool("link_text", "Link the mentions of a text")
    async def link_text(
        text: Annotated[str, Field(description="The text, such as an abstract.")],
        types: Types = None,
        taxa: Taxa = None,
    ) -> LinkedText:
        """Find the diseases, chemicals, genes, species and cell lines that a text mentions, and
        link each to a concept. A mention without a concept has a nil_reason."""
        with _told():
            document = Document("", text)
            (linked,) = await engine.link([document], Choice.of(types, taxa), True)
        return LinkedText(mentions=list(map(_mention, linked.mentions)), bases=sources)

    @tool("link_terms", "Link names")
    async def link_terms(
        terms: Annotated[list[str], Field(description="The names, such as the cells of a column.")],
        contexts: Annotated[
            list[str] | None,
            Field(description="A text for each name that tells what is meant. Default: none."),
        ] = None,
        types: Types = None,
        taxa: Taxa = None,
    ) -> LinkedTerms:
        """Link names that stand by themselves to concepts. A name without a concept has a
        nil_reason, and its alternatives are then guesses."""
        with _told():
            links = await engine.link_terms(terms, contexts, Choice.of(types, taxa))
        return LinkedTerms(terms=links, bases=sources)

    @tool("search", "Search concepts")
    async def search_names(
        query: Annotated[str, Field(description="An id, a name or a part of one.", min_length=1)],
        types: Types = None,
        limit: Annotated[int, Field(description="Similar names at most.", ge=0, le=100)] = 10,
    ) -> SearchResult:
        """Find concepts by id, by name and by similar names."""
        with _told():
            part = bases.part(types) if types else bases
            hits = await asyncio.to_thread(search, part, query, limit)
        return SearchResult(hits=hits, bases=sources)

    @tool("get_concept", "Look a concept up")
    async def get_concept(
        id: Annotated[str, Field(description="An id with its prefix, such as mesh:D001249.")],
    ) -> ConceptResult:
        """Names, definition, types, parents, ancestors and cross references of a concept."""
        with _told():
            entry = await asyncio.to_thread(concept, bases, id)
        return ConceptResult(concept=entry, bases=sources)

    @tool("verify", "Check ids")
    async def verify_ids(
        ids: Annotated[list[str], Field(description="Ids with their prefixes.")],
    ) -> Verification:
        """Say of each id whether it exists, what it is called, whether it is obsolete, and what
        replaced it. Use it before you state an id."""
        with _told():
            engine.limits.check("terms", len(ids))
            checked = await asyncio.to_thread(verify, bases, ids)
        return Verification(ids=checked, bases=sources)

    return server


def run_agents(linker: AnyLinker) -> None:
    """Answer an agent over stdin and stdout until it closes them."""
    engine = Engine(linker)
    try:
        make_agents(engine).run("stdio")
    finally:
        engine.close()


@contextmanager
def _told() -> Iterator[None]:
    """Turn an error that an agent can correct into one that the agent is told about."""
    try:
        yield
    except BiolinkError as error:
        raise ToolError(str(error).encode("utf-8", "backslashreplace").decode()) from None


def _source(base: Base) -> Source:
    return Source(base.name, base.version, base.checksum)


def _mention(mention: Mention) -> TextMention:
    best = mention.best
    return TextMention(
        mention.text,
        mention.start,
        mention.end,
        mention.type,
        "" if best is None else best.curie or best.concept_id,
        "" if best is None else best.preferred_name or best.name,
        None if best is None else best.probability,
        mention.nil_reason,
        [link.curie or link.concept_id for link in mention.links[1:]],
        mention.long_form,
    )
