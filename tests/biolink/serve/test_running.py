"""The service as a process: its start, its token, a real client, and its end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from biolink.errors import BiolinkError, ConfigError, InputError
from biolink.serve.limits import Limits
from biolink.serve.running import checked_origins, read_token
from tests.biolink.serve.serving import served

COMMAND = [sys.executable, "-c", "from biolink.cli import main; main()", "serve"]


def started(*options: str) -> tuple[subprocess.Popen[str], str]:
    """The process of the command, and the address that it says."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", *options], stderr=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    match = re.search(r"listening at (http://\S+)", line)
    assert match, line + process.stderr.read()
    return process, match[1]


#: The requests that were answered.
LINKED = 'requests_total{method="POST",path="/link",status="200"}'


def figure(figures: str, name: str) -> float:
    """The value of a figure, 0 if nothing was counted yet."""
    match = re.search(rf"^biolink_{re.escape(name)} (.+)$", figures, re.MULTILINE)
    return float(match[1]) if match else 0.0


def test_sigterm_finishes_what_was_taken(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t" * 20 + "\n")
    process, address = started("--token-file", str(token), "--types", "disease,chemical")
    headers = {"authorization": "Bearer " + "t" * 20}
    assert httpx.get(f"{address}/info").status_code == 401
    texts = [f"Aspirin for asthma, patient {number}." for number in range(12)]
    answers: list[httpx.Response] = []

    def ask(text: str) -> None:
        answers.append(
            httpx.post(f"{address}/link", json={"text": text}, headers=headers, timeout=60)
        )

    threads = [threading.Thread(target=ask, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for _ in range(2000):
        figures = httpx.get(f"{address}/metrics", headers=headers).text
        # The request for the figures is in progress itself.
        taken = figure(figures, "requests_in_progress") - 1 + figure(figures, LINKED)
        if taken == len(texts):
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200] * len(texts)
    assert {answer.json()["documents"][0]["text"] for answer in answers} == set(texts)
    assert process.wait(30) == 0
    assert process.stderr is not None
    log = [json.loads(line) for line in process.stderr.read().splitlines()]
    assert sum(line.get("path") == "/link" for line in log) == len(texts)
    assert "patient" not in json.dumps(log)


def test_an_address_that_is_taken(linker: Any) -> None:
    with served(linker) as address:
        port = address.rpartition(":")[2]
        done = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("biolink: error: the service cannot listen at 127.0.0.1, port ")
    assert done.stderr.count("\n") == 1


def test_a_real_client_of_openrefine(linker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # The client was written for numpy 1, in which this name was another one of nan.
    monkeypatch.setattr(np, "NaN", np.nan, raising=False)
    from reconciler import reconcile

    column = pd.Series(["asthma", "breast cancer", "qwertyzz", "asthma"])
    with served(linker) as address:
        found = reconcile(column, type_id="Disease", reconciliation_endpoint=f"{address}/reconcile")
    rows = {row["input_value"]: row for _, row in found.iterrows()}
    assert rows["asthma"]["id"] == "mesh:D001249"
    assert rows["asthma"]["match"]
    assert rows["breast cancer"]["type_id"] == "Disease"
    assert not rows["qwertyzz"]["match"]


def test_a_request_that_is_cut_off_is_nobodys_error(linker: Any) -> None:
    import socket

    with served(linker) as address:
        host, port = address.removeprefix("http://").split(":")
        for body in (b'{"text": "asth', b""):
            with socket.create_connection((host, int(port))) as cut:
                head = b"POST /link HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                cut.sendall(head + b"content-length: 100\r\n\r\n" + body)
        assert httpx.get(f"{address}/health").status_code == 200
        figures = httpx.get(f"{address}/metrics").text
    assert 'status="500"' not in figures


@pytest.mark.parametrize("content", ["", "short", "two words of it in here", "ä" * 20])
def test_what_is_no_token(tmp_path: Path, content: str) -> None:
    file = tmp_path / "token"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="one token of at least 16 characters"):
        read_token(file)
    with pytest.raises(InputError, match="No such file"):
        read_token(tmp_path / "none")


def test_wrong_settings() -> None:
    assert checked_origins(["https://example.org:8080", "*"])
    for origin in ("example.org", "https://example.org/page", "ftp://x", ""):
        with pytest.raises(ConfigError, match="expected an origin"):
            checked_origins([origin])
    with pytest.raises(BiolinkError, match="the limit body is 0"):
        Limits(body=0)


def test_the_service_is_not_needed_otherwise() -> None:
    code = "import biolink.cli.app, sys; print('fastapi' in sys.modules, 'mcp' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.stdout.split() == ["False", "False"]
