"""Linking on a Ray cluster, which may be several machines or the cores of one machine.

Ray Data reads the files, with one task for each file; reading is ahead of linking by a limited
number of blocks. A pool of actors links the blocks; each actor loads the model and maps the
knowledge base. The actor that linked a block also writes it (:mod:`biolink.scale.shards`).
"""

from __future__ import annotations

import logging
import math
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
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

#: Column -> values, for the rows that pass between Ray's processes.
_Batch = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ClusterJob:
    """The files to link on a cluster, and how.

    Attributes
    ----------
    files
        The files, on a file system that all machines see.
    folder
        The folder of the shards, on a file system that all machines see.
    format
        The format of the files. Default: found by content.
    settings
        The description of the linker.
    recognise
        Whether mentions are found, as for :meth:`biolink.Linker.pipe`.
    workers
        The number of actors, each with one thread on one core.
    block
        The number of documents in a shard. It is smaller if there would not be a shard for each
        worker.
    text_column
        For tables, the column that holds the texts.
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
        """Further arguments of :func:`biolink.read`."""
        return {} if self.text_column is None else {"text_column": self.text_column}

    def described(self) -> dict[str, Any]:
        """Return the values on which the shards depend, as a dict that JSON can hold."""
        files = [{"file": file, "bytes": Path(file).stat().st_size} for file in self.files]
        values = {"files": files, "settings": asdict(self.settings)}
        for name in ("format", "recognise", "block", "text_column"):
            values[name] = getattr(self, name)
        return values


@dataclass(slots=True)
class ClusterOutcome:
    """The result of a run.

    Attributes
    ----------
    documents, mentions, linked
        Number of documents, of mentions and of linked mentions in this run.
    kept
        Number of shards that an earlier run had written.
    problems
        Problems of all shards.
    """

    documents: int = 0
    mentions: int = 0
    linked: int = 0
    kept: int = 0
    problems: Sequence[str] = ()


class _Reader:
    """Reads the blocks of a file, in a task of Ray."""

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
    """Links blocks, in an actor of Ray; the model is loaded with the first block."""

    def __init__(self, job: ClusterJob) -> None:
        self.job = job
        self.linker: BlockLinker | None = None

    def __call__(self, batch: _Batch) -> _Batch:
        (pickled,) = batch["block"]
        try:
            documents = self._link(pickle.loads(pickled)).documents
            error = b""
        except BiolinkError as raised:
            # Ray would wrap the error in one of its own, and its type would be lost.
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
            self.linker = settings.block_linker(settings.linker(), self.job.recognise)
        return link_shard(Shards(self.job.folder), self.linker, block)


def shard_size(job: ClusterJob) -> tuple[int, int | None]:
    """Return the number of documents in a shard, and the number of all documents.

    The first is chosen so that there is a shard for each worker. If there are enough documents for
    full shards for all workers, counting stops and the second number is None.
    """
    count = 0
    for file in job.files:
        try:
            for _ in read(file, job.format, lambda problem: None, **job.reading):
                count += 1
                if count >= job.workers * job.block:
                    return job.block, None
        except BiolinkError:
            continue  # The problem is reported when the file is linked.
    return max(1, -(-count // job.workers)), count


def link_on_ray(
    job: ClusterJob, progress: Callable[[int, int | None], None] = lambda done, size: None
) -> ClusterOutcome:
    """Link files into shards; if it is called again after an interruption, it continues.

    The function connects to the cluster that ``RAY_ADDRESS`` names. If there is none, it starts a
    cluster on this machine for the time of the call.

    Parameters
    ----------
    job
        The files and the linker.
    progress
        Called with the number of documents done and, if it is known, the number of all.

    Raises
    ------
    MissingDependencyError
        When the package ray is not installed.
    ConfigError
        When a file is missing, the folder holds something else, or the settings ask for a GPU and
        the cluster has none.
    BiolinkError
        When the model or the knowledge base cannot be used.
    """
    # Ray reports its usage over the network by default; biolink must not.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = _ray()
    device = job.settings.device
    if device.startswith("cuda:"):
        raise ConfigError(
            f"--device is {device}; expected cuda, because Ray chooses a card for each worker"
        )
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
    # Missing indexes are built once here, not in every worker. There need not be a card here.
    replace(job.settings, device="cpu").stored(shards.folder)
    outcome = ClusterOutcome(kept=len(shards.names()))
    with quiet(shards.folder / RAY_LOG):
        _link(ray, job, size, outcome, lambda done: progress(done, None if outcome.kept else total))
    outcome.problems = shards.problems()
    return outcome


def _cards(ray: Any, job: ClusterJob) -> dict[str, float]:
    """The share of a GPU that Ray reserves for each worker; without one, workers see no GPU."""
    if job.settings.device != "cuda":
        return {}
    cards = int(ray.cluster_resources().get("GPU", 0))
    if not cards:
        raise ConfigError("--device is cuda, but the Ray cluster has no GPU")
    # The workers that share a card must fit on it, or Ray would wait for ever.
    return {"num_gpus": 1 / math.ceil(job.workers / cards)}


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
    """Link the blocks that have no shard yet."""
    ours = not ray.is_initialized()
    if ours:
        here = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": job.workers}
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, **here)
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        # Otherwise Ray would read all blocks of a file before the first is linked.
        context.target_max_block_size = 1
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
        numbers = ray.data.from_items(
            list(range(len(job.files))), override_num_blocks=len(job.files)
        )
        # Reading takes almost no time of a core, and must not wait for a free one.
        blocks = numbers.map_batches(
            _Reader(job, size).__call__, batch_size=1, num_cpus=0, concurrency=1
        )
        linked = blocks.map_batches(
            _Linking,
            **_cards(ray, job),
            fn_constructor_args=(job,),
            batch_size=1,
            num_cpus=1,
            # Otherwise the first actor that is ready would take the blocks of the others.
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
