"""Documents linked a block at a time: in this process, in worker processes, or on a cluster.

What links a block is described by :class:`LinkSettings`, which any process can be sent; so every
worker loads the model and maps the knowledge base itself, and processes of one machine share the
maps' memory.
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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biolink.documents import Document
from biolink.errors import BiolinkError

if TYPE_CHECKING:
    from biolink.kb import KnowledgeBase
    from biolink.pipeline import AnyLinker

__all__ = [
    "BlockLinker",
    "LinkSettings",
    "Linked",
    "blocks_of",
    "link_in_processes",
    "one_thread",
    "single_threaded",
    "with_curies",
]

#: Documents in a row with which a process dies; then it is not they that are to blame.
_DEATHS = 8

#: What a document may raise, that of a recogniser of one's own included; the others are linked.
_OF_A_DOCUMENT = (
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
    """A linker in words: the options of ``biolink link`` that say how it links."""

    kb: str | None = None
    model: str | None = None
    method: str | None = None
    top_k: int | None = None
    nil: str | None = None
    types: str | None = None
    recogniser: str | None = None
    calibration: str | None = None
    precision: str = "fp32"
    names_first: bool = False
    device: str = "cpu"
    curies: bool = False

    def linker(self, progress: Callable[[str, int, int], None] | None = None) -> AnyLinker:
        """Load it."""
        from biolink.pipeline import load

        options: dict[str, Any] = {
            "precision": self.precision,
            "types": self.types,
            "device": self.device,
        }
        if self.top_k is not None:
            options["top_k"] = self.top_k
        if self.method is not None:
            options["method"] = self.method
        if self.names_first:
            options["names_first"] = True
        return load(
            self.model,
            self.kb,
            self.nil,
            self.recogniser,
            progress,
            calibration=self.calibration,
            **options,
        )

    def stored(
        self, folder: Path, progress: Callable[[str, int, int], None] | None = None
    ) -> LinkSettings:
        """The same over a stored knowledge base with its indexes, so that workers only map them.

        Parameters
        ----------
        folder
            Where a knowledge base is written that is not stored yet.
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
    """A block's outcome.

    Attributes
    ----------
    documents
        In the order of the block, without those that could not be linked.
    problems
        What was wrong with those.
    """

    documents: list[Document] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class BlockLinker:
    """Links blocks; where one fails, its documents are linked one by one.

    Parameters
    ----------
    linker
        What links.
    recognise
        As for :meth:`biolink.Linker.pipe`.
    curies
        Write the links' concepts with the prefixes of their vocabularies.
    """

    def __init__(
        self, linker: AnyLinker, recognise: bool | None = None, curies: bool = False
    ) -> None:
        self.linker, self.recognise, self.curies = linker, recognise, curies

    def __call__(self, block: Sequence[Document]) -> Linked:
        try:
            return Linked(self._linked(block))
        except _OF_A_DOCUMENT:
            done = Linked()
            for document in block:
                one = self.alone(document)
                done.documents.extend(one.documents)
                done.problems.extend(one.problems)
            return done
        finally:
            _give_back_memory()

    def _linked(self, block: Sequence[Document]) -> list[Document]:
        linked = list(self.linker.pipe(block, len(block), self.recognise))
        if not self.curies:
            return linked
        return [with_curies(document, self.linker.kb) for document in linked]

    def alone(self, document: Document) -> Linked:
        """Link one document."""
        try:
            return Linked(self._linked([document]))
        except _OF_A_DOCUMENT as error:
            said = str(error) or "nothing said"
            kind = (
                "" if isinstance(error, BiolinkError | ValueError) else f"{type(error).__name__}: "
            )
            return Linked(problems=[f"document {document.id!r} cannot be linked: {kind}{said}"])


def with_curies(document: Document, kb: KnowledgeBase) -> Document:
    """The document, its links' concepts with the prefixes of their vocabularies."""
    return document.with_mentions(
        replace(
            mention,
            links=tuple(
                replace(
                    link,
                    concept_id=kb.curie(link.concept_id),
                    also=tuple(map(kb.curie, link.also)),
                )
                for link in mention.links
            ),
        )
        for mention in document.mentions
    )


def _give_back_memory() -> None:
    """Let glibc return freed memory: tensors of many sizes leave more and more pieces of it."""
    with contextlib.suppress(OSError, AttributeError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def blocks_of(documents: Iterable[Document], size: int) -> Iterator[list[Document]]:
    """Consecutive documents, ``size`` at a time."""
    stream = iter(documents)
    while block := list(islice(stream, size)):
        yield block


_settings: tuple[LinkSettings, bool | None] | None = None
_linker: BlockLinker | None = None


def single_threaded() -> None:
    """Keep this process to one thread: processes scale over cores, threads hardly."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Keep what is done within to one thread: rounding depends on how many there are."""
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

    It is loaded with the first block: an error while a pool is set up could not be told.
    """
    global _linker
    if _linker is None:
        assert _settings is not None
        single_threaded()
        settings, recognise = _settings
        _linker = BlockLinker(settings.linker(), recognise, settings.curies)
    return _linker


def _load() -> None:
    _ready()


def _link(block: list[Document]) -> Linked:
    return _ready()(block)


class _Workers:
    """Worker processes of one thread each; new ones take their place when one of them has died."""

    def __init__(self, settings: LinkSettings, recognise: bool | None, count: int) -> None:
        self._begin, self._count = (settings, recognise), count
        self._pool: ProcessPoolExecutor | None = None
        self._deaths = 0  # documents in a row with which a process died

    def submit(self, block: list[Document]) -> Future[Linked]:
        """Have a block linked."""
        if self._pool is not None:
            with contextlib.suppress(BrokenProcessPool):
                return self._pool.submit(_link, block)
        return self._started().submit(_link, block)

    def _started(self) -> ProcessPoolExecutor:
        self.close()
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(self._count, context, _begin, self._begin)
        return self._pool

    def rescue(self, block: list[Document]) -> Linked:
        """Link a block with which a process died; where one dies again, each document alone.

        Raises
        ------
        BiolinkError
            When it is no document's fault: a process dies while it loads, or with one document
            after the other.
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
        """The outcome of a block, None where the process died of it."""
        try:
            if self._pool is None:
                self._started().submit(_load).result()
        except BrokenProcessPool:
            raise _died("loaded the model and the knowledge base") from None
        try:
            return self.submit(block).result()
        except BrokenProcessPool:
            self.close()
            return None

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


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
    """Outcomes of blocks in their order, from worker processes of one thread each.

    Two blocks for each worker are held at a time. Where a process dies, the blocks that were held
    are linked again, one after the other; a document with which each process dies is a problem.
    Processes are spawned, so a program that calls this needs the guard
    ``if __name__ == "__main__":``.

    Raises
    ------
    BiolinkError
        What loading raises, or when worker processes die whatever they link.
    """
    team, lone = _Workers(settings, recognise, workers), _Workers(settings, recognise, 1)
    waiting: deque[tuple[list[Document], Future[Linked]]] = deque()

    def first() -> Linked:
        block, future = waiting.popleft()
        try:
            linked = future.result()
        except BrokenProcessPool:
            return lone.rescue(block)
        lone.close()
        return linked

    try:
        for block in blocks:
            waiting.append((block, team.submit(block)))
            if len(waiting) == 2 * workers:
                yield first()
        while waiting:
            yield first()
    finally:
        for each in (team, lone):
            each.close()
