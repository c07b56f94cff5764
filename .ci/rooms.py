"""Print a map of the folders: their modules, with the number of lines and the purpose of each.

Run ``python .ci/rooms.py``, or ``python .ci/rooms.py infer`` for one folder. The purpose of a
module is the first paragraph of its docstring.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("kb", "pretrain", "infer", "finetune", "biolink")


def rooms(folders: tuple[str, ...] = ROOMS) -> str:
    """Return the map in Markdown."""
    lines = []
    for folder in folders:
        packages = sorted({file.parent for file in (ROOT / folder).rglob("*.py")})
        for package in packages:
            lines += [f"### {package.relative_to(ROOT).as_posix()}/", ""]
            lines += ["| module | lines | what it is for |", "| --- | ---: | --- |"]
            lines += [row(file) for file in sorted(package.glob("*.py"))]
            lines += [""]
    return "\n".join(lines)


def row(file: Path) -> str:
    """Return the row of one module."""
    text = file.read_text(encoding="utf-8")
    what = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0].replace("\n", " ")
    what = what.replace("``", "`").replace("|", "\\|")
    return f"| `{file.name}` | {text.count(chr(10))} | {what} |"


if __name__ == "__main__":
    sys.stdout.write(rooms(tuple(sys.argv[1:]) or ROOMS) + "\n")
