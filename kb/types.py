"""Semantic types: what corpora and knowledge bases call them, and whether two agree."""

from __future__ import annotations

__all__ = ["type_agreement", "type_name"]

#: What corpora and recognisers call the semantic types of knowledge bases.
_TYPE_NAMES = {
    "specificdisease": "disease",
    "diseaseclass": "disease",
    "compositemention": "disease",
    "modifier": "disease",
    "diseaseorphenotypicfeature": "disease",
    "mondo": "disease",
    "chemicalentity": "chemical",
    "chebi": "chemical",
    "drug": "chemical",
    "simple_chemical": "chemical",
}


def type_name(written: str) -> str:
    """A type as it is compared: in lower case, with synonyms of disease and chemical resolved.

    >>> type_name("SpecificDisease"), type_name("Gene")
    ('disease', 'gene')
    """
    key = written.lower()
    return _TYPE_NAMES.get(key, key)


def type_agreement(mention_type: str, concept_types: tuple[str, ...], known: set[str]) -> float:
    """1 when the mention's type is one of the concept's, -1 when not, 0 when that says nothing.

    Parameters
    ----------
    known
        All types of the knowledge base, as :func:`type_name` gives them.

    >>> type_agreement("Drug", ("Chemical",), {"chemical", "disease"})
    1.0
    """
    wanted = type_name(mention_type)
    if not wanted or wanted not in known or not concept_types:
        return 0.0
    return 1.0 if wanted in {type_name(t) for t in concept_types} else -1.0
