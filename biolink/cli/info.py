"""``biolink formats`` and ``biolink info``."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from typer.core import TyperCommand

from biolink.cli.console import stdout
from biolink.errors import ModelError
from biolink.kb.model_files import SETTINGS
from biolink.kb.model_folder import settings_of, verify_model

__all__ = ["WithFormats", "formats_markdown", "print_formats", "print_info"]

_PACKAGES = ("torch", "transformers", "spacy", "scispacy", "marisa-trie", "pyarrow", "numpy")


def formats_markdown() -> str:
    """The table of formats, as the manual includes it."""
    from biolink.formats import describe
    from biolink.kb.readers import READERS

    lines = ["| documents | read | write | what |", "| --- | --- | --- | --- |"]
    for info in describe():
        label = info.label + (f" ({', '.join(info.suffixes)})" if info.suffixes else "")
        reads, writes = ("yes" if can else "no" for can in (info.reads, info.writes))
        lines.append(f"| `{info.name}` | {reads} | {writes} | {label} |")
    lines += ["", "| knowledge bases | what |", "| --- | --- |"]
    lines += [f"| `{name}` | {reader.load().LABEL} |" for name, reader in READERS.items()]
    return "\n".join(lines)


class WithFormats(TyperCommand):
    """A command whose help ends with the formats of documents, found when help is asked for."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the formats that can be read and written."""
        from biolink.formats import describe

        infos = describe()
        reads = ", ".join(info.name for info in infos if info.reads)
        if self.name == "link":
            writes = ", ".join(info.name for info in infos if info.writes_links)
            writes += ", table (for reading; the default on a terminal)"
        else:
            writes = ", ".join(info.name for info in infos if info.writes)
        with formatter.section("Formats (biolink formats says more)"):
            formatter.write_dl([("--format", reads), ("--to", writes)])


def print_formats() -> None:
    """Print the table."""
    stdout().print(formats_markdown(), markup=False, soft_wrap=True)


def print_info(model: Path | None) -> None:
    """Check a model's files, and print versions and its settings."""
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
    verify_model(folder)
    settings = settings_of(folder)
    if not (folder / SETTINGS).is_file():
        raise ModelError(f"{folder} has no {SETTINGS}: it is not a model that biolink made")
    values = settings.to_dict()
    ranker = values.pop("ranker", None)
    console.print(json.dumps(values, indent=1, ensure_ascii=False), markup=False)
    if ranker is not None:
        console.print("\nWeights of the combined score:")
        for line in _weights(ranker):
            console.print(line, markup=False, soft_wrap=True)


def _weights(ranker: dict[str, Any]) -> Iterator[str]:
    """A line for each feature: its weight, its name and what it means."""
    from biolink.infer.rank.features import (
        CANDIDATE_FEATURES,
        CONTEXTUAL,
        GENERATED,
        NIL_CANDIDATE_FEATURES,
    )

    features = [("weights", "", f.name, f.meaning) for f in CANDIDATE_FEATURES]
    features += [("nil", "NIL: ", f.name, f.meaning) for f in NIL_CANDIDATE_FEATURES]
    for key, kind, name, meaning in features:
        yield f"{ranker.get(key, {}).get(name, 0.0):9.3f}  {kind}{name}: {meaning}"
    for stage, unknown, title in (
        ("early", CONTEXTUAL, "early rankings, which use neither context nor generation"),
        ("in_context", GENERATED, "rankings in context, which do not use generation"),
    ):
        of_stage = ranker.get(stage)
        if of_stage is None:
            continue
        yield ""
        yield f"Weights of {title}. Such a ranking is"
        yield f"final if its best concept leads by at least {of_stage.get('margin')} nats:"
        for key, kind, name, _ in features:
            if name not in unknown:
                yield f"{of_stage.get(key, {}).get(name, 0.0):9.3f}  {kind}{name}"
