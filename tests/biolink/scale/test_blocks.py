"""Blocks of documents: documents that fail, worker processes, memory."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from biolink.documents import Document
from biolink.errors import BiolinkError, InputError, MissingDependencyError, ModelError
from biolink.kb import KnowledgeBase
from biolink.scale.blocks import BlockLinker, LinkSettings, blocks_of, link_in_processes
from tests.tiny_models import CONCEPTS

TEXTS = ("Fever and lung cancer.", "Aspirin for a cold.", "Nothing here.", "Breast tumor.")


def documents(count: int) -> list[Document]:
    return [Document(str(i), TEXTS[i % len(TEXTS)]) for i in range(count)]


@pytest.fixture(scope="module")
def settings(model_folder: Path, kb: KnowledgeBase, tmp_path_factory: Any) -> LinkSettings:
    folder = tmp_path_factory.mktemp("stored")
    kb.save(folder / "x.kb")
    return LinkSettings(str(folder / "x.kb"), str(model_folder), types="Disease").stored(folder)


def test_workers_link_to_a_branch_and_roll_up(model_folder: Path, tmp_path: Path) -> None:
    above = {"D3": ("D5",), "D4": ("D5",)}
    concepts = [replace(concept, parents=above.get(concept.id, ())) for concept in CONCEPTS]
    KnowledgeBase.from_concepts(concepts).save(tmp_path / "x.kb")
    settings = LinkSettings(str(tmp_path / "x.kb"), str(model_folder), branch="D5", roll_up="0")
    for workers in (link_in_processes(settings, [documents(4)], workers=1), None):
        done = workers or map(settings.block_linker(settings.linker(), None), [documents(4)])
        mentions = [m for linked in done for d in linked.documents for m in d.mentions]
        assert {m.text for m in mentions if m.links} >= {"lung cancer", "Breast tumor"}
        assert {link.concept_id for m in mentions for link in m.links} == {"D5"}


class Poisoned:
    """A linker that cannot link one document."""

    def pipe(self, block: list[Document], size: int, recognise: bool | None) -> list[Document]:
        if any(document.id == "2" for document in block):
            raise ValueError("it is poison")
        return block


def test_a_document_that_cannot_be_linked_is_left_out() -> None:
    done = BlockLinker(Poisoned())(documents(4))  # type: ignore[arg-type]
    assert [d.id for d in done.documents] == ["0", "1", "3"]
    assert done.problems == ["document '2' cannot be linked: it is poison"]


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), ZeroDivisionError("x")])
def test_an_error_of_a_recogniser_leaves_out_only_its_document(error: Exception) -> None:
    class Failing:
        def pipe(self, block: list[Document], size: int, recognise: bool | None) -> list[Document]:
            if any(document.id == "1" for document in block):
                raise error
            return block

    done = BlockLinker(Failing())(documents(3))  # type: ignore[arg-type]
    assert [d.id for d in done.documents] == ["0", "2"]
    (problem,) = done.problems
    assert problem.startswith(f"document '1' cannot be linked: {type(error).__name__}: ")


def test_several_processes_give_the_results_of_one_in_order(settings: LinkSettings) -> None:
    given = documents(11)
    here = BlockLinker(settings.linker())
    wanted = [d for block in blocks_of(given, 3) for d in here(block).documents]
    found = [
        d
        for done in link_in_processes(settings, blocks_of(given, 3), workers=2)
        for d in done.documents
    ]
    assert [d.id for d in found] == [str(i) for i in range(11)]
    for one, other in zip(wanted, found, strict=True):
        assert [(m.start, m.end) for m in one.mentions] == [
            (m.start, m.end) for m in other.mentions
        ]
        for a, b in zip(one.mentions, other.mentions, strict=True):
            assert (a.start, a.end) == (b.start, b.end)
            assert [x.concept_id for x in a.links] == [x.concept_id for x in b.links]
    assert any(m.links for d in found for m in d.mentions)
    assert not any(m.type == "Chemical" and m.links for d in found for m in d.mentions)


def test_the_command_writes_the_same_bytes_with_one_worker_and_two(
    model_folder: Path, kb: KnowledgeBase, tmp_path: Path
) -> None:
    from biolink.cli.link import LinkJob, run_link

    kb.save(tmp_path / "x.kb")
    settings = LinkSettings(str(tmp_path / "x.kb"), str(model_folder))
    texts = tuple(d.text for d in documents(9))
    written = []
    # The first run builds the indexes that the others read.
    for number, workers in enumerate((1, 2, 1)):
        output = tmp_path / f"{number}.jsonl"
        run_link(LinkJob(
            settings=settings, texts=texts, output=str(output), batch_size=2, workers=workers
        ))  # fmt: skip
        written.append(output.read_bytes())
    assert b"D3" in written[0]
    assert written[0] == written[1] == written[2]


def test_a_knowledge_base_is_stored_and_indexed_for_the_workers(
    model_folder: Path, tmp_path: Path
) -> None:
    table = tmp_path / "kb.tsv"
    table.write_text("id\tname\nD1\tFever\n")
    (tmp_path / "work").mkdir()
    given = LinkSettings(str(table), str(model_folder), method="generate")
    stored = given.stored(tmp_path / "work")
    assert stored.kb == str(tmp_path / "work" / "workers.kb")
    assert list((tmp_path / "work" / "workers.kb" / "index").glob("trie-*"))
    assert stored.stored(tmp_path) == stored
    assert LinkSettings().stored(tmp_path) == LinkSettings()


def test_no_more_blocks_are_read_than_workers_need(settings: LinkSettings) -> None:
    read = 0

    def counted() -> Any:
        nonlocal read
        for block in blocks_of(documents(40), 1):
            read += 1
            yield block

    linked = link_in_processes(settings, counted(), workers=1)
    next(linked)
    assert read == 2
    linked.close()
    assert read == 2


def test_an_error_of_loading_is_raised(tmp_path: Path) -> None:
    wrong = LinkSettings(model=str(tmp_path))
    with pytest.raises(ModelError, match="is not a model"):
        list(link_in_processes(wrong, blocks_of(documents(2), 1), workers=1))


@dataclass(frozen=True, slots=True)
class Deadly(LinkSettings):
    def linker(self, progress: Any = None) -> Any:
        os._exit(3)


def test_a_worker_that_dies_while_it_loads_is_reported() -> None:
    with pytest.raises(BiolinkError, match="a worker process died while it loaded the model"):
        list(link_in_processes(Deadly(), blocks_of(documents(4), 2), workers=1))


class Killing:
    """A linker whose process dies with some documents, and with one of them only once."""

    def __init__(self, ids: str, once: Path) -> None:
        self.ids, self.once = ids.split(), once

    def pipe(self, block: list[Document], size: int, recognise: bool | None) -> list[Document]:
        for document in block:
            if document.id in self.ids:
                os._exit(9)
            if document.id == "once" and not self.once.exists():
                self.once.write_text("")
                os._exit(9)
        return block


@dataclass(frozen=True, slots=True)
class Killed(LinkSettings):
    def linker(self, progress: Any = None) -> Any:
        return Killing(self.kb or "", Path(self.model or ""))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_document_that_kills_every_process_is_left_out(workers: int, tmp_path: Path) -> None:
    given = [*documents(9), Document("once", "x"), Document("last", "x")]
    settings = Killed("2 7", str(tmp_path / "once"))
    done = list(link_in_processes(settings, blocks_of(given, 3), workers))
    assert [d.id for one in done for d in one.documents] == [
        "0", "1", "3", "4", "5", "6", "8", "once", "last",
    ]  # fmt: skip
    assert [problem for one in done for problem in one.problems] == [
        f"document '{i}' was left out: each process that linked it died" for i in (2, 7)
    ]


def test_processes_that_die_with_every_document_are_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("biolink.scale.blocks._DEATHS", 2)
    settings = Killed("2 3", str(tmp_path / "once"))
    linked = link_in_processes(settings, blocks_of(documents(6), 3), 1)
    assert [d.id for d in next(linked).documents] == ["0", "1"]
    with pytest.raises(BiolinkError, match=r"linked the document '3', as with those before it"):
        next(linked)


def test_errors_can_be_pickled() -> None:
    import pickle

    for error in (
        InputError("a.txt", 3, "this", "that"),
        MissingDependencyError("ray", "linking on a cluster", "ray"),
    ):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)


_PEAK = """
import resource, sys
from biolink.scale.blocks import BlockLinker, LinkSettings, blocks_of
from biolink.documents import Document
linker = BlockLinker(LinkSettings(sys.argv[1], sys.argv[2]).linker())
texts = ("Fever and lung cancer of {}.", "Aspirin {} for a cold.", "Breast tumor and {}.")
stream = (Document(str(i), texts[i % 3].format(i)) for i in range(int(sys.argv[3])))
count = sum(len(linker(block).documents) for block in blocks_of(stream, 16))
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_twice_the_documents_take_the_same_memory(settings: LinkSettings) -> None:
    peaks = {}
    for size in (400, 800):
        assert settings.kb is not None and settings.model is not None
        out = subprocess.run(
            [sys.executable, "-c", _PEAK, settings.kb, settings.model, str(size)],
            capture_output=True, text=True, check=True,
        ).stdout.split()  # fmt: skip
        assert out[0] == str(size)
        peaks[size] = int(out[1])
    assert peaks[800] < 1.03 * peaks[400]
