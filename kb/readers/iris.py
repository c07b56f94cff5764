"""Converting the IRIs of ontologies' classes to CURIEs."""

from __future__ import annotations

import re

__all__ = ["TOP_CLASSES", "curie_of"]

#: The class above all classes, as IRI and as CURIE. It is no concept, so it is nobody's parent.
TOP_CLASSES = {"http://www.w3.org/2002/07/owl#Thing", "owl:Thing"}

#: Addresses that are followed by the local part of an id, and the prefixes of the CURIEs.
_ADDRESSES = (
    (r"(?:www\.)?snomed\.info/(?:id|sct)/", "SNOMEDCT"),
    (r"snomed\.info/sct/\d+/id/", "SNOMEDCT"),
    (r"id\.nlm\.nih\.gov/mesh/(?:\d{4}/)?", "MESH"),
    (r"(?:ncicb\.nci\.nih\.gov|ncit\.nci\.nih\.gov)/xml/owl/EVS/Thesaurus\.owl#", "NCIT"),
    (r"linkedlifedata\.com/resource/umls/id/", "UMLS"),
    (r"(?:www\.)?omim\.org/(?:entry|phenotypicSeries)/", "OMIM"),
    (r"(?:www\.)?ncbi\.nlm\.nih\.gov/gene/", "NCBIGene"),
    (r"(?:www\.|purl\.)?uniprot\.org/uniprot(?:kb)?/", "UniProtKB"),
    (r"purl\.org/sig/ont/fma/fma", "FMA"),
    (r"(?:www\.)?wikidata\.org/(?:entity|wiki)/", "wikidata"),
    (r"id\.who\.int/icd/entity/", "ICD11"),
)
_KNOWN = [(re.compile(rf"https?://{address}([\w.+-]+)"), prefix) for address, prefix in _ADDRESSES]
# purl.bioontology.org/ontology/SNOMEDCT/22298006, identifiers.org/mesh/D001241
_FOLDER = re.compile(
    r"https?://(?:purl\.bioontology\.org/ontology|(?:www\.)?identifiers\.org)/"
    r"([A-Za-z][\w.-]*)[/:]([\w.+:-]+)"
)
# .../efo/EFO_0000270, .../ORDO/Orphanet_558, .../obo/APOLLO_SV_00000001, ...#HP_0001250
_TAIL = re.compile(
    r"https?://.+[/#]([A-Za-z][A-Za-z0-9._-]*)[_:]([A-Za-z0-9.-]*[0-9][A-Za-z0-9.-]*)"
)
_OBO = re.compile(r"https?://purl\.obolibrary\.org/obo/([A-Za-z]+)_(\w+)")
_CURIE = re.compile(r"[A-Za-z][\w.-]*:(?!//)[^\s/]\S*")


def curie_of(iri: str) -> str | None:
    """Return the CURIE that an IRI stands for, or None; a CURIE is returned unchanged.

    >>> curie_of("http://www.orpha.net/ORDO/Orphanet_558"), curie_of("http://snomed.info/id/22298006")
    ('Orphanet:558', 'SNOMEDCT:22298006')
    >>> curie_of("https://purl.obolibrary.org/obo/HP_0001250"), curie_of("http://example.org/Fever")
    ('HP:0001250', None)
    """
    iri = iri.strip()
    for pattern, prefix in _KNOWN:
        match = pattern.fullmatch(iri)
        if match:
            return f"{prefix}:{match[1]}"
    match = _FOLDER.fullmatch(iri)
    if match:
        # An IRI such as identifiers.org/hgnc/HGNC:5 repeats the prefix.
        before, colon, local = match[2].partition(":")
        repeated = colon and before.lower() == match[1].lower()
        return f"{match[1]}:{local if repeated else match[2]}"
    match = _TAIL.fullmatch(iri) or _OBO.fullmatch(iri)
    if match:
        return f"{match[1]}:{match[2]}"
    return iri if _CURIE.fullmatch(iri) else None
