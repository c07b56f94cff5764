"""Measure ``biolink serve`` under load: throughput beside ``pipe``, wrong requests, and its end.

    python benchmarks/serve.py --data ../shared/data [--abstracts 48] [--requests 2000] [--quick]

The service runs in a process of its own, with one thread for the model, and 16 clients ask at once.

Throughput: each abstract is a request of its own. ``pipe`` links the same abstracts in this
process, with one thread, in turn with the service, and a ratio is that of two runs which follow
each other. Every answer is compared with what ``pipe`` gave. The processor's time for a document is
that of this process for ``pipe`` and that of the service's for the service; other programs on the
machine change it less than the rate.

Wrong requests: of ``--requests`` short requests, every tenth is malformed, oversized or cut off.
A right one counts as lost if it has no answer with status 200; the memory of the service is that of
its process after each quarter.

The end: while the clients ask without pause, the service gets SIGTERM. An answer counts if it came
whole. The requests that the service has taken are those in its log.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx
from commands import abstracts, memory_of
from common import arguments, machine, ratios, record, spread

import biolink
from biolink.formats.jsonl import document_to_dict
from biolink.scale.blocks import one_thread

CLIENTS = 16
BODY = 100_000
#: The requests of which every tenth is one of WRONG, in turn.
RIGHT: tuple[tuple[str, Any], ...] = (
    ("/link/terms", {"terms": ["asthma", "breast cancer"]}),
    ("/ground", {"text": "BRCA1"}),
    ("/link", {"text": "Aspirin for asthma.", "types": "disease,chemical"}),
    ("/link/terms", {"terms": ["Alzheimer's disease", "p53", "qwertyzz"]}),
    ("/reconcile", {"queries": json.dumps({"q0": {"query": "gout", "type": "Disease"}})}),
    ("/names", {"db": "MESH", "id": "D001241"}),
)
WRONG: tuple[tuple[str, bytes], ...] = (
    ("/link", b'{"text": "Aspirin'),
    ("/link", b'{"text": ' + b"[" * 20_000),
    ("/link", b"x" * (BODY + 1)),
    ("/link/terms", b'{"terms": ["\\ud800"]}'),
    ("/ground", b'{"text": 5}'),
    ("/reconcile", b"queries=%7B"),
    ("/nothing", b"{}"),
)


@contextmanager
def service(*options: str) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    """Start the service, and give its process, its address and its log."""
    command = [sys.executable, "-P", "-c", "from biolink.cli import main; main()", "serve"]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with log.open("w") as stream:
            process = subprocess.Popen(
                [*command, "--port", "0", *options], stderr=stream, text=True
            )
        try:
            while not (match := re.search(r"listening at (\S+)", log.read_text())):
                if process.poll() is not None:
                    raise SystemExit(log.read_text())
                time.sleep(0.1)
            yield process, match[1], log
        finally:
            process.terminate()
            process.wait()


async def asked(address: str, texts: Sequence[str]) -> list[Any]:
    """The answers to texts, which the clients take one after another."""
    answers: list[Any] = [None] * len(texts)
    waiting = iter(range(len(texts)))

    async def client(http: httpx.AsyncClient) -> None:
        for number in waiting:
            answer = await http.post("/link", json={"text": texts[number]})
            answer.raise_for_status()
            (answers[number],) = answer.json()["documents"]

    async with httpx.AsyncClient(base_url=address, timeout=600) as http:
        await asyncio.gather(*(client(http) for _ in range(CLIENTS)))
    return answers


def throughput(texts: Sequence[str], repeats: int) -> dict[str, Any]:
    """Documents per second of ``pipe`` and of the service, in turn, and the processor's time."""
    linker = biolink.load()
    rates: dict[str, list[float]] = {"pipe": [], "service": []}
    seconds: dict[str, list[float]] = {"pipe": [], "service": []}
    with service() as (process, address, _), one_thread():
        list(linker.pipe(texts[:2]))
        asyncio.run(asked(address, texts[:2]))
        for _ in range(repeats):
            began, used = time.perf_counter(), time.process_time()
            linked = list(linker.pipe(texts))
            rates["pipe"].append(len(texts) / (time.perf_counter() - began))
            seconds["pipe"].append((time.process_time() - used) / len(texts))
            began, used = time.perf_counter(), processor_time(process.pid)
            answers = asyncio.run(asked(address, texts))
            rates["service"].append(len(texts) / (time.perf_counter() - began))
            seconds["service"].append((processor_time(process.pid) - used) / len(texts))
            for document, answer in zip(linked, answers, strict=True):
                expected = json.loads(json.dumps(document_to_dict(document)))
                if expected["mentions"] != answer["mentions"]:
                    raise SystemExit(f"the answer to {document.text[:60]!r} is not that of pipe")
    return {"documents per second": rates, "processor seconds": seconds}


def processor_time(pid: int) -> float:
    """The seconds in which a process and its threads ran."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def cut_off(address: str) -> str:
    """Send a part of a request, and go."""
    host, port = address.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = b"POST /link HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    writer.write(head + b'content-length: 500\r\n\r\n{"text": "Asp')
    await writer.drain()
    writer.close()
    return "cut off"


async def sent(http: httpx.AsyncClient, address: str, number: int) -> str:
    """Send a request, right or wrong by its number, and say how it ended."""
    if number % 10 == 9:
        turn = number // 10 % (len(WRONG) + 1)
        if turn == len(WRONG):
            return await cut_off(address)
        path, body = WRONG[turn]
        kind = "application/x-www-form-urlencoded" if path == "/reconcile" else "application/json"
        try:
            answer = await http.post(path, content=body, headers={"content-type": kind})
        except httpx.WriteError:
            return "wrong: refused before it was sent"
        return f"wrong: {answer.status_code}"
    path, value = RIGHT[number % len(RIGHT)]
    form = {"data": value} if path == "/reconcile" else {"json": value}
    while (answer := await http.post(path, **form)).status_code == 429:
        await asyncio.sleep(float(answer.headers["retry-after"]))
    return f"right: {answer.status_code}"


def wrong_requests(count: int) -> dict[str, Any]:
    """How many requests ended in which way, and the memory of the service after each quarter."""
    ends: Counter[str] = Counter()

    async def part(address: str, numbers: range) -> None:
        waiting = iter(numbers)

        async def client(http: httpx.AsyncClient) -> None:
            for number in waiting:
                ends[await sent(http, address, number)] += 1

        async with httpx.AsyncClient(base_url=address, timeout=600) as http:
            await asyncio.gather(*(client(http) for _ in range(CLIENTS)))

    with service("--max-body", str(BODY)) as (process, address, log):
        asyncio.run(part(address, range(60)))
        ends.clear()
        memory = [memory_of(process.pid)[0]]
        began = time.perf_counter()
        for quarter in range(4):
            asyncio.run(part(address, range(quarter * count // 4, (quarter + 1) * count // 4)))
            memory.append(memory_of(process.pid)[0])
        seconds = time.perf_counter() - began
        errors = sum(event.get("status", 0) >= 500 for event in events(log))
    return {
        "requests": count,
        "seconds": seconds,
        "ends": dict(sorted(ends.items())),
        "status 5xx": errors,
        "memory, MiB": memory,
    }


def events(log: Path) -> list[dict[str, Any]]:
    """The lines of a log that are JSON."""
    lines = log.read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def end_under_load(texts: Sequence[str], seconds: float) -> dict[str, Any]:
    """How many requests were taken and answered when the service got SIGTERM."""
    answered = refused = broken = 0

    async def load(address: str, stop: Callable[[], None]) -> None:
        ended = asyncio.Event()

        async def client(first: int) -> None:
            nonlocal answered, refused, broken
            number = first
            async with httpx.AsyncClient(base_url=address, timeout=600) as http:
                while not ended.is_set():
                    try:
                        answer = await http.post("/link", json={"text": texts[number % len(texts)]})
                    except (httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError):
                        refused += 1  # no part of an answer: it was not taken
                        ended.set()
                    else:
                        answered += answer.status_code == 200
                        broken += answer.status_code != 200
                    number += CLIENTS

        clients = asyncio.gather(*map(client, range(CLIENTS)))
        await asyncio.sleep(seconds)
        stop()
        await clients

    with service() as (process, address, log):
        httpx.post(f"{address}/link/terms", json={"terms": ["asthma", "p53"]}, timeout=600)
        asyncio.run(load(address, lambda: process.send_signal(signal.SIGTERM)))
        status = process.wait()
        taken = Counter(event["status"] for event in events(log) if event.get("path") == "/link")
    return {
        "taken": sum(taken.values()),
        "answered with 200": answered,
        "other answers": broken,
        "refused after the signal": refused,
        "exit status": status,
    }


def show(values: dict[str, Any], out: IO[str]) -> None:
    """Print the tables."""
    rates = values["throughput"]["documents per second"]
    seconds = values["throughput"]["processor seconds"]
    ratio = ratios(rates["service"], rates["pipe"])
    used = {name: spread(values, digits=3) for name, values in seconds.items()}
    lines = [
        f"{values['abstracts']} abstracts, {CLIENTS} clients",
        "",
        "| what | documents/s | ratio to pipe | the processor's seconds for a document |",
        "| --- | --- | --- | --- |",
        f"| `pipe` | {spread(rates['pipe'], digits=2)} | 1.00 | {used['pipe']} |",
        f"| service | {spread(rates['service'], digits=2)} | {spread(ratio, digits=2)} "
        f"| {used['service']} |",
        "",
        "Every answer was that of `pipe`.",
    ]
    wrong = values["wrong requests"]
    lines += ["", f"{wrong['requests']:,} requests in {wrong['seconds']:.0f} s", ""]
    lines += ["| how they ended | requests |", "| --- | --- |"]
    lines += [f"| {end} | {count:,} |" for end, count in wrong["ends"].items()]
    memory = ", ".join(f"{value:.0f}" for value in wrong["memory, MiB"])
    lines += ["", f"Answers with status 5xx: {wrong['status 5xx']}"]
    lines += [f"Memory before them and after each quarter: {memory} MiB"]
    lines += ["", "| SIGTERM under load | |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in values["end"].items()]
    out.write("\n".join(lines) + "\n")


def main() -> None:
    """Run all three."""
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the data")
    parser.add_argument("--abstracts", type=int, default=48, help="how many; default: 48")
    parser.add_argument("--requests", type=int, default=2000, help="how many; default: 2000")
    parser.add_argument("--repeats", type=int, default=3, help="of the throughput; default: 3")
    given = parser.parse_args()
    if given.quick:
        given.abstracts, given.requests, given.repeats = 16, 200, 1
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "abstracts.jsonl")
        abstracts(given.data, given.abstracts, file)
        texts = [document.text for document in biolink.read(file)]
    values = {
        "abstracts": len(texts),
        "throughput": throughput(texts, given.repeats),
        "wrong requests": wrong_requests(given.requests),
        "end": end_under_load([text[:200] for text in texts], 5.0),
    }
    print(machine())
    show(values, sys.stdout)
    record(given.json, values)


if __name__ == "__main__":
    main()
