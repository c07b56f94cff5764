"""Linked documents in shards: a folder into which many processes write, and which survives a kill.

The name of a shard follows from the input files alone. A shard is written under a temporary name
and then renamed, so a shard that exists is complete, and a run that starts again skips it. No
document is lost and none is written twice, in whatever order the shards are written.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biolink.documents import Document
from biolink.errors import BiolinkError, ConfigError
from biolink.formats import read, write
from biolink.kb.files import replace_file
from biolink.kb.temporary import is_temporary
from biolink.scale.blocks import BlockLinker, Linked, blocks_of

__all__ = ["Block", "Shards", "link_shard", "numbered_blocks"]

_JOB = "job.json"
_VERSION = 1
#: The key in ``job.json`` for the number of documents in a shard, which the first run determines.
_SIZE = "documents of a shard"
#: The number of documents of a shard that are linked together; memory is released after them.
_TOGETHER = 32


@dataclass(frozen=True, slots=True)
class Block:
    """The documents of one shard.

    Attributes
    ----------
    name
        The name of the shard, without suffix.
    documents
        The documents.
    problems
        Problems of reading before, between or after the documents.
    """

    name: str
    documents: Sequence[Document]
    problems: Sequence[str] = ()


def numbered_blocks(
    number: int,
    file: str,
    format: str | None,
    size: int,
    shards: Shards,
    options: Mapping[str, Any] | None = None,
) -> Iterator[Block]:
    """Yield the blocks of a file for which there is no shard yet.

    Parameters
    ----------
    number
        The number of the file in the job.
    file, format
        The file, and its format or None.
    size
        The number of documents in a block.
    shards
        The folder of the shards.
    options
        Further arguments of :func:`biolink.read`.
    """
    problems: list[str] = []
    index = -1
    try:
        documents = read(
            file, format, lambda problem: problems.append(str(problem)), **(options or {})
        )
        for index, documents_of_block in enumerate(blocks_of(documents, size)):
            name = f"part-{number:05d}-{index:06d}"
            of_block, problems[:] = tuple(problems), ()
            if not shards.file(name).exists():
                yield Block(name, documents_of_block, of_block)
    except BiolinkError as error:
        problems.append(str(error))
    name = f"part-{number:05d}-{index + 1:06d}"
    if problems and not shards.file(name).exists():
        yield Block(name, (), tuple(problems))


class Shards:
    """The folder of the shards.

    Parameters
    ----------
    folder
        The folder, on a file system that all processes see.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def begin(self, job: Mapping[str, Any], size: int = 0) -> int:
        """Make the folder for a job, or continue the job whose shards it holds.

        Parameters
        ----------
        job
            The values on which the shards depend, as a dict that JSON can hold.
        size
            The number of documents in a shard.

        Returns
        -------
        The number of documents in a shard with which the job was begun.

        Raises
        ------
        ConfigError
            When the folder holds something else, or shards of another job.
        """
        wanted = {"version": _VERSION, **json.loads(json.dumps(job))}
        file = self.folder / _JOB
        if file.is_file():
            try:
                there = json.loads(file.read_text(encoding="utf-8"))
            except ValueError:
                there = {}
            size = there.pop(_SIZE, size)
            differing = sorted(k for k in wanted | there if wanted.get(k) != there.get(k))
            if differing:
                raise ConfigError(
                    f"{self.folder} holds the shards of another job (different: "
                    f"{', '.join(differing)}); expected another folder with -o, or the same job to "
                    "continue"
                )
        elif self.folder.exists() and (
            not self.folder.is_dir()
            or not all(is_temporary(entry.name) for entry in self.folder.iterdir())
        ):
            raise ConfigError(
                f"{self.folder} exists and has no {_JOB}; expected a new or empty folder"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.glob(".part-*"):
            left.unlink(missing_ok=True)
        if not file.is_file():
            with replace_file(file) as stream:
                record = {**wanted, _SIZE: size}
                stream.write(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
        return size

    def file(self, name: str) -> Path:
        """Return the file of a shard, whether it exists or not."""
        return self.folder / f"{name}.jsonl"

    def names(self) -> set[str]:
        """Return the names of the shards that exist."""
        return {file.stem for file in self.folder.glob("part-*.jsonl")}

    def write(self, name: str, done: Linked) -> None:
        """Write a shard; its problems are written first, so a shard that exists has them."""
        if done.problems:
            with replace_file(self.folder / f"{name}.problems.txt") as stream:
                stream.writelines(" ".join(line.split()) + "\n" for line in done.problems)
        write(done.documents, self.file(name))
        self._trace(name).unlink(missing_ok=True)

    def problems(self) -> list[str]:
        """Return the problems of all shards."""
        names = self.names()
        return [
            line
            for file in sorted(self.folder.glob("part-*.problems.txt"))
            if file.name.removesuffix(".problems.txt") in names
            for line in file.read_text(encoding="utf-8").splitlines()
        ]

    # A process that dies cannot report its document, so each is noted in a file beforehand.

    def _trace(self, name: str) -> Path:
        return self.folder / f"{name}.trace"

    def attempted(self, name: str) -> list[int] | None:
        """Return the indices of documents at which earlier attempts at a block ended.

        It is None if there were no attempts.
        """
        try:
            lines = self._trace(name).read_text(encoding="utf-8").split()
        except OSError:
            return None
        return [int(line) for line in lines if line != "-"]

    def attempt(self, name: str, trace: Sequence[int] = ()) -> None:
        """Note an attempt at a block, and the indices of documents at which attempts ended."""
        with replace_file(self._trace(name)) as stream:
            stream.write("-\n" + "".join(f"{index}\n" for index in trace))


def link_shard(shards: Shards, linker: BlockLinker, block: Block) -> Linked:
    """Link a block and write its shard.

    If a process died in an earlier attempt, the documents are linked one by one. A document at
    which two attempts ended is left out and reported as a problem.
    """
    before = shards.attempted(block.name)
    if before is None:
        shards.attempt(block.name)
        done = Linked()
        for documents in blocks_of(block.documents, _TOGETHER):
            linked = linker(documents)
            done.documents.extend(linked.documents)
            done.problems.extend(linked.problems)
    else:
        done = Linked()
        deaths = Counter(before)
        for index, document in enumerate(block.documents):
            if deaths[index] > 1:
                done.problems.append(
                    f"document {document.id!r} was left out: each process that linked it died"
                )
                continue
            shards.attempt(block.name, [*before, index])
            linked = linker.alone(document)
            done.documents.extend(linked.documents)
            done.problems.extend(linked.problems)
    done.problems[:0] = block.problems
    shards.write(block.name, done)
    return done
