"""The knowledge bases of several kinds of entities, each with ids of its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from biolink.errors import ConfigError
from biolink.kb.arguments import need
from biolink.kb.knowledge_base import KnowledgeBase
from biolink.kb.types import KINDS, kind_of, meant, type_name

__all__ = ["KnowledgeBases", "base_of", "need_base", "takes"]


class KnowledgeBases:
    """Several knowledge bases, of which the type of a mention chooses one.

    The ids of two bases may be the same: 9606 is a species and could be a gene. So an id alone does
    not say what it means, but an id together with the type of the mention does.

    Parameters
    ----------
    bases
        The knowledge bases. The first one is that of mentions without a type, or of a type that no
        base has.

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
    >>> bases.of("genes")
    Traceback (most recent call last):
    biolink.errors.ConfigError: no knowledge base is of the kind 'genes'; expected one of disease,
    gene; did you mean 'gene'?
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

    def of(self, kind: str) -> KnowledgeBase:
        """Return the base of a kind, in any spelling that the option ``--types`` accepts.

        A mention without a type, "", is of the first base. If there is only one base, all kinds
        are of that.

        Raises
        ------
        ConfigError
            If no base has concepts of this kind.
        """
        if kind and len(self.bases) > 1 and not self.has(kind):
            raise ConfigError(
                f"no knowledge base is of the kind {kind!r}; expected one of "
                f"{', '.join(self.kinds)}{meant(kind)}"
            )
        return self.of_mention(kind)

    def of_mention(self, mention_type: str) -> KnowledgeBase:
        """Return the base of a mention's type; the first one if no base has the type."""
        return self._of_kind.get(type_name(mention_type), self.bases[0])

    def having(self, concept_id: str) -> list[KnowledgeBase]:
        """Return the bases that have a concept with this id or CURIE.

        The prefix of a CURIE chooses the base: ``OMIM:9606`` is no species. An id without a prefix
        may be in several.
        """
        owners = [base for base in self.bases if base.prefixes.begin(concept_id)]
        return [base for base in owners or self.bases if concept_id in base]

    def part(self, kinds: Collection[str]) -> KnowledgeBases:
        """Return the bases that have concepts of these kinds, in the order of all.

        Raises
        ------
        ConfigError
            If there is none.
        """
        wanted = set(map(type_name, kinds))
        part = [b for b in self.bases if not wanted.isdisjoint(map(type_name, b.types))]
        if not part:
            raise ConfigError(
                f"no knowledge base is of the kind {', '.join(sorted(kinds))}; expected some of "
                f"{', '.join(self.kinds)}"
            )
        return KnowledgeBases(part)

    def __repr__(self) -> str:
        return f"<KnowledgeBases: {', '.join(self.kinds)}>"


def takes(kb: KnowledgeBase, mention_type: str) -> bool:
    """Return whether the links of mentions of a type can be to this base.

    They cannot if the type is one of :data:`biolink.kb.types.KINDS`, and the base has others of
    these, but not this one: the ids are then those of another base.

    >>> from biolink.kb import Concept
    >>> kb = KnowledgeBase.from_concepts([Concept("D005334", "Fever", types=("Disease",))])
    >>> takes(kb, "SpecificDisease"), takes(kb, "Symptom"), takes(kb, "Gene")
    (True, True, False)
    """
    kind = kind_of(mention_type)
    own = {kind_of(written) for written in kb.types}.intersection(KINDS)
    return kind not in KINDS or not own or kind in own


def base_of(kb: KnowledgeBase | KnowledgeBases | None, mention_type: str) -> KnowledgeBase | None:
    """Return the base in which the ids of a mention are looked up: the only one, or its type's."""
    return kb.of_mention(mention_type) if isinstance(kb, KnowledgeBases) else kb


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
