"""The fixture with the folder of the corpora."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    folder = Path(os.environ.get("BIOLINK_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}: set BIOLINK_DATA")
    return folder


@pytest.fixture(scope="session")
def corpora(data_folder: Path) -> Path:
    return data_folder / "corpora"
