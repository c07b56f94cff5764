"""Knowledge bases: concepts, readers, the store, the name trie and subsets."""

from biolink.kb.concept import Concept, bare_id
from biolink.kb.knowledge_base import KnowledgeBase
from biolink.kb.names import normalise_name

__all__ = ["Concept", "KnowledgeBase", "bare_id", "normalise_name"]
