"""Looking concepts up: by names, by id, and checking ids that somebody wrote."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from biolink.answers.urls import url_of
from biolink.errors import ConfigError, UnknownConceptError
from biolink.kb import KnowledgeBase
from biolink.kb.arguments import need_text, texts_of
from biolink.kb.bases import KnowledgeBases
from biolink.kb.inspect import Hit, find
from biolink.kb.names import normalise_name
from biolink.places import EMBEDDED

__all__ = [
    "Base",
    "ConceptEntry",
    "ConceptName",
    "Found",
    "Verified",
    "bases_described",
    "concept",
    "search",
    "suggest",
    "verify",
]

#: The number of names that begin like what somebody types, among which the shortest are looked for.
_BEGINNINGS = 2000


@dataclass(frozen=True, slots=True)
class Base:
    """A knowledge base, as an answer names it.

    Attributes
    ----------
    name
        The name of its folder or file, or ``biolink`` with its kinds for an embedded one.
    version
        The version of biolink for an embedded base, otherwise the beginning of the checksum.
    checksum
        SHA-256 of its ids and names, in hexadecimal.
    kinds
        The semantic types of its concepts.
    concepts
        The number of its concepts.
    sources
        The files that it was made from, with their licences where these are known.
    """

    name: str
    version: str
    checksum: str
    kinds: tuple[str, ...]
    concepts: int
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConceptName:
    """A concept by its CURIE, its preferred name and the address of its public page."""

    curie: str
    name: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A concept that :func:`search` found.

    Attributes
    ----------
    id, curie, name, types, url
        As for :class:`ConceptEntry`.
    matched
        The name that is like the query.
    how
        Whether the query is the concept's ``id`` or its ``name``, or is ``similar`` to its name.
    score
        The cosine similarity of the query and the name, from 0 to 1.
    """

    id: str
    curie: str
    name: str
    matched: str
    types: tuple[str, ...]
    how: str
    score: float
    url: str


@dataclass(frozen=True, slots=True)
class ConceptEntry:
    """Everything that a knowledge base says about a concept.

    Attributes
    ----------
    id, curie, name
        Its id in the knowledge base, the id with its prefix, and the preferred name.
    synonyms, definitions, types, xrefs
        As :class:`biolink.Concept` has them.
    alternative_ids
        Its other ids, and ids that it replaced, as CURIEs.
    parents, ancestors
        The concepts directly above it, and all above it, the nearest first. The base has them all.
    taxon
        The CURIE of the species to which it belongs, or "".
    url
        The address of its public page, or "".
    """

    id: str
    curie: str
    name: str
    synonyms: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    parents: tuple[ConceptName, ...] = ()
    ancestors: tuple[ConceptName, ...] = ()
    xrefs: tuple[str, ...] = ()
    alternative_ids: tuple[str, ...] = ()
    taxon: str = ""
    source: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Verified:
    """What the knowledge bases know about an id.

    Attributes
    ----------
    given
        The id as it was given.
    status
        ``current``, ``replaced`` (obsolete, or merged into another concept), ``unknown``, or
        ``ambiguous`` for an id without a prefix that several bases have.
    exists
        Whether the id is ``current``.
    curie, name, types, url
        The concept that has the id now, or "" and () if it is unknown or ambiguous.
    replaced_by
        The CURIE of the concept that replaced it, or "".
    candidates
        The concepts that an ambiguous id may mean.
    """

    given: str
    status: str
    exists: bool
    curie: str = ""
    name: str = ""
    types: tuple[str, ...] = ()
    replaced_by: str = ""
    url: str = ""
    candidates: tuple[ConceptName, ...] = ()


def bases_described(bases: KnowledgeBases) -> list[Base]:
    """Return the name, version and checksum of each knowledge base.

    >>> from biolink.kinds import embedded_bases
    >>> [base.name for base in bases_described(embedded_bases("disease, chemical"))]
    ['biolink: Chemical, Disease']
    """
    return [_described(base) for base in bases.bases]


def _described(kb: KnowledgeBase) -> Base:
    from biolink import __version__

    kinds = tuple(sorted(kb.types))
    sources = [source for source in kb.manifest.get("sources", ()) if isinstance(source, dict)]
    path = kb.base.path
    embedded = path is not None and path.is_relative_to(EMBEDDED)
    if embedded:
        name, version = f"biolink: {', '.join(kinds)}", __version__
    else:
        file = next((str(source["file"]) for source in sources if source.get("file")), "")
        name = path.stem if path is not None else file or "a knowledge base without a name"
        version = kb.fingerprint[:12]
    return Base(
        name=name,
        version=version,
        checksum=kb.fingerprint,
        kinds=kinds,
        concepts=len(kb),
        sources=tuple(
            " ".join(str(s[key]) for key in ("file", "licence") if s.get(key)) for s in sources
        ),
    )


def suggest(bases: KnowledgeBases, prefix: str, limit: int = 10) -> list[Found]:
    """Find concepts while somebody types: those with names that begin so, the shortest first.

    Parameters
    ----------
    bases
        The knowledge bases.
    prefix
        The beginning of a name, or an id.
    limit
        The greatest number of concepts. Where fewer begin so, others with similar names follow.

    Examples
    --------
    >>> from biolink.kinds import embedded_bases
    >>> [hit.name for hit in suggest(embedded_bases("disease"), "status asthm", 1)]
    ['Status Asthmaticus']
    """
    need_text("the prefix", prefix)
    begun = normalise_name(prefix)
    names = [
        (len(name), number, name)
        for number, base in enumerate(bases.bases)
        for name in islice(base.data.names.iterkeys(begun), _BEGINNINGS if begun else 0)
    ]
    found: dict[str, Found] = {}
    for _, number, name in sorted(names):
        if len(found) >= limit:
            break
        for hit in find(KnowledgeBases([bases.bases[number]]), name, 0):
            found.setdefault(hit.kb.curie(hit.concept.id), _found(hit))
    hits = [_found(hit) for hit in find(bases, prefix, 0)]
    hits += found.values()
    if len(hits) < limit:
        hits += search(bases, prefix, limit)
    return list({hit.curie: hit for hit in reversed(hits)}.values())[::-1][:limit]


def search(bases: KnowledgeBases, query: str, limit: int = 10) -> list[Found]:
    """Find concepts by id, by name and by similar names, as ``biolink kb search`` does.

    Parameters
    ----------
    bases
        The knowledge bases.
    query
        An id, a CURIE or a name.
    limit
        The greatest number of concepts with similar names. Default: 10.

    Examples
    --------
    >>> from biolink.kinds import embedded_bases
    >>> hits = search(embedded_bases("disease"), "kennedy disease", limit=0)
    >>> [(hit.curie, hit.name, hit.how) for hit in hits]
    [('mesh:D055534', 'Bulbo-Spinal Atrophy, X-Linked', 'name')]
    """
    need_text("the query", query)
    return list(map(_found, find(bases, query, limit)))


def _found(hit: Hit) -> Found:
    curie = hit.kb.curie(hit.concept.id)
    return Found(
        id=hit.concept.id,
        curie=curie,
        name=hit.concept.name,
        matched=hit.name,
        types=hit.concept.types,
        how=hit.how,
        score=min(1.0, hit.score),
        url=url_of(curie),
    )


def concept(bases: KnowledgeBases, concept_id: str) -> ConceptEntry:
    """Return what the knowledge bases say about a concept.

    Parameters
    ----------
    bases
        The knowledge bases. The prefix of a CURIE chooses one of several.
    concept_id
        An id, an alternative id or a CURIE.

    Examples
    --------
    >>> from biolink.kinds import embedded_bases
    >>> entry = concept(embedded_bases(), "mesh:D001249")
    >>> entry.name, [parent.name for parent in entry.parents][0]
    ('Asthma', 'Bronchial Diseases')

    Raises
    ------
    UnknownConceptError
        If no base has the id.
    ConfigError
        If several have it, and it has no prefix.
    """
    need_text("the id of a concept", concept_id)
    owners = bases.having(concept_id)
    if not owners:
        raise UnknownConceptError(f"no knowledge base has a concept {concept_id!r}")
    if len(owners) > 1:
        named = (f"{entry.curie} ({entry.name})" for entry in _named(owners, concept_id))
        raise ConfigError(
            f"several knowledge bases have the id {concept_id!r}; expected one of "
            f"{', '.join(named)}"
        )
    return _entry(owners[0], concept_id)


def _entry(kb: KnowledgeBase, concept_id: str) -> ConceptEntry:
    found = kb[concept_id]
    curie = kb.curie(found.id)

    def named(ids: Iterable[str]) -> tuple[ConceptName, ...]:
        return tuple(_name_of(kb, i) for i in ids if i in kb)

    return ConceptEntry(
        id=found.id,
        curie=curie,
        name=found.name,
        synonyms=found.synonyms,
        definitions=found.definitions,
        types=found.types,
        parents=named(found.parents),
        ancestors=named(kb.ancestors(found.id)) if kb.has_hierarchy else (),
        xrefs=found.xrefs,
        alternative_ids=tuple(map(kb.curie, found.alternative_ids)),
        taxon=f"NCBITaxon:{found.taxon}" if found.taxon.isdecimal() else found.taxon,
        source=found.source,
        url=url_of(curie),
    )


def _name_of(kb: KnowledgeBase, concept_id: str) -> ConceptName:
    found = kb[concept_id]
    curie = kb.curie(found.id)
    return ConceptName(curie, found.name, url_of(curie))


def _named(owners: Iterable[KnowledgeBase], concept_id: str) -> list[ConceptName]:
    return [_name_of(kb, concept_id) for kb in owners]


def verify(bases: KnowledgeBases, ids: str | Iterable[str]) -> list[Verified]:
    """Say of each id whether it exists, what it is called, and what replaced it.

    An id that a vocabulary retired without naming a successor is ``unknown``, like one that never
    existed, since knowledge bases do not keep it.

    Parameters
    ----------
    bases
        The knowledge bases.
    ids
        Ids or CURIEs.

    Examples
    --------
    >>> from biolink.kb import Concept, KnowledgeBase
    >>> fever = Concept("D005334", "Fever", alternative_ids=("D000001",))
    >>> bases = KnowledgeBases([KnowledgeBase.from_concepts([fever], prefix="mesh")])
    >>> checked = verify(bases, ["D005334", "mesh:D000001", "D9"])
    >>> [(answer.status, answer.name, answer.replaced_by) for answer in checked]
    [('current', 'Fever', ''), ('replaced', 'Fever', 'mesh:D005334'), ('unknown', '', '')]
    """
    return [_verified(bases, given) for given in texts_of("ids", ids)]


def _verified(bases: KnowledgeBases, given: str) -> Verified:
    owners = bases.having(given)
    if not owners:
        return Verified(given, "unknown", exists=False)
    if len(owners) > 1:
        return Verified(given, "ambiguous", exists=False, candidates=tuple(_named(owners, given)))
    (kb,) = owners
    found = kb[given]
    curie = kb.curie(found.id)
    current = found.id in (given, kb.bare_id(given))
    return Verified(
        given,
        "current" if current else "replaced",
        exists=current,
        curie=curie,
        name=found.name,
        types=found.types,
        replaced_by="" if current else curie,
        url=url_of(curie),
    )
