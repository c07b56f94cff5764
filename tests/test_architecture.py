"""Imports point one way, and nothing heavy is loaded before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED = {"biolink.documents", "biolink.errors"}
ALLOWED = {
    "kb": {"biolink.kb"},
    "pretrain": {"biolink.kb", "biolink.pretrain"},
    "infer": {"biolink.kb", "biolink.infer"},
    "finetune": {"biolink.kb", "biolink.pretrain", "biolink.infer", "biolink.finetune"},
}


def imported(file: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
    return {module for module in modules if module.split(".")[0] == "biolink"}


@pytest.mark.parametrize("folder", ALLOWED)
def test_dependencies_point_downwards(folder: str) -> None:
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    for file in files:
        for module in imported(file):
            package = ".".join(module.split(".")[:2])
            assert module in SHARED or package in ALLOWED[folder], f"{file} imports {module}"


@pytest.mark.parametrize(
    "code",
    [
        "import biolink",
        "import biolink; biolink.Document, biolink.read, biolink.BiolinkError",
        "import biolink.cli.app",
    ],
)
def test_importing_is_light(code: str) -> None:
    heavy = ("torch", "transformers", "spacy", "sklearn", "pyarrow")
    probe = f"{code}\nimport sys; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_exist() -> None:
    import biolink

    for name in biolink.__all__:
        assert getattr(biolink, name) is not None
    assert set(biolink.__all__) <= set(dir(biolink))
    with pytest.raises(AttributeError):
        biolink.nothing  # noqa: B018


def test_py_typed_is_shipped() -> None:
    import biolink

    assert (Path(biolink.__file__).parent / "py.typed").exists()
