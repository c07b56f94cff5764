"""Which concepts of a knowledge base are meant, given ids, types, sources or tops of branches."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from biolink.errors import ConfigError
from biolink.kb.arguments import listed, texts_of
from biolink.kb.hierarchy import HierarchyTable

__all__ = ["example_id", "ids_given", "known_values", "rows_in_hierarchy", "rows_with_ids"]

log = logging.getLogger(__name__)


def rows_with_ids(kb: HierarchyTable, ids: str | Iterable[str]) -> list[int]:
    """Return the rows of the concepts with these ids; warn of unknown ids.

    Raises
    ------
    ConfigError
        If all of the ids are unknown.
    """
    wanted = texts_of("ids", ids)
    rows_of_ids = [kb.row_of(concept_id) for concept_id in wanted]
    rows = [row for row in rows_of_ids if row is not None]
    absent = [i for i, row in zip(wanted, rows_of_ids, strict=True) if row is None]
    if absent:
        examples = ", ".join(map(repr, absent[:3])) + (", ..." if len(absent) > 3 else "")
        problem = (
            f"{len(absent):,} of {len(wanted):,} ids are not in the knowledge base: {examples}"
        )
        if not rows:
            raise ConfigError(f"{problem}; expected ids such as {example_id(kb)}")
        log.warning("biolink: warning: %s", problem)
    return rows


def rows_in_hierarchy(what: str, kb: HierarchyTable, given: str | Iterable[str]) -> list[int]:
    """Return the rows of all concepts with these ids, in a base that has a hierarchy.

    Parameters
    ----------
    what
        The name of the argument, for messages.
    kb
        The knowledge base.
    given
        Ids, alternative ids or CURIEs. A single string is one id or, if the base has no such
        concept, several separated by commas.

    Raises
    ------
    ConfigError
        If there is no id, one of them is unknown, or the base has no hierarchy.
    """
    kb.need_hierarchy()
    rows = []
    for concept_id in ids_given(
        what, given, lambda concept_id: kb.row_of(concept_id) is not None, example_id(kb)
    ):
        row = kb.row_of(concept_id)
        if row is None:
            raise ConfigError(
                f"{what} has the id {concept_id!r}, which is not in the knowledge base; "
                f"expected ids such as {example_id(kb)}"
            )
        rows.append(row)
    return rows


def ids_given(
    what: str, given: str | Iterable[str], known: Callable[[str], bool], example: str
) -> list[str]:
    """Return the ids that were given: a list, one id or, if it is unknown, several with commas.

    Parameters
    ----------
    what
        The name of the argument, for messages.
    given
        The ids.
    known
        Whether there is a concept with an id.
    example
        An id for messages, as :func:`example_id` gives it.

    Raises
    ------
    ConfigError
        If there is no id.
    """
    ids = texts_of(what, given)
    if isinstance(given, str) and not known(given):
        ids = [part.strip() for part in given.split(",") if part.strip()]
    if not ids:
        raise ConfigError(f"{what} has no id; expected ids such as {example}")
    return ids


def example_id(kb: HierarchyTable) -> str:
    """Return the id of a concept of a base, for messages."""
    first = next(kb.data.concepts(), None)
    return "those of its concepts" if first is None else repr(first.id)


def known_values(what: str, given: str | Iterable[str], every: frozenset[str]) -> list[str]:
    """Return these types or sources in the spelling of the base, ignoring case.

    Parameters
    ----------
    what
        ``types`` or ``sources``.
    given
        The values. A single string is one value or, if the base has no such value, several
        separated by commas.
    every
        The values that the base has.

    Raises
    ------
    ConfigError
        If there is none, or one of them is unknown.
    """
    wanted = texts_of(what, given)
    spellings: dict[str, list[str]] = {}
    for value in every:
        spellings.setdefault(value.lower(), []).append(value)
    if isinstance(given, str) and given.strip().lower() not in spellings:
        wanted = [value for value in given.split(",") if value.strip()]
    expected = f"expected {what} among {listed(every)}" if every else f"it has no {what} at all"
    if not any(map(str.strip, wanted)):
        raise ConfigError(f"the list of {what} is empty; {expected}")
    wanted = [value.strip() for value in wanted]
    unknown = [value for value in wanted if value.lower() not in spellings]
    if unknown:
        named = ", ".join(map(repr, unknown))
        raise ConfigError(f"the knowledge base has no concept of the {what} {named}; {expected}")
    return [spelling for value in wanted for spelling in spellings[value.lower()]]
