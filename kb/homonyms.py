"""Names that several concepts share, told apart by a short string.

A shared name cannot say which of its concepts is meant. Written with a distinguishing string,
``cold (common cold)``, every name has one owner; a model that is trained on the rewritten base
learns to say the string, and the trie holds nothing else. Source: BELHD (Garda and Leser, 2024).
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
    """The base with each shared name rewritten as ``name (string)``.

    The string is the first of these that tells the owners apart: the semantic type, the
    preferred name (where it is another than the shared one), the id. Definitions, ids and
    unshared names stay as they are; the option ``disambiguated`` is kept in the base.
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

            def written(name: str, row: int = row) -> str:
                text = chosen.get((row, normalise_name(name)))
                return name if text is None else f"{name} ({text})"

            yield replace(
                concept,
                name=written(concept.name),
                synonyms=tuple(dict.fromkeys(map(written, concept.synonyms))),
            )

    return KnowledgeBase.from_concepts(
        concepts(),
        prefix=kb.manifest.get("prefix", ""),
        prefixes=kb.manifest.get("prefixes", ()),
        sources=kb.manifest.get("sources", ()),
        options={**kb.manifest.get("options", {}), OPTION: True},
    )


def _strings(kb: KnowledgeBase, owners: list[int], name: str) -> list[str]:
    concepts = [kb.concept_at(row) for row in owners]
    types = ["/".join(concept.types) for concept in concepts]
    preferred = [
        "" if normalise_name(concept.name) == name else concept.name for concept in concepts
    ]
    for strings in (types, preferred):
        if all(strings) and len({normalise_name(text) for text in strings}) == len(strings):
            return strings
    # The owner whose preferred name it is keeps its id, the others say their own name.
    mixed = [text or concept.id for text, concept in zip(preferred, concepts, strict=True)]
    if len({normalise_name(text) for text in mixed}) == len(mixed):
        return mixed
    return [concept.id for concept in concepts]
