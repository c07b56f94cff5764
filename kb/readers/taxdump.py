"""NCBI Taxonomy's dump: a folder with names.dmp; nodes.dmp and merged.dmp may lie beside it.

``nodes.dmp`` gives parents and ranks, and ``merged.dmp`` the ids that were merged into others. The
scientific name is the preferred name. Authorities, type material and names of other classes that
no text writes are left out. Source: https://ftp.ncbi.nlm.nih.gov/pub/taxonomy/ (readme.txt of
taxdump)
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from biolink.errors import InputError
from biolink.kb.concept import Concept, Dropped, Record
from biolink.kb.problems import OnProblem, raise_or_report, readable_lines
from biolink.kb.wording import counted

LABEL = "NCBI Taxonomy dump (folder with names.dmp)"

_ROOT = "1"
_PREFERRED = "scientific name"
#: The classes of the names that are kept, in this order.
_CLASSES = (
    _PREFERRED,
    "genbank common name",
    "common name",
    "equivalent name",
    "synonym",
    "acronym",
    "genbank acronym",
    "genbank synonym",
    "blast name",
)


def sniff(path: str | Path, head: str) -> bool:
    return Path(path).is_dir() and _file(Path(path), "names") is not None


def _file(folder: Path, table: str) -> Path | None:
    files = (folder / f"{table}.dmp", folder / f"{table}.dmp.gz")
    return next((file for file in files if file.is_file()), None)


def _rows(file: Path, least: int, on_problem: OnProblem) -> Iterator[list[str]]:
    for number, line in readable_lines(file, on_problem):
        cells = [cell.strip() for cell in line.rstrip("\t|").split("|")]
        if len(cells) >= least and cells[0]:
            yield cells
        elif line.strip():
            count, expected = counted(len(cells), "column"), f"{least} or more, separated by |"
            raise_or_report(InputError(str(file), number, count, expected), on_problem)


def read(
    path: str | Path, on_problem: OnProblem = None, ranks: str | None = None
) -> Iterator[Record]:
    """Stream one concept per taxon.

    Parameters
    ----------
    path
        The folder.
    on_problem
        Called with the problem of each row that cannot be read, instead of raising it.
    ranks
        The ranks of the taxa that are read, separated by commas, such as ``species,genus``; this
        needs nodes.dmp. Default: None, for all.

    Raises
    ------
    InputError
        If the folder has no names.dmp, or a row has too few columns.
    """
    folder = Path(path)
    names = _file(folder, "names")
    if names is None:
        raise InputError(str(path), None, "no names.dmp in the folder", "NCBI's taxdump, unpacked")
    parents: dict[str, str] = {}
    rank_of: dict[str, str] = {}
    if (nodes := _file(folder, "nodes")) is not None:
        for taxon, parent, rank, *_ in _rows(nodes, 3, on_problem):
            parents[taxon], rank_of[taxon] = parent, rank
    wanted = None if ranks is None else {rank.strip() for rank in ranks.split(",")}
    for taxon, rows in groupby(_rows(names, 4, on_problem), key=lambda row: row[0]):
        if wanted is not None and rank_of.get(taxon) not in wanted:
            yield Dropped("taxa of other ranks", taxon)
            continue
        of_class: dict[str, list[str]] = {}
        for _, name, _, name_class, *_ in rows:
            of_class.setdefault(name_class, []).append(name)
        kept = [name for name_class in _CLASSES for name in of_class.get(name_class, ())]
        parent = parents.get(taxon, "")
        yield Concept(
            id=taxon,
            name=kept[0] if kept else "",
            synonyms=tuple(dict.fromkeys(kept[1:])),
            types=("Species",),
            source="NCBI Taxonomy",
            parents=() if parent in ("", taxon, _ROOT) else (parent,),
        )
    if (merged := _file(folder, "merged")) is not None:
        for old, new, *_ in _rows(merged, 2, on_problem):
            yield Dropped("merged into another taxon", old, replaced_by=new)
