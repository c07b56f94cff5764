"""The commands: each parses its options, calls a function that does the work, and prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from biolink.cli.bench import bench_app
from biolink.cli.corrections import corrections_app
from biolink.cli.info import WithFormats
from biolink.cli.kb import kb_app
from biolink.cli.learn import learn
from biolink.cli.measuring import calibrate, compare, evaluate, find_threshold
from biolink.cli.options import (
    Branch,
    Device,
    DocumentFormat,
    Files,
    KbOption,
    Method,
    ModelOption,
    Nested,
    Nil,
    Output,
    PrecisionOption,
    Taxa,
    TextColumn,
    To,
    Types,
    not_empty,
)
from biolink.cli.review import review
from biolink.cli.serve import mcp, serve
from biolink.cli.table import table
from biolink.cli.training import (
    convert_checkpoint,
    export_pairs,
    finetune,
    pretrain_app,
    train_app,
)

app = typer.Typer(
    name="biolink",
    help="Link biomedical text to a knowledge base.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(kb_app, name="kb")
app.add_typer(pretrain_app, name="pretrain")
app.add_typer(train_app, name="train")
app.add_typer(bench_app, name="bench")
app.add_typer(corrections_app, name="corrections")
app.command()(finetune)
app.command()(convert_checkpoint)
app.command()(export_pairs)


def _version(value: bool) -> None:
    if value:
        from biolink import __version__

        typer.echo(f"biolink {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Link biomedical text to a knowledge base."""


@app.command(cls=WithFormats)
def link(
    files: Files = None,
    text: Annotated[
        list[str] | None, typer.Option("--text", help="A text to link. It may be repeated.")
    ] = None,
    kb: KbOption = None,
    model: ModelOption = None,
    format: DocumentFormat = None,
    text_column: TextColumn = None,
    to: To = None,
    output: Output = "-",
    mentions: Annotated[
        str,
        typer.Option(
            help="given links the mentions in the files, find finds mentions and links them, auto "
            "does the first for documents with mentions and the second for the others."
        ),
    ] = "auto",
    method: Method = None,
    names_first: Annotated[
        bool,
        typer.Option(
            "--names-first",
            help="With --method generate, link a mention that is a name in the knowledge base to "
            "that name, without running the model.",
        ),
    ] = False,
    cascade: Annotated[
        bool,
        typer.Option(
            "--cascade/--no-cascade",
            help="Link a mention without its context if it is clear without it. --no-cascade "
            "always uses the context, which is slower. Default: --cascade.",
            show_default=False,
        ),
    ] = True,
    top_k: Annotated[
        int | None, typer.Option(help="The number of links kept for each mention. Default: 5.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="A mention whose best link has a lower probability, from 0 to 1, is NIL."
        ),
    ] = None,
    nil: Nil = None,
    types: Types = None,
    taxa: Taxa = None,
    branch: Branch = None,
    roll_up: Annotated[
        str | None,
        typer.Option(
            "--roll-up",
            help="Replace each linked concept by a more general one: a number N stands for its "
            "ancestor at depth N of the hierarchy (the tops have depth 0), ids separated by commas "
            "for the nearest of these that is above it. Genes and cell lines have no hierarchy.",
            callback=not_empty,
        ),
    ] = None,
    nested: Nested = False,
    recogniser: Annotated[
        str | None,
        typer.Option(
            help="What finds the mentions: spacy:NAME, hf:FOLDER or gliner:FOLDER=LABEL,LABEL. "
            "After spacy:NAME and hf:FOLDER, =LABEL,LABEL keeps mentions of these types only. "
            "Default: the model's recogniser, which finds the names of any knowledge base.",
            callback=not_empty,
        ),
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            help="A calibration of the probabilities, as biolink calibrate writes it. Default: the "
            "model's own, if it has one.",
            callback=not_empty,
        ),
    ] = None,
    precision: PrecisionOption = "fp32",
    device: Device = "cpu",
    curies: Annotated[
        bool,
        typer.Option(
            "--curies", help="Write concept ids with their prefixes: mesh:D001249, not D001249."
        ),
    ] = False,
    context: Annotated[
        bool,
        typer.Option(
            "--context",
            help="Say of each mention whether the text negates it, puts it as a hypothesis, or "
            "speaks of the family or the past. For English clinical text; needs negspaCy.",
        ),
    ] = False,
    without: Annotated[
        str | None,
        typer.Option(
            help="Leave out mentions of which this is said: negated, hypothetical, family or "
            "historical, or several of them separated by commas.",
            callback=not_empty,
        ),
    ] = None,
    batch_size: Annotated[
        int, typer.Option(help="The number of documents that are linked together.")
    ] = 32,
    workers: Annotated[
        int,
        typer.Option(help="The number of processes, each with one thread. Take one for each core."),
    ] = 1,
    engine: Annotated[
        str,
        typer.Option(
            help="local links on this machine, ray on the machines of a Ray cluster. ray writes a "
            "folder of shards to -o; if it was interrupted, the same command continues."
        ),
    ] = "local",
    shard_size: Annotated[
        int, typer.Option(help="The number of documents in a shard, with --engine ray.")
    ] = 256,
) -> None:
    """Find mentions in text and link them to concepts.

    A document that cannot be read or linked is reported, the others are linked, and the exit
    status is 1.
    """
    # Long because each option is a parameter.
    from biolink.assertion import checked_assertions
    from biolink.cli.link import LinkJob, run_link
    from biolink.scale.blocks import LinkSettings

    settings = LinkSettings(
        kb=kb,
        model=model,
        method=method,
        top_k=top_k,
        nil=nil if threshold is None else "+".join(filter(None, (f"threshold={threshold}", nil))),
        types=types,
        taxa=taxa,
        branch=branch,
        roll_up=roll_up,
        recogniser=recogniser,
        calibration=calibration,
        precision=precision,
        names_first=names_first,
        cascade=cascade,
        nested=nested,
        device=device,
        curies=curies,
    )
    job = LinkJob(
        files=tuple(files or ()),
        texts=tuple(text or ()),
        settings=settings,
        format=format,
        text_column=text_column,
        to=to,
        output=output,
        mentions=mentions,
        batch_size=batch_size,
        workers=workers,
        engine=engine,
        shard_size=shard_size,
        context=context,
        without=() if without is None else checked_assertions(without),
    )
    if run_link(job).problems:
        raise typer.Exit(1)


@app.command(cls=WithFormats)
def convert(
    files: Files = None,
    format: DocumentFormat = None,
    text_column: TextColumn = None,
    to: To = None,
    output: Output = "-",
) -> None:
    """Convert documents from one format to another.

    A document that cannot be read or written is reported, the others are converted, and the exit
    status is 1.
    """
    from biolink.cli.convert import run_convert

    if run_convert(tuple(files or ["-"]), format, to, output, text_column):
        raise typer.Exit(1)


@app.command()
def formats() -> None:
    """Print the formats of documents and of knowledge bases."""
    from biolink.cli.info import print_formats

    print_formats()


@app.command()
def info(
    model: Annotated[
        str | None,
        typer.Argument(help="A model folder. Default: the embedded model.", callback=not_empty),
    ] = None,
) -> None:
    """Check the files of a model, and print versions, its settings and its training."""
    from biolink.cli.info import print_info

    print_info(None if model is None else Path(model))


for _command in (
    evaluate, find_threshold, calibrate, compare, table, serve, mcp, review, learn,
):  # fmt: skip
    app.command()(_command)
