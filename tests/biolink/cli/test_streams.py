"""Standard streams that are closed, full or left by their reader; damaged compression."""

from __future__ import annotations

import gzip
import io
import lzma
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

import biolink
from biolink.errors import BiolinkError
from biolink.kb.files import numbered_lines, open_binary, open_text, peek

BIN = Path(sys.executable).parent / "biolink"
COMMANDS = ("convert - --to jsonl", "formats", "--help", "--version", "info")


def shell(command: str, redirect: str) -> subprocess.CompletedProcess[str]:
    program = f"set -o pipefail; '{BIN}' {command} {redirect}"
    return subprocess.run(
        ["bash", "-c", program], input="asthma\n", capture_output=True, text=True, timeout=300
    )


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("redirect", [">&-", "> /dev/full"])
def test_a_stdout_that_cannot_be_written_gives_one_line(command: str, redirect: str) -> None:
    done = shell(command, redirect)
    assert done.returncode == 1
    (line,) = lines(done.stderr)
    assert line.startswith("biolink: error: <stdout>: ")


@pytest.mark.parametrize("redirect", [">&-", "> /dev/full"])
def test_output_to_a_file_needs_no_stdout(redirect: str, tmp_path: Path) -> None:
    done = shell(f"convert - --to jsonl -o {tmp_path / 'x.jsonl'}", redirect)
    assert (done.returncode, done.stderr) == (0, "")
    assert [d.text for d in biolink.read(tmp_path / "x.jsonl")] == ["asthma\n"]


def test_a_closed_stdin_is_reported_only_if_it_is_read() -> None:
    done = shell("convert - --to jsonl", "<&-")
    assert done.returncode == 1
    assert "<stdin>: closed" in done.stderr
    assert "Traceback" not in done.stderr
    assert shell("formats", "<&-").returncode == 0


@pytest.mark.parametrize("redirect", ["2>&-", "2> /dev/full"])
def test_stderr_may_be_closed_or_full(redirect: str) -> None:
    done = shell("convert - --to jsonl", redirect)
    assert done.returncode == 0
    assert "asthma" in done.stdout
    assert shell("convert no-such-file --to jsonl", redirect).returncode == 1
    assert shell("convert - --to word", redirect).returncode == 1


def test_the_command_ends_when_its_reader_goes_away(tmp_path: Path) -> None:
    (tmp_path / "x.lines").write_text("a line of text\n" * 50_000)
    done = shell(f"convert {tmp_path / 'x.lines'} --format lines --to jsonl", "| head -1")
    assert (done.returncode, done.stderr) == (141, "")
    assert len(lines(done.stdout)) == 1


def test_a_full_disk_while_a_knowledge_base_is_built(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(
        "id\tname\n" + "".join(f"X{i}\tname {i} of many\n" for i in range(20_000))
    )
    program = f"cd '{tmp_path}'; ulimit -f 100; '{BIN}' kb build a.tsv -o a.kb"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert lines(done.stderr)[-1].startswith("biolink: error: a.kb: ")
    assert "Traceback" not in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tsv"]


def test_a_full_disk_while_documents_are_written(tmp_path: Path) -> None:
    rng = random.Random(3)
    (tmp_path / "x.lines").write_text("".join(f"{rng.random()}\n" for _ in range(20_000)))
    for name in ("o.jsonl", "o.jsonl.gz", "o.jsonl.xz"):
        program = f"cd '{tmp_path}'; ulimit -f 1; '{BIN}' convert x.lines --format lines -o {name}"
        done = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
        assert done.returncode == 1
        (line,) = lines(done.stderr)
        assert line == f"biolink: error: {name}: File too large; expected a path that can be " + (
            "written, with free space"
        )
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.lines"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    document = biolink.Document("1", "asthma")
    for name in ("file/x.jsonl", "none/x.jsonl", "folder", "x" * 300 + ".jsonl"):
        with pytest.raises(BiolinkError):
            biolink.write([document], tmp_path / name, "jsonl")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
def test_damaged_compression_is_an_error_that_names_the_file(
    compress: object, tmp_path: Path
) -> None:
    text = "".join(f"{i}|t|Aspirin {i * i}\n{i}|a|well.\n\n" for i in range(1500))
    whole = compress(text.encode())  # type: ignore[operator]
    rng = random.Random(7)
    file = tmp_path / "z.PubTator.gz"
    damaged = 0
    for number in range(60):
        data = bytearray(whole)
        if number % 3:
            data[rng.randrange(6, len(data))] ^= 1 << rng.randrange(8)
        else:
            del data[rng.randrange(7, len(data)) :]
        file.write_bytes(data)
        for use in (
            lambda: list(biolink.read(file, "pubtator", lambda problem: None)),
            lambda: list(numbered_lines(file)),
            lambda: open_binary(file).read(),
            lambda: peek(file),
            lambda: _text(file),
        ):
            try:
                use()
            except BiolinkError as error:
                assert str(file) in str(error)
                damaged += 1
    assert damaged > 60


def _text(file: Path) -> str:
    with open_text(file) as stream:
        return stream.read()


def test_stdin_is_sniffed_without_being_consumed(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "1|t|Asthma\n1|a|\n\n"
    for data in (text.encode(), gzip.compress(text.encode()), lzma.compress(text.encode())):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))
        assert peek("-").startswith("1|t|")
        assert [line for _, line in numbered_lines("-")] == text.splitlines()


def test_lines_are_flushed_to_a_stream() -> None:
    program = "from biolink.kb.files import numbered_lines\n" + (
        "for number, line in numbered_lines('-'): print(number, line, flush=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for number in (1, 2):
        process.stdin.write("asthma and gout\n")
        process.stdin.flush()
        time.sleep(0.05)
        if number == 2:
            process.stdin.close()
    assert lines(process.stdout.read()) == ["1 asthma and gout", "2 asthma and gout"]
    process.wait()


def test_an_interrupt_at_the_start_is_no_traceback() -> None:
    code = """
import sys
from importlib.abc import MetaPathFinder

class Interrupting(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "biolink.cli.app":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
from biolink.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
