"""The commands: each parses its options, calls a function that does the work, and prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from biolink.cli.bench import bench_app
from biolink.cli.info import WithFormats
from biolink.cli.kb import kb_app
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

Files = Annotated[
    list[str] | None,
    typer.Argument(
        help="Files to read, gzip and xz included, and folders with all files below; - is stdin."
    ),
]
Format = Annotated[
    str | None, typer.Option(help="Format of the input; else name and content say it.")
]
TextColumn = Annotated[
    str | None, typer.Option(help="Of CSV and TSV: the column that holds the texts.")
]
To = Annotated[str | None, typer.Option(help="Format of the output; follows the output's name.")]
Output = Annotated[str, typer.Option("-o", "--output", help="File to write; - is stdout.")]


def _version(value: bool) -> None:
    if value:
        from biolink import __version__

        typer.echo(f"biolink {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Link biomedical text to a knowledge base."""


@app.command(cls=WithFormats)
def link(
    files: Files = None,
    text: Annotated[
        list[str] | None, typer.Option("--text", help="A text to link; may be repeated.")
    ] = None,
    kb: Annotated[str | None, typer.Option(help="Knowledge base: NAME.kb or any readable.")] = None,
    model: Annotated[str | None, typer.Option(help="Model folder; the embedded one.")] = None,
    format: Format = None,
    text_column: TextColumn = None,
    to: To = None,
    output: Output = "-",
    mentions: Annotated[
        str,
        typer.Option(
            help="given: link those in the file; find: find them; auto: given, else find."
        ),
    ] = "auto",
    method: Annotated[
        str | None, typer.Option(help="combined, generate or candidates; what the model is for.")
    ] = None,
    names_first: Annotated[
        bool,
        typer.Option(
            "--names-first", help="With --method generate: link names to themselves, no model run."
        ),
    ] = False,
    top_k: Annotated[int | None, typer.Option(help="Links kept for each mention; 5.")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="NIL below this probability, from 0 to 1.")
    ] = None,
    nil: Annotated[
        str | None,
        typer.Option(
            help="When a mention gets no link: none, likelier, threshold=P, post-pruning, "
            "margin=N, or several joined by +."
        ),
    ] = None,
    types: Annotated[
        str | None, typer.Option(help="Only concepts of these semantic types, comma-separated.")
    ] = None,
    recogniser: Annotated[
        str | None,
        typer.Option(
            help="Find mentions with spacy:NAME, hf:FOLDER or gliner:FOLDER=LABEL,LABEL; "
            "=LABEL,LABEL keeps these types only."
        ),
    ] = None,
    calibration: Annotated[
        str | None, typer.Option(help="Of the probabilities: what biolink calibrate wrote.")
    ] = None,
    precision: Annotated[
        str, typer.Option(help="fp32, int8 (faster on a CPU) or bf16 (faster on a GPU).")
    ] = "fp32",
    device: Annotated[
        str, typer.Option(help="Where the model runs: cpu, cuda, cuda:1, mps.")
    ] = "cpu",
    curies: Annotated[
        bool,
        typer.Option(
            "--curies", help="Write concepts with their prefix, mesh:D001249 for D001249."
        ),
    ] = False,
    batch_size: Annotated[int, typer.Option(help="Documents worked on together.")] = 32,
    workers: Annotated[
        int, typer.Option(help="Processes that link, of one thread each; one for each core.")
    ] = 1,
    engine: Annotated[
        str,
        typer.Option(help="local, or ray: a cluster; -o is then a folder of shards, gone on with."),
    ] = "local",
    shard_size: Annotated[int, typer.Option(help="Documents of a shard, with --engine ray.")] = 256,
) -> None:
    """Find mentions in text and link them to concepts."""
    from biolink.blocks import LinkSettings
    from biolink.cli.link import LinkJob, run_link

    settings = LinkSettings(
        kb=kb,
        model=model,
        method=method,
        top_k=top_k,
        nil=nil if threshold is None else "+".join(filter(None, (f"threshold={threshold}", nil))),
        types=types,
        recogniser=recogniser,
        calibration=calibration,
        precision=precision,
        names_first=names_first,
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
    format: Format = None,
    text_column: TextColumn = None,
    to: To = None,
    output: Output = "-",
) -> None:
    """Convert documents from one format to another."""
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
    model: Annotated[Path | None, typer.Argument(help="Model folder; the embedded one.")] = None,
) -> None:
    """Check a model's files; print versions, what the model is and what it was trained on."""
    from biolink.cli.info import print_info

    print_info(model)


@app.command()
def evaluate(
    files: Annotated[list[str], typer.Argument(help="Documents with gold concept ids.")],
    kb: Annotated[str | None, typer.Option(help="Knowledge base.")] = None,
    model: Annotated[str | None, typer.Option(help="Model folder; the embedded one.")] = None,
    format: Format = None,
    method: Annotated[str | None, typer.Option(help="combined, generate or candidates.")] = None,
    mentions: Annotated[
        str,
        typer.Option(help="given: link the gold mentions; find: find and link them, end to end."),
    ] = "given",
    train: Annotated[
        list[str] | None,
        typer.Option(help="Documents the linker was trained on; may be repeated."),
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="strict, or biosyn: the mentions of --train are names, too.")
    ] = "strict",
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Measure exact match and TF-IDF as well.")
    ] = False,
    predictions: Annotated[
        list[str] | None,
        typer.Option(help="Another system's output, PubTator say; may be repeated."),
    ] = None,
    output: Annotated[
        list[str] | None,
        typer.Option("-o", "--output", help=".json, .md or .html to write; may be repeated."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
) -> None:
    """Compare links with gold concepts: of given mentions, or end to end."""
    from biolink.cli.evaluate import EvaluationJob, run_evaluate

    job = EvaluationJob(
        files=tuple(files),
        kb=kb,
        model=model,
        format=format,
        method=method,
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
    files: Annotated[list[str], typer.Argument(help="Development documents with gold concepts.")],
    kb: Annotated[str | None, typer.Option(help="Knowledge base.")] = None,
    model: Annotated[str | None, typer.Option(help="Model folder; the embedded one.")] = None,
    format: Format = None,
    types: Annotated[
        str | None, typer.Option(help="Only concepts of these semantic types, comma-separated.")
    ] = None,
    precision: Annotated[
        float | None, typer.Option(help="Wanted precision; the highest F1 if not given.")
    ] = None,
    output: Annotated[
        list[str] | None,
        typer.Option("-o", "--output", help=".json, .svg or .png to write; may be repeated."),
    ] = None,
) -> None:
    """Sweep the threshold under which a link is NIL over gold mentions."""
    from biolink.cli.find_threshold import ThresholdJob, run_find_threshold

    run_find_threshold(
        ThresholdJob(tuple(files), kb, model, format, types, precision, tuple(output or ()))
    )


@app.command()
def calibrate(
    files: Annotated[list[str], typer.Argument(help="Development documents with gold concepts.")],
    output: Annotated[
        list[str] | None,
        typer.Option(
            "-o", "--output", help="calibration.json, and .svg or .png of the diagram to write."
        ),
    ] = None,
    kind: Annotated[str, typer.Option(help="isotonic or platt.")] = "isotonic",
    kb: Annotated[str | None, typer.Option(help="Knowledge base.")] = None,
    model: Annotated[str | None, typer.Option(help="Model folder; the embedded one.")] = None,
    format: Format = None,
    types: Annotated[
        str | None, typer.Option(help="Only concepts of these semantic types, comma-separated.")
    ] = None,
) -> None:
    """Fit the probabilities of links to how often they are right, with a reliability diagram."""
    from biolink.cli.calibrate import CalibrationJob, run_calibrate

    run_calibrate(CalibrationJob(tuple(files), kb, model, format, types, kind, tuple(output or ())))


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="Report in JSON (biolink evaluate -o A.json).")],
    second: Annotated[Path, typer.Argument(help="Another, of the same documents.")],
    output: Annotated[
        list[str] | None,
        typer.Option("-o", "--output", help=".md or .html to write; may be repeated."),
    ] = None,
) -> None:
    """Compare two systems mention by mention: paired bootstrap test."""
    from biolink.cli.evaluate import run_compare

    run_compare(first, second, tuple(output or ()))
