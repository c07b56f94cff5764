"""``biolink review``: the command as a process that is killed, and its messages."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from biolink.cli.app import app
from biolink.corrections.files import read_corrections
from biolink.errors import BiolinkError

GOUT = {"start": 0, "end": 4, "text": "Gout", "type": "Disease"}
LINKED = json.dumps({"id": "1", "text": "Gout.", "mentions": [GOUT]}) + "\n"


def started(file: Path) -> tuple[subprocess.Popen[str], str]:
    """A review of a file of one document, and its address."""
    code = "from biolink.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "review", str(file), "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    match = re.search(r"review 1 document at (http://127\S+);", line)
    assert match, line + process.stderr.read()
    return process, match[1]


def test_acts_survive_a_kill_and_the_review_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "linked.jsonl"
    file.write_text(LINKED)
    process, address = started(file)
    answer = httpx.post(f"{address}/page/review/0", json={"act": "nil", "mention": 0, **GOUT})
    process.kill()
    process.communicate()
    assert answer.json()["progress"]["decided"] == 1
    saved = read_corrections(tmp_path / "linked.corrections.jsonl")
    assert [act.act for act in saved.acts] == ["nil"]
    process, address = started(file)
    assert httpx.get(f"{address}/page/review").json()["progress"]["decided"] == 1
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "biolink: 1 of 1 mention decided" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["linked.jsonl", "-o", "linked.jsonl"], "is also an input"),
        (["none.jsonl"], "no such file"),
        (["empty.jsonl"], "no document"),
        (["linked.jsonl", "-o", "other.jsonl"], "expected .*corrections"),
        (["-"], "expected a file of corrections"),
    ],
)
def test_mistakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("linked.jsonl").write_text(LINKED)
    Path("other.jsonl").write_text(LINKED)
    Path("empty.jsonl").write_text("")
    done = CliRunner().invoke(app, ["review", *arguments])
    assert isinstance(done.exception, BiolinkError)
    assert re.search(told, str(done.exception))
    assert Path("other.jsonl").read_text() == LINKED
    assert not list(tmp_path.glob("*.corrections.jsonl"))
