"""HGNC's complete set: the approved symbols of human genes, their aliases and previous symbols.

The names of a gene are its symbol, its name, alias symbols, alias names, previous symbols and
previous names, in this order. The ids are those of HGNC or, with ``ids=ncbi``, those of NCBI Gene.
Source: https://www.genenames.org/download/
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from biolink.errors import ConfigError
from biolink.kb.concept import Concept, Dropped, Record
from biolink.kb.problems import OnProblem
from biolink.kb.tab_rows import begins_with_columns, tab_rows, values_in

LABEL = "HGNC complete set (human genes)"

_COLUMNS = ("hgnc_id", "symbol", "name", "alias_symbol", "prev_symbol")
#: The columns of further names, in the order in which the names are kept.
_NAMES = ("name", "alias_symbol", "alias_name", "prev_symbol", "prev_name")
#: The columns of cross references and their prefixes.
_XREFS = {
    "entrez_id": "NCBIGene",
    "ensembl_gene_id": "ensembl",
    "uniprot_ids": "uniprot",
    "omim_id": "OMIM",
}


def sniff(path: str | Path, head: str) -> bool:
    return begins_with_columns(head, _COLUMNS)


def read(
    path: str | Path, on_problem: OnProblem = None, ids: str = "hgnc", previous: bool = True
) -> Iterator[Record]:
    """Stream one concept per gene.

    Parameters
    ----------
    path
        The file.
    on_problem
        Called with the problem of each row that cannot be read, instead of raising it.
    ids
        ``hgnc`` for ids such as ``HGNC:5``, or ``ncbi`` for those of NCBI Gene; then genes without
        such an id are left out. Default: ``hgnc``.
    previous
        Whether previous symbols and names are read. Default: True.

    Raises
    ------
    ConfigError
        If ``ids`` is anything else.
    InputError
        If the file lacks a column, or a row does not fit the header or has no id.
    """
    if ids not in ("hgnc", "ncbi"):
        raise ConfigError(f"the option ids is {ids!r}; expected hgnc or ncbi")
    name_columns = [c for c in _NAMES if previous or not c.startswith("prev_")]
    for _, row in tab_rows(path, _COLUMNS, on_problem):
        hgnc_id, ncbi_id = row["hgnc_id"], row.get("entrez_id", "")
        if row.get("status", "Approved") != "Approved":
            yield Dropped("not an approved symbol", hgnc_id)
            continue
        if ids == "ncbi" and not ncbi_id:
            yield Dropped("without an id of NCBI Gene", hgnc_id)
            continue
        names = [name for column in name_columns for name in values_in(row.get(column, ""))]
        xrefs = [
            f"{prefix}:{value}"
            for column, prefix in _XREFS.items()
            for value in values_in(row.get(column, ""))
        ]
        if ids == "ncbi":
            xrefs[:1] = [hgnc_id]
        yield Concept(
            id=hgnc_id if ids == "hgnc" else ncbi_id,
            name=row["symbol"],
            synonyms=tuple(dict.fromkeys(names)),
            types=("Gene",),
            xrefs=tuple(xrefs),
            source="HGNC",
            taxon="9606",
        )
