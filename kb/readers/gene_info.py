"""NCBI Gene's ``gene_info``: genes of any species under the ids of NCBI Gene.

The file has one row per gene. The symbol is the preferred name. After it come the full name, the
synonyms and the other designations, in this order. The semantic types are ``Gene`` and the type of
the gene, such as ``protein-coding``, so that a subset can be made by either. The file of all
species is large; the option ``taxa`` reads the genes of some. Source:
https://ftp.ncbi.nlm.nih.gov/gene/DATA/
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from biolink.kb.concept import Concept, Dropped, Record
from biolink.kb.problems import OnProblem
from biolink.kb.tab_rows import begins_with_columns, tab_rows, values_in

LABEL = "NCBI gene_info (genes of any species)"

_COLUMNS = ("GeneID", "tax_id", "Symbol", "Synonyms")
#: The columns of further names, in the order in which the names are kept.
_NAMES = ("Full_name_from_nomenclature_authority", "description", "Synonyms", "Other_designations")
#: Prefixes of cross references that other vocabularies write differently.
_PREFIXES = {"MIM": "OMIM", "HGNC:HGNC": "HGNC", "MGI:MGI": "MGI"}
#: The symbol of a record that is no gene, but collects papers about genes without a record.
_NO_GENE = "NEWENTRY"


def sniff(path: str | Path, head: str) -> bool:
    return begins_with_columns(head, _COLUMNS)


def read(
    path: str | Path, on_problem: OnProblem = None, taxa: str | None = None
) -> Iterator[Record]:
    """Stream one concept per gene.

    Parameters
    ----------
    path
        The file.
    on_problem
        Called with the problem of each row that cannot be read, instead of raising it.
    taxa
        NCBI Taxonomy ids of the species whose genes are read, separated by commas, such as
        ``9606,10090``. Default: None, for all species.

    Raises
    ------
    InputError
        If the file lacks a column, or a row does not fit the header or has no id.
    """
    wanted = None if taxa is None else {taxon.strip() for taxon in taxa.split(",")}
    for _, row in tab_rows(path, _COLUMNS, on_problem):
        if wanted is not None and row["tax_id"] not in wanted:
            yield Dropped("genes of other species", row["GeneID"])
            continue
        if row["Symbol"] == _NO_GENE:
            yield Dropped("records that are no gene", row["GeneID"])
            continue
        names = [name for column in _NAMES for name in values_in(row.get(column, ""))]
        yield Concept(
            id=row["GeneID"],
            name=row["Symbol"],
            synonyms=tuple(dict.fromkeys(names)),
            types=("Gene", *values_in(row.get("type_of_gene", ""))),
            xrefs=tuple(map(_xref, values_in(row.get("dbXrefs", "")))),
            source="NCBI Gene",
            taxon=row["tax_id"],
        )


def _xref(written: str) -> str:
    before, _, local = written.rpartition(":")
    return f"{_PREFIXES.get(before, before)}:{local}"
