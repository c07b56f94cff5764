"""``biolink table``."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from biolink.cli.options import (
    Branch,
    Device,
    KbOption,
    ModelOption,
    Nil,
    Output,
    PrecisionOption,
    Taxa,
    Types,
    not_empty,
)
from biolink.errors import ConfigError, MissingDependencyError

if TYPE_CHECKING:
    from biolink.scale.blocks import LinkSettings
    from biolink.tables.linked import LinkedColumn, Value
    from biolink.tables.sheets import Sheet

__all__ = ["TableJob", "run_table", "table"]

#: The number of values of each group that a summary names.
_NAMED = 10
_REPORT = (
    *("state", "value", "rows", "curie", "name", "matched", "probability"),
    *("nil_reason", "alternatives"),
)


@dataclass(frozen=True, slots=True)
class TableJob:
    """The options of ``biolink table``."""

    file: str
    column: str
    settings: LinkSettings
    context_columns: tuple[str, ...] = ()
    output: str = "-"
    sssom: str | None = None
    report: str | None = None
    outputs: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        named = (self.output, self.sssom, self.report)
        object.__setattr__(self, "outputs", tuple(name for name in named if name is not None))


def table(
    file: Annotated[
        str,
        typer.Argument(
            help="A CSV, TSV, Excel or Parquet file with a header, or - for CSV from standard "
            "input.",
            callback=not_empty,
        ),
    ],
    column: Annotated[
        str, typer.Option("--column", help="The column with the terms.", callback=not_empty)
    ],
    context_column: Annotated[
        list[str] | None,
        typer.Option(
            "--context-column",
            help="A column with a text that helps to tell what is meant. It may be repeated.",
            callback=not_empty,
        ),
    ] = None,
    output: Output = "-",
    sssom: Annotated[
        str | None,
        typer.Option(help="Also write the mappings as SSSOM to this file.", callback=not_empty),
    ] = None,
    report: Annotated[
        str | None,
        typer.Option(
            help="Also write the distinct values to this table: those that were not mapped, then "
            "those that are unsure, then the others.",
            callback=not_empty,
        ),
    ] = None,
    kb: KbOption = None,
    model: ModelOption = None,
    types: Types = None,
    taxa: Taxa = None,
    branch: Branch = None,
    nil: Nil = None,
    precision: PrecisionOption = "fp32",
    device: Device = "cpu",
) -> None:
    """Link the terms in a column of a table, and add their concepts as columns.

    Each distinct term is linked once. The names of the files tell their kinds: .csv, .tsv, .xlsx or
    .parquet. A summary on standard error names the values that were not mapped, and those whose
    probability is below 0.8.
    """
    from biolink.scale.blocks import LinkSettings

    settings = LinkSettings(
        kb=kb,
        model=model,
        types=types,
        taxa=taxa,
        branch=branch,
        nil=nil,
        precision=precision,
        device=device,
    )
    contexts = tuple(context_column or ())
    print_summary(run_table(TableJob(file, column, settings, contexts, output, sssom, report)))


def run_table(job: TableJob) -> LinkedColumn:
    """Link a column of a table, and write the table, the mappings and the report.

    Raises
    ------
    InputError
        If a file cannot be read or written, or the table does not have the columns.
    ConfigError
        If an option is not valid.
    """
    from biolink.cli.console import progress
    from biolink.cli.link import loaded_for_given
    from biolink.formats.sssom import write_mappings
    from biolink.kb.files import display_name, replace_file
    from biolink.scale.blocks import one_thread
    from biolink.tables.linked import added_names, link_column, with_links
    from biolink.tables.sheets import read_sheet, write_sheet

    _check(job)
    sheet = read_sheet(job.file)
    source = display_name(job.file)
    for name in (job.column, *job.context_columns):
        sheet.cells(name, source)
    sheet.with_columns(added_names(job.column), [()] * len(added_names(job.column)))
    linker = loaded_for_given(job.settings)
    with progress("linking", "terms") as advance, one_thread():
        linked = link_column(
            sheet,
            job.column,
            source,
            linker,
            context_columns=job.context_columns,
            types=None if job.settings.branch else job.settings.types,
            progress=advance,
        )
    write_sheet(with_links(sheet, linked), job.output)
    if job.sssom is not None:
        with replace_file(job.sssom) as stream:
            write_mappings(linked.mappings(), stream)
    if job.report is not None:
        write_sheet(_report(linked.values()), job.report)
    return linked


def _check(job: TableJob) -> None:
    """Check before the work whether its results can be written after it."""
    from biolink.cli.inputs import check_apart
    from biolink.cli.outputs import check_place
    from biolink.kb.files import STDIO
    from biolink.tables.sheets import kind_of_file

    tables = [job.file, *(name for name in (job.output, job.report) if name is not None)]
    if "excel" in map(kind_of_file, tables) and find_spec("openpyxl") is None:
        raise MissingDependencyError("openpyxl", "Excel", "table")
    for number, output in enumerate(job.outputs):
        if output in job.outputs[:number]:
            raise ConfigError(f"{output} is given for two outputs; expected one for each")
        check_apart([job.file], output)
        if output != STDIO:
            check_place(output, Path(output))


def _report(values: list[Value]) -> Sheet:
    from biolink.tables.linked import alternatives_written
    from biolink.tables.sheets import Sheet

    rows = [
        (
            value.state,
            value.link.term,
            value.rows,
            value.link.curie,
            value.link.name,
            value.link.matched,
            None if value.link.probability is None else round(value.link.probability, 4),
            value.link.nil_reason or "",
            alternatives_written(value.link.alternatives),
        )
        for value in values
    ]
    columns = tuple(zip(*rows, strict=True)) if rows else ((),) * len(_REPORT)
    return Sheet(_REPORT, columns, len(_REPORT))


def print_summary(linked: LinkedColumn) -> None:
    """Print how many values and rows were not mapped, are unsure and were mapped, with examples."""
    from biolink.cli.console import message
    from biolink.kb.wording import counted
    from biolink.tables.linked import STATES

    values = linked.values()
    for state in STATES:
        those = [value for value in values if value.state == state]
        rows = sum(value.rows for value in those)
        message(f"{state}: {counted(len(those), 'value')} in {counted(rows, 'row')}")
        if state == "mapped":
            continue
        for value in those[:_NAMED]:
            link = value.link
            said = (
                link.nil_reason or f"{link.curie} {link.name}, probability {link.probability:.2f}"
            )
            message(f"  {value.link.term!r} ({counted(value.rows, 'row')}): {said}")
        if len(those) > _NAMED:
            message(f"  and {counted(len(those) - _NAMED, 'other value')}; --report lists them all")
    if linked.empty:
        message(f"no text: {counted(linked.empty, 'row')}")
