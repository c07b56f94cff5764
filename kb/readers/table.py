"""CSV or TSV with named columns: a row per concept, or a row per name.

Columns ``id`` and ``name`` are required (or name yours with the options); ``synonyms``,
``definitions``, ``types``, ``xrefs`` and ``source`` are optional, several values of a cell are
separated by ``|``. Rows that repeat an id add their name to it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from biolink.errors import InputError
from biolink.kb.concept import Concept
from biolink.kb.files import display_name, open_text

LABEL = "CSV or TSV with named columns (id, name, ...)"

_ALIASES = {
    "id": ("id", "concept_id", "identifier", "curie", "meshui", "cui"),
    "name": ("name", "label", "preferred_name", "term"),
    "synonyms": ("synonyms", "synonym", "aliases"),
    "definitions": ("definitions", "definition"),
    "types": ("types", "type", "semantic_type"),
    "xrefs": ("xrefs", "xref"),
    "source": ("source", "sources"),
}


def sniff(path: str | Path, head: str) -> bool:
    columns = _columns(head.splitlines()[0] if head else "")
    return columns is not None and {"id", "name"} <= set(columns)


def _separator(header: str) -> str:
    return "\t" if "\t" in header else ","


def _columns(header: str, **named: str | None) -> dict[str, int] | None:
    cells = next(csv.reader([header.lstrip("\ufeff")], delimiter=_separator(header)), [])
    cells = [cell.strip().lower() for cell in cells]
    places: dict[str, int] = {}
    for field, aliases in _ALIASES.items():
        chosen = named.get(field)
        for alias in (chosen.lower(),) if chosen else aliases:
            if alias in cells:
                places[field] = cells.index(alias)
                break
    return places or None


def read(
    path: str | Path,
    id: str | None = None,
    name: str | None = None,
    synonyms: str | None = None,
    types: str | None = None,
    value_separator: str = "|",
) -> Iterator[Concept]:
    """Stream a concept per row.

    Parameters
    ----------
    path
        The file.
    id, name, synonyms, types
        Names of the columns, where they are not the usual ones.
    value_separator
        Between several values of one cell.
    """
    with open_text(path) as stream:
        header = stream.readline().rstrip("\r\n")
        places = _columns(header, id=id, name=name, synonyms=synonyms, types=types) or {}
        if not {"id", "name"} <= set(places):
            raise InputError(display_name(path), 1, repr(header[:80]), "columns id and name")
        width = len(next(csv.reader([header], delimiter=_separator(header))))
        rows = csv.reader(stream, delimiter=_separator(header))
        try:
            for cells in rows:
                if not any(cells):
                    continue
                line = rows.line_num + 1
                if len(cells) != width:
                    raise InputError(
                        display_name(path), line, f"{len(cells)} columns", f"{width} as in line 1"
                    )

                def several(field: str, cells: list[str] = cells) -> tuple[str, ...]:
                    written = cells[places[field]] if field in places else ""
                    values = (value.strip() for value in written.split(value_separator))
                    return tuple(dict.fromkeys(filter(None, values)))

                if not cells[places["id"]].strip():
                    raise InputError(display_name(path), line, "an empty id", "an id")
                yield Concept(
                    id=cells[places["id"]].strip(),
                    name=cells[places["name"]],
                    synonyms=several("synonyms"),
                    definitions=several("definitions"),
                    types=several("types"),
                    xrefs=several("xrefs"),
                    source=cells[places["source"]] if "source" in places else "",
                )
        except csv.Error as error:
            raise InputError(
                display_name(path), rows.line_num + 1, str(error), "CSV or TSV"
            ) from None
