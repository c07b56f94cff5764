"""Disambiguating homonyms, the names that several concepts share, by a short string.

A shared name does not say which of its concepts is meant. With a distinguishing string added, as in
``cold (common cold)``, every name has one owner. A model that is trained on the rewritten base
learns to generate the string, and the trie contains only the rewritten names. Source: BELHD (Garda
and Leser, 2024).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from biolink.kb.concept import Concept
from biolink.kb.knowledge_base import KnowledgeBase
from biolink.kb.names import normalise_name

__all__ = ["disambiguated"]

OPTION = "disambiguated"


def disambiguated(kb: KnowledgeBase) -> KnowledgeBase:
    """Return a copy of the base in which each shared name is rewritten as ``name (string)``.

    The string is the first of these that differs between the owners of the name: the semantic type,
    the preferred name (if it is not the shared name itself), the id. Definitions, ids and names
    with one owner do not change. The manifest of the copy says ``disambiguated`` among its options.

    >>> from biolink.kb import Concept, KnowledgeBase
    >>> kb = KnowledgeBase.from_concepts(
    ...     [
    ...         Concept("1", "common cold", synonyms=("cold",), types=("Disease",)),
    ...         Concept("2", "low temperature", synonyms=("cold",), types=("Phenomenon",)),
    ...     ]
    ... )
    >>> disambiguated(kb)["1"].names
    ('common cold', 'cold (Disease)')
    """
    chosen: dict[tuple[int, str], str] = {}
    for name_id in range(kb.name_slots):
        owners = kb.owners(name_id)
        if len(owners) > 1:
            name = kb.name_at(name_id)
            for row, text in zip(owners, _strings(kb, owners, name), strict=True):
                chosen[row, name] = text

    def concepts() -> Iterator[Concept]:
        rows = range(len(kb.base)) if kb.row_mask is None else kb.row_mask.nonzero()[0]
        for row in map(int, rows):
            concept = kb.concept_at(row)

            def rewritten(name: str, row: int = row) -> str:
                text = chosen.get((row, normalise_name(name)))
                return name if text is None else f"{name} ({text})"

            yield replace(
                concept,
                name=rewritten(concept.name),
                synonyms=tuple(dict.fromkeys(map(rewritten, concept.synonyms))),
            )

    return KnowledgeBase.from_concepts(
        concepts(),
        prefix=kb.manifest.get("prefix", ""),
        prefixes=kb.manifest.get("prefixes", ()),
        sources=kb.manifest.get("sources", ()),
        options={**kb.manifest.get("options", {}), OPTION: True},
    )


def _strings(kb: KnowledgeBase, owners: list[int], name: str) -> list[str]:
    """Return the distinguishing string of each owner of a name."""
    concepts = [kb.concept_at(row) for row in owners]
    types = ["/".join(concept.types) for concept in concepts]
    preferred = [
        "" if normalise_name(concept.name) == name else concept.name for concept in concepts
    ]
    for strings in (types, preferred):
        if all(strings) and len({normalise_name(text) for text in strings}) == len(strings):
            return strings
    # The owner whose preferred name this is gets its id, the others get their preferred names.
    mixed = [text or concept.id for text, concept in zip(preferred, concepts, strict=True)]
    if len({normalise_name(text) for text in mixed}) == len(mixed):
        return mixed
    return [concept.id for concept in concepts]
