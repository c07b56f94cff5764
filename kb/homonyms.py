"""Disambiguating homonyms, the names that several concepts share, by a short string.

A shared name does not say which of its concepts is meant. With a distinguishing string added, as in
``cold (common cold)``, every name has one owner. A model that is trained on the rewritten base
learns to generate the string, and the trie contains only the rewritten names. Source: BELHD (Garda
and Leser, 2024).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from biolink.errors import ConfigError
from biolink.kb.bases import takes
from biolink.kb.concept import Concept
from biolink.kb.knowledge_base import KnowledgeBase
from biolink.kb.names import normalise_name

__all__ = ["disambiguated"]

OPTION = "disambiguated"


def disambiguated(kb: KnowledgeBase, species: KnowledgeBase | None = None) -> KnowledgeBase:
    """Return a copy of the base in which each shared name is rewritten as ``name (string)``.

    The string is the first of these that differs between the owners of the name: the species, if
    the owners have taxa, the semantic type, the preferred name (if it is not the shared name
    itself), the id. If some of the owners are of the same species, the string is the species with
    the first of the others that differs. Definitions, ids and names with one owner do not change.
    The manifest of the copy says ``disambiguated`` among its options.

    Parameters
    ----------
    kb
        The knowledge base, or a subset of one.
    species
        A knowledge base of species with the ids of the taxa, whose preferred names are written, as
        in ``p53 (Mus musculus)``. Default: None; a species that is not known by name is written as
        its id.

    >>> from biolink.kb import Concept, KnowledgeBase
    >>> kb = KnowledgeBase.from_concepts(
    ...     [
    ...         Concept("1", "common cold", synonyms=("cold",), types=("Disease",)),
    ...         Concept("2", "low temperature", synonyms=("cold",), types=("Phenomenon",)),
    ...     ]
    ... )
    >>> disambiguated(kb)["1"].names
    ('common cold', 'cold (Disease)')
    >>> genes = KnowledgeBase.from_concepts(
    ...     [
    ...         Concept("7157", "TP53", synonyms=("p53",), taxon="9606"),
    ...         Concept("22059", "Trp53", synonyms=("p53",), taxon="10090"),
    ...     ]
    ... )
    >>> species = KnowledgeBase.from_concepts([Concept("10090", "Mus musculus")])
    >>> [concept.synonyms for concept in disambiguated(genes, species)]
    [('p53 (taxon 9606)',), ('p53 (Mus musculus)',)]

    Raises
    ------
    ConfigError
        If ``species`` is of another kind, or has none of the taxa of the concepts.
    """
    if species is not None:
        _check_species(kb, species)
    chosen: dict[tuple[int, str], str] = {}
    taken: set[str] = set()
    for name_id in range(kb.name_slots):
        owners = kb.owners(name_id)
        if len(owners) > 1:
            name = kb.name_at(name_id)
            texts = _strings([kb.concept_at(row) for row in owners], name, species)
            for row, text in zip(owners, texts, strict=True):
                rewritten_name = normalise_name(f"{name} ({text})")
                # Another concept may have this as a name, so that the id must tell them apart.
                if kb.name_id(rewritten_name) is not None or rewritten_name in taken:
                    text = f"{text}, {kb.id_at(row)}"
                taken.add(rewritten_name)
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


def _check_species(kb: KnowledgeBase, species: KnowledgeBase) -> None:
    """Raise an error if a base of species can tell no concepts apart."""
    if not takes(species, "Species"):
        kinds = ", ".join(sorted(species.types))
        raise ConfigError(f"species is a knowledge base of {kinds}; expected one of species")
    taxa = {concept.taxon for concept in kb} - {""}
    if not taxa:
        raise ConfigError("no concept has a taxon, so that species tell none apart; expected genes")
    if not any(taxon in species for taxon in taxa):
        raise ConfigError(
            f"species has none of the taxa of the concepts; expected a knowledge base with ids of "
            f"NCBI Taxonomy, such as {min(taxa)!r}"
        )


def _strings(concepts: list[Concept], name: str, species: KnowledgeBase | None) -> list[str]:
    """Return the distinguishing string of each owner of a name."""
    taxa = [concept.taxon for concept in concepts]
    if not all(taxa) or len(set(taxa)) == 1:
        return _within(concepts, name)
    of_taxon: dict[str, list[int]] = {}
    for number, taxon in enumerate(taxa):
        of_taxon.setdefault(taxon, []).append(number)
    strings = [""] * len(concepts)
    for taxon, numbers in of_taxon.items():
        known = None if species is None else species.get(taxon)
        written = f"taxon {taxon}" if known is None else known.name
        if len(numbers) == 1:
            strings[numbers[0]] = written
            continue
        inner = _within([concepts[number] for number in numbers], name)
        for number, text in zip(numbers, inner, strict=True):
            strings[number] = f"{written}, {text}"
    if _differ(strings):
        return strings
    return [concept.id for concept in concepts]


def _within(concepts: list[Concept], name: str) -> list[str]:
    """Return the strings for owners whose species do not tell them apart."""
    types = ["/".join(concept.types) for concept in concepts]
    preferred = [
        "" if normalise_name(concept.name) == name else concept.name for concept in concepts
    ]
    for strings in (types, preferred):
        if _differ(strings):
            return strings
    # The owner whose preferred name this is gets its id, the others get their preferred names.
    mixed = [text or concept.id for text, concept in zip(preferred, concepts, strict=True)]
    return mixed if _differ(mixed) else [concept.id for concept in concepts]


def _differ(strings: list[str]) -> bool:
    return all(strings) and len({normalise_name(text) for text in strings}) == len(strings)
