"""What happens to every request before and after it is answered.

A request's body is read as a whole before anything else, so a request that is too large, too slow
or cut off never reaches the linker. Logs and metrics say what was asked and how it ended, and
never what the texts were.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
from collections.abc import Sequence
from typing import Any

from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from biolink.serve.limits import Limits
from biolink.serve.metrics import Metrics

__all__ = ["PAGE_POLICY", "BodyLimit", "Cors", "JsonLines", "Observed", "Token", "failed", "log"]

log = logging.getLogger("biolink.serve")

#: What pages of this service may do: nothing but load scripts, styles and answers from here.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
#: Paths that tell nothing about a knowledge base or a text, and the files of the page.
_WITHOUT_TOKEN = ("/health", "/ready", "/")
_FILES = "/static/"
#: Paths whose routes are not those of endpoints.
_OTHERS = ("/openapi.json", "/mcp")
#: The time in seconds within which the body of a request has to arrive.
_ARRIVAL = 30.0
#: The status in the log of a request whose client has gone.
_GONE = 499


def failed(status: int, what: str, **headers: str) -> JSONResponse:
    """Return an answer that says what is wrong, in a form that can always be encoded."""
    said = what.encode("utf-8", "backslashreplace").decode()
    return JSONResponse({"detail": said}, status, headers)


class Observed:
    """Logs and counts each request, and turns an error of this service into an answer.

    Parameters
    ----------
    app
        The application.
    metrics
        What counts the requests.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.monotonic()
        status, size = _GONE, 0

        async def counted(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", []), (b"x-content-type-options", b"nosniff")]
                if not any(name == b"content-security-policy" for name, _ in headers):
                    headers.append((b"content-security-policy", PAGE_POLICY.encode()))
                headers.append((b"referrer-policy", b"no-referrer"))
                message = {**message, "headers": headers}
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            await send(message)

        try:
            with self.metrics.in_progress.track_inprogress():
                await self.app(scope, receive, counted)
        except Exception as problem:
            event = {"event": "error", "kind": type(problem).__name__}
            log.exception("error", extra={"event": event})
            if status == _GONE:
                await failed(500, "the service has an error")(scope, receive, counted)
        finally:
            seconds = time.monotonic() - began
            path = _template(scope)
            self.metrics.observe_request(scope["method"], path, status, seconds)
            request: dict[str, Any] = {
                "event": "request",
                "method": scope["method"],
                "path": path,
                "status": status,
                "ms": round(seconds * 1000, 1),
                "bytes_in": scope.get("biolink.body", 0),
                "bytes_out": size,
            }
            log.info("request", extra={"event": request})


def _template(scope: Scope) -> str:
    """The path of a request without the values in it; "other" for one that is not known."""
    route = getattr(scope.get("route"), "path", None)
    if route is not None:
        return str(route)
    path = str(scope["path"])
    return "/static" if path.startswith(_FILES) else path if path in _OTHERS else "other"


class BodyLimit:
    """Reads the body of a request before the application sees it, up to a limit.

    Parameters
    ----------
    app
        The application.
    limits
        The limits.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.most = app, limits.body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        body = b""
        try:
            async with asyncio.timeout(_ARRIVAL):
                more = not (announced.isdigit() and int(announced) > self.most)
                too_large = not more
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return
                    body += message.get("body", b"")
                    too_large = len(body) > self.most
                    more = message.get("more_body", False) and not too_large
        except TimeoutError:
            answer = failed(408, f"the request did not arrive within {_ARRIVAL:g} s")
            await answer(scope, receive, send)
            return
        if too_large:
            answer = failed(413, f"the body is larger than {self.most:,} bytes", connection="close")
            await answer(scope, receive, send)
            return
        scope["biolink.body"] = len(body)
        given = False

        async def replayed() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replayed, send)


class Token:
    """Answers only requests that have the token, if there is one.

    Parameters
    ----------
    app
        The application.
    token
        The token, or None. It is compared in constant time.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self.app = app
        self.expected = None if token is None else f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or self.expected is None or _is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"authorization", b"")
        if hmac.compare_digest(given, self.expected):
            await self.app(scope, receive, send)
            return
        answer = failed(
            401,
            "a token is needed; expected the header Authorization: Bearer TOKEN",
            **{"www-authenticate": "Bearer"},
        )
        await answer(scope, receive, send)


def _is_open(path: str) -> bool:
    return path in _WITHOUT_TOKEN or path.startswith(_FILES)


class Cors:
    """Lets pages of other origins ask: all of them under one path, and some elsewhere.

    Parameters
    ----------
    app
        The application.
    open_path
        The path that is open to all origins, which OpenRefine asks.
    origins
        The origins that may ask everywhere; ``*`` stands for all.
    """

    def __init__(self, app: ASGIApp, open_path: str, origins: Sequence[str] = ()) -> None:
        self.open_path = open_path
        self.elsewhere: ASGIApp = app
        methods, headers = ("GET", "POST"), ("*",)
        self.everywhere = CORSMiddleware(
            app, allow_origins=("*",), allow_methods=methods, allow_headers=headers
        )
        if origins:
            self.elsewhere = CORSMiddleware(
                app, allow_origins=origins, allow_methods=methods, allow_headers=headers
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        path = scope.get("path", "")
        is_open = path == self.open_path or path.startswith(f"{self.open_path}/")
        await (self.everywhere if is_open else self.elsewhere)(scope, receive, send)


class JsonLines(logging.Formatter):
    """Writes each record of the log as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        event = getattr(record, "event", None) or {"event": record.getMessage()}
        line = {"time": self.formatTime(record), "level": record.levelname.lower(), **event}
        if record.exc_info:
            # The kind of an error and where it happened; its message might quote a text.
            trace = record.exc_info[2]
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            if trace is not None:
                code = trace.tb_frame.f_code
                line["where"] = f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
        return json.dumps(line, ensure_ascii=False)
