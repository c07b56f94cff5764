"""One entry of a knowledge base."""

from __future__ import annotations

import re
from dataclasses import dataclass

from biolink.errors import ConfigError, shown

__all__ = ["Columns", "Concept", "Dropped", "Record", "bare_id"]

_PREFIX = re.compile(r"(?:MESH|MSH|OMIM|MIM|UMLS|CUI):", re.IGNORECASE)


def bare_id(concept_id: str) -> str:
    """The id without white space around it and without a CURIE prefix that corpora put on ids.

    >>> bare_id(" MESH:D003920"), bare_id("HP:0000118")
    ('D003920', 'HP:0000118')
    """
    try:
        return _PREFIX.sub("", concept_id.strip(), count=1)
    except (AttributeError, TypeError):
        raise ConfigError(
            f"{shown(concept_id)} is not an id of a concept; expected a text"
        ) from None


@dataclass(frozen=True, slots=True)
class Concept:
    """A concept with its names.

    Attributes
    ----------
    id
        Identifier inside its knowledge base, without CURIE prefix (ids of OBO ontologies, such
        as ``HP:0000118``, are written as OBO writes them).
    name
        Preferred name.
    synonyms
        Further names, in the order of the source, without the preferred name.
    definitions
        Texts that say what the concept is.
    types
        Semantic types.
    xrefs
        The same concept elsewhere, as CURIEs (``OMIM:104300``).
    alternative_ids
        Other ids that stand for this concept: merged ones, and obsolete ones that it replaced.
    source
        Where the concept comes from (a vocabulary, a file).
    """

    id: str
    name: str
    synonyms: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    xrefs: tuple[str, ...] = ()
    alternative_ids: tuple[str, ...] = ()
    source: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the preferred one first."""
        return (self.name, *self.synonyms)


@dataclass(frozen=True, slots=True)
class Dropped:
    """Records of a source that become no concept or no name, and why.

    Attributes
    ----------
    reason
        Such as ``obsolete``; records are counted by it.
    example
        Id of one of them, or what else tells it.
    count
        How many they are.
    replaced_by
        Id of the concept that took the place of the id ``example``, which then leads on to it.
    """

    reason: str
    example: str
    count: int = 1
    replaced_by: str = ""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns or fields that a file has, for messages."""

    names: tuple[str, ...]


#: What a reader yields.
Record = Concept | Dropped | Columns
