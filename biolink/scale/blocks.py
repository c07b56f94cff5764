"""Linking documents in blocks: in this process, in worker processes, or on a cluster.

:class:`LinkSettings` describe a linker and can be sent to any process. Every worker loads the model
and maps the knowledge base itself, so the processes of one machine share the memory of the maps.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from itertools import islice
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from biolink.documents import Document, Link
from biolink.errors import BiolinkError
from biolink.interrupts import held_back

if TYPE_CHECKING:
    from biolink.kb import KnowledgeBase
    from biolink.kb.bases import KnowledgeBases
    from biolink.pipeline import AnyLinker

__all__ = [
    "BlockLinker",
    "LinkSettings",
    "Linked",
    "blocks_of",
    "give_back_memory",
    "link_in_processes",
    "one_thread",
    "single_threaded",
    "with_curies",
]

T = TypeVar("T")

#: If processes die with this number of documents in a row, the documents are not the cause.
_DEATHS = 8

#: Errors that one document may cause, in a user's own recogniser as well; the other documents are
#: still linked.
_DOCUMENT_ERRORS = (
    BiolinkError,
    ValueError,
    RuntimeError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
)


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """The options of ``biolink link`` that determine how a linker links."""

    kb: str | None = None
    model: str | None = None
    method: str | None = None
    top_k: int | None = None
    nil: str | None = None
    types: str | None = None
    taxa: str | None = None
    branch: str | None = None
    roll_up: str | None = None
    recogniser: str | None = None
    calibration: str | None = None
    precision: str = "fp32"
    names_first: bool = False
    cascade: bool = True
    nested: bool = False
    device: str = "cpu"
    curies: bool = False

    def linker(self, progress: Callable[[str, int, int], None] | None = None) -> AnyLinker:
        """Load the linker."""
        from biolink.pipeline import load

        options: dict[str, Any] = {
            "precision": self.precision,
            "types": self.types,
            "branch": self.branch,
            "taxa": self.taxa,
            "device": self.device,
        }
        if self.top_k is not None:
            options["top_k"] = self.top_k
        if self.method is not None:
            options["method"] = self.method
        if self.names_first:
            options["names_first"] = True
        if self.nested:
            options["nested"] = True
        if not self.cascade:
            options["cascade"] = False
        return load(
            self.model,
            self.kb,
            self.nil,
            self.recogniser,
            progress,
            calibration=self.calibration,
            **options,
        )

    def block_linker(self, linker: AnyLinker, recognise: bool | None) -> BlockLinker:
        """Return what links blocks with this linker as the settings say."""
        return BlockLinker(linker, recognise, self.curies, self.roll_up)

    def stored(
        self, folder: Path, progress: Callable[[str, int, int], None] | None = None
    ) -> LinkSettings:
        """Store the knowledge base and its indexes, so that workers only have to map them.

        Parameters
        ----------
        folder
            The folder into which a knowledge base is written if it is not stored yet.
        progress
            Called while indexes are built.

        Returns
        -------
        The same settings, with the stored knowledge base.
        """
        if self.kb is None:
            return self
        from biolink.kb import KnowledgeBase

        kb = KnowledgeBase.read(self.kb)
        settings = self
        if kb.path is None:
            kb.save(folder / "workers.kb")
            settings = replace(self, kb=str(folder / "workers.kb"))
        settings.linker(progress).prepare()
        return settings


@dataclass(frozen=True, slots=True)
class Linked:
    """The result of linking a block.

    Attributes
    ----------
    documents
        The linked documents in the order of the block, without those that could not be linked.
    problems
        Messages about the documents that could not be linked.
    """

    documents: list[Document] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class BlockLinker:
    """Links blocks of documents; if a block fails, its documents are linked one by one.

    Parameters
    ----------
    linker
        The linker.
    recognise
        Whether mentions are found, as for :meth:`biolink.Linker.pipe`.
    curies
        Whether the ids of links get the prefixes of their vocabularies.
    roll_up
        The level to which links are rolled up (:func:`biolink.roll_up`). Default: None, which
        leaves them as they are.
    """

    def __init__(
        self,
        linker: AnyLinker,
        recognise: bool | None = None,
        curies: bool = False,
        roll_up: str | None = None,
    ) -> None:
        from biolink.levels import RollUp

        self.linker, self.recognise, self.curies = linker, recognise, curies
        self.rolled_up = None if roll_up is None else RollUp(linker.linked_bases, roll_up)

    def __call__(self, block: Sequence[Document]) -> Linked:
        try:
            return Linked(self._linked(block))
        except _DOCUMENT_ERRORS:
            done = Linked()
            for document in block:
                linked = self.alone(document)
                done.documents.extend(linked.documents)
                done.problems.extend(linked.problems)
            return done
        finally:
            give_back_memory()

    def _linked(self, block: Sequence[Document]) -> list[Document]:
        linked = list(self.linker.pipe(block, len(block), self.recognise))
        if self.rolled_up is not None:
            linked = list(map(self.rolled_up, linked))
        if not self.curies:
            return linked
        return [with_curies(document, self.linker.bases) for document in linked]

    def alone(self, document: Document) -> Linked:
        """Link one document."""
        try:
            return Linked(self._linked([document]))
        except _DOCUMENT_ERRORS as error:
            message = str(error) or "no message"
            kind = (
                "" if isinstance(error, BiolinkError | ValueError) else f"{type(error).__name__}: "
            )
            return Linked(problems=[f"document {document.id!r} cannot be linked: {kind}{message}"])


def with_curies(document: Document, bases: KnowledgeBases) -> Document:
    """Return the document with the prefixes of their vocabularies in the ids of its links."""

    def with_curie(link: Link, kb: KnowledgeBase) -> Link:
        also = tuple(map(kb.curie, link.also))
        return replace(link, concept_id=kb.curie(link.concept_id), also=also)

    return document.with_mentions(
        replace(m, links=tuple(with_curie(link, bases.of_mention(m.type)) for link in m.links))
        for m in document.mentions
    )


def give_back_memory() -> None:
    """Make glibc return freed memory, which tensors of many sizes would otherwise fragment."""
    # Other C libraries have no such function.
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def blocks_of(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield blocks of ``size`` consecutive documents or other items."""
    stream = iter(items)
    while block := list(islice(stream, size)):
        yield block


_settings: tuple[LinkSettings, bool | None] | None = None
_linker: BlockLinker | None = None


def single_threaded() -> None:
    """Limit this process to one thread, since processes use cores better than threads."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Limit the block to one thread, since rounding depends on the number of threads."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


def _begin(settings: LinkSettings, recognise: bool | None) -> None:
    global _settings
    _settings = (settings, recognise)


def _ready() -> BlockLinker:
    """The linker of this process.

    It is loaded with the first block, since an error while a pool is set up cannot be reported.
    """
    global _linker
    if _linker is None:
        assert _settings is not None
        single_threaded()
        settings, recognise = _settings
        _linker = settings.block_linker(settings.linker(), recognise)
    return _linker


def _load() -> None:
    _ready()


def _link(block: list[Document]) -> Linked:
    return _ready()(block)


class _Workers:
    """Worker processes of one thread each; if one of them dies, all are replaced."""

    def __init__(self, settings: LinkSettings, recognise: bool | None, count: int) -> None:
        self._begin, self._count = (settings, recognise), count
        self._pool: ProcessPoolExecutor | None = None
        self._processes: set[BaseProcess] = set()
        self._deaths = 0  # The number of documents in a row with which a process died.

    def submit(self, block: list[Document]) -> Future[Linked]:
        """Send a block to a worker process."""
        if self._pool is not None:
            with contextlib.suppress(BrokenProcessPool):
                return self._sent(self._pool, _link, block)
        return self._sent(self._started(), _link, block)

    def _sent(
        self, pool: ProcessPoolExecutor, task: Callable[..., Any], *given: Any
    ) -> Future[Any]:
        """Send a task to a pool, which starts a process with it until it has all."""
        with held_back():
            others = set(multiprocessing.active_children())
            future = pool.submit(task, *given)
            self._processes |= set(multiprocessing.active_children()) - others
        return future

    def _started(self) -> ProcessPoolExecutor:
        self.close()
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(self._count, context, _begin, self._begin)
        return self._pool

    def rescue(self, block: list[Document]) -> Linked:
        """Link a block with which a process died; if one dies again, link each document alone.

        Raises
        ------
        BiolinkError
            When no document is the cause: a process dies while it loads the model, or with one
            document after another.
        """
        done = self._attempt(block)
        if done is not None:
            return done
        done = Linked()
        for document in block:
            alone = self._attempt([document])
            if alone is not None:
                done.documents.extend(alone.documents)
                done.problems.extend(alone.problems)
                self._deaths = 0
                continue
            done.problems.append(
                f"document {document.id!r} was left out: each process that linked it died"
            )
            self._deaths += 1
            if self._deaths == _DEATHS:
                raise _died(f"linked the document {document.id!r}, as with those before it")
        return done

    def _attempt(self, block: list[Document]) -> Linked | None:
        """The result of a block, or None if the process died with it."""
        try:
            if self._pool is None:
                self._sent(self._started(), _load).result()
        except BrokenProcessPool:
            raise _died("loaded the model and the knowledge base") from None
        try:
            return self.submit(block).result()
        except BrokenProcessPool:
            self.close()
            return None

    def close(self, at_once: bool = False) -> None:
        """End the processes: with the blocks that they are linking, or at once."""
        if self._pool is not None:
            if at_once:
                for process in self._processes:
                    process.terminate()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
            self._processes.clear()


def _died(during: str) -> BiolinkError:
    return BiolinkError(
        f"a worker process died while it {during}; it may have run out of memory: try fewer "
        "--workers or a smaller --batch-size"
    )


def link_in_processes(
    settings: LinkSettings,
    blocks: Iterable[list[Document]],
    workers: int,
    recognise: bool | None = None,
) -> Generator[Linked, None, None]:
    """Link blocks in worker processes of one thread each, and yield the results in order.

    At most two blocks for each worker are in memory at a time. If a process dies, these blocks are
    linked again, one after another; a document with which a process dies again is reported as a
    problem. Processes are spawned, so a program that calls this function needs the guard
    ``if __name__ == "__main__":``.

    Parameters
    ----------
    settings
        The description of the linker.
    blocks
        The documents.
    workers
        The number of processes.
    recognise
        Whether mentions are found, as for :meth:`biolink.Linker.pipe`.

    Raises
    ------
    BiolinkError
        When the linker cannot be loaded, or worker processes die with every document.
    """
    team, single = _Workers(settings, recognise, workers), _Workers(settings, recognise, 1)
    waiting: deque[tuple[list[Document], Future[Linked]]] = deque()

    def first() -> Linked:
        block, future = waiting.popleft()
        try:
            linked = future.result()
        except BrokenProcessPool:
            return single.rescue(block)
        single.close()
        return linked

    done = False
    try:
        for block in blocks:
            waiting.append((block, team.submit(block)))
            if len(waiting) == 2 * workers:
                yield first()
        while waiting:
            yield first()
        done = True
    finally:
        for processes in (team, single):
            processes.close(at_once=not done)
