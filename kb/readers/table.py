"""CSV or TSV with named columns: a row per concept, or a row per name.

Columns ``id`` and ``name`` are required (or name yours with the options); ``synonyms``,
``definitions``, ``types``, ``xrefs``, ``source``, ``obsolete`` and ``replaced_by`` are optional,
several values of a cell are separated by ``|``. Rows that repeat an id add their name to it. In CSV
a cell may stand in quotes; in TSV a quote is a character as any other. BioPortal's CSV is read too
(``Class ID``, ``Preferred Label``, ...).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from biolink.errors import ConfigError, InputError
from biolink.kb.concept import Columns, Concept, Dropped, Record
from biolink.kb.csv_rows import CsvLines, csv_rows, header_cells
from biolink.kb.files import display_name, numbered_lines, stem_suffixes
from biolink.kb.problems import OnProblem, check_utf8, raise_or_report
from biolink.kb.readers.iris import curie_of
from biolink.kb.wording import columns_seen, counted

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
_REQUIRED = dict.fromkeys(("id", "name"))
_YES = {"true", "1", "yes", "t", "y"}


def sniff(path: str | Path, head: str) -> bool:
    return _REQUIRED.keys() <= _places(_header(head.split("\n", 1)[0])).keys()


def unknown_columns(path: str | Path, head: str) -> InputError | None:
    """The error for a file that is named as a table, and whose columns are not known."""
    if not {".csv", ".tsv", ".tab"} & {*stem_suffixes(path)}:
        return None
    columns = _header(head.split("\n", 1)[0])
    return _missing(display_name(path), 1, columns, _places(columns))


def _separator(header: str) -> str:
    return "\t" if "\t" in header else ","


def _header(line: str) -> list[str]:
    line = line.rstrip("\r\n")
    return [cell.strip() for cell in header_cells(line, _separator(line))]


def _places(columns: Sequence[str], **named: str | None) -> dict[str, int]:
    """Field -> number of its column."""
    written = [column.lower() for column in columns]
    places: dict[str, int] = {}
    for field, aliases in _ALIASES.items():
        chosen = named.get(field)
        for alias in (chosen.strip().lower(),) if chosen else aliases:
            if alias in written:
                places[field] = written.index(alias)
                break
    return places


def _missing(
    source: str, line: int, columns: Sequence[str], places: Mapping[str, int]
) -> InputError:
    """The error for a header without a column of ids, of names, or of both."""
    fields = [field for field in _REQUIRED if field not in places]
    expected = " and ".join(f"a column {field} ({', '.join(_ALIASES[field])})" for field in fields)
    options = " ".join(f"--option {field}=COLUMN" for field in fields)
    keywords = ", ".join(f"{field}=" for field in fields)
    return InputError(
        source,
        line,
        columns_seen(columns),
        f"{expected}; name columns that are called otherwise with {options} (in Python {keywords})",
    )


def read(
    path: str | Path,
    on_problem: OnProblem = None,
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
    on_problem
        Called with the problem of each row that cannot be read, instead of raising it.
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
        raise ConfigError("the option value_separator is empty; expected a character")
    named = {"id": id, "name": name, "synonyms": synonyms, "types": types}
    rows = _rows(path, source, on_problem)
    begin, header = next(rows, (1, []))
    columns = [cell.strip() for cell in header]
    places = _places(columns, **named)
    yield Columns(tuple(columns))
    for field, column in named.items():
        if column and field not in places:
            expected = f"the column {column!r}, which the option {field} names"
            raise InputError(source, begin, columns_seen(columns), expected)
    if not places.keys() >= _REQUIRED.keys():
        raise _missing(source, begin, columns, places)
    from_bioportal = columns[places["id"]].lower() == "class id"
    for line, cells in rows:
        if not any(cells):
            continue
        try:
            check_utf8("".join(cells), source, line)
            if len(cells) != len(columns):
                expected = f"{len(columns)}, as the header has"
                raise InputError(source, line, counted(len(cells), "column"), expected)
            row = {field: cells[place].strip() for field, place in places.items()}
            if not row["id"]:
                raise InputError(source, line, "a row without an id", "an id in each row")
            yield _record(row, value_separator, from_bioportal)
        except InputError as error:
            raise_or_report(error, on_problem)


def _rows(
    path: str | Path, source: str, on_problem: OnProblem
) -> Iterator[tuple[int, Sequence[str]]]:
    """(line, cells) of the header and of each row."""
    lines = CsvLines(f"{line}\n" for _, line in numbered_lines(path, "surrogateescape"))
    if _separator(lines.header()) == ",":
        yield from csv_rows(lines, ",", source, on_problem)
        return
    lines.begin()
    for line in lines:
        yield lines.before + 1, line.removesuffix("\n").split("\t")
        lines.begin()


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
