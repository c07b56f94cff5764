"""Concept ids as corpora write them: composite ids, missing ids, variants."""

from __future__ import annotations

import re

__all__ = ["join_ids", "split_ids"]

_MISSING = {"", "-", "-1", "NIL", "CUI-less", "null", "None"}
# A sequence variant in tmVar's notation, c|SUB|G|860|C;..., is one id.
_VARIANT = re.compile(r"^[a-z]\|[A-Za-z]*\|")


def split_ids(written: str) -> tuple[tuple[str, ...], str]:
    """Ids and the character that joins them.

    >>> split_ids("D001943|D010051"), split_ids(" D008661"), split_ids("-1")
    ((('D001943', 'D010051'), '|'), (('D008661',), '|'), ((), '|'))
    >>> split_ids("c|DEL||32")
    (('c|DEL||32',), '|')
    """
    written = written.strip()
    if written in _MISSING:
        return (), "|"
    if _VARIANT.match(written):
        return (written,), "|"
    for joiner in "|+,;":
        if joiner in written:
            parts = [part.strip() for part in written.split(joiner)]
            return tuple(part for part in parts if part not in _MISSING), joiner
    return (written,), "|"


def join_ids(ids: tuple[str, ...], joiner: str = "|", missing: str = "-1") -> str:
    """The ids as one field."""
    return joiner.join(ids) if ids else missing
