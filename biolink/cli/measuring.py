"""The commands that measure linkers and compare them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from biolink.cli.options import (
    Branch,
    DocumentFormat,
    GoldDocuments,
    KbOption,
    Method,
    ModelOption,
    Nested,
    ReportOutput,
    Seed,
    Taxa,
    Types,
    not_empty,
)

__all__ = ["calibrate", "compare", "evaluate", "find_threshold"]


def evaluate(
    files: GoldDocuments,
    kb: KbOption = None,
    model: ModelOption = None,
    format: DocumentFormat = None,
    method: Method = None,
    types: Types = None,
    taxa: Taxa = None,
    branch: Branch = None,
    nested: Nested = False,
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
    output: ReportOutput = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the report as a JSON object.")
    ] = False,
    seed: Seed = 0,
    before_after: Annotated[
        bool,
        typer.Option(
            "--before-after",
            help="The files are corrections. Link each part of their documents without and with "
            "the corrections of the others. It goes with --kb, --model, --method, --types, "
            "--taxa and --json.",
        ),
    ] = False,
) -> None:
    """Compare links with gold concepts, for given mentions or end to end."""
    # Long because each option is a parameter.
    from biolink.cli.evaluate import EvaluationJob, run_evaluate

    if before_after:
        from biolink.cli.before_after import run_before_after
        from biolink.errors import ConfigError
        from biolink.scale.blocks import LinkSettings

        if format or branch or nested or train or baselines or predictions or output:
            raise ConfigError(
                "--before-after goes with --kb, --model, --method, --types, --taxa and --json; "
                "expected no other option with it"
            )
        settings = LinkSettings(kb, model, method, types=types, taxa=taxa)
        run_before_after(files, settings, json)
        return
    job = EvaluationJob(
        files=tuple(files),
        kb=kb,
        model=model,
        format=format,
        method=method,
        types=types,
        taxa=taxa,
        branch=branch,
        nested=nested,
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
