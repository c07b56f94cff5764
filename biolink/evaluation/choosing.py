"""The mentions that an evaluation counts, if it is one of some types only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from biolink.documents import Document
from biolink.kb.bases import KnowledgeBases
from biolink.kb.knowledge_base import KnowledgeBase
from biolink.kb.types import KINDS, kind_of, type_name
from biolink.kinds import MAIN_KINDS, NAMED_KINDS

__all__ = ["Chosen", "without_base"]

#: The kinds of entities for which biolink has no knowledge base.
_WITHOUT_BASE = frozenset(KINDS) - {*MAIN_KINDS, *NAMED_KINDS}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The choice of the mentions that have one of some types, or whose type says nothing.

    Attributes
    ----------
    types
        The types, as :func:`biolink.kb.types.type_name` writes them.
    others
        The types whose mentions are left out.
    """

    types: frozenset[str]
    others: frozenset[str]

    @classmethod
    def of(cls, types: Iterable[str], kb: KnowledgeBase) -> Chosen:
        """Choose types.

        Parameters
        ----------
        types
            The types.
        kb
            The knowledge base, whose other types are left out. If all types are kinds of entities,
            so are the other kinds.
        """
        wanted = frozenset(map(type_name, types))
        kinds = frozenset(map(type_name, KINDS))
        known = kinds if wanted <= kinds else frozenset()
        return cls(wanted, (known | set(map(type_name, kb.base.every_type))) - wanted)

    def __call__(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Yield the documents without the mentions that are left out.

        >>> from biolink import Concept, KnowledgeBase, Mention
        >>> kb = KnowledgeBase.from_concepts([Concept("672", "BRCA1", types=("Gene",))])
        >>> mentions = Mention(0, 5, "BRCA1", "Gene"), Mention(9, 13, "mice", "Species")
        >>> (chosen,) = Chosen.of(["gene"], kb)([Document("1", "BRCA1 in mice", mentions=mentions)])
        >>> [mention.text for mention in chosen.mentions]
        ['BRCA1']
        """
        for document in documents:
            yield document.with_mentions(
                m for m in document.mentions if type_name(m.type) not in self.others
            )

    @property
    def written(self) -> list[str]:
        """The types in order; kinds of entities are written as in biolink's output."""
        return sorted(map(kind_of, self.types))

    def bases(self, bases: Collection[KnowledgeBase]) -> list[KnowledgeBase]:
        """Return the knowledge bases that have concepts of the types."""
        return [kb for kb in bases if not self.types.isdisjoint(map(type_name, kb.types))]


def without_base(mention_type: str, kb: KnowledgeBase | KnowledgeBases | None) -> bool:
    """Return whether a type is a kind, such as variants, that cannot be linked for want of a base.

    >>> from biolink.kb import Concept
    >>> kb = KnowledgeBase.from_concepts([Concept("672", "BRCA1", types=("Gene",))])
    >>> without_base("SequenceVariant", kb), without_base("Disease", kb)
    (True, False)
    """
    if kb is None or kind_of(mention_type) not in _WITHOUT_BASE:
        return False
    bases = kb if isinstance(kb, KnowledgeBases) else KnowledgeBases([kb])
    # A base whose concepts have no types may have any.
    return bool(bases.kinds) and not bases.has(mention_type)
