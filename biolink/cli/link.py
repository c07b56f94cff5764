"""``biolink link``."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from biolink.assertion import Assertions, without
from biolink.cli.console import message, progress, report_problems, reported, stdout
from biolink.cli.inputs import check_inputs, documents_of, files_of, read_all, some_documents
from biolink.documents import Document, Mention
from biolink.errors import BiolinkError, ConfigError
from biolink.formats import check_target, describe, format_of_name, write, writes_links
from biolink.kb.files import STDIO, check_named_folder
from biolink.kb.temporary import temporary_beside
from biolink.kb.wording import counted
from biolink.scale.blocks import (
    Linked,
    LinkSettings,
    blocks_of,
    link_in_processes,
    one_thread,
)

if TYPE_CHECKING:
    from biolink.infer.linkers.kinds_linker import KindsLinker
    from biolink.infer.linkers.mention_linker import Linker
    from biolink.pipeline import AnyLinker

__all__ = [
    "LinkJob",
    "LinkOutcome",
    "loaded",
    "loaded_for_given",
    "run_link",
]

#: The columns of the table for reading, and the numbers of those that are always shown.
_TABLE = (
    "offsets", "mention", "type", "concept", "name", "found as", "probability", "why NIL",
    "assertions",
)  # fmt: skip
_ALWAYS = range(5)
#: Value of ``--mentions`` -> ``recognise`` of :meth:`biolink.Linker.pipe`.
RECOGNISE = {"auto": None, "given": False, "find": True}


@dataclass(frozen=True, slots=True)
class LinkJob:
    """The options of ``biolink link``."""

    files: tuple[str, ...] = ()
    settings: LinkSettings = field(default_factory=LinkSettings)
    texts: tuple[str, ...] = ()
    format: str | None = None
    text_column: str | None = None
    to: str | None = None
    output: str = STDIO
    mentions: str = "auto"
    batch_size: int = 32
    workers: int = 1
    engine: str = "local"
    shard_size: int = 256
    context: bool = False
    without: tuple[str, ...] = ()


@dataclass(slots=True)
class LinkOutcome:
    """The numbers of documents and of mentions, and the problems.

    Attributes
    ----------
    documents, mentions, linked
        The numbers of documents, of mentions, and of mentions with a link.
    without_base
        The number of mentions of kinds for which the linker has no knowledge base.
    problems
        What could not be read, linked or written.
    """

    documents: int = 0
    mentions: int = 0
    linked: int = 0
    without_base: int = 0
    problems: list[BiolinkError] = field(default_factory=list)


def run_link(job: LinkJob) -> LinkOutcome:
    """Link files; a document that cannot be read or linked is a problem in the outcome."""
    if job.mentions not in RECOGNISE:
        raise ConfigError(f"--mentions is {job.mentions!r}; expected auto, given or find")
    for option in ("batch_size", "workers", "shard_size"):
        if getattr(job, option) < 1:
            name = option.replace("_", "-")
            raise ConfigError(f"--{name} is {getattr(job, option)}; expected a number from 1")
    if job.engine not in ("local", "ray"):
        raise ConfigError(f"--engine is {job.engine!r}; expected local or ray")
    check_inputs(job.files, job.texts, job.format, job.text_column, job.output)
    if job.engine == "ray":
        return _on_ray(job)
    to = _output_format(job)
    _check_target(job, to)
    asserted = Assertions() if job.context else None
    outcome = LinkOutcome()
    with reported(outcome.problems, lambda: outcome.documents > 0):
        documents = some_documents(_documents(job, outcome), outcome.problems)
        with linked_blocks(job, documents) as linked, progress("linking", "documents") as advance:
            counted = _counted(linked, outcome, advance)
            if asserted is not None:
                counted = map(asserted, counted)
            if job.without:
                counted = without(counted, job.without)
            if to == "table":
                _print_table(counted)
            else:
                write(counted, job.output, to, outcome.problems.append)
    if outcome.documents and not outcome.mentions:
        message("biolink: warning: no mention was found in any document")
    elif outcome.mentions and outcome.without_base == outcome.mentions:
        message("biolink: warning: no mention was linked; none is of a kind that is linked here")
    elif outcome.mentions and not outcome.linked:
        message("biolink: warning: no mention was linked; is this the right knowledge base?")
    return outcome


def _documents(job: LinkJob, outcome: LinkOutcome) -> Iterator[Document]:
    """The texts and the files of a job, or standard input if it has neither."""
    files = job.files or (() if job.texts else (STDIO,))
    on_problem = outcome.problems.append
    return chain(
        documents_of(job.texts),
        read_all(files, job.format, on_problem, job.text_column),
    )


def _on_ray(job: LinkJob) -> LinkOutcome:
    """Link into a folder of shards, or continue with one."""
    from biolink.scale.cluster import ClusterJob, link_on_ray

    if job.output == STDIO or job.to not in (None, "jsonl"):
        raise ConfigError(
            "--engine ray writes shards of JSON Lines; expected a folder with -o, and no other --to"
        )
    check_named_folder(job.output, "the shards")
    if job.context or job.without:
        raise ConfigError("--context and --without do not go with --engine ray; leave them out")
    if job.texts or not job.files or STDIO in job.files:
        raise ConfigError(
            "--engine ray cannot read standard input or --text; expected files that every machine "
            "can open"
        )
    problems: list[BiolinkError] = []
    files = files_of(job.files, problems.append, job.format)
    if not files:
        report_problems(problems)
        raise ConfigError("no file can be read, so nothing was linked")
    cluster_job = ClusterJob(
        tuple(str(Path(file).absolute()) for file in files),
        str(Path(job.output).absolute()),
        job.settings,
        job.format,
        RECOGNISE[job.mentions],
        job.workers,
        job.shard_size,
        job.text_column,
    )
    with progress("linking", "documents") as advance:
        on_ray = link_on_ray(cluster_job, advance)
    outcome = LinkOutcome(on_ray.documents, on_ray.mentions, on_ray.linked)
    outcome.problems = [*problems, *map(BiolinkError, on_ray.problems)]
    report_problems(outcome.problems, on_ray.documents + on_ray.kept > 0)
    if on_ray.kept:
        message(f"biolink: kept from an earlier run: {counted(on_ray.kept, 'shard')}")
    return outcome


def _output_format(job: LinkJob) -> str:
    if job.to is not None:
        return job.to
    if job.output != STDIO:
        name = format_of_name(job.output)
        if name is None:
            raise ConfigError(
                f"no format follows from the name {job.output!r}; expected one with --to, or "
                "a name such as linked.jsonl"
            )
        return name
    return "table" if sys.stdout.isatty() else "jsonl"


def _check_target(job: LinkJob, to: str) -> None:
    """Check before the work whether links can be written in the format of the output."""
    if to == "table":
        if job.output != STDIO:
            raise ConfigError(
                f"--to table is for reading on a terminal, and -o is {job.output!r}; expected "
                "another --to, tsv or csv for a file with columns"
            )
    elif not writes_links(to):
        option = f"-o {job.output}" if job.to is None else f"--to {to}"
        others = [info.name for info in describe() if info.writes_links]
        raise ConfigError(
            f"{option}: links cannot be written in the format {to}; expected one of "
            f"{', '.join(others)}"
        )
    else:
        check_target(to, job.output)


def loaded(settings: LinkSettings) -> AnyLinker:
    """Load a linker, with progress on stderr."""
    with progress("preparing the knowledge base") as advance, _no_collection():
        linker = settings.linker(lambda _, done, size: advance(done, size))
        linker.prepare()
        return linker


@contextmanager
def _no_collection() -> Iterator[None]:
    """Switch garbage collection off while modules and models are loaded.

    Their many objects all stay in memory.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def loaded_for_given(settings: LinkSettings) -> Linker | KindsLinker:
    """Load a linker that links given mentions.

    Raises
    ------
    ConfigError
        When the model finds its own mentions.
    """
    from biolink.infer.linkers.kinds_linker import KindsLinker
    from biolink.infer.linkers.mention_linker import Linker

    linker = loaded(settings)
    if not isinstance(linker, Linker | KindsLinker):
        raise ConfigError(
            f"the model {settings.model} finds its own mentions and cannot link given ones; "
            "expected a linking model"
        )
    return linker


@contextmanager
def linked_blocks(job: LinkJob, documents: Iterable[Document]) -> Iterator[Iterator[Linked]]:
    """Link documents in blocks, in this process or in ``job.workers`` processes."""
    recognise = RECOGNISE[job.mentions]
    blocks = blocks_of(documents, job.batch_size)
    if job.workers == 1:
        linker = job.settings.block_linker(loaded(job.settings), recognise)
        # Workers use one thread, too, so the results are the same to the last bit.
        with one_thread():
            yield map(linker, blocks)
        return
    # The folder is named after the user, so that the next run removes files of a killed one.
    target = Path(tempfile.gettempdir(), f"biolink-{getattr(os, 'getuid', int)()}")
    with temporary_beside(target, folder=True) as (folder, _):
        folder.chmod(0o700)
        with progress("preparing the knowledge base") as advance:
            settings = job.settings.stored(folder, lambda _, done, size: advance(done, size))
        with closing(link_in_processes(settings, blocks, job.workers, recognise)) as linked:
            yield linked


def _counted(
    linked: Iterable[Linked], outcome: LinkOutcome, advance: Callable[[int, int | None], None]
) -> Iterator[Document]:
    from biolink.infer.linkers.kinds_linker import NOT_LINKED

    for block in linked:
        outcome.problems += map(BiolinkError, block.problems)
        for document in block.documents:
            outcome.documents += 1
            outcome.mentions += len(document.mentions)
            outcome.linked += sum(bool(mention.links) for mention in document.mentions)
            reasons = [mention.nil_reason for mention in document.mentions]
            outcome.without_base += reasons.count(NOT_LINKED)
            advance(outcome.documents, None)
            yield document


def _print_table(documents: Iterable[Document]) -> None:
    """Print a table for each document, without columns that would be empty."""
    from rich.table import Table
    from rich.text import Text

    console = stdout()
    for document in documents:
        title = document.text.strip().splitlines()[0] if document.text.strip() else ""
        table = Table(title=Text(f"{document.id}  {title[:90]}"), title_justify="left")
        rows = [_table_row(mention) for mention in document.mentions]
        for number, column in enumerate(_TABLE):
            if number in _ALWAYS or any(row[number] for row in rows):
                digits = column in ("offsets", "probability")
                table.add_column(column, justify="right" if digits else "left", no_wrap=digits)
        for row in rows:
            table.add_row(
                *(
                    Text(cell)
                    for number, cell in enumerate(row)
                    if number in _ALWAYS or any(other[number] for other in rows)
                )
            )
        console.print(table)


def _table_row(mention: Mention) -> tuple[str, ...]:
    """The cells of :data:`_TABLE`; "found as" says the name if it is not the preferred one."""
    best = mention.best
    note = f" = {best.long_form}" if best and best.long_form else ""
    offsets = f"{mention.start}-{mention.end}"
    said = ", ".join(mention.assertions)
    if best is None:
        nil = mention.nil_reason or "not linked"
        return (offsets, mention.text, mention.type, "NIL", "", "", "", nil, said)
    preferred = best.preferred_name or best.name
    return (
        offsets,
        mention.text + note,
        mention.type,
        best.curie or best.concept_id,
        preferred,
        "" if best.name == preferred else best.name,
        f"{best.probability:.2f}",
        "",
        said,
    )
