"""Shards, and linking on a local Ray cluster: order, failures, kill and resume."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biolink import read
from biolink.cli.link import LinkJob, run_link
from biolink.documents import Document
from biolink.errors import ConfigError, InputError, ModelError
from biolink.kb import KnowledgeBase
from biolink.scale.blocks import BlockLinker, Linked, LinkSettings
from biolink.scale.cluster import ClusterJob, _cards, link_on_ray, shard_size
from biolink.scale.shards import Block, Shards, link_shard, numbered_blocks

ray = pytest.importorskip("ray")


@dataclass
class Marking:
    """A linker that names its process; one document raises an error, another kills the process."""

    slow: float = 0.0

    def pipe(self, block: list[Document], size: int, recognise: bool | None) -> list[Document]:
        for document in block:
            time.sleep(self.slow)
            if "poison" in document.text:
                raise ValueError("it is poison")
            if "deadly" in document.text:
                os._exit(1)
        card = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        metadata = {"process": os.getpid(), "card": card}
        return [Document(d.id, d.text, metadata=metadata) for d in block]


@dataclass(frozen=True, slots=True)
class MarkingSettings(LinkSettings):
    slow: float = 0.0

    def linker(self, progress: Any = None) -> Any:
        return Marking(self.slow)


def lines(path: Path, texts: list[str]) -> str:
    rows = (json.dumps({"id": f"{path.stem}-{i}", "text": t}) for i, t in enumerate(texts))
    path.write_text("".join(row + "\n" for row in rows))
    return str(path)


def ids(folder: Path) -> Counter[str]:
    return Counter(d.id for file in folder.glob("part-*.jsonl") for d in read(file, "jsonl"))


def test_parquet_is_read(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    rows = [
        {"pmid": 7, "title": "Aspirin.", "abstract": "For asthma.", "year": 1990},
        {"pmid": None, "title": None, "abstract": None, "year": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), file)
    problems: list[InputError] = []
    (document,) = read(file, on_problem=problems.append)
    assert (document.id, document.text) == ("7", "Aspirin.\nFor asthma.")
    assert [problem.line for problem in problems] == [2]
    pq.write_table(pa.table({"year": [1]}), file)
    with pytest.raises(InputError, match="columns"):
        list(read(file))
    file.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(InputError, match="damaged"):
        list(read(file))


def test_blocks_have_distinct_names_and_existing_ones_are_skipped(
    tmp_path: Path,
) -> None:
    file = lines(tmp_path / "a.jsonl", ["one", "two", "three", "four"])
    with Path(file).open("a") as stream:
        stream.write("no json\n")
    shards = Shards(tmp_path / "out")
    shards.begin({"files": [file]})
    blocks = list(numbered_blocks(4, file, None, 2, shards))
    assert [b.name for b in blocks] == [f"part-00004-{i:06d}" for i in range(3)]
    assert [len(b.documents) for b in blocks] == [2, 2, 0]
    assert "a.jsonl:5" in blocks[2].problems[0]
    shards.write(blocks[1].name, Linked())
    assert [b.name for b in numbered_blocks(4, file, None, 2, shards)] == [
        blocks[0].name, blocks[2].name,
    ]  # fmt: skip


def test_a_folder_serves_one_job(tmp_path: Path) -> None:
    shards = Shards(tmp_path / "out")
    # This is the state after a kill before job.json was written.
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".job.json.biolink-1").write_text("{")
    shards.begin({"files": ["a"], "block": 2})
    shards.begin({"files": ["a"], "block": 2})
    with pytest.raises(ConfigError, match="another job \\(different: block\\)"):
        shards.begin({"files": ["a"], "block": 3})
    with pytest.raises(ConfigError, match=r"has no job\.json"):
        Shards(tmp_path).begin({})


def test_a_document_with_which_two_processes_die_is_left_out(tmp_path: Path) -> None:
    shards = Shards(tmp_path / "out")
    shards.begin({})
    block = Block("part-00000-000000", [Document(str(i), str(i)) for i in range(3)])

    class Died(BaseException):
        pass

    class Deadly(Marking):
        def pipe(self, block: list[Document], *_: Any) -> list[Document]:
            if any(d.id == "1" for d in block):
                raise Died
            return block

    for _ in range(3):
        with pytest.raises(Died):
            link_shard(shards, BlockLinker(Deadly()), block)  # type: ignore[arg-type]
        assert not shards.names()
    done = link_shard(shards, BlockLinker(Deadly()), block)  # type: ignore[arg-type]
    assert [d.id for d in done.documents] == ["0", "2"]
    assert shards.problems() == done.problems
    assert "document '1' was left out" in done.problems[0]
    assert sorted(f.name for f in shards.folder.iterdir()) == [
        "job.json", "part-00000-000000.jsonl", "part-00000-000000.problems.txt",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    # Ray takes our word for the GPUs.
    ray.init(
        num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
    )
    yield
    ray.shutdown()


@pytest.mark.usefixtures("cluster")
def test_a_cluster_of_two(
    model_folder: Path, kb: KnowledgeBase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [f"Text {i}." for i in range(40)]
    texts[7], texts[20] = "poison", "deadly"
    files = (
        lines(tmp_path / "a.jsonl", texts),
        lines(tmp_path / "b.jsonl", ["Fever.", "Aspirin."]),
    )
    job = ClusterJob(files, str(tmp_path / "marked"), MarkingSettings(), workers=2, block=4)
    outcome = link_on_ray(job)
    wanted = {f"a-{i}" for i in range(40)} - {"a-7", "a-20"} | {"b-0", "b-1"}
    assert ids(tmp_path / "marked") == Counter(wanted)
    assert outcome.documents == 40
    assert sorted(outcome.problems) == [
        "document 'a-20' was left out: each process that linked it died",
        "document 'a-7' cannot be linked: it is poison",
    ]
    # A real model gives the same as in one process.
    kb.save(tmp_path / "x.kb")
    settings = LinkSettings(str(tmp_path / "x.kb"), str(model_folder))
    out = str(tmp_path / "linked")
    command = LinkJob(files[1:], settings, output=out, workers=2, engine="ray", shard_size=1)
    assert run_link(command).linked == 2
    again = run_link(command)
    assert (again.documents, again.problems) == (0, [])
    assert "kept from an earlier run: 2 shards" in capsys.readouterr().err
    linked = {d.id: d for f in (tmp_path / "linked").glob("part-*.jsonl") for d in read(f, "jsonl")}
    for document in BlockLinker(settings.linker())(list(read(files[1]))).documents:
        there = linked[document.id].mentions
        assert [m.links[0].concept_id for m in there] == [
            m.links[0].concept_id for m in document.mentions
        ]
    # An error of a worker is raised unchanged.
    wrong = ClusterJob(files, str(tmp_path / "wrong"), LinkSettings(model=str(tmp_path)))
    with pytest.raises(ModelError, match="is not a model"):
        link_on_ray(wrong)
    with pytest.raises(ConfigError, match="not a stored knowledge base"):
        link_on_ray(ClusterJob(files, str(tmp_path / "no"), LinkSettings(kb=files[0])))


def test_a_small_corpus_makes_a_shard_for_each_worker(tmp_path: Path) -> None:
    one = lines(tmp_path / "a.jsonl", [f"Text {i}." for i in range(10)])
    other = lines(tmp_path / "b.jsonl", ["Text."] * 3)
    (tmp_path / "bad.jsonl").write_bytes(b"\xff")
    bad = str(tmp_path / "bad.jsonl")

    def job(files: tuple[str, ...], **changes: int) -> ClusterJob:
        return ClusterJob(files, str(tmp_path / "out"), format="jsonl", **changes)

    assert shard_size(job((one, bad, other), workers=4)) == (4, 13)
    assert shard_size(job((one,), workers=20)) == (1, 10)
    assert shard_size(job((one,), workers=2, block=5)) == (5, None)
    assert shard_size(job((one,), workers=2, block=6)) == (5, 10)
    assert shard_size(job((bad,), workers=2)) == (1, 0)
    # Resuming with another number of workers leaves the shards unchanged.
    shards = Shards(tmp_path / "out")
    assert shards.begin({"files": [one]}, 4) == 4
    assert shards.begin({"files": [one]}, 7) == 4


@pytest.mark.usefixtures("cluster")
def test_a_small_corpus_is_spread_over_all_workers(tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", [f"Text {i}." for i in range(12)])
    told: list[tuple[int, int | None]] = []
    job = ClusterJob((file,), str(tmp_path / "out"), MarkingSettings(slow=0.5), workers=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        link_on_ray(job, lambda done, size: told.append((done, size)))
    linked = [d for f in (tmp_path / "out").glob("part-*.jsonl") for d in read(f, "jsonl")]
    assert Counter(Counter(d.metadata["process"] for d in linked).values()) == {6: 2}
    assert told == [(6, 12), (12, 12)]
    assert {d.metadata["card"] for d in linked} == {""}
    # Both workers share the only card.
    job = ClusterJob(
        (file,), str(tmp_path / "cards"), MarkingSettings(device="cuda", slow=0.5), workers=2
    )
    link_on_ray(job)
    linked = [d for f in (tmp_path / "cards").glob("part-*.jsonl") for d in read(f, "jsonl")]
    assert {d.metadata["card"] for d in linked} == {"0"}
    assert len({d.metadata["process"] for d in linked}) == 2


def test_cards_are_shared_evenly(tmp_path: Path) -> None:
    class Cluster:
        def __init__(self, cards: float) -> None:
            self.cards = cards

        def cluster_resources(self) -> dict[str, float]:
            return {"CPU": 8.0, "GPU": self.cards} if self.cards else {"CPU": 8.0}

    def job(device: str, workers: int) -> ClusterJob:
        file = lines(tmp_path / "a.jsonl", ["Text."])
        return ClusterJob((file,), str(tmp_path), LinkSettings(device=device), workers=workers)

    assert _cards(Cluster(2), job("cpu", 3)) == {}
    assert _cards(Cluster(2), job("cuda", 1)) == {"num_gpus": 1}
    assert _cards(Cluster(2), job("cuda", 2)) == {"num_gpus": 1}
    # Two of three workers share a card, so each takes half of one.
    assert _cards(Cluster(2), job("cuda", 3)) == {"num_gpus": 0.5}
    with pytest.raises(ConfigError, match="the Ray cluster has no GPU"):
        _cards(Cluster(0), job("cuda", 2))
    with pytest.raises(ConfigError, match="--device is cuda:1; expected cuda"):
        link_on_ray(job("cuda:1", 2))


def test_messages_of_ray_are_not_printed(tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", ["Text."])
    command = [sys.executable, "-c", _DRIVER, file, str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


_DRIVER = """
import sys
from biolink.cli.link import LinkJob, run_link
from biolink.scale.cluster import ClusterJob, link_on_ray
from tests.biolink.scale.test_cluster import MarkingSettings
link_on_ray(ClusterJob((sys.argv[1],), sys.argv[2], MarkingSettings(slow=0.05), workers=2, block=3))
"""


def test_a_killed_run_can_be_resumed(tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", [f"Text {i}." for i in range(90)])
    out = tmp_path / "out"
    command = [sys.executable, "-c", _DRIVER, file, str(out)]
    driver = subprocess.Popen(command, start_new_session=True)
    while len(list(out.glob("part-*.jsonl"))) < 3:
        assert driver.poll() is None
        time.sleep(0.05)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    time.sleep(1)  # what Ray's own processes still write
    there = len(list(out.glob("part-*.jsonl")))
    assert 3 <= there < 30
    subprocess.run(command, check=True, timeout=120)
    assert ids(out) == Counter(f"a-{i}" for i in range(90))
    linked = [d for file in out.glob("part-*.jsonl") for d in read(file, "jsonl")]
    assert len({d.metadata["process"] for d in linked}) >= 3  # one of the first run, two now
    assert not list(out.glob(".part-*")) and not list(out.glob("*.trace"))
