"""The tools of agents, asked by the protocol's own client over both transports."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from biolink.serve.agents import make_agents
from biolink.serve.engine import Engine
from tests.biolink.serve.serving import served

TOOLS = ["link_text", "link_terms", "search", "get_concept", "verify"]


async def checked_tools(client: Client) -> list[str]:
    """The names of the tools, after a look at everything that an agent sees of them."""
    tools = (await client.list_tools()).tools
    assert [tool.name for tool in tools] == TOOLS
    for tool in tools:
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint
        assert tool.input_schema["required"]
        assert tool.output_schema is not None
        assert "bases" in tool.output_schema["properties"]
        assert tool.description

    async def called(name: str, **arguments: Any) -> Any:
        result = await client.call_tool(name, arguments)
        assert not result.is_error, result.content
        answer = result.structured_content
        assert answer is not None
        assert result.content  # the same as text, for clients that read nothing else
        base = answer["bases"][0]
        assert base["name"] == "biolink: Chemical, Disease"
        assert base["version"]
        assert len(base["checksum"]) == 64
        return answer

    text = "Aspirin for asthma, and not for XYZZY syndrome."
    mentions = (await called("link_text", text=text))["mentions"]
    assert [(m["text"], m["curie"]) for m in mentions[:2]] == [
        ("Aspirin", "mesh:D001241"),
        ("asthma", "mesh:D001249"),
    ]
    assert all(text[m["start"] : m["end"]] == m["text"] for m in mentions)
    terms = (await called("link_terms", terms=["asthma", "qwertyzz"]))["terms"]
    assert terms[0]["curie"] == "mesh:D001249"
    assert terms[1]["curie"] == ""
    assert terms[1]["nil_reason"]
    hits = (await called("search", query="kennedy disease", limit=1))["hits"]
    assert hits[0]["curie"] == "mesh:D055534"
    entry = (await called("get_concept", id="mesh:D001249"))["concept"]
    assert entry["name"] == "Asthma"
    ids = (await called("verify", ids=["mesh:D001249", "mesh:D999999"]))["ids"]
    assert [(i["status"], i["name"]) for i in ids] == [("current", "Asthma"), ("unknown", "")]
    wrong = await client.call_tool("get_concept", {"id": "mesh:D999999"})
    assert wrong.is_error
    assert "no knowledge base has a concept" in str(wrong.content)
    wrong = await client.call_tool("link_text", {"text": "x", "types": ["planet"]})
    assert wrong.is_error
    assert "planet" in str(wrong.content)
    return [tool.name for tool in tools]


def run(check: Callable[[Client], Awaitable[list[str]]], transport: Any) -> list[str]:
    async def asked() -> list[str]:
        async with asyncio.timeout(120), Client(transport) as client:
            return await check(client)

    return asyncio.run(asked())


def test_in_memory(linker: Any) -> None:
    engine = Engine(linker)
    assert run(checked_tools, make_agents(engine)) == TOOLS
    engine.close()


def test_streamable_http(linker: Any) -> None:
    with served(linker) as address:
        assert run(checked_tools, f"{address}/mcp") == TOOLS
        # A stream that stays open would hold up the end of the service.
        assert httpx.get(f"{address}/mcp").status_code == 405


@pytest.mark.skipif(sys.platform == "win32", reason="the command has another name there")
def test_stdio() -> None:
    command = [sys.executable, "-c", "from biolink.cli import main; main()", "mcp"]
    command += ["--types", "disease,chemical"]
    parameters = StdioServerParameters(command=command[0], args=command[1:])
    assert run(checked_tools, stdio_client(parameters)) == TOOLS
