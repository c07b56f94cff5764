"""One entry of a knowledge base."""

from __future__ import annotations

import re
from dataclasses import dataclass

from biolink.errors import ConfigError, shown

__all__ = ["Columns", "Concept", "Dropped", "Record", "bare_id"]

_PREFIX = re.compile(r"(?:MESH|MSH|OMIM|MIM|UMLS|CUI):", re.IGNORECASE)
#: The species behind the id of a gene, as the corpus of GNormPlus writes it.
_SPECIES = re.compile(r"\(tax:\d+\)$", re.IGNORECASE)


def bare_id(concept_id: str) -> str:
    """Return the id without white space around it and without what corpora add to it.

    They add CURIE prefixes and, to the ids of genes, species.

    >>> bare_id(" MESH:D003920"), bare_id("HP:0000118"), bare_id("26972(Tax:10090)")
    ('D003920', 'HP:0000118', '26972')
    """
    try:
        bare = _PREFIX.sub("", concept_id.strip(), count=1)
        return _SPECIES.sub("", bare) if bare.endswith(")") else bare
    except (AttributeError, TypeError):
        raise ConfigError(
            f"{shown(concept_id)} is not an id of a concept; expected a string"
        ) from None


@dataclass(frozen=True, slots=True)
class Concept:
    """A concept with its names.

    Attributes
    ----------
    id
        Its id in its knowledge base, without a CURIE prefix. Ids of OBO ontologies, such as
        ``HP:0000118``, are an exception: they keep their prefix.
    name
        Preferred name.
    synonyms
        Further names, in the order of the source, without the preferred name.
    definitions
        Definitions.
    types
        Semantic types.
    xrefs
        Cross references to the same concept elsewhere, as CURIEs (``OMIM:104300``).
    alternative_ids
        Other ids of this concept: ids that were merged into it, and obsolete ids that it replaced.
    source
        The vocabulary or file that the concept comes from.
    parents
        Ids of its direct parents, the more general concepts directly above it, in the order of the
        source. The base need not have them.
    taxon
        The id of the species or other taxon to which it belongs, or "".

    >>> Concept("D003920", "Diabetes Mellitus", synonyms=("diabetes",)).names
    ('Diabetes Mellitus', 'diabetes')
    """

    id: str
    name: str
    synonyms: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    xrefs: tuple[str, ...] = ()
    alternative_ids: tuple[str, ...] = ()
    source: str = ""
    parents: tuple[str, ...] = ()
    taxon: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the preferred one first."""
        return (self.name, *self.synonyms)


@dataclass(frozen=True, slots=True)
class Dropped:
    """Records of a source that a reader leaves out, and the reason.

    Attributes
    ----------
    reason
        The reason, such as ``obsolete``. Records are counted by reason.
    example
        The id of one of the records, or another text that identifies it.
    count
        The number of records. Default: 1.
    replaced_by
        The id of the concept that replaced ``example``. If it is given, ``example`` becomes an
        alternative id of that concept.
    """

    reason: str
    example: str
    count: int = 1
    replaced_by: str = ""


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of a file's columns or fields, for messages."""

    names: tuple[str, ...]


#: The items that a reader yields.
Record = Concept | Dropped | Columns
