r"""Concept ids as corpora write them: composite ids, missing ids, variants, and infons of tools.

One rule holds for every format: ``|``, ``;``, ``,`` and ``+`` separate ids, also if several of them
are mixed (``22142,53857;22152`` are three ids). A plus sign separates only between a letter, a
digit or a closing bracket and a letter or a digit, also with spaces on both of its sides (``Na+``
is one id), and not in HGVS notation (``c.88+2T>G``). A separator after a backslash is part of an
id. The id of a sequence variant is one id whatever it contains: tmVar's ``c|SUB|G|860|C`` and
``tmVar:p|SUB|V|600|E;HGVS:p.V600E;RS#:113488022``, or an rs number with its attributes,
``rs113488022;VariantGroup:0``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["ids_under", "is_id_key", "join_ids", "key_of_id", "not_ids", "split_bars", "split_ids"]

_EMPTY: tuple[Any, ...] = (None, "", [], {})
_MISSING = {"", "-", "-1", "NIL", "CUI-less", "null", "None"}
#: The separators of ids; if several are mixed, the first of these is the outermost.
_SEPARATORS = "|;,+"
_TOKEN = re.compile(
    r"(?P<escaped>\\[\\|;,+])|(?P<separator>[|;,]|(?<=[\w)])\+(?=\w))|(?P<other>[^\\|;,+]+|.)",
    re.DOTALL,
)
_SPACED_PLUS = re.compile(r"(?<=[\w)])\s+\+\s+(?=\w)")
# The beginning of a sequence variant in tmVar's notation.
_VARIANT = re.compile(
    r"(?:[a-z]\|[A-Za-z]{2,}[0-9_]*\||\|[A-Za-z]{2,}\||(?:tmVar|HGVS|RS#|CA#|VariantGroup)\s*:)"
    r"|.*;\s*(?:RS#|HGVS|CA#|VariantGroup|CorrespondingGene|CorrespondingSpecies)\s*:",
    re.DOTALL,
)
_RS = re.compile(r"\s*rs[0-9]+\s*(?:;\s*[A-Za-z#]+\s*:[^|]*)?")
_HGVS = re.compile(r"(?<![A-Za-z])[cgmnr]\.(?:IVS|[-*(\[]*[0-9])")

#: Keys, in lower case and without punctuation, under which tools write concept ids. If an
#: annotation has several, the first in this order is taken.
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
#: Keys of the id in an object that stands for an id, such as ``{"database": .., "id": ..}``.
_INNER = ("id", "ui", "code", "value")


def split_ids(written: str) -> tuple[tuple[str, ...], str]:
    """Split a field into ids, and return them with the outermost character that joins them.

    >>> split_ids("D001943|D010051"), split_ids(" D008661"), split_ids("-1")
    ((('D001943', 'D010051'), '|'), (('D008661',), '|'), ((), '|'))
    >>> split_ids("22142,53857;22152"), split_ids("Na+")
    ((('22142', '53857', '22152'), ';'), (('Na+',), '|'))
    >>> split_ids("D1 + D2")
    (('D1', 'D2'), '+')
    >>> split_ids("rs113488022;VariantGroup:0")[0]
    ('rs113488022;VariantGroup:0',)
    >>> split_ids("c|DEL||32"), split_ids("tmVar:p|SUB|V|600|E;HGVS:p.V600E;RS#:113488022")[0]
    ((('c|DEL||32',), '|'), ('tmVar:p|SUB|V|600|E;HGVS:p.V600E;RS#:113488022',))
    """
    written = written.strip()
    if written in _MISSING:
        return (), "|"
    if not re.search(r"\\[\\|;,+]", written):
        bars = written.split("|")
        if all(map(_RS.fullmatch, bars)):
            return tuple(map(str.strip, bars)), "|"
        if _VARIANT.match(written):
            return (written,), "|"
    plus_separates = _HGVS.search(written) is None
    if plus_separates:
        written = _SPACED_PLUS.sub("+", written)
    ids, joiners = [""], set()
    for match in _TOKEN.finditer(written):
        token = match[0]
        if match["separator"] and (token != "+" or plus_separates):
            joiners.add(token)
            ids.append("")
        else:
            ids[-1] += token[1:] if match["escaped"] else token
    joiner = next((sign for sign in _SEPARATORS if sign in joiners), "|")
    return tuple(i for i in map(str.strip, ids) if i not in _MISSING), joiner


def join_ids(ids: tuple[str, ...], joiner: str = "|", missing: str = "-1") -> str:
    """Join ids into one field, from which :func:`split_ids` returns them.

    If the joiner would not separate these ids, another one joins them: a plus sign does not
    separate ``Na+`` and ``K+``, and a slash separates nothing.

    >>> join_ids(("D1", "D2")), join_ids(("a|b",)), join_ids(("c|DEL||32",))
    ('D1|D2', 'a\\\\|b', 'c|DEL||32')
    >>> join_ids(("Na+", "K+"), "+")
    'Na+|K+'
    """
    if not ids:
        return missing
    escaped = [re.sub(r"([\\|;,+])", r"\\\1", concept_id) for concept_id in ids]
    # Several ids may look like a variant when a bar or a semicolon joins them.
    for sign in (joiner, *"|,;"):
        for field in (sign.join(ids), sign.join(escaped)):
            read, read_joiner = split_ids(field)
            if read == ids and (read_joiner == sign or len(ids) == 1):
                return field
    return "|".join(escaped)


def split_bars(written: str) -> list[str]:
    r"""Split a field at its bars, except those that are escaped; escapes stay as they are.

    >>> split_bars(r"a\|b|c\\|d")
    ['a\\|b', 'c\\\\', 'd']
    """
    parts = [""]
    for token in re.findall(r"\\[\\|]|.", written, re.DOTALL):
        if token == "|":
            parts.append("")
        else:
            parts[-1] += token
    return parts


def key_of_id(infons: Mapping[str, Any]) -> str | None:
    """Return the key under which an annotation has its concept id, whichever tool wrote it.

    >>> key_of_id({"type": "Gene", "NCBI Gene identifier": "672"})
    'NCBI Gene identifier'
    """
    ranked = [(_rank(key), key) for key, value in infons.items() if _fields(value)]
    best = min((pair for pair in ranked if pair[0] is not None), default=None)
    return None if best is None else best[1]


def is_id_key(key: str) -> bool:
    """Return whether tools write concept ids under this key."""
    return _rank(key) is not None


def _rank(key: str) -> int | None:
    bare = re.sub(r"[^a-z0-9#]", "", key.casefold())
    if bare in _RANK:
        return _RANK[bare]
    return len(_RANK) if bare.endswith(("identifier", "cui", "conceptid")) else None


def _fields(value: Any) -> list[str]:
    """The fields of ids in the value of an infon, which may be a list or an object.

    >>> _fields(["D1", {"database": "MESH", "id": "D2"}]), _fields(672.0), _fields({"x": 1})
    (['D1', 'D2'], ['672'], [])
    """
    if isinstance(value, list):
        return [field for item in value for field in _fields(item)]
    if isinstance(value, dict):
        key = key_of_id(value) or next((k for k in _INNER if _fields(value.get(k))), None)
        return [] if key is None else _fields(value[key])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None or isinstance(value, bool | float):
        return []
    written = str(value).strip()
    # PubTator 3 writes the names of entities for its search in this way: @DISEASE_Asthma.
    return [] if not written or written.startswith("@") else [written]


def not_ids(infons: Mapping[str, Any]) -> list[Any]:
    """Return the entries of a list of concept ids that hold no id.

    >>> not_ids({"identifier": ["D1", True, "", {"database": "MESH"}]})
    [True, {'database': 'MESH'}]
    """
    key = key_of_id(infons)
    value = None if key is None else infons[key]
    if not isinstance(value, list):
        return []
    return [item for item in value if item not in _EMPTY and not _fields(item)]


def ids_under(infons: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """Return the concept ids of an annotation, and the character that joins them.

    >>> ids_under({"type": "Gene", "NCBI Gene": ["672", 675]})
    (('672', '675'), '|')
    """
    key = key_of_id(infons)
    fields = [] if key is None else [split_ids(field) for field in _fields(infons[key])]
    if len(fields) == 1:
        return fields[0]
    return tuple(concept_id for ids, _ in fields for concept_id in ids), "|"
