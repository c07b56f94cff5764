"""A service over the embedded default, asked in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from biolink.pipeline import default_linker
from biolink.serve.app import make_app
from biolink.serve.engine import Engine
from biolink.serve.limits import Limits


@pytest.fixture(scope="package")
def linker() -> Any:
    return default_linker()


@pytest.fixture(scope="package")
def client(linker: Any) -> Iterator[TestClient]:
    engine = Engine(linker, Limits(body=100_000, characters=20_000, documents=40, terms=50))
    with TestClient(make_app(engine, host="testserver")) as client:
        yield client
