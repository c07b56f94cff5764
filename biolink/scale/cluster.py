"""Linking on the machines of a Ray cluster, or on the cores of one machine as if it were one.

Ray Data reads the files (one task a file, ahead of the linking by a bounded number of blocks), a
pool of actors links them, each with a model of its own and the knowledge base mapped, and each
block is written where it was linked (:mod:`biolink.scale.shards`).
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from biolink.errors import BiolinkError, ConfigError, MissingDependencyError
from biolink.formats import read
from biolink.kb.files import STDIO
from biolink.kb.store import is_store
from biolink.scale.blocks import BlockLinker, Linked, LinkSettings, single_threaded
from biolink.scale.ray_log import RAY_LOG, quiet
from biolink.scale.shards import Block, Shards, link_shard, numbered_blocks

__all__ = ["ClusterJob", "ClusterOutcome", "link_on_ray", "shard_size"]

#: Columns of the rows that pass between Ray's processes.
_Batch = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ClusterJob:
    """What is linked on a cluster.

    Attributes
    ----------
    files
        On a file system that all machines see.
    folder
        Where the shards go; on such a file system, too.
    format
        Of the files; found by content when None.
    settings, recognise
        What links, and as for :meth:`biolink.Linker.pipe`.
    workers
        Actors, each of one thread and on one core.
    block
        Documents of a shard; fewer where there would not be a shard for each worker.
    text_column
        Of tables: the column that holds the texts.
    """

    files: tuple[str, ...]
    folder: str
    settings: LinkSettings = field(default_factory=LinkSettings)
    format: str | None = None
    recognise: bool | None = None
    workers: int = 1
    block: int = 256
    text_column: str | None = None

    @property
    def reading(self) -> dict[str, Any]:
        """Further options of :func:`biolink.read`."""
        return {} if self.text_column is None else {"text_column": self.text_column}

    def described(self) -> dict[str, Any]:
        """What the shards depend on, as JSON can hold it."""
        files = [{"file": file, "bytes": Path(file).stat().st_size} for file in self.files]
        values = {"files": files, "settings": asdict(self.settings)}
        for name in ("format", "recognise", "block", "text_column"):
            values[name] = getattr(self, name)
        return values


@dataclass(slots=True)
class ClusterOutcome:
    """What a run did.

    Attributes
    ----------
    documents, mentions, linked
        Of this run.
    kept
        Shards that an earlier run had written.
    problems
        Of all shards.
    """

    documents: int = 0
    mentions: int = 0
    linked: int = 0
    kept: int = 0
    problems: Sequence[str] = ()


class _Reader:
    """Reads a file's blocks, as Ray calls it."""

    def __init__(self, job: ClusterJob, size: int) -> None:
        self.job, self.size = job, size

    def __call__(self, batch: _Batch) -> Iterator[_Batch]:
        shards = Shards(self.job.folder)
        for number in batch["item"].tolist():
            job = self.job
            for block in numbered_blocks(
                number, job.files[number], job.format, self.size, shards, job.reading
            ):
                yield {"block": np.array([pickle.dumps(block)], dtype=object)}


class _Linking:
    """Links blocks, as Ray calls it; the model is loaded with the first."""

    def __init__(self, job: ClusterJob) -> None:
        self.job = job
        self.linker: BlockLinker | None = None

    def __call__(self, batch: _Batch) -> _Batch:
        (pickled,) = batch["block"]
        try:
            documents = self._link(pickle.loads(pickled)).documents
            error = b""
        except BiolinkError as raised:
            # Ray would wrap it in its own, and lose which it was.
            documents, error = [], pickle.dumps(raised)
        mentions = [mention for document in documents for mention in document.mentions]
        return {
            "documents": np.array([len(documents)]),
            "mentions": np.array([len(mentions)]),
            "linked": np.array([sum(bool(mention.links) for mention in mentions)]),
            "error": np.array([error], dtype=object),
        }

    def _link(self, block: Block) -> Linked:
        if self.linker is None:
            single_threaded()
            settings = self.job.settings
            self.linker = BlockLinker(settings.linker(), self.job.recognise, settings.curies)
        return link_shard(Shards(self.job.folder), self.linker, block)


def shard_size(job: ClusterJob) -> tuple[int, int | None]:
    """Documents of a shard, so that there is one for each worker, and of how many.

    Reads no more documents than make full shards for all workers; of more it is None how many.
    """
    count = 0
    for file in job.files:
        try:
            for _ in read(file, job.format, lambda problem: None, **job.reading):
                count += 1
                if count >= job.workers * job.block:
                    return job.block, None
        except BiolinkError:
            continue  # told when the file is linked
    return max(1, -(-count // job.workers)), count


def link_on_ray(
    job: ClusterJob, progress: Callable[[int, int | None], None] = lambda done, size: None
) -> ClusterOutcome:
    """Link files into shards; call it again after an interruption and it goes on.

    Connects to the cluster that ``RAY_ADDRESS`` names; without one, one is started on this machine
    for as long as it takes.

    Parameters
    ----------
    progress
        Called with the documents that are done.

    Raises
    ------
    MissingDependencyError
        Without the package ray.
    ConfigError
        When a file is missing, or the folder holds something else.
    BiolinkError
        When the model or the knowledge base cannot be used.
    """
    # Ray tells of its usage over the network; nothing of biolink does.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = _ray()
    if STDIO in job.files:
        raise ConfigError("--engine ray reads files that every machine sees, not stdin")
    for file in job.files:
        if not Path(file).is_file():
            raise ConfigError(f"{file}: no such file; expected a file of documents")
    if job.settings.kb is not None and not is_store(job.settings.kb):
        raise ConfigError(
            f"{job.settings.kb} is not a stored knowledge base; expected one that every machine "
            "can map: make it with `biolink kb build`"
        )
    shards = Shards(job.folder)
    size, total = shard_size(job)
    size = shards.begin(job.described(), size)
    # Indexes that are not there yet are built once, here.
    job.settings.stored(shards.folder)
    outcome = ClusterOutcome(kept=len(shards.names()))
    with quiet(shards.folder / RAY_LOG):
        _link(ray, job, size, outcome, lambda done: progress(done, None if outcome.kept else total))
    outcome.problems = shards.problems()
    return outcome


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError:
        raise MissingDependencyError("ray", "--engine ray", "ray") from None
    return ray


def _link(
    ray: Any,
    job: ClusterJob,
    size: int,
    outcome: ClusterOutcome,
    progress: Callable[[int], None],
) -> None:
    """Link what has no shard yet."""
    ours = not ray.is_initialized()
    if ours:
        here = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": job.workers}
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, **here)
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        # Else Ray would gather all blocks of a file before the first is linked.
        context.target_max_block_size = 1
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
        numbers = ray.data.from_items(
            list(range(len(job.files))), override_num_blocks=len(job.files)
        )
        # Reading takes next to nothing of a core, and must not wait for one.
        blocks = numbers.map_batches(
            _Reader(job, size).__call__, batch_size=1, num_cpus=0, concurrency=1
        )
        linked = blocks.map_batches(
            _Linking,
            fn_constructor_args=(job,),
            batch_size=1,
            num_cpus=1,
            # Else the first that is ready would take the blocks of those that are not yet.
            compute=ray.data.ActorPoolStrategy(size=job.workers, max_tasks_in_flight_per_actor=1),
        )
        for row in linked.iter_rows():
            if row["error"]:
                raise pickle.loads(row["error"])
            outcome.documents += int(row["documents"])
            outcome.mentions += int(row["mentions"])
            outcome.linked += int(row["linked"])
            progress(outcome.documents)
    finally:
        if ours:
            ray.shutdown()
