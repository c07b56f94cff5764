"""Options and arguments that several commands share, each defined once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from biolink.errors import ConfigError

__all__ = [
    "Branch",
    "Device",
    "DocumentFormat",
    "Files",
    "GoldDocuments",
    "KbFormat",
    "KbOption",
    "KbOutput",
    "KbSource",
    "Method",
    "ModelOption",
    "Nested",
    "Nil",
    "Output",
    "OutputFolder",
    "Overrides",
    "PrecisionOption",
    "ReaderOptions",
    "ReportOutput",
    "Seed",
    "SettingsFile",
    "Taxa",
    "TextColumn",
    "To",
    "Types",
    "not_empty",
]


def not_empty(parameter: typer.CallbackParam, value: Any) -> Any:
    """Refuse an empty value: it comes from a variable that a script has not set.

    Raises
    ------
    ConfigError
        Naming the option or argument.
    """
    values = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(given, str) and not given.strip() for given in values):
        name = parameter.opts[-1] if parameter.opts[0].startswith("-") else parameter.name
        raise ConfigError(f"the value of {name} is empty; expected one, or the option left out")
    return value


def _taxa(parameter: typer.CallbackParam, value: str | None) -> str | None:
    """Refuse what is no id of a species."""
    from biolink.kinds import chosen_taxa

    if value is not None:
        chosen_taxa(not_empty(parameter, value), parameter.opts[-1])
    return value


def _folder(parameter: typer.CallbackParam, value: str) -> str:
    """Refuse the current folder, the home folder and those above them."""
    from biolink.kb.files import check_named_folder

    check_named_folder(not_empty(parameter, value), "the output")
    return value


Files = Annotated[
    list[str] | None,
    typer.Argument(
        help="Files to read, which gzip or xz may have compressed. A folder stands for all files "
        "in it and below it, and - for standard input.",
        callback=not_empty,
    ),
]
GoldDocuments = Annotated[
    list[str],
    typer.Argument(
        help="Files of documents whose mentions have gold concept ids.", callback=not_empty
    ),
]
DocumentFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="The format of the input files. Default: their content and their names tell it.",
        callback=not_empty,
    ),
]
TextColumn = Annotated[
    str | None,
    typer.Option(
        "--text-column",
        help="The column with the texts, in a CSV, TSV or Parquet file. Default: a column with a "
        "usual name, such as text or abstract.",
        callback=not_empty,
    ),
]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        help="The format of the output. Default: the name of the output tells it.",
        callback=not_empty,
    ),
]
Output = Annotated[
    str,
    typer.Option(
        "-o",
        "--output",
        help="The file to write. Default: -, which is standard output.",
        show_default=False,
        callback=not_empty,
    ),
]
OutputFolder = Annotated[
    str, typer.Option("-o", "--output", help="The folder to write.", callback=_folder)
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model", help="A model folder. Default: the embedded model.", callback=not_empty
    ),
]
Method = Annotated[
    str | None,
    typer.Option(
        "--method",
        help="How concepts are found: combined, generate or candidates. Default: what the model "
        "was made for.",
        callback=not_empty,
    ),
]
Types = Annotated[
    str | None,
    typer.Option(
        "--types",
        help="Find and link only mentions of these semantic types, separated by commas: disease, "
        "chemical, gene, species, cell-line and variant with the embedded default, otherwise those "
        "of the knowledge base. Default: all.",
        callback=not_empty,
    ),
]
Taxa = Annotated[
    str | None,
    typer.Option(
        "--taxa",
        help="Link genes of these species only, given by their NCBI Taxonomy ids, separated by "
        "commas. A gene is of the first one if the text names no species. Default: all species "
        "of the embedded default, human (9606) first.",
        callback=_taxa,
    ),
]
Nested = Annotated[
    bool,
    typer.Option(
        "--nested",
        help="Keep mentions that lie within others or overlap them, too. Default: the longest.",
    ),
]
Branch = Annotated[
    str | None,
    typer.Option(
        "--branch",
        help="Keep only the concepts with these ids, separated by commas, and all concepts below "
        "them in the hierarchy of the knowledge base. Of the embedded default, these are "
        "diseases and chemicals, and other kinds are then not linked.",
        callback=not_empty,
    ),
]
Nil = Annotated[
    str | None,
    typer.Option(
        "--nil",
        help="When a mention gets no link: none, likelier, threshold=P, post-pruning or "
        "margin=N, or several of them joined by +.",
        callback=not_empty,
    ),
]
PrecisionOption = Annotated[
    str,
    typer.Option(
        "--precision",
        help="The precision of the weights: fp32, int8 (faster on a CPU) or bf16 (faster on a "
        "GPU).",
    ),
]
Device = Annotated[
    str,
    typer.Option("--device", help="The device on which the model runs: cpu, cuda, cuda:1 or mps."),
]
ReportOutput = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--output",
        help="A report to write: a name that ends in .md, .json or .html. It may be repeated.",
        callback=not_empty,
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="The seed of the bootstrap.")]

KbOption = Annotated[
    str | None,
    typer.Option(
        "--kb",
        help="The knowledge base: a NAME.kb folder, or a file or folder in any readable format. "
        "Default: the embedded knowledge base.",
        callback=not_empty,
    ),
]
KbSource = Annotated[
    str,
    typer.Argument(
        help="A NAME.kb folder, or a file or folder in any readable format.", callback=not_empty
    ),
]
KbFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="The format of the knowledge base. Default: its content tells it.",
        callback=not_empty,
    ),
]
KbOutput = Annotated[
    str,
    typer.Option("-o", "--output", help="The NAME.kb folder to write.", callback=not_empty),
]
ReaderOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        help="An option of the format's reader, as name=value. It may be repeated. Of a table, "
        "id=, name=, synonyms=, types=, parents= and taxon= name the columns.",
        callback=not_empty,
    ),
]

SettingsFile = Annotated[Path, typer.Argument(help="The TOML file with the settings.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="A setting in place of the file's, as key=value or table.key=value. It may be "
        "repeated.",
    ),
]
