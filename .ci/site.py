"""Hooks of ``mkdocs build``: pages from outside ``docs/``, the package's layout, the commands.

Pages link to each other by their paths in the repository, so that they can be read there. The site
has some pages from outside ``docs/``. Links to them are rewritten, and links to other files of the
repository become plain text.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
OUTSIDE = ("CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/RESULTS.md", "benchmarks/results/*.md")
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#:\s]+)(#[^)\s]*)?\)")
ROLE = re.compile(r":(?:class|func|meth|mod|attr|data|exc):<code>~?([^<]+)</code>")
COMMANDS = "<!-- commands -->"


def outside_pages() -> list[str]:
    """Return the pages of the site from outside ``docs/``, relative to the repository."""
    return [file.relative_to(ROOT).as_posix() for glob in OUTSIDE for file in ROOT.glob(glob)]


def on_startup(**_: Any) -> None:
    """Lay out the package as it is installed, since setuptools maps its folders."""
    package = ROOT / "build" / "package"
    shutil.rmtree(package, ignore_errors=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for name, folder in project["tool"]["setuptools"]["package-dir"].items():
        target = package / name.replace(".", "/")
        target.mkdir(parents=True, exist_ok=True)
        for file in (ROOT / folder).glob("*.py"):
            (target / file.name).symlink_to(file)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages from outside ``docs/``."""
    for page in outside_pages():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / page)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Rewrite links that leave ``docs/``, and insert the commands."""
    here = page.file.src_uri
    outside = outside_pages()
    lies_in = posixpath.dirname(here if here in outside else f"docs/{here}")

    def rewritten(link: re.Match[str]) -> str:
        text, target, anchor = link.group(1), link.group(2), link.group(3) or ""
        path = posixpath.normpath(posixpath.join(lies_in, target))
        if path.startswith("docs/"):
            path = path.removeprefix("docs/")
        elif path not in outside:
            if not (ROOT / path).exists():
                return link.group(0)  # mkdocs reports the broken link.
            return text
        return f"[{text}]({posixpath.relpath(path, posixpath.dirname(here) or '.')}{anchor})"

    markdown = LINK.sub(rewritten, markdown)
    if COMMANDS in markdown:
        markdown = markdown.replace(COMMANDS, commands())
    return markdown


def on_page_content(html: str, **_: Any) -> str:
    """Show the cross-references of docstrings as code."""
    return ROLE.sub(r"<code>\1</code>", html)


def commands() -> str:
    """Return the help of all commands in Markdown."""
    command = [sys.executable, "-m", "typer", "biolink.cli.app", "utils", "docs"]
    environment = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run(
        [*command, "--name", "biolink"],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    return done.stdout.split("\n", 1)[1]
