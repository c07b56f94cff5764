"""``biolink corrections``: review with other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from biolink.cli.options import DocumentFormat

__all__ = ["corrections_app"]

corrections_app = typer.Typer(
    help="Review linked documents with other tools: BRAT, Label Studio, INCEpTION.",
    no_args_is_help=True,
)
Linked = Annotated[Path, typer.Argument(help="The file of linked documents, such as linked.jsonl.")]
ToolOption = Annotated[
    str, typer.Option("--tool", help="The tool: brat, label-studio or inception.")
]


@corrections_app.command("export")
def export(
    linked: Linked,
    tool: ToolOption,
    output: Annotated[
        str,
        typer.Option(
            "-o", "--output", help="The file (label-studio) or the folder (brat, inception)."
        ),
    ],
    format: DocumentFormat = None,
) -> None:
    """Write linked documents for another tool."""
    from biolink.cli.console import message
    from biolink.cli.inputs import check_apart
    from biolink.corrections.exchange import export_to
    from biolink.formats import read
    from biolink.kb.wording import counted

    check_apart([str(linked)], output)
    number = export_to(tool, read(linked, format), output)
    message(f"wrote {output}: {counted(number, 'document')}")


@corrections_app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="What the tool exported: a file or a folder.")],
    tool: ToolOption,
    linked: Annotated[
        Path, typer.Option(help="The file of linked documents that was exported to the tool.")
    ],
    output: Annotated[
        str, typer.Option("-o", "--output", help="The new file of corrections to write.")
    ],
    accept: Annotated[
        bool,
        typer.Option(
            "--accept", help="Mentions that were left as they are count as accepted, not as open."
        ),
    ] = False,
    format: DocumentFormat = None,
) -> None:
    """Write the corrections that were made with another tool, for biolink learn."""
    from biolink.cli.console import message
    from biolink.cli.inputs import check_apart
    from biolink.corrections.exchange import import_from
    from biolink.errors import ConfigError
    from biolink.formats import read
    from biolink.kb.wording import counted

    check_apart([str(path), str(linked)], output)
    if Path(output).exists():
        raise ConfigError(
            f"-o {output} exists; expected a new file, because the decisions in it would be lost"
        )
    number = import_from(tool, path, read(linked, format), output, accept)
    message(f"wrote {output}: {counted(number, 'act')}")
