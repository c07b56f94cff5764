"""Interrupts from the keyboard: while modules are imported, and in worker processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from biolink.documents import Document
from biolink.interrupts import held_back
from biolink.scale.blocks import LinkSettings, link_in_processes

_IMPORTING = """
import os, signal, sys
from importlib.abc import MetaPathFinder

class Interrupting(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "biolink.cli.app":
            os.kill(os.getpid(), signal.SIGINT)
            print("still importing", flush=True)

sys.meta_path.insert(0, Interrupting())
from biolink.cli import main
sys.argv = ["biolink", "convert", "-", "--to", "jsonl"]
main()
"""


def test_an_interrupt_waits_for_the_end_of_an_import() -> None:
    # The command reads a pipe that stays open, so only the interrupt ends it.
    read, write = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-c", _IMPORTING],
            stdin=read, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    finally:
        os.close(read)
        os.close(write)
    assert (done.returncode, done.stdout, done.stderr) == (130, "still importing\n", "")


def test_an_interrupt_is_held_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    reached = False
    with pytest.raises(KeyboardInterrupt), held_back():
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):  # Python handles signals between instructions.
            pass
        reached = True
    assert reached
    assert signal.getsignal(signal.SIGINT) is before
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


class Blocked:
    """A linker that says as the id of a document whether interrupts are blocked in its process."""

    def pipe(self, block: list[Document], size: int, recognise: bool | None) -> list[Document]:
        os.kill(os.getpid(), signal.SIGINT)
        blocked = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
        return [Document(f"{os.getpid()} {blocked}", document.text) for document in block]


@dataclass(frozen=True, slots=True)
class Reporting(LinkSettings):
    def linker(self, progress: Any = None) -> Any:
        return Blocked()


def test_workers_take_no_interrupt_and_end_at_once() -> None:
    blocks = ([Document(str(number), "x")] for number in range(100))
    linked = link_in_processes(Reporting(), blocks, workers=2)
    answers = [next(linked).documents[0].id.split() for _ in range(10)]
    assert {blocked for _, blocked in answers} == {"True"}
    linked.close()
    for number, _ in answers:
        with pytest.raises(ProcessLookupError):
            os.kill(int(number), 0)
