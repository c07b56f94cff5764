"""``biolink link``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from biolink.cli.console import message, progress, stdout
from biolink.documents import Document
from biolink.errors import BiolinkError, ConfigError, InputError
from biolink.formats import format_of_name, load, read, write
from biolink.kb.files import STDIO, display_name

__all__ = ["LinkJob", "LinkOutcome", "read_all", "report_problems", "run_link"]


@dataclass(frozen=True, slots=True)
class LinkJob:
    """The options of ``biolink link``."""

    files: tuple[str, ...]
    kb: str | None = None
    model: str | None = None
    format: str | None = None
    to: str | None = None
    output: str = STDIO
    mentions: str = "auto"
    method: str | None = None
    top_k: int | None = None
    nil: str | None = None
    types: str | None = None
    recogniser: str | None = None
    calibration: str | None = None
    batch_size: int = 32
    precision: str = "fp32"


@dataclass(slots=True)
class LinkOutcome:
    """What was done, and what could not be."""

    documents: int = 0
    mentions: int = 0
    linked: int = 0
    problems: list[BiolinkError] = field(default_factory=list)


def run_link(job: LinkJob) -> LinkOutcome:
    """Link files; a document that cannot be read or linked is a problem in the outcome."""
    if job.mentions not in ("auto", "given", "find"):
        raise ConfigError(f"--mentions is auto, given or find, not {job.mentions!r}")
    if job.batch_size < 1:
        raise ConfigError("--batch-size is at least 1")
    to = _output_format(job)
    linker = _linker(job)
    outcome = LinkOutcome()
    recognise = {"auto": None, "given": False, "find": True}[job.mentions]
    with progress("linking", "documents") as advance:
        documents = read_all(job.files, job.format, outcome.problems.append)
        linked = _counted(_linked(linker, documents, job, recognise, outcome), outcome, advance)
        if to == "table":
            _print_table(linked)
        else:
            write(linked, job.output, to)
    report_problems(outcome.problems)
    if outcome.documents and not outcome.mentions:
        message("biolink: warning: no mention was found in any document")
    elif outcome.mentions and not outcome.linked:
        message("biolink: warning: no mention was linked; is this the right knowledge base?")
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


def _linker(job: LinkJob) -> Any:
    from biolink import KnowledgeBase
    from biolink.infer.adapters import recogniser_written
    from biolink.infer.nil import policy_written
    from biolink.pipeline import load as load_linker

    recogniser = recogniser_written(job.recogniser) if job.recogniser else None
    options: dict[str, Any] = {}
    if job.top_k is not None:
        options["top_k"] = job.top_k
    if job.method is not None:
        options["method"] = job.method
    with progress("preparing the knowledge base") as advance:
        kb = None if job.kb is None else KnowledgeBase.read(job.kb)
        linker = load_linker(
            job.model,
            kb,
            None if job.nil is None else policy_written(job.nil),
            recogniser,
            lambda _, done, size: advance(done, size),
            calibration=job.calibration,
            precision=job.precision,
            **options,
        )
    if job.types is not None:
        part = linker.kb.subset(types={t.strip() for t in job.types.split(",")})
        if not len(part):
            raise ConfigError(f"the knowledge base has no concept of the types {job.types!r}")
        linker = linker.with_kb(part)
    return linker


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


def _linked(
    linker: Any,
    documents: Iterable[Document],
    job: LinkJob,
    recognise: bool | None,
    outcome: LinkOutcome,
) -> Iterator[Document]:
    """Link in batches; where a batch fails, its documents are linked one by one."""
    stream = iter(documents)
    while block := list(islice(stream, job.batch_size)):
        try:
            yield from list(linker.pipe(block, job.batch_size, recognise))
        except (BiolinkError, ValueError, RuntimeError):
            for document in block:
                try:
                    yield from list(linker.pipe([document], 1, recognise))
                except (BiolinkError, ValueError, RuntimeError) as error:
                    what = f"document {document.id!r} cannot be linked: {error}"
                    outcome.problems.append(BiolinkError(what))


def _counted(
    documents: Iterable[Document], outcome: LinkOutcome, advance: Callable[[int, int | None], None]
) -> Iterator[Document]:
    for document in documents:
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
