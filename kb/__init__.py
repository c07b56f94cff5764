"""Knowledge bases: concepts, readers, the store, the name trie and subsets.

The names below are imported on first use, so a program that only reads documents does not load
Arrow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from biolink.kb.concept import Concept, bare_id
    from biolink.kb.knowledge_base import KnowledgeBase
    from biolink.kb.names import normalise_name

_HOME = {
    "Concept": "biolink.kb.concept",
    "KnowledgeBase": "biolink.kb.knowledge_base",
    "bare_id": "biolink.kb.concept",
    "normalise_name": "biolink.kb.names",
}

__all__ = ["Concept", "KnowledgeBase", "bare_id", "normalise_name"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'biolink.kb' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
