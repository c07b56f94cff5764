"""Semantic types: resolving their synonyms, and comparing those of mentions and concepts."""

from __future__ import annotations

import re
from difflib import get_close_matches

from biolink.errors import ConfigError, shown

__all__ = ["KINDS", "kind_of", "meant", "type_agreement", "type_name"]

#: The kinds of entities that the embedded default knows, as they are written in its output.
KINDS = ("Disease", "Chemical", "Gene", "Species", "CellLine", "Variant")

#: Names of semantic types in corpora and recognisers, and the names in knowledge bases.
_TYPE_NAMES = {
    "specificdisease": "disease",
    "diseaseclass": "disease",
    "compositemention": "disease",
    "modifier": "disease",
    "diseaseorphenotypicfeature": "disease",
    "mondo": "disease",
    "cancer": "disease",
    "chemicalentity": "chemical",
    "chebi": "chemical",
    "drug": "chemical",
    "simplechemical": "chemical",
    "geneorgeneproduct": "gene",
    "geneproduct": "gene",
    "protein": "gene",
    "pr": "gene",
    "familyname": "gene",
    "domainmotif": "gene",
    "organism": "species",
    "organismtaxon": "species",
    "ncbitaxon": "species",
    "taxon": "species",
    "strain": "species",
    "genus": "species",
    "sequencevariant": "variant",
    "mutation": "variant",
    "dnamutation": "variant",
    "proteinmutation": "variant",
    "othermutation": "variant",
    "snp": "variant",
    "acidchange": "variant",
    "dnaacidchange": "variant",
    "dnaallele": "variant",
    "proteinallele": "variant",
}

#: The kinds of entities by their names in lower case.
_KINDS = {kind.lower(): kind for kind in KINDS}


def type_name(written: str) -> str:
    """Return a type in lower case, with the names that corpora use for the kinds resolved.

    Spaces, hyphens and underscores in the names of kinds do not matter.

    >>> type_name("SpecificDisease"), type_name("Gene"), type_name("cell line")
    ('disease', 'gene', 'cellline')

    Raises
    ------
    ConfigError
        If it is no string.
    """
    if not isinstance(written, str):
        raise ConfigError(f"the type is {shown(written)}; expected a string")
    lower = written.lower()
    key = lower.replace(" ", "").replace("_", "").replace("-", "")
    return _TYPE_NAMES.get(key, key if key in _KINDS else lower)


def kind_of(written: str) -> str:
    """Return the kind of entity that a type means, as biolink writes it.

    A type that is none of :data:`KINDS` is returned unchanged.

    >>> kind_of("GeneOrGeneProduct"), kind_of("cell_line"), kind_of("Phenotype")
    ('Gene', 'CellLine', 'Phenotype')
    """
    return _KINDS.get(type_name(written), written)


def meant(written: str) -> str:
    """Return a question that names the kind that a wrong type may stand for, or "".

    A type that is itself the name of a kind stands for no other.

    >>> meant("genes"), meant("Cell lines"), meant("planet")
    ("; did you mean 'gene'?", "; did you mean 'cell-line'?", '')
    """
    if type_name(written) in _KINDS:
        return ""
    close = get_close_matches(type_name(written).replace(" ", ""), [*_KINDS, *_TYPE_NAMES], 1, 0.8)
    kind = kind_of(close[0]) if close else ""
    return f"; did you mean {re.sub('(?<=[a-z])(?=[A-Z])', '-', kind).lower()!r}?" if kind else ""


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
