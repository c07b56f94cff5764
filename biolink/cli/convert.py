"""``biolink convert``."""

from __future__ import annotations

from collections.abc import Iterator

from biolink.cli.console import progress, reported
from biolink.cli.inputs import check_inputs, read_all, some_documents
from biolink.documents import Document
from biolink.errors import BiolinkError, ConfigError
from biolink.formats import format_of_name, write
from biolink.kb.files import STDIO

__all__ = ["run_convert"]


def run_convert(
    files: tuple[str, ...],
    format: str | None,
    to: str | None,
    output: str,
    text_column: str | None = None,
) -> list[BiolinkError]:
    """Convert files into one; returns the problems."""
    name = to or (None if output == STDIO else format_of_name(output))
    if name is None:
        where = "standard output" if output == STDIO else f"the output {output!r}"
        raise ConfigError(
            f"the format of {where} is not known; expected one with --to, or a name with -o that "
            "tells it, such as out.jsonl"
        )
    check_inputs(files, (), format, text_column, output)
    problems: list[BiolinkError] = []
    done = 0
    with reported(problems, lambda: done > 0):
        documents = some_documents(read_all(files, format, problems.append, text_column), problems)
        with progress("converting", "documents") as advance:

            def counted() -> Iterator[Document]:
                nonlocal done
                for document in documents:
                    done += 1
                    advance(done, None)
                    yield document

            write(counted(), output, name, problems.append)
    return problems
