"""Indexes beside a stored knowledge base: loaded where they are there, built where not.

They lie in ``index/`` under their kind and a fingerprint of what they were made from. Where that
folder cannot be written they stay in memory. A damaged one is built anew with a warning; in the
installed package, whose files are as they were shipped, it is an error.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from biolink.errors import InputError, KnowledgeBaseError
from biolink.kb.files import replace_folder
from biolink.kb.knowledge_base import KnowledgeBase
from biolink.kb.sealed import FROZEN, foreign_in_index

__all__ = ["cached", "index_folder"]

log = logging.getLogger(__name__)

T = TypeVar("T")


def index_folder(kb: KnowledgeBase, kind: str, key: str) -> Path | None:
    """Where an index of a base lies, or None for a base that is not stored."""
    return None if kb.path is None else kb.path / "index" / f"{kind}-{key[:16]}"


def cached(
    kb: KnowledgeBase,
    kind: str,
    key: str,
    load: Callable[[Path, str, int], T],
    build: Callable[[], T],
    save: Callable[[T, Path], None],
) -> tuple[T, bool]:
    """An index, and whether it now lies beside the base.

    Parameters
    ----------
    kb
        The base, not a subset.
    kind
        ``trie``, ``lexical`` or ``dense``.
    key
        Fingerprint of what it is made from.
    load
        (folder, fingerprint, number of names) -> the stored index.
    build
        Gives a new one.
    save
        Writes one into an empty folder.
    """
    folder = index_folder(kb, kind, key)
    if folder is None:
        return build(), False
    frozen = (folder.parent / FROZEN).exists()
    if folder.is_dir():
        try:
            return load(folder, key, kb.name_slots), True
        except KnowledgeBaseError as error:
            if frozen:
                raise
            log.warning("%s; this is done now", error)
    index = build()
    if frozen:
        return index, False
    try:
        with replace_folder(folder, foreign_in_index, "a stored index") as temporary:
            save(index, temporary)
    except (OSError, InputError) as error:
        log.info("the %s index is not cached: %s", kind, error)
        return index, False
    return index, True
