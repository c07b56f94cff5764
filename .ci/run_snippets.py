"""Run the code blocks of Markdown files: ``python .ci/run_snippets.py README.md docs``.

For a folder, the ``.md`` files in it and below it are run. The blocks of a file share one Python
namespace and one temporary folder, which has links to ``examples`` and ``tests``.

- ``python`` blocks are executed.
- ``pycon`` blocks are executed as doctests, and their output is compared.
- ``console`` blocks: each line that begins with ``$ biolink`` is run by the shell. If lines follow
  it, the output is compared with them.

In expected output, ``...`` stands for anything and white space does not matter. All other blocks
are for reading only.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (biolink .*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
ROOT = Path(__file__).parents[1]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def run_python(code: str, namespace: dict[str, Any], file: Path, line: int) -> None:
    """Execute a block; an error names its line in the file."""
    exec(compile("\n" * line + code, str(file), "exec"), namespace)


def run_session(code: str, namespace: dict[str, Any], file: Path, line: int) -> None:
    """Run a session and compare what it prints."""
    session = doctest.DocTestParser().get_doctest(code, {}, file.name, str(file), line)
    session.globs = namespace
    if doctest.DocTestRunner(optionflags=FLAGS).run(session, clear_globs=False).failed:
        sys.exit(f"{file}:{line}: the session does not print what is expected")


def run_commands(code: str, file: Path, line: int) -> int:
    """Run the commands of a block, compare their output, and return their number."""
    commands = COMMAND.findall(code)
    for command, expected in commands:
        done = subprocess.run(command, shell=True, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{file}:{line}: {command}: {done.stderr}")
        if expected and not doctest.OutputChecker().check_output(expected, done.stdout, FLAGS):
            sys.exit(f"{file}:{line}: {command}: expected\n{expected}\nbut got\n{done.stdout}")
    return len(commands)


def run_file(file: Path) -> int:
    """Run the blocks of one file, and return their number."""
    count = 0
    namespace: dict[str, Any] = {"__name__": "snippet"}
    text = file.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("examples", "tests"):
            (Path(folder) / name).symlink_to(ROOT / name)
        os.chdir(folder)
        for match in BLOCK.finditer(text):
            line = text[: match.start()].count("\n") + 1
            kind, code = match.groups()
            if kind == "python":
                run_python(code, namespace, file, line)
                count += 1
            elif kind == "pycon":
                run_session(code, namespace, file, line)
                count += 1
            elif kind == "console":
                count += run_commands(code, file, line)
        os.chdir(ROOT)
    return count


def main() -> None:
    for argument in sys.argv[1:]:
        path = Path(argument).resolve()
        for file in sorted(path.rglob("*.md")) if path.is_dir() else [path]:
            sys.stdout.write(f"{file.relative_to(ROOT)}: {run_file(file)} snippets run\n")


if __name__ == "__main__":
    main()
