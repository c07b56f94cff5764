"""``biolink review``."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from biolink.cli.options import (
    DocumentFormat,
    KbOption,
    Method,
    ModelOption,
    Types,
    not_empty,
)

if TYPE_CHECKING:
    from biolink.scale.blocks import LinkSettings

__all__ = ["review"]


def review(
    file: Annotated[
        str,
        typer.Argument(
            help="A file of linked documents in any format that keeps links, such as the JSON "
            "Lines of biolink link -o linked.jsonl.",
            callback=not_empty,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            help="The file of corrections, to which each act is added at once. If it exists, the "
            "review goes on with it. Default: the name of FILE with .corrections.jsonl.",
            callback=not_empty,
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(help="The port; 0 stands for a free one.", min=0, max=65535)
    ] = 8001,
    format: DocumentFormat = None,
    kb: KbOption = None,
    model: ModelOption = None,
    method: Method = None,
    types: Types = None,
) -> None:
    """Review linked documents on a page of this machine, and save each correction at once.

    On the page you accept a link, choose another candidate, search another concept, say that a
    mention means none, change its span, add mentions and remove them, all of it by keyboard. The
    model and the knowledge base are those with which the documents were linked; they give the
    candidates of new mentions and the concepts to search. An interrupt ends the review; the same
    command goes on with it.
    """
    from biolink.errors import ConfigError
    from biolink.kb.files import STDIO
    from biolink.scale.blocks import LinkSettings

    if output is None and file == STDIO:
        raise ConfigError("the documents are on standard input; expected a file of corrections, -o")
    settings = LinkSettings(kb=kb, model=model, method=method, types=types)
    _run(file, format, output or _beside(file), port, settings)


def _run(file: str, format: str | None, target: str, port: int, settings: LinkSettings) -> None:
    """Serve the page over a file until an interrupt."""
    from biolink.cli.console import message
    from biolink.cli.inputs import check_apart
    from biolink.cli.link import loaded
    from biolink.corrections.files import Journal
    from biolink.errors import InputError, MissingDependencyError
    from biolink.formats import read
    from biolink.kb.files import display_name
    from biolink.kb.wording import counted

    try:
        from biolink.serve.reviewing import Review
        from biolink.serve.running import ServeSettings, bound, serve
    except ModuleNotFoundError as error:
        raise MissingDependencyError(error.name or "fastapi", "biolink review", "serve") from None
    check_apart([file], target)
    documents = list(read(file, format))
    if not documents:
        raise InputError(display_name(file), None, "no document", "one at least")
    with Journal(target) as journal:
        reviewed = Review(documents, journal, Path(file).name)
        if reviewed.others:
            message(
                f"biolink: warning: {target} has corrections of "
                f"{counted(reviewed.others, 'document')} that {file} lacks; they are kept"
            )
        sock = bound("127.0.0.1", port)
        linker = loaded(settings)

        def listening() -> None:
            address = f"http://127.0.0.1:{sock.getsockname()[1]}"
            message(
                f"biolink: review {counted(len(reviewed), 'document')} at {address}; corrections "
                f"are saved in {target}"
            )

        with contextlib.suppress(KeyboardInterrupt):  # the usual end of a review
            serve(linker, sock, ServeSettings(review=reviewed), listening)
        done = reviewed.progress()
    message(
        f"biolink: {done['decided']:,} of {counted(done['mentions'], 'mention')} decided; "
        f"corrections are in {target}"
    )


def _beside(file: str) -> str:
    """The file of corrections of a file, beside it.

    >>> _beside("a/linked.jsonl.gz")
    'a/linked.corrections.jsonl'
    """
    path = Path(file)
    return str(path.with_name(f"{path.name.split('.')[0] or path.name}.corrections.jsonl"))
