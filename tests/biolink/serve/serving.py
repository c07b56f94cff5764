"""A service that listens on a port, in a thread of this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from biolink.serve.app import make_app
from biolink.serve.engine import Engine


@contextmanager
def served(linker: Any, **options: Any) -> Iterator[str]:
    """The address of a service over a linker."""
    app = make_app(Engine(linker), **options)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
