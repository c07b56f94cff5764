"""Concept ids as corpora write them: composite ids, missing ids, variants, infons of many tools."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["join_ids", "key_of_id", "split_ids", "written_id"]

_MISSING = {"", "-", "-1", "NIL", "CUI-less", "null", "None"}
# A sequence variant in tmVar's notation is one id: c|SUB|G|860|C, |SUB|E|542|K,
# tmVar:p|SUB|V|600|E;HGVS:p.V600E;RS#:113488022, rs113488022;VariantGroup:0.
_VARIANT = re.compile(
    r"(?:[a-z]?\|[A-Za-z]+\||(?:tmVar|HGVS|RS#|CA#|VariantGroup)\s*:)"
    r"|[^\\]*;\s*(?:RS#|HGVS|CA#|VariantGroup|CorrespondingGene|CorrespondingSpecies)\s*:"
)

#: Keys, as :func:`_key` writes them, under which tools keep concept ids; the first counts.
_KEYS = (
    *("identifier", "identifiers", "conceptid", "conceptids", "normalizedid", "normalisedid"),
    *("normid", "nativeid", "kbid", "entityid", "curie", "curies", "concept", "concepts"),
    *("mesh", "meshid", "meshui", "meshidentifier", "ncbigene", "ncbigeneid", "ncbigeneidentifier"),
    *("geneid", "entrez", "entrezid", "entrezgene", "entrezgeneid", "omim", "omimid"),
    *("cui", "cuis", "umls", "umlscui", "umlscuis", "umlsid", "snomed", "snomedct", "snomedid"),
    *("sctid", "hpo", "hpoid", "hp", "mondo", "mondoid", "doid", "chebi", "chebiid", "go", "goid"),
    *("taxid", "taxonid", "taxonomyid", "ncbitaxon", "ncbitaxonid", "ncbitaxonomy", "species"),
    *("ncbitaxonomyid", "ncbitaxonomyidentifier", "uniprot", "uniprotid", "cellosaurus"),
    *("cellosaurusid", "cvcl", "rsid", "dbsnp", "drugbank", "drugbankid", "pubchem", "termid"),
    *("ontologyid", "dbid", "linkedid", "goldid", "goldids", "normalized", "normalised"),
    *("normalization", "normalisation", "accession"),
)
_RANK = {key: rank for rank, key in enumerate(_KEYS)}


def split_ids(written: str) -> tuple[tuple[str, ...], str]:
    """Ids and the character that joins them; behind a backslash it is a part of an id.

    >>> split_ids("D001943|D010051"), split_ids(" D008661"), split_ids("-1")
    ((('D001943', 'D010051'), '|'), (('D008661',), '|'), ((), '|'))
    >>> split_ids("rs113488022;VariantGroup:0")[0]
    ('rs113488022;VariantGroup:0',)
    >>> split_ids("c|DEL||32"), split_ids("tmVar:p|SUB|V|600|E;HGVS:p.V600E;RS#:113488022")[0]
    ((('c|DEL||32',), '|'), ('tmVar:p|SUB|V|600|E;HGVS:p.V600E;RS#:113488022',))
    """
    written = written.strip()
    if written in _MISSING:
        return (), "|"
    if _VARIANT.match(written):
        return (written,), "|"
    for joiner in "|+,;":
        parts = [part.strip() for part in re.split(rf"(?<!\\)\{joiner}", written)]
        if len(parts) > 1:
            return tuple(map(_bare, (part for part in parts if part not in _MISSING))), joiner
    return (_bare(written),), "|"


def _bare(written: str) -> str:
    return re.sub(r"\\([|+,;])", r"\1", written)


def join_ids(ids: tuple[str, ...], joiner: str = "|", missing: str = "-1") -> str:
    """The ids as one field, from which :func:`split_ids` gives them back.

    >>> join_ids(("D1", "D2")), join_ids(("a|b",)), join_ids(("c|DEL||32",))
    ('D1|D2', 'a\\\\|b', 'c|DEL||32')
    """
    if not ids:
        return missing
    joined = joiner.join(ids)
    if split_ids(joined) == (ids, joiner) or (len(ids) == 1 and split_ids(joined)[0] == ids):
        return joined
    return joiner.join(re.sub(r"([|+,;])", r"\\\1", one) for one in ids)


def key_of_id(infons: Mapping[str, Any]) -> str | None:
    """The key under which an annotation has its concept id, whatever tool wrote it and its case.

    >>> key_of_id({"type": "Gene", "NCBI Gene identifier": "672"})
    'NCBI Gene identifier'
    """
    found = [(_rank(key), key) for key, value in infons.items() if _text(value)]
    best = min((pair for pair in found if pair[0] is not None), default=None)
    return None if best is None else best[1]


def _rank(key: str) -> int | None:
    bare = re.sub(r"[^a-z0-9#]", "", key.casefold())
    if bare in _RANK:
        return _RANK[bare]
    return len(_RANK) if bare.endswith(("identifier", "cui", "conceptid")) else None


def _text(value: Any) -> str:
    """A value of an infon as the field of an id; a list is several ids."""
    if value is None or isinstance(value, bool | dict | float):
        return ""
    if isinstance(value, list):
        return "|".join(filter(None, map(_text, value)))
    written = str(value).strip()
    # PubTator 3 names entities for its search so: @DISEASE_Asthma.
    return "" if written.startswith("@") else written


def written_id(infons: Mapping[str, Any]) -> str:
    """The field of an annotation's concept ids, or "" where no key is one of an id."""
    key = key_of_id(infons)
    return "" if key is None else _text(infons[key])
