"""The knowledge bases of several kinds of entities, each with ids of its own."""

from __future__ import annotations

from collections.abc import Sequence

from biolink.errors import ConfigError
from biolink.kb.arguments import need
from biolink.kb.knowledge_base import KnowledgeBase
from biolink.kb.types import type_name

__all__ = ["KnowledgeBases", "base_of", "need_base"]


class KnowledgeBases:
    """Several knowledge bases, of which the type of a mention chooses one.

    The ids of two bases may be the same: 9606 is a species and could be a gene. So an id alone does
    not say what it means, but an id together with the type of the mention does.

    Parameters
    ----------
    bases
        The knowledge bases. The first one stands for types that no base has.

    Raises
    ------
    ConfigError
        If there is none, or one of them is something else.

    Examples
    --------
    >>> from biolink.kb import Concept, KnowledgeBase
    >>> diseases = KnowledgeBase.from_concepts([Concept("D005334", "Fever", types=("Disease",))])
    >>> genes = KnowledgeBase.from_concepts([Concept("672", "BRCA1", types=("Gene",))])
    >>> bases = KnowledgeBases([diseases, genes])
    >>> bases.of("GeneOrGeneProduct") is genes, bases.of("") is diseases
    (True, True)
    """

    def __init__(self, bases: Sequence[KnowledgeBase]) -> None:
        if not bases:
            raise ConfigError("no knowledge base was given; expected at least one")
        for base in bases:
            need("bases", base, KnowledgeBase, "KnowledgeBases")
        self.bases = tuple(bases)
        self._of_kind = {type_name(t): base for base in reversed(bases) for t in base.types}

    @property
    def kinds(self) -> tuple[str, ...]:
        """The types of the bases, as :func:`biolink.kb.types.type_name` writes them."""
        return tuple(sorted(self._of_kind))

    def has(self, mention_type: str) -> bool:
        """Return whether one of the bases has concepts of this type."""
        return type_name(mention_type) in self._of_kind

    def of(self, mention_type: str) -> KnowledgeBase:
        """Return the base of a type; the first one if no base has it."""
        return self._of_kind.get(type_name(mention_type), self.bases[0])

    def __repr__(self) -> str:
        return f"<KnowledgeBases: {', '.join(self.kinds)}>"


def base_of(kb: KnowledgeBase | KnowledgeBases | None, mention_type: str) -> KnowledgeBase | None:
    """Return the base in which the ids of a mention are looked up: the only one, or its type's."""
    return kb.of(mention_type) if isinstance(kb, KnowledgeBases) else kb


def need_base(kb: object, optional: bool = False) -> None:
    """Raise an error unless the value is a knowledge base, or several.

    Parameters
    ----------
    kb
        The value.
    optional
        Whether None is allowed, too. Default: False.

    Raises
    ------
    ConfigError
        If it is something else.
    """
    if not isinstance(kb, KnowledgeBases) and not (optional and kb is None):
        need("kb", kb, KnowledgeBase, "a KnowledgeBase (that of the linker, linker.kb)")
