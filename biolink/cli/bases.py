"""The knowledge base that a command is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from biolink.errors import BiolinkError
    from biolink.kb import KnowledgeBase

__all__ = ["opened"]


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
        The file or folder. None stands for the embedded knowledge base.
    on_problem
        Called with each row that cannot be read.
    format, option
        The values of the command's options ``--format`` and ``--option``.
    """
    from biolink.cli.console import progress
    from biolink.kb import KnowledgeBase

    if source is None:
        from biolink.places import EMBEDDED

        return KnowledgeBase.open(EMBEDDED / "kb")
    with progress(f"reading {source}", "records") as advance:
        return KnowledgeBase.read(
            source, format, progress=advance, on_problem=on_problem, **_reader_options(option)
        )


def _reader_options(given: list[str] | None) -> dict[str, Any]:
    from biolink.errors import ConfigError

    options: dict[str, Any] = {}
    for item in given or []:
        name, equals, value = item.partition("=")
        if not equals:
            raise ConfigError(f"--option is {item!r}; expected name=value")
        options[name] = {"true": True, "false": False}.get(value.lower(), value)
    return options
