"""The commands: each parses its options, calls a function that does the work, and prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from biolink.cli.bench import bench_app
from biolink.cli.info import WithFormats
from biolink.cli.kb import kb_app
from biolink.cli.options import (
    Branch,
    DocumentFormat,
    Files,
    GoldDocuments,
    KbOption,
    Method,
    ModelOption,
    Output,
    Seed,
    TextColumn,
    To,
    Types,
    not_empty,
)
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
    nil: Annotated[
        str | None,
        typer.Option(
            help="When a mention gets no link: none, likelier, threshold=P, post-pruning or "
            "margin=N, or several of them joined by +.",
            callback=not_empty,
        ),
    ] = None,
    types: Types = None,
    branch: Branch = None,
    roll_up: Annotated[
        str | None,
        typer.Option(
            "--roll-up",
            help="Replace each linked concept by a more general one: a number N stands for its "
            "ancestor at depth N of the hierarchy (the tops have depth 0), ids separated by commas "
            "for the nearest of these that is above it.",
            callback=not_empty,
        ),
    ] = None,
    recogniser: Annotated[
        str | None,
        typer.Option(
            help="What finds the mentions: spacy:NAME, hf:FOLDER or gliner:FOLDER=LABEL,LABEL. "
            "After spacy:NAME and hf:FOLDER, =LABEL,LABEL keeps mentions of these types only. "
            "Default: the model's recogniser, or a dictionary of the knowledge base's names.",
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
    precision: Annotated[
        str,
        typer.Option(
            help="The precision of the weights: fp32, int8 (faster on a CPU) or bf16 (faster on a "
            "GPU)."
        ),
    ] = "fp32",
    device: Annotated[
        str, typer.Option(help="The device on which the model runs: cpu, cuda, cuda:1 or mps.")
    ] = "cpu",
    curies: Annotated[
        bool,
        typer.Option(
            "--curies", help="Write concept ids with their prefixes: mesh:D001249, not D001249."
        ),
    ] = False,
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
    from biolink.cli.link import LinkJob, run_link
    from biolink.scale.blocks import LinkSettings

    settings = LinkSettings(
        kb=kb,
        model=model,
        method=method,
        top_k=top_k,
        nil=nil if threshold is None else "+".join(filter(None, (f"threshold={threshold}", nil))),
        types=types,
        branch=branch,
        roll_up=roll_up,
        recogniser=recogniser,
        calibration=calibration,
        precision=precision,
        names_first=names_first,
        cascade=cascade,
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


@app.command()
def evaluate(
    files: GoldDocuments,
    kb: KbOption = None,
    model: ModelOption = None,
    format: DocumentFormat = None,
    method: Method = None,
    types: Types = None,
    mentions: Annotated[
        str,
        typer.Option(
            help="given links the gold mentions; find finds mentions and links them, so that "
            "recognition is measured as well."
        ),
    ] = "given",
    train: Annotated[
        list[str] | None,
        typer.Option(
            help="Documents on which the linker was trained. The report then has separate figures "
            "for mentions and concepts that occur in them and for those that do not. It may be "
            "repeated.",
            callback=not_empty,
        ),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            help="strict, or biosyn, which adds the mentions of --train to the knowledge base as "
            "names."
        ),
    ] = "strict",
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Measure exact match and TF-IDF as well.")
    ] = False,
    predictions: Annotated[
        list[str] | None,
        typer.Option(
            help="The output of another system for the same documents, in any readable format, "
            "which is measured as well. It may be repeated.",
            callback=not_empty,
        ),
    ] = None,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--output",
            help="A report to write: a name that ends in .json, .md or .html. It may be repeated.",
            callback=not_empty,
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the report as a JSON object.")
    ] = False,
    seed: Seed = 0,
) -> None:
    """Compare links with gold concepts, for given mentions or end to end."""
    # Long because each option is a parameter.
    from biolink.cli.evaluate import EvaluationJob, run_evaluate

    job = EvaluationJob(
        files=tuple(files),
        kb=kb,
        model=model,
        format=format,
        method=method,
        types=types,
        mentions=mentions,
        train=tuple(train or ()),
        protocol=protocol,
        baselines=baselines,
        predictions=tuple(predictions or ()),
        output=tuple(output or ()),
        json=json,
        seed=seed,
    )
    if run_evaluate(job).problems:
        raise typer.Exit(1)


@app.command()
def find_threshold(
    files: GoldDocuments,
    kb: KbOption = None,
    model: ModelOption = None,
    format: DocumentFormat = None,
    types: Types = None,
    precision: Annotated[
        float | None,
        typer.Option(
            help="The precision to reach, from 0 to 1. Default: the threshold with the highest F1 "
            "is chosen."
        ),
    ] = None,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--output",
            help="A file for the curve: a name that ends in .json, .svg or .png. It may be "
            "repeated.",
            callback=not_empty,
        ),
    ] = None,
) -> None:
    """Measure precision and recall at each threshold below which a mention is NIL."""
    from biolink.cli.find_threshold import ThresholdJob, run_find_threshold

    run_find_threshold(
        ThresholdJob(tuple(files), kb, model, format, types, precision, tuple(output or ()))
    )


@app.command()
def calibrate(
    files: GoldDocuments,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--output",
            help="A .json file for the calibration, or a .svg or .png file for the reliability "
            "diagram. It may be repeated.",
            callback=not_empty,
        ),
    ] = None,
    kind: Annotated[
        str, typer.Option(help="The form of the calibration: isotonic or platt.")
    ] = "isotonic",
    kb: KbOption = None,
    model: ModelOption = None,
    format: DocumentFormat = None,
    types: Types = None,
) -> None:
    """Fit the probabilities of links to how often the links are right."""
    from biolink.cli.calibrate import CalibrationJob, run_calibrate

    run_calibrate(CalibrationJob(tuple(files), kb, model, format, types, kind, tuple(output or ())))


@app.command()
def compare(
    first: Annotated[
        Path, typer.Argument(help="A report that biolink evaluate -o NAME.json wrote.")
    ],
    second: Annotated[Path, typer.Argument(help="Another report on the same documents.")],
    output: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--output",
            help="A comparison to write: a name that ends in .md or .html. It may be repeated.",
            callback=not_empty,
        ),
    ] = None,
) -> None:
    """Compare two systems mention by mention with a paired bootstrap test."""
    from biolink.cli.evaluate import run_compare

    run_compare(first, second, tuple(output or ()))
