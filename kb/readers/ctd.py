"""CTD vocabularies as TSV or CSV: diseases (MEDIC), chemicals, genes, anatomy and pathways.

The names of the columns are in a comment line after ``# Fields:``. The prefixes ``MESH:`` and
``OMIM:`` are removed from the ids. The synonyms are in the column ``Synonyms``; in the files of
chemicals since 2026, they are in ``MESHSynonyms`` and ``CTDCuratedSynonyms``. Source:
https://ctdbase.org/downloads/
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from biolink.errors import InputError
from biolink.kb.concept import Columns, Concept, Record
from biolink.kb.curies import Prefixes
from biolink.kb.files import display_name, peek
from biolink.kb.problems import OnProblem, raise_or_report, readable_lines

LABEL = "CTD vocabularies: diseases (MEDIC), chemicals, genes, anatomy, pathways (TSV or CSV)"

#: Maps the first column to the columns of the id and the preferred name, and the semantic type.
_KINDS = {
    "DiseaseName": ("DiseaseID", "DiseaseName", "Disease"),
    "ChemicalName": ("ChemicalID", "ChemicalName", "Chemical"),
    "GeneSymbol": ("GeneID", "GeneSymbol", "Gene"),
    "AnatomyName": ("AnatomyID", "AnatomyName", "Anatomy"),
    "PathwayName": ("PathwayID", "PathwayName", "Pathway"),
}
_FIELDS = re.compile(rf"^#?[ ]*({'|'.join(_KINDS)})([\t,])")
_XREFS = {
    "CasRN": "CAS",
    "PubChemCID": "pubchem.compound",
    "DTXSID": "comptox",
    "InChIKey": "inchikey",
    "BioGRIDIDs": "biogrid",
    "PharmGKBIDs": "pharmgkb.gene",
    "UniProtIDs": "uniprot",
}


def sniff(path: str | Path, head: str) -> bool:
    lines = head.splitlines()
    # Without "#" the names of the columns must be in the first line. Otherwise a table whose cells
    # contain such a name would be read as a CTD file.
    return any(
        _FIELDS.match(line) and (line.startswith("#") or not i) for i, line in enumerate(lines)
    ) and any(ids in head for ids, _, _ in _KINDS.values())


def prefixes(path: str | Path) -> Prefixes:
    """Return the CURIE prefixes of a file's ids.

    The ids of genes are NCBI's; all others are MeSH's, except for some diseases of OMIM.
    """
    for line in peek(path).splitlines():
        match = _FIELDS.match(line)
        if match and match[1] == "GeneSymbol":
            return Prefixes.of("NCBIGene")
    return Prefixes.of("mesh", [("[0-9]{6}", "OMIM")])


def _bare(curie: str) -> str:
    return re.sub(r"^(MESH|OMIM):", "", curie.strip())


def _cells(line: str, separator: str) -> list[str]:
    return line.split("\t") if separator == "\t" else next(csv.reader([line], strict=True), [])


def read(path: str | Path, on_problem: OnProblem = None) -> Iterator[Record]:
    """Stream the concepts of a file.

    Raises
    ------
    InputError
        If a line does not fit the columns or has no id.
    """
    columns: list[str] | None = None
    separator = "\t"
    source = display_name(path)
    for number, line in readable_lines(path, on_problem):
        if line.startswith("#") or columns is None:
            match = _FIELDS.match(line)
            if match:
                separator = match[2]
                try:
                    columns = [cell.strip() for cell in _cells(line.lstrip("# "), separator)]
                except csv.Error as error:
                    raise InputError(source, number, str(error), "a row of CSV") from None
                yield Columns(tuple(columns))
            elif line.strip() and not line.startswith("#"):
                shown = f"the line {line[:60]!r}"
                expected = "a line '# Fields:' and the columns' names, before the first row"
                raise InputError(source, number, shown, expected)
            continue
        if not line.strip():
            continue
        try:
            yield _concept(line, columns, separator)
        except (csv.Error, ValueError) as error:
            problem = InputError(source, number, str(error), "a row of CTD's columns")
            raise_or_report(problem, on_problem)


def _concept(line: str, columns: list[str], separator: str) -> Concept:
    cells = _cells(line, separator)
    cells += [""] * (len(columns) - len(cells))
    if len(cells) > len(columns):
        raise ValueError(f"{len(cells)} columns where the header has {len(columns)}")
    row = dict(zip(columns, cells, strict=True))
    id_column, name_column, kind = _KINDS[columns[0]]
    concept_id = _bare(row.get(id_column, ""))
    if not concept_id:
        raise ValueError(f"no id under {id_column}")

    def several(column: str) -> list[str]:
        return [value.strip() for value in row.get(column, "").split("|") if value.strip()]

    synonym_columns = [column for column in row if column.endswith("Synonyms")]
    names = [row["GeneName"].strip()] if row.get("GeneName", "").strip() else []
    names += [name for column in synonym_columns for name in several(column)]
    definition = row.get("Definition", "").strip()
    alternatives = [i for c in row if c.startswith("Alt") and c.endswith("IDs") for i in several(c)]
    return Concept(
        id=concept_id,
        name=row[name_column].strip(),
        synonyms=tuple(dict.fromkeys(names)),
        definitions=(definition,) if definition else (),
        types=(kind,),
        xrefs=tuple(f"{prefix}:{x}" for column, prefix in _XREFS.items() for x in several(column)),
        alternative_ids=tuple(dict.fromkeys(map(_bare, alternatives))),
        source="CTD",
        parents=tuple(dict.fromkeys(map(_bare, several("ParentIDs")))),
    )
