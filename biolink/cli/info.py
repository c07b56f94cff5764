"""``biolink formats`` and ``biolink info``."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from biolink.cli.console import stdout
from biolink.errors import ModelError

__all__ = ["formats_markdown", "print_formats", "print_info"]

_PACKAGES = ("torch", "transformers", "spacy", "scispacy", "marisa-trie", "pyarrow", "numpy")


def formats_markdown() -> str:
    """The table of formats, as the manual includes it."""
    from biolink.formats import describe
    from biolink.kb.readers import READERS

    lines = ["| documents | read | write | what |", "| --- | --- | --- | --- |"]
    for info in describe():
        label = info.label + (f" ({', '.join(info.suffixes)})" if info.suffixes else "")
        lines.append(f"| `{info.name}` | yes | {'yes' if info.writes else 'no'} | {label} |")
    lines += ["", "| knowledge bases | what |", "| --- | --- |"]
    lines += [f"| `{name}` | {reader.load().LABEL} |" for name, reader in READERS.items()]
    return "\n".join(lines)


def print_formats() -> None:
    """Print the table."""
    stdout().print(formats_markdown(), markup=False, soft_wrap=True)


def print_info(model: Path | None) -> None:
    """Print versions and the settings of a model."""
    from biolink import __version__
    from biolink.pipeline import EMBEDDED

    console = stdout()
    console.print(f"biolink {__version__}, Python {platform.python_version()}")
    for package in _PACKAGES:
        try:
            console.print(f"{package} {version(package)}")
        except PackageNotFoundError:
            console.print(f"{package} not installed")
    folder = EMBEDDED / "model" if model is None else model
    file = folder / "biolink.json"
    if not file.is_file():
        raise ModelError(f"{folder} has no biolink.json: it is not a model that biolink made")
    settings = json.loads(file.read_text(encoding="utf-8"))
    console.print(json.dumps(settings, indent=1, ensure_ascii=False), markup=False)
