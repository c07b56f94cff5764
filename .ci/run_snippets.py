"""Run the code blocks of Markdown files: ``python .ci/run_snippets.py README.md docs/*.md``.

Blocks of a file share one Python namespace and one temporary folder, in which the repository's
``examples`` can be reached. ``python`` blocks are executed; ``console`` blocks are run by the
shell, line by line, where a line begins with ``$ biolink``. Other blocks are for reading.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ROOT = Path(__file__).parents[1]


def run_file(file: Path) -> int:
    """Run the blocks of one file; returns how many there were."""
    count = 0
    namespace: dict[str, object] = {"__name__": "snippet"}
    text = file.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("examples", "tests"):
            (Path(folder) / name).symlink_to(ROOT / name)
        os.chdir(folder)
        for match in BLOCK.finditer(text):
            line = text[: match.start()].count("\n") + 1
            kind, code = match.groups()
            if kind == "python":
                padded = "\n" * line + code
                exec(compile(padded, str(file), "exec"), namespace)
                count += 1
            elif kind == "console":
                for command in re.findall(r"^\$ (biolink .*)$", code, re.MULTILINE):
                    done = subprocess.run(command, shell=True, capture_output=True, text=True)
                    if done.returncode:
                        sys.exit(f"{file}:{line}: {command}: {done.stderr}")
                    count += 1
        os.chdir(ROOT)
    return count


def main() -> None:
    for argument in sys.argv[1:]:
        file = Path(argument).resolve()
        sys.stdout.write(f"{argument}: {run_file(file)} snippets run\n")


if __name__ == "__main__":
    main()
