"""Knowledge bases made from others: by merging two, or by adding names to one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain

from biolink.errors import ConfigError, shown
from biolink.kb.arguments import need_iterable
from biolink.kb.build import built, united
from biolink.kb.concept import Concept, Dropped
from biolink.kb.concept_table import ConceptTable
from biolink.kb.contents import Contents

__all__ = ["merged", "with_names"]


def merged(
    kb: ConceptTable,
    other: ConceptTable,
    mapping: Mapping[str, Collection[str]] | None,
    unmatched: bool,
) -> Contents:
    """Return the contents of two bases together; see :meth:`KnowledgeBase.merge`."""
    additions: dict[str, list[Concept]] = {}
    appended: list[Concept] = []
    joined: dict[str, list[str]] = {}
    for concept in other:
        targets = {concept.id, *concept.xrefs, *(mapping or {}).get(concept.id, ())}
        rows = {row for row in map(kb.row_of, targets) if row is not None}
        for row in sorted(rows):
            additions.setdefault(kb.id_at(row), []).append(concept)
            joined.setdefault(concept.id, []).append(kb.id_at(row))
        if not rows and unmatched:
            appended.append(concept)

    def with_parents_here(concept: Concept, own_id: str) -> Concept:
        """Replace parents that were merged into concepts of this base by these concepts."""
        ids = [other.resolve(parent) or parent for parent in concept.parents]
        here = dict.fromkeys(new for old in ids for new in joined.get(old, (old,)))
        # If parent and child were merged into one concept, it is not its own parent.
        return replace(concept, parents=tuple(i for i in here if i != own_id))

    def united_concepts() -> Iterator[Concept]:
        for concept in kb:
            for addition in additions.get(concept.id, ()):
                concept = united(concept, with_parents_here(addition, concept.id))
            yield concept
        for concept in appended:
            yield with_parents_here(concept, concept.id)

    dropped = (
        Dropped(reason, entry["examples"][0], entry["count"])
        for source in (kb, other)
        for reason, entry in source.data.manifest.get("dropped", {}).items()
    )
    return built(
        chain(united_concepts(), dropped),
        kb.prefixes.joined(other.prefixes),
        sources=[*kb.data.manifest.get("sources", ()), *other.data.manifest.get("sources", ())],
        options=kb.data.manifest.get("options", {}),
    )


def with_names(kb: ConceptTable, names: Iterable[tuple[str, str]]) -> Contents:
    """Return the contents of a base with further names; see :meth:`KnowledgeBase.with_names`."""
    need_iterable("names", names, "pairs (concept id, name)")
    extra: dict[str, list[str]] = {}
    new: dict[str, list[str]] = {}
    for pair in names:
        if not isinstance(pair, tuple | list) or [type(text) for text in pair] != [str, str]:
            raise ConfigError(f"names has {shown(pair)}; expected pairs (concept id, name)")
        concept_id, name = pair
        known_id = kb.resolve(concept_id)
        if known_id is not None:
            extra.setdefault(known_id, []).append(name)
        else:
            new.setdefault(kb.bare_id(concept_id), []).append(name)
    added = ((i, [name for name, _ in Counter(given).most_common()]) for i, given in new.items())
    return built(
        chain(
            (
                replace(concept, synonyms=(*concept.synonyms, *extra.get(concept.id, ())))
                for concept in kb
            ),
            (Concept(id=i, name=given[0], synonyms=tuple(given[1:])) for i, given in added),
        ),
        kb.prefixes,
        sources=kb.data.manifest.get("sources", ()),
        options=kb.data.manifest.get("options", {}),
    )
