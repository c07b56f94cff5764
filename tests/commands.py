"""The command line as a user runs it, and the files that tests give to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

__all__ = ["DATA", "run"]

DATA = Path(__file__).parent / "data"


def run(*arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    command = [sys.executable, "-c", "from biolink.cli import main; main()", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True)
    return subprocess.CompletedProcess(
        command, done.returncode, done.stdout.decode(), done.stderr.decode()
    )
