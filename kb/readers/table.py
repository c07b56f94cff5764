"""CSV or TSV with named columns: one row per concept, or one row per name.

The columns ``id`` and ``name`` are required; options give their names if these differ. The columns
``synonyms``, ``definitions``, ``types``, ``xrefs``, ``source``, ``parents``, ``taxon``,
``obsolete`` and ``replaced_by`` are optional. Several values in a cell are separated by ``|``. A
row that repeats an id adds its names to that concept. Cells may be quoted in CSV; in TSV a quote is
an ordinary character. The CSV files of BioPortal are also read (``Class ID``, ``Preferred Label``,
...).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from biolink.errors import ConfigError, InputError
from biolink.kb.concept import Columns, Concept, Dropped, Record
from biolink.kb.csv_rows import CsvLines, csv_rows, header_cells
from biolink.kb.files import display_name, numbered_lines, stem_suffixes
from biolink.kb.problems import OnProblem, check_utf8, raise_or_report
from biolink.kb.readers.iris import TOP_CLASSES, curie_of
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
    "parents": ("parents", "parent", "parent_ids", "parent_id"),
    "taxon": ("taxon", "taxon_id", "tax_id", "taxid"),
    "obsolete": ("obsolete", "is_obsolete", "deprecated"),
    "replaced_by": ("replaced_by", "replaced by"),
    "cui": ("cui",),
}
_REQUIRED = dict.fromkeys(("id", "name"))
_YES = {"true", "1", "yes", "t", "y"}


def sniff(path: str | Path, head: str) -> bool:
    return _REQUIRED.keys() <= _columns_of(_header(head.split("\n", 1)[0])).keys()


def unknown_columns(path: str | Path, head: str) -> InputError | None:
    """Return the error for a file whose name is that of a table but whose columns are unknown."""
    if not {".csv", ".tsv", ".tab"} & {*stem_suffixes(path)}:
        return None
    columns = _header(head.split("\n", 1)[0])
    return _missing(display_name(path), 1, columns, _columns_of(columns))


def _separator(header: str) -> str:
    return "\t" if "\t" in header else ","


def _header(line: str) -> list[str]:
    line = line.rstrip("\r\n")
    return [cell.strip() for cell in header_cells(line, _separator(line))]


def _columns_of(columns: Sequence[str], **named: str | None) -> dict[str, int]:
    """Map each field to the index of its column; ``named`` are the columns that options name."""
    lower = [column.lower() for column in columns]
    column_of: dict[str, int] = {}
    for field, aliases in _ALIASES.items():
        chosen = named.get(field)
        for alias in (chosen.strip().lower(),) if chosen else aliases:
            if alias in lower:
                column_of[field] = lower.index(alias)
                break
    return column_of


def _missing(
    source: str, line: int, columns: Sequence[str], column_of: Mapping[str, int]
) -> InputError:
    """Return the error for a header without a column of ids, of names, or of both."""
    fields = [field for field in _REQUIRED if field not in column_of]
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
    parents: str | None = None,
    taxon: str | None = None,
    value_separator: str = "|",
) -> Iterator[Record]:
    """Stream one concept per row; rows with the same id are merged later.

    Parameters
    ----------
    path
        The file.
    on_problem
        Called with the problem of each row that cannot be read, instead of raising it.
    id, name, synonyms, types, parents, taxon
        The names of these columns. Default: None, for the usual names.
    value_separator
        The character between several values in a cell. Default: ``|``.

    Raises
    ------
    InputError
        If a column is missing, or a row does not fit the header.
    """
    source = display_name(path)
    if not value_separator:
        raise ConfigError("the option value_separator is empty; expected a character")
    named = {
        "id": id, "name": name, "synonyms": synonyms, "types": types, "parents": parents,
        "taxon": taxon,
    }  # fmt: skip
    rows = _rows(path, source, on_problem)
    begin, header = next(rows, (1, []))
    columns = [cell.strip() for cell in header]
    column_of = _columns_of(columns, **named)
    yield Columns(tuple(columns))
    for field, column in named.items():
        if column and field not in column_of:
            expected = f"the column {column!r}, which the option {field} names"
            raise InputError(source, begin, columns_seen(columns), expected)
    if not column_of.keys() >= _REQUIRED.keys():
        raise _missing(source, begin, columns, column_of)
    from_bioportal = columns[column_of["id"]].lower() == "class id"
    for line, cells in rows:
        if not any(cells):
            continue
        try:
            check_utf8("".join(cells), source, line)
            if len(cells) != len(columns):
                expected = f"{len(columns)}, as in the header"
                raise InputError(source, line, counted(len(cells), "column"), expected)
            row = {field: cells[index].strip() for field, index in column_of.items()}
            if not row["id"]:
                raise InputError(source, line, "a row without an id", "an id in each row")
            yield _record(row, value_separator, from_bioportal)
        except InputError as error:
            raise_or_report(error, on_problem)


def _rows(
    path: str | Path, source: str, on_problem: OnProblem
) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield (line number, cells) for the header and each row."""
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

    def as_id(cell: str) -> str:
        # BioPortal's ids are IRIs.
        return (curie_of(cell) or cell) if from_bioportal else cell

    concept_id = as_id(row["id"])
    if row.get("obsolete", "").lower() in _YES:
        new_ids = several("replaced_by")
        replaced_by = as_id(new_ids[0]) if len(new_ids) == 1 else ""
        return Dropped("obsolete", concept_id, replaced_by=replaced_by)
    # If the CUIs are not the ids, they are cross references.
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
        parents=tuple(as_id(parent) for parent in several("parents") if parent not in TOP_CLASSES),
        taxon=row.get("taxon", ""),
    )
