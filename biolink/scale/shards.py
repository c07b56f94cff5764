"""Linked documents in shards: a folder to which many processes write, and go on after a kill.

Blocks of the input have names that follow from the files alone. A block's documents are written
to a file of that name under another name first, so a shard that is there is whole, and a run that
begins again leaves it out: no document is lost, none is there twice, whatever the order.
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
#: What ``job.json`` calls the documents of a shard, as they came out for the first run.
_SIZE = "documents of a shard"
#: Documents of a shard that are worked on together; memory is given back after them.
_TOGETHER = 32


@dataclass(frozen=True, slots=True)
class Block:
    """Documents that make one shard.

    Attributes
    ----------
    name
        Of the shard, without suffix.
    problems
        What could not be read before, between or behind the documents.
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
    """Blocks of a file for which there is no shard yet.

    Parameters
    ----------
    number
        Of the file among the job's.
    size
        Documents of a block.
    options
        Further ones of :func:`biolink.read`.
    """
    problems: list[str] = []
    place = -1
    try:
        documents = read(
            file, format, lambda problem: problems.append(str(problem)), **(options or {})
        )
        for place, documents_of_block in enumerate(blocks_of(documents, size)):
            name = f"part-{number:05d}-{place:06d}"
            told, problems[:] = tuple(problems), ()
            if not shards.file(name).exists():
                yield Block(name, documents_of_block, told)
    except BiolinkError as error:
        problems.append(str(error))
    name = f"part-{number:05d}-{place + 1:06d}"
    if problems and not shards.file(name).exists():
        yield Block(name, (), tuple(problems))


class Shards:
    """The folder.

    Parameters
    ----------
    folder
        On a file system that all processes see.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def begin(self, job: Mapping[str, Any], size: int = 0) -> int:
        """Make the folder for a job, or go on with it.

        Parameters
        ----------
        job
            What the shards depend on, as JSON can hold it.
        size
            Documents of a shard.

        Returns
        -------
        The size with which the job was begun: the shards that are there have it.

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
                    f"{self.folder} holds the shards of another job (not the same: "
                    f"{', '.join(differing)}); expected another -o, or the same job to go on with"
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
        """Where the shard of a block is, or will be."""
        return self.folder / f"{name}.jsonl"

    def names(self) -> set[str]:
        """Shards that are there."""
        return {file.stem for file in self.folder.glob("part-*.jsonl")}

    def write(self, name: str, done: Linked) -> None:
        """Write a shard, its problems first: where the shard is, they are."""
        if done.problems:
            with replace_file(self.folder / f"{name}.problems.txt") as stream:
                stream.writelines(" ".join(line.split()) + "\n" for line in done.problems)
        write(done.documents, self.file(name))
        self._trace(name).unlink(missing_ok=True)

    def problems(self) -> list[str]:
        """What could not be read or linked, of all shards."""
        names = self.names()
        return [
            line
            for file in sorted(self.folder.glob("part-*.problems.txt"))
            if file.name.removesuffix(".problems.txt") in names
            for line in file.read_text(encoding="utf-8").splitlines()
        ]

    # A process that dies cannot say on which document: what it was at is written down before.

    def _trace(self, name: str) -> Path:
        return self.folder / f"{name}.trace"

    def attempted(self, name: str) -> list[int] | None:
        """Documents at which earlier attempts at a block ended; None when there were none."""
        try:
            lines = self._trace(name).read_text(encoding="utf-8").split()
        except OSError:
            return None
        return [int(line) for line in lines if line != "-"]

    def attempt(self, name: str, trace: Sequence[int] = ()) -> None:
        """Write down that a block is attempted, and where its attempts have been."""
        with replace_file(self._trace(name)) as stream:
            stream.write("-\n" + "".join(f"{place}\n" for place in trace))


def link_shard(shards: Shards, linker: BlockLinker, block: Block) -> Linked:
    """Link a block and write its shard.

    After an attempt that ended with its process, documents are linked one by one. One at which two
    attempts ended is poison: it is left out and told.
    """
    before = shards.attempted(block.name)
    if before is None:
        shards.attempt(block.name)
        done = Linked()
        for part in blocks_of(block.documents, _TOGETHER):
            linked = linker(part)
            done.documents.extend(linked.documents)
            done.problems.extend(linked.problems)
    else:
        done = Linked()
        deaths = Counter(before)
        for place, document in enumerate(block.documents):
            if deaths[place] > 1:
                done.problems.append(
                    f"document {document.id!r} was left out: each process that linked it died"
                )
                continue
            shards.attempt(block.name, [*before, place])
            one = linker.alone(document)
            done.documents.extend(one.documents)
            done.problems.extend(one.problems)
    done.problems[:0] = block.problems
    shards.write(block.name, done)
    return done
