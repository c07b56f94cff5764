"""One entry of a knowledge base."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Concept", "bare_id"]

_PREFIX = re.compile(r"(?:MESH|MSH|OMIM|MIM|UMLS|CUI):", re.IGNORECASE)


def bare_id(concept_id: str) -> str:
    """The id without white space around it and without a CURIE prefix that corpora put on ids.

    >>> bare_id(" MESH:D003920"), bare_id("HP:0000118")
    ('D003920', 'HP:0000118')
    """
    return _PREFIX.sub("", concept_id.strip(), count=1)


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
        Ids of this knowledge base that now stand for this concept.
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
