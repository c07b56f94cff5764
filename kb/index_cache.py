"""The cache of indexes in the folder of a stored knowledge base.

An index lies in ``index/``, in a folder named by its kind and a fingerprint of its sources. It is
loaded if it exists, and otherwise built and saved. If the folder cannot be written, the index stays
in memory. A damaged index is built again with a warning; in the installed package, whose files
never change, it is an error.
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
from biolink.kb.store import INDEX, INDEX_KINDS

__all__ = ["cached", "index_folder"]

log = logging.getLogger(__name__)

T = TypeVar("T")


def index_folder(kb: KnowledgeBase, kind: str, key: str) -> Path | None:
    """Return the folder of an index, or None if the knowledge base is not stored."""
    # Any other folder would not count as a part of the base, which could then not be replaced.
    assert kind in INDEX_KINDS, kind
    return None if kb.path is None else kb.path / INDEX / f"{kind}-{key[:16]}"


def cached(
    kb: KnowledgeBase,
    kind: str,
    key: str,
    load: Callable[[Path, str, int], T],
    build: Callable[[], T],
    save: Callable[[T, Path], None],
) -> tuple[T, bool]:
    """Load an index, or build and save it.

    Parameters
    ----------
    kb
        The whole base, not a subset.
    kind
        The kind of the index, one of :data:`biolink.kb.store.INDEX_KINDS`.
    key
        The fingerprint of what the index is built from.
    load
        A function that loads a stored index, given its folder, the fingerprint and the number of
        names of the base.
    build
        A function that builds the index.
    save
        A function that writes an index into an empty folder.

    Returns
    -------
    The index, and whether it is now stored in the folder of the base.

    Raises
    ------
    KnowledgeBaseError
        If an index of the installed package is damaged.
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
