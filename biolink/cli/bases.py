"""The knowledge base that a command is given, and the ids of a part of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from biolink.errors import BiolinkError
    from biolink.kb import KnowledgeBase
    from biolink.kb.bases import KnowledgeBases

__all__ = ["check_output", "ids_in", "opened", "opened_bases"]

#: Suffixes of files of knowledge bases that no format of documents has.
_SUFFIXES = (".obo", ".owl", ".rrf", ".gz", ".xz", ".zip")


def check_output(output: str, *inputs: str | None) -> None:
    """Raise an error if a knowledge base may not be written to a folder; called before the work.

    A name without the ending ``.kb`` is written, after a warning.

    Parameters
    ----------
    output
        The folder.
    inputs
        Knowledge bases that are read, and must not be replaced.

    Raises
    ------
    BiolinkError
        If the output has the name of a file, is an input, or is something else than a knowledge
        base.
    """
    from biolink.cli.console import message
    from biolink.cli.inputs import check_apart
    from biolink.errors import InputError
    from biolink.formats import format_of_name
    from biolink.kb.store import check_store_target

    check_apart(filter(None, inputs), output)
    check_store_target(output)
    suffix = Path(output).suffix.lower()
    if suffix in _SUFFIXES or (suffix != ".kb" and format_of_name(f"output{suffix}") is not None):
        expected = f"the name of a folder, such as {Path(output).with_suffix('.kb')}"
        raise InputError(output, None, f"the name of a file ({suffix})", expected)
    if suffix != ".kb":
        message(f"biolink: warning: {output} does not end in .kb, as knowledge bases do here")


def opened(
    source: str | None,
    on_problem: Callable[[BiolinkError], None],
    format: str | None = None,
    option: list[str] | None = None,
) -> KnowledgeBase:
    """Open the knowledge base of a command, with progress.

    Parameters
    ----------
    source
        The file or folder. None stands for the embedded knowledge base of diseases and chemicals.
    on_problem
        Called with each row that cannot be read.
    format, option
        The values of the command's options ``--format`` and ``--option``.
    """
    from biolink.cli.console import progress
    from biolink.kb import KnowledgeBase

    if source is None:
        from biolink.kinds import MAIN_KINDS, embedded_base

        return embedded_base(MAIN_KINDS[0])
    with progress(f"reading {source}", "records") as advance:
        return KnowledgeBase.read(
            source, format, progress=advance, on_problem=on_problem, **_reader_options(option)
        )


def opened_bases(
    source: str | None,
    on_problem: Callable[[BiolinkError], None],
    types: str | None = None,
    format: str | None = None,
) -> KnowledgeBases:
    """Open the knowledge base of a command, or those of the embedded default, with progress.

    Parameters
    ----------
    source
        The file or folder. None stands for the embedded knowledge bases of all kinds.
    on_problem
        Called with each row that cannot be read.
    types, format
        The values of the command's options ``--types`` and ``--format``.
    """
    from biolink.kb.bases import KnowledgeBases
    from biolink.kinds import embedded_bases

    if source is None:
        return embedded_bases(types)
    base = opened(source, on_problem, format)
    return KnowledgeBases([base if types is None else base.subset(types=types)])


def ids_in(file: str | Path) -> list[str]:
    """Return the ids in a file, one in each line.

    Raises
    ------
    InputError
        When a line has several words, or the file has no ids.
    """
    from biolink.errors import InputError
    from biolink.kb.files import numbered_lines

    ids = []
    for number, line in numbered_lines(file):
        concept_id = line.strip()
        if len(concept_id.split()) > 1:
            line_shown = f"the line {concept_id[:60]!r}"
            raise InputError(str(file), number, line_shown, "one id in each line")
        if concept_id:
            ids.append(concept_id)
    if not ids:
        raise InputError(str(file), None, "no ids", "one in each line")
    return ids


def _reader_options(given: list[str] | None) -> dict[str, Any]:
    from biolink.errors import ConfigError

    options: dict[str, Any] = {}
    for item in given or []:
        name, equals, value = item.partition("=")
        if not equals:
            raise ConfigError(f"--option is {item!r}; expected name=value")
        options[name] = {"true": True, "false": False}.get(value.lower(), value)
    return options
