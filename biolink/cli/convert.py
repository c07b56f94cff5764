"""``biolink convert``."""

from __future__ import annotations

from biolink.cli.console import progress
from biolink.cli.link import read_all, report_problems
from biolink.errors import BiolinkError, ConfigError
from biolink.formats import format_of_name, write
from biolink.kb.files import STDIO

__all__ = ["run_convert"]


def run_convert(
    files: tuple[str, ...], format: str | None, to: str | None, output: str
) -> list[BiolinkError]:
    """Convert files into one; returns the problems."""
    name = to or (None if output == STDIO else format_of_name(output))
    if name is None:
        raise ConfigError("give the output's format with --to, or a name with -o")
    problems: list[BiolinkError] = []
    with progress("converting", "documents") as advance:

        def counted() -> object:
            for number, document in enumerate(read_all(files, format, problems.append), 1):
                advance(number, None)
                yield document

        write(counted(), output, name)  # type: ignore[arg-type]
    report_problems(problems)
    return problems
