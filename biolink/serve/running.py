"""Running the service: the socket, the token, the log, and an end that finishes what was taken."""

from __future__ import annotations

import logging
import signal
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

__all__ = ["ServeSettings", "read_token", "serve"]

#: The least length of a token.
_SHORTEST = 16


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Where and for whom the service runs.

    Attributes
    ----------
    host, port
        The address. Port 0 stands for a free one.
    token
        The token that requests must have, or None.
    origins
        The origins whose pages may ask.
    limits
        What a request may have.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    origins: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


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


class _Server(uvicorn.Server):
    """A server that says where it listens."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[str], None]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started and self.servers:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            self._listening(f"http://{shown}:{port}")


def serve(
    linker: AnyLinker,
    settings: ServeSettings,
    listening: Callable[[str], None] = lambda address: None,
) -> bool:
    """Serve a linker until SIGTERM or an interrupt, and finish the requests that were taken.

    Parameters
    ----------
    linker
        The loaded linker.
    settings
        Where and for whom.
    listening
        A function that is called with the address once requests are taken.

    Returns
    -------
    Whether it listened; if not, the address could not be had.
    """
    metrics = Metrics()
    engine = Engine(linker, settings.limits, metrics.observe_batch)
    # uvicorn raises the signal that ended it once more, for the handlers that were there before.
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        search(engine.bases, "ready", 1)  # it opens the indexes that a first search would wait for
        app = make_app(engine, metrics, settings.token, settings.origins, settings.host)
        _log_as_json()
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=int(settings.limits.seconds) + 10,
        )
        server = _Server(config, listening)
        server.run()
    except SystemExit:
        # uvicorn's answer to an address that cannot be had; it has logged the reason.
        return False
    finally:
        signal.signal(signal.SIGTERM, before)
        engine.close()
    return server.started


def _log_as_json() -> None:
    """Log requests and the messages of the server as lines of JSON on stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for logger, level in ((log, logging.INFO), (logging.getLogger("uvicorn"), logging.WARNING)):
        logger.handlers[:] = [handler]
        logger.setLevel(level)
        logger.propagate = False
