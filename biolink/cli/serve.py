"""``biolink serve`` and ``biolink mcp``."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated

import typer

from biolink.cli.options import (
    Branch,
    Device,
    KbOption,
    Method,
    ModelOption,
    Nil,
    PrecisionOption,
    Taxa,
    Types,
    not_empty,
)

__all__ = ["mcp", "serve"]


def serve(
    host: Annotated[
        str,
        typer.Option(help="The address at which the service listens; 0.0.0.0 stands for all."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="The port; 0 stands for a free one.", min=0, max=65535)
    ] = 8000,
    kb: KbOption = None,
    model: ModelOption = None,
    method: Method = None,
    types: Types = None,
    taxa: Taxa = None,
    branch: Branch = None,
    nil: Nil = None,
    precision: PrecisionOption = "fp32",
    device: Device = "cpu",
    token_file: Annotated[
        str | None,
        typer.Option(
            help="A file with a token that requests must have: Authorization: Bearer TOKEN. "
            "Default: none is needed.",
            callback=not_empty,
        ),
    ] = None,
    cors: Annotated[
        list[str] | None,
        typer.Option(
            help="An origin whose pages may ask, such as https://example.org; it may be repeated, "
            "and * stands for all. Default: none, except under /reconcile, which is open to all.",
            callback=not_empty,
        ),
    ] = None,
    max_body: Annotated[
        int, typer.Option(help="The greatest size of a request in bytes.", min=1)
    ] = 4 * 1024 * 1024,
    max_characters: Annotated[
        int, typer.Option(help="The greatest length of a text in characters.", min=1)
    ] = 200_000,
    max_waiting: Annotated[
        int,
        typer.Option(
            help="The number of characters that may wait to be linked; more are refused with "
            "status 429.",
            min=1,
        ),
    ] = 1_000_000,
    timeout: Annotated[
        float, typer.Option(help="The longest time in seconds for a request.", min=1)
    ] = 120.0,
) -> None:
    """Serve linking over HTTP: texts, terms, search, gilda's and OpenRefine's endpoints.

    Requests of many clients are linked together by the one model. SIGTERM and an interrupt end the
    service after it has answered what it has taken. Its log, one line of JSON for each request, has
    no texts.
    """
    # Long because each option is a parameter.
    from biolink.cli.console import message
    from biolink.cli.link import loaded
    from biolink.errors import MissingDependencyError
    from biolink.scale.blocks import LinkSettings

    try:
        from biolink.serve.limits import Limits
        from biolink.serve.running import ServeSettings, bound, checked_origins, read_token
        from biolink.serve.running import serve as run
    except ModuleNotFoundError as error:
        raise MissingDependencyError(error.name or "fastapi", "biolink serve", "serve") from None
    settings = ServeSettings(
        None if token_file is None else read_token(token_file),
        checked_origins(cors or ()),
        Limits(body=max_body, characters=max_characters, waiting=max_waiting, seconds=timeout),
    )
    # An address that cannot be had is told before the model is loaded.
    sock = bound(host, port)
    linker = loaded(
        LinkSettings(
            kb=kb,
            model=model,
            method=method,
            types=types,
            taxa=taxa,
            branch=branch,
            nil=nil,
            precision=precision,
            device=device,
        )
    )

    def listening() -> None:
        name = f"[{host}]" if ":" in host else host
        address = f"http://{name}:{sock.getsockname()[1]}"
        message(f"biolink: listening at {address} (the endpoints are described at {address}/docs)")

    if settings.token is None and not ip_address(sock.getsockname()[0]).is_loopback:
        message("biolink: note: whoever reaches this address may ask; --token-file changes that")
    run(linker, sock, settings, listening)


def mcp(
    kb: KbOption = None,
    model: ModelOption = None,
    method: Method = None,
    types: Types = None,
    taxa: Taxa = None,
    branch: Branch = None,
    nil: Nil = None,
    precision: PrecisionOption = "fp32",
    device: Device = "cpu",
) -> None:
    """Give agents tools over stdin and stdout, by the Model Context Protocol.

    The tools are link_text, link_terms, search, get_concept and verify. They only read. Under
    biolink serve, agents find the same tools at /mcp.
    """
    from biolink.cli.link import loaded
    from biolink.errors import MissingDependencyError
    from biolink.scale.blocks import LinkSettings

    try:
        from biolink.serve.agents import run_agents
    except ModuleNotFoundError as error:
        raise MissingDependencyError(error.name or "mcp", "biolink mcp", "mcp") from None
    run_agents(
        loaded(
            LinkSettings(
                kb=kb,
                model=model,
                method=method,
                types=types,
                taxa=taxa,
                branch=branch,
                nil=nil,
                precision=precision,
                device=device,
            )
        )
    )
