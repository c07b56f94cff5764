"""CTD vocabularies as TSV or CSV: diseases (MEDIC) and chemicals.

The column names stand in a comment line after ``# Fields:``. Ids lose ``MESH:`` and ``OMIM:``.
Source: https://ctdbase.org/downloads/
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from biolink.errors import InputError
from biolink.kb.concept import Concept
from biolink.kb.files import display_name, numbered_lines

LABEL = "CTD vocabularies: diseases (MEDIC), chemicals (TSV or CSV)"

_NAME = {"DiseaseName": "Disease", "ChemicalName": "Chemical"}
_FIELDS = re.compile(r"^#\s*(DiseaseName|ChemicalName)[\t,]")


def sniff(path: str | Path, head: str) -> bool:
    return any(_FIELDS.match(line) for line in head.splitlines())


def _bare(written: str) -> str:
    return re.sub(r"^(MESH|OMIM):", "", written.strip())


def read(path: str | Path) -> Iterator[Concept]:
    """Stream the concepts of a file."""
    columns: list[str] | None = None
    separator = "\t"
    for number, line in numbered_lines(path):
        if line.startswith("#"):
            if _FIELDS.match(line):
                separator = "\t" if "\t" in line else ","
                columns = line.lstrip("# ").split(separator)
            continue
        if not line.strip():
            continue
        if columns is None:
            raise InputError(
                display_name(path), number, repr(line[:60]), "a '# Fields:' line with column names"
            )
        cells = line.split("\t") if separator == "\t" else next(csv.reader([line]))
        cells += [""] * (len(columns) - len(cells))
        if len(cells) > len(columns):
            raise InputError(
                display_name(path), number, f"{len(cells)} columns", f"{len(columns)}: {columns}"
            )
        row = dict(zip(columns, cells, strict=True))
        kind = columns[0]
        alternatives = row.get("AltDiseaseIDs", "") or row.get("AltChemicalIDs", "")
        definition = row.get("Definition", "").strip()
        id_ = _bare(row.get(kind.replace("Name", "ID"), ""))
        if not id_:
            raise InputError(display_name(path), number, "an empty id", "MESH:D003920 or the like")
        registry = row.get("CasRN", "").strip()
        yield Concept(
            id=id_,
            name=row[kind],
            synonyms=tuple(dict.fromkeys(filter(None, row.get("Synonyms", "").split("|")))),
            definitions=(definition,) if definition else (),
            types=(_NAME[kind],),
            xrefs=(f"CAS:{registry}",) if registry else (),
            alternative_ids=tuple(
                dict.fromkeys(_bare(a) for a in alternatives.split("|") if a.strip())
            ),
            source="CTD",
        )
