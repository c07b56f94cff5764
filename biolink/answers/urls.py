"""The public page of a concept."""

from __future__ import annotations

from urllib.parse import quote

__all__ = ["url_of"]

#: Prefix in lower case -> the address of a concept's page; {} stands for the id without prefix.
_PAGES = {
    "mesh": "https://meshb.nlm.nih.gov/record/ui?ui={}",
    "omim": "https://omim.org/entry/{}",
    "ncbigene": "https://www.ncbi.nlm.nih.gov/gene/{}",
    "ncbitaxon": "https://www.ncbi.nlm.nih.gov/Taxonomy/Browser/wwwtax.cgi?id={}",
    "cellosaurus": "https://www.cellosaurus.org/{}",
    "orphanet": "https://www.orpha.net/en/disease/detail/{}",
    "orpha": "https://www.orpha.net/en/disease/detail/{}",
    "umls": "https://uts.nlm.nih.gov/uts/umls/concept/{}",
    "snomedct": "http://snomed.info/id/{}",
    "hgnc": "https://www.genenames.org/data/gene-symbol-report/#!/hgnc_id/HGNC:{}",
}
#: Prefixes of ontologies of the OBO Foundry, whose addresses are all alike.
_OBO = (
    "BTO CHEBI CL CLO DOID ECTO ENVO FBBT GO HANCESTRO HP HSAPDV IDO MA MAXO MI MONDO MP MS NBO "
    "NCIT OBI PATO PO PR RO SO SYMP TO UBERON VO XAO ZFA"
).split()


def url_of(curie: str) -> str:
    """Return the address of the public page of a concept, or "" for an id without a prefix.

    Prefixes without a page of their own are resolved by bioregistry.io.

    >>> url_of("mesh:D001943"), url_of("HP:0001250")
    ('https://meshb.nlm.nih.gov/record/ui?ui=D001943', 'http://purl.obolibrary.org/obo/HP_0001250')
    >>> url_of("efo:0000270"), url_of("17")
    ('https://bioregistry.io/efo:0000270', '')
    """
    prefix, colon, local = curie.partition(":")
    if not colon or not prefix or not local:
        return ""
    if prefix.upper() in _OBO:
        return f"http://purl.obolibrary.org/obo/{quote(prefix.upper())}_{quote(local)}"
    page = _PAGES.get(prefix.lower())
    if page is not None:
        return page.format(quote(local))
    return f"https://bioregistry.io/{quote(prefix)}:{quote(local)}"
