"""Running the service: its socket, token and log, and an end that finishes what was taken."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from biolink.answers.concepts import search
from biolink.errors import ConfigError, InputError
from biolink.pipeline import AnyLinker
from biolink.serve.app import make_app
from biolink.serve.engine import Engine
from biolink.serve.limits import Limits
from biolink.serve.metrics import Metrics
from biolink.serve.middleware import JsonLines, log
from biolink.serve.reviewing import Review

__all__ = ["ServeSettings", "bound", "checked_origins", "read_token", "serve"]

#: The least length of a token.
_SHORTEST = 16


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """For whom the service runs, and how much it takes.

    Attributes
    ----------
    token
        The token that requests must have, or None.
    origins
        The origins whose pages may ask.
    limits
        What a request may have.
    review
        The documents that the page reviews, or None.
    """

    token: str | None = None
    origins: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    review: Review | None = None


def read_token(file: str | Path) -> str:
    """Return the token in a file, which has nothing else.

    Raises
    ------
    InputError
        If the file cannot be read, or its content is no token.
    """
    expected = f"one token of at least {_SHORTEST} characters, without spaces"
    try:
        token = Path(file).read_text(encoding="ascii").strip()
    except UnicodeDecodeError:
        raise InputError(str(file), None, "characters that are not ASCII", expected) from None
    except OSError as error:
        raise InputError(str(file), None, error.strerror or str(error), expected) from None
    if len(token) < _SHORTEST or len(token.split()) != 1 or not token.isprintable():
        raise InputError(str(file), None, f"a text of {len(token)} characters", expected)
    return token


def checked_origins(origins: Sequence[str]) -> tuple[str, ...]:
    """Return the origins if they are some.

    Raises
    ------
    ConfigError
        If one is no origin, such as an address with a path.
    """
    for origin in origins:
        scheme, separator, rest = origin.partition("://")
        valid = separator and scheme in ("http", "https") and rest and "/" not in rest
        if origin != "*" and not valid:
            raise ConfigError(
                f"--cors is {origin!r}; expected an origin such as https://example.org, or *"
            )
    return tuple(origins)


def bound(host: str, port: int) -> socket.socket:
    """Return a socket at an address, at which nobody is answered yet.

    Raises
    ------
    ConfigError
        If the address cannot be had.
    """
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise ConfigError(
            f"the service cannot listen at {host}, port {port}: {error.strerror or error}; "
            "expected another --port or --host"
        ) from None
    return sock


class _Server(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        if self.started:
            self._listening()


def serve(
    linker: AnyLinker,
    sock: socket.socket,
    settings: ServeSettings,
    listening: Callable[[], None] = lambda: None,
) -> None:
    """Serve a linker until SIGTERM or an interrupt, and finish the requests that were taken.

    Parameters
    ----------
    linker
        The loaded linker.
    sock
        The socket; see :func:`bound`.
    settings
        For whom, and how much.
    listening
        A function that is called once requests are taken.
    """
    metrics = Metrics()
    engine = Engine(linker, settings.limits, metrics.observe_batch)
    # uvicorn raises the signal that ended it once more, for the handlers that were there before.
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        search(engine.bases, "ready", 1)  # it opens the indexes that a first search would wait for
        host = str(sock.getsockname()[0])
        app = make_app(engine, metrics, settings.token, settings.origins, host, settings.review)
        _log_as_json()
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=int(settings.limits.seconds) + 10,
        )
        _Server(config, listening).run(sockets=[sock])
    finally:
        signal.signal(signal.SIGTERM, before)
        engine.close()


def _log_as_json() -> None:
    """Log requests and the messages of the server as lines of JSON on stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for logger, level in ((log, logging.INFO), (logging.getLogger("uvicorn"), logging.WARNING)):
        logger.handlers[:] = [handler]
        logger.setLevel(level)
        logger.propagate = False
