"""``biolink link``."""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from biolink.blocks import BlockLinker, Linked, LinkSettings, blocks_of, link_in_processes
from biolink.cli.console import message, progress, stdout
from biolink.documents import Document
from biolink.errors import BiolinkError, ConfigError, InputError
from biolink.formats import format_of_name, load, read, write
from biolink.kb.files import STDIO, display_name

if TYPE_CHECKING:
    from biolink.infer.linker import Linker
    from biolink.pipeline import AnyLinker

__all__ = [
    "LinkJob",
    "LinkOutcome",
    "loaded",
    "loaded_for_given",
    "read_all",
    "report_problems",
    "run_link",
]

#: ``--mentions`` as :meth:`biolink.Linker.pipe` takes it.
RECOGNISE = {"auto": None, "given": False, "find": True}


@dataclass(frozen=True, slots=True)
class LinkJob:
    """The options of ``biolink link``."""

    files: tuple[str, ...]
    settings: LinkSettings = field(default_factory=LinkSettings)
    format: str | None = None
    to: str | None = None
    output: str = STDIO
    mentions: str = "auto"
    batch_size: int = 32
    workers: int = 1
    engine: str = "local"
    shard_size: int = 256


@dataclass(slots=True)
class LinkOutcome:
    """What was done, and what could not be."""

    documents: int = 0
    mentions: int = 0
    linked: int = 0
    problems: list[BiolinkError] = field(default_factory=list)


def run_link(job: LinkJob) -> LinkOutcome:
    """Link files; a document that cannot be read or linked is a problem in the outcome."""
    if job.mentions not in RECOGNISE:
        raise ConfigError(f"--mentions is auto, given or find, not {job.mentions!r}")
    if job.batch_size < 1:
        raise ConfigError("--batch-size is at least 1")
    if job.workers < 1:
        raise ConfigError("--workers is at least 1")
    if job.shard_size < 1:
        raise ConfigError("--shard-size is at least 1")
    if job.engine not in ("local", "ray"):
        raise ConfigError(f"--engine is local or ray, not {job.engine!r}")
    if job.engine == "ray":
        return _on_ray(job)
    to = _output_format(job)
    outcome = LinkOutcome()
    documents = read_all(job.files, job.format, outcome.problems.append)
    with linked_blocks(job, documents) as linked, progress("linking", "documents") as advance:
        counted = _counted(linked, outcome, advance)
        if to == "table":
            _print_table(counted)
        else:
            write(counted, job.output, to)
    report_problems(outcome.problems)
    if outcome.documents and not outcome.mentions:
        message("biolink: warning: no mention was found in any document")
    elif outcome.mentions and not outcome.linked:
        message("biolink: warning: no mention was linked; is this the right knowledge base?")
    return outcome


def _on_ray(job: LinkJob) -> LinkOutcome:
    """Link into a folder of shards, or go on with one."""
    from biolink.cluster import ClusterJob, link_on_ray

    if job.output == STDIO or job.to not in (None, "jsonl"):
        raise ConfigError("--engine ray writes JSON Lines into the folder that -o names")
    cluster_job = ClusterJob(
        tuple(str(file if file == STDIO else Path(file).absolute()) for file in job.files),
        str(Path(job.output).absolute()),
        job.settings,
        job.format,
        RECOGNISE[job.mentions],
        job.workers,
        job.shard_size,
    )
    with progress("linking", "documents") as advance:
        found = link_on_ray(cluster_job, advance)
    outcome = LinkOutcome(found.documents, found.mentions, found.linked)
    outcome.problems = list(map(BiolinkError, found.problems))
    report_problems(outcome.problems)
    if found.kept:
        message(f"biolink: {found.kept} shard(s) of an earlier run were kept")
    return outcome


def _output_format(job: LinkJob) -> str:
    if job.to is not None:
        if job.to != "table":
            load(job.to)
        return job.to
    if job.output != STDIO:
        name = format_of_name(job.output)
        if name is None:
            raise ConfigError(f"no format follows from the name {job.output!r}: give --to")
        return name
    return "table" if sys.stdout.isatty() else "jsonl"


def loaded(settings: LinkSettings) -> AnyLinker:
    """The linker, with progress on stderr."""
    with progress("preparing the knowledge base") as advance, _no_collection():
        return settings.linker(lambda _, done, size: advance(done, size))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without looking for cycles: what is imported and loaded stays, and there is much of it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def loaded_for_given(settings: LinkSettings) -> Linker:
    """The same, of a model that links given mentions.

    Raises
    ------
    ConfigError
        For a model that finds its own.
    """
    from biolink.infer.linker import Linker

    linker = loaded(settings)
    if not isinstance(linker, Linker):
        raise ConfigError(
            f"the model {settings.model} finds its own mentions: it cannot link given ones"
        )
    return linker


@contextmanager
def linked_blocks(job: LinkJob, documents: Iterable[Document]) -> Iterator[Iterator[Linked]]:
    """Outcomes of the documents' blocks, from this process or from ``job.workers``."""
    recognise = RECOGNISE[job.mentions]
    blocks = blocks_of(documents, job.batch_size)
    if job.workers == 1:
        yield map(BlockLinker(loaded(job.settings), recognise), blocks)
        return
    with tempfile.TemporaryDirectory(prefix="biolink-") as folder:
        with progress("preparing the knowledge base") as advance:
            settings = job.settings.stored(Path(folder), lambda _, done, size: advance(done, size))
        with closing(link_in_processes(settings, blocks, job.workers, recognise)) as linked:
            yield linked


def read_all(
    files: Iterable[str], format: str | None, on_problem: Callable[[InputError], None]
) -> Iterator[Document]:
    """The documents of several files; a file that cannot be read is a problem, too."""
    for file in files:
        if file != STDIO and not Path(file).exists():
            on_problem(InputError(file, None, "no such file", "a file of documents"))
            continue
        try:
            yield from read(file, format, on_problem)
        except InputError as error:
            on_problem(error)
        except OSError as error:
            what = error.strerror or str(error)
            on_problem(InputError(display_name(file), None, what, "a readable file"))


def _counted(
    linked: Iterable[Linked], outcome: LinkOutcome, advance: Callable[[int, int | None], None]
) -> Iterator[Document]:
    for block in linked:
        outcome.problems += map(BiolinkError, block.problems)
        for document in block.documents:
            outcome.documents += 1
            outcome.mentions += len(document.mentions)
            outcome.linked += sum(bool(mention.links) for mention in document.mentions)
            advance(outcome.documents, None)
            yield document


def report_problems(problems: list[BiolinkError]) -> None:
    """Say on stderr what could not be read or linked."""
    for problem in problems:
        message(f"biolink: {problem}")
    if problems:
        message(f"biolink: {len(problems)} problem(s); everything else was done")


def _print_table(documents: Iterable[Document]) -> None:
    from rich.table import Table
    from rich.text import Text

    console = stdout()
    for document in documents:
        title = document.text.strip().splitlines()[0] if document.text.strip() else ""
        table = Table(title=Text(f"{document.id}  {title[:90]}"), title_justify="left")
        for column in ("offsets", "mention", "type", "concept", "name", "probability"):
            number = column in ("offsets", "probability")
            table.add_column(column, justify="right" if number else "left", no_wrap=number)
        for mention in document.mentions:
            best = mention.best
            note = f" = {best.long_form}" if best and best.long_form else ""
            table.add_row(
                f"{mention.start}-{mention.end}",
                Text(mention.text + note),
                Text(mention.type),
                Text(best.concept_id if best else "NIL"),
                Text(best.name if best else mention.nil_reason or ""),
                f"{best.probability:.2f}" if best else "",
            )
        console.print(table)
