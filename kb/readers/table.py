"""CSV or TSV with named columns: a row per concept, or a row per name.

Columns ``id`` and ``name`` are required (or name yours with the options); ``synonyms``,
``definitions``, ``types``, ``xrefs``, ``source``, ``obsolete`` and ``replaced_by`` are optional,
several values of a cell are separated by ``|``. Rows that repeat an id add their name to it. In CSV
a cell may stand in quotes; in TSV a quote is a character as any other. BioPortal's CSV is read too
(``Class ID``, ``Preferred Label``, ...).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from biolink.errors import InputError
from biolink.kb.concept import Columns, Concept, Dropped, Record
from biolink.kb.files import display_name, numbered_lines
from biolink.kb.readers.iris import curie_of

LABEL = "CSV or TSV with named columns (id, name, ...), BioPortal's CSV"

_ALIASES = {
    "id": ("id", "concept_id", "identifier", "curie", "meshui", "class id", "cui"),
    "name": ("name", "label", "preferred_name", "preferred label", "term"),
    "synonyms": ("synonyms", "synonym", "aliases"),
    "definitions": ("definitions", "definition"),
    "types": ("types", "type", "semantic_type", "semantic types"),
    "xrefs": ("xrefs", "xref"),
    "source": ("source", "sources"),
    "obsolete": ("obsolete", "is_obsolete", "deprecated"),
    "replaced_by": ("replaced_by", "replaced by"),
    "cui": ("cui",),
}
_YES = {"true", "1", "yes", "t", "y"}


def sniff(path: str | Path, head: str) -> bool:
    try:
        columns = _columns(head.splitlines()[0] if head else "")
    except csv.Error:
        return False
    return {"id", "name"} <= set(columns)


def _separator(header: str) -> str:
    return "\t" if "\t" in header else ","


def _header(header: str) -> list[str]:
    return next(_rows(iter([header]), _separator(header), 1), (1, []))[1]


def _columns(header: str, **named: str | None) -> dict[str, int]:
    cells = [cell.strip().lower() for cell in _header(header)]
    places: dict[str, int] = {}
    for field, aliases in _ALIASES.items():
        chosen = named.get(field)
        for alias in (chosen.strip().lower(),) if chosen else aliases:
            if alias in cells:
                places[field] = cells.index(alias)
                break
    return places


def _rows(lines: Iterator[str], separator: str, number: int) -> Iterator[tuple[int, list[str]]]:
    """(number of its first line, cells) of each row; the first line has this number."""
    if separator == "\t":
        for line_number, line in enumerate(lines, number):
            yield line_number, line.rstrip("\n").split("\t")
        return
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        begin = number + reader.line_num
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise csv.Error(f"{error} (in the row that begins here)", begin) from None
        if cells is None:
            return
        yield begin, cells


def read(
    path: str | Path,
    id: str | None = None,
    name: str | None = None,
    synonyms: str | None = None,
    types: str | None = None,
    value_separator: str = "|",
) -> Iterator[Record]:
    """Stream a concept per row.

    Parameters
    ----------
    path
        The file.
    id, name, synonyms, types
        Names of the columns, where they are not the usual ones.
    value_separator
        Between several values of one cell.

    Raises
    ------
    InputError
        When a column is missing, or a row does not fit the header.
    """
    source = display_name(path)
    if not value_separator:
        raise InputError(source, None, "an empty value_separator", "a character")
    lines = numbered_lines(path)
    try:
        _, header = next(lines, (1, ""))
        places = _columns(header, id=id, name=name, synonyms=synonyms, types=types)
        columns = [cell.strip() for cell in _header(header)]
        yield Columns(tuple(columns))
        given = {"id": id, "name": name, "synonyms": synonyms, "types": types}
        for field, column in given.items():
            if (column or field in ("id", "name")) and field not in places:
                wanted = f"a column {column!r}" if column else "columns id and name"
                raise InputError(source, 1, repr(header[:80]), wanted)
        from_bioportal = columns[places["id"]].lower() == "class id"
        for line, cells in _rows((f"{text}\n" for _, text in lines), _separator(header), 2):
            if not any(cells):
                continue
            if len(cells) != len(columns):
                raise InputError(
                    source, line, f"{len(cells)} columns", f"{len(columns)} as in line 1"
                )
            row = {field: cells[place].strip() for field, place in places.items()}
            if not row["id"]:
                raise InputError(source, line, "an empty id", "an id")
            yield _record(row, value_separator, from_bioportal)
    except csv.Error as error:
        line = error.args[1] if len(error.args) > 1 else 1
        raise InputError(source, line, str(error.args[0]), "CSV") from None


def _record(row: dict[str, str], separator: str, from_bioportal: bool) -> Record:
    def several(field: str) -> tuple[str, ...]:
        values = (value.strip() for value in row.get(field, "").split(separator))
        return tuple(dict.fromkeys(filter(None, values)))

    def as_id(written: str) -> str:
        # BioPortal's ids are IRIs.
        return (curie_of(written) or written) if from_bioportal else written

    concept_id = as_id(row["id"])
    if row.get("obsolete", "").lower() in _YES:
        by = several("replaced_by")
        return Dropped("obsolete", concept_id, replaced_by=as_id(by[0]) if len(by) == 1 else "")
    # A column of CUIs beside another of ids is a reference.
    cuis = () if row.get("cui") == row["id"] else several("cui")
    return Concept(
        id=concept_id,
        name=row["name"],
        synonyms=several("synonyms"),
        definitions=several("definitions"),
        types=several("types"),
        xrefs=(*several("xrefs"), *(f"UMLS:{cui}" for cui in cuis)),
        alternative_ids=(row["id"],) if concept_id != row["id"] else (),
        source=row.get("source", ""),
    )
