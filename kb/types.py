"""Semantic types: resolving their synonyms, and comparing those of mentions and concepts."""

from __future__ import annotations

__all__ = ["type_agreement", "type_name"]

#: Names of semantic types in corpora and recognisers, and the names in knowledge bases.
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
    """Return a type in lower case, with synonyms of disease and chemical resolved.

    >>> type_name("SpecificDisease"), type_name("Gene")
    ('disease', 'gene')
    """
    key = written.lower()
    return _TYPE_NAMES.get(key, key)


def type_agreement(mention_type: str, concept_types: tuple[str, ...], known: set[str]) -> float:
    """Compare the semantic type of a mention with those of a concept.

    Returns 1 if the concept has the mention's type, and -1 if it does not. Returns 0 if there is
    nothing to compare: the mention or the concept has no type, or the knowledge base does not have
    the mention's type.

    Parameters
    ----------
    mention_type
        The type of the mention; "" for none.
    concept_types
        The types of the concept.
    known
        All types of the knowledge base, as returned by :func:`type_name`.

    >>> type_agreement("Drug", ("Chemical",), {"chemical", "disease"})
    1.0
    """
    wanted = type_name(mention_type)
    if not wanted or wanted not in known or not concept_types:
        return 0.0
    return 1.0 if wanted in {type_name(t) for t in concept_types} else -1.0
