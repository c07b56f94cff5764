"""UMLS Rich Release Format: a folder with MRCONSO.RRF, and MRSTY, MRDEF and MRCUI if present.

Columns are those of the UMLS Reference Manual (NLM), chapter 3. MRCONSO is sorted by CUI, so
concepts are streamed; definitions and semantic types are held, a string for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from biolink.errors import InputError
from biolink.kb.concept import Concept, Dropped, Record
from biolink.kb.problems import OnProblem, raise_or_report, readable_lines
from biolink.kb.wording import counted

LABEL = "UMLS RRF (folder with MRCONSO.RRF[.gz])"

_CONSO_COLUMNS = 18
_CUI, _LAT, _TS, _STT, _ISPREF, _SAB, _TTY, _CODE, _STR, _SUPPRESS = (
    0,
    1,
    2,
    4,
    6,
    11,
    12,
    13,
    14,
    16,
)


def sniff(path: str | Path, head: str) -> bool:
    return Path(path).is_dir() and _file(Path(path), "MRCONSO") is not None


def _file(folder: Path, table: str) -> Path | None:
    for name in (f"{table}.RRF", f"{table}.RRF.gz"):
        if (folder / name).is_file():
            return folder / name
    return None


def _rows(file: Path, columns: int, on_problem: OnProblem) -> Iterator[list[str]]:
    for number, line in readable_lines(file, on_problem):
        cells = line.removesuffix("|").split("|")
        if len(cells) != columns:
            found, expected = counted(len(cells), "column"), f"{columns} columns, separated by |"
            raise_or_report(InputError(str(file), number, found, expected), on_problem)
        else:
            yield cells


def _wanted(option: str | None) -> set[str] | None:
    return None if option is None else {value.strip() for value in option.split(",")}


def read(
    path: str | Path,
    on_problem: OnProblem = None,
    language: str | None = "ENG",
    sources: str | None = None,
    term_types: str | None = None,
    types: str | None = None,
    suppressed: bool = False,
) -> Iterator[Record]:
    """Stream the concepts.

    Parameters
    ----------
    path
        The folder.
    on_problem
        Called with the problem of each row that cannot be read, instead of raising it.
    language
        LAT to keep; None for all.
    sources
        Source vocabularies (SAB) to keep, separated by commas; None for all.
    term_types
        Term types (TTY) to keep, separated by commas; None for all.
    types
        Semantic types (TUI, or tree number) to keep with their descendants, separated by commas;
        None for all. Descendants are found by the tree numbers of MRSTY.
    suppressed
        Keep rows whose SUPPRESS flag is O, E or Y.
    """
    # Long because it is one pass over several files that share what they count and leave out.
    folder = Path(path)
    conso = _file(folder, "MRCONSO")
    if conso is None:
        raise InputError(str(path), None, "no MRCONSO.RRF", "a folder with MRCONSO.RRF")
    semantic: dict[str, tuple[str, ...]] = {}
    known: dict[tuple[str, ...], tuple[str, ...]] = {}  # there are few, so each is kept once
    trees: dict[str, str] = {}
    sty = _file(folder, "MRSTY")
    if sty is not None:
        for cells in _rows(sty, 6, on_problem):
            types_of = (*semantic.get(cells[0], ()), cells[1])
            semantic[cells[0]] = known.setdefault(types_of, types_of)
            trees[cells[1]] = cells[2]
    elif types is not None:
        raise InputError(str(path), None, "no MRSTY.RRF", "MRSTY.RRF, to choose semantic types")
    wanted_types = _with_descendants(types, trees, str(sty)) if types is not None else None
    left_out: dict[str, tuple[str, int]] = {}

    def leave_out(reason: str, cui: str) -> None:
        example, count = left_out.get(reason, (cui, 0))
        left_out[reason] = example, count + 1

    definitions: dict[str, list[str]] = {}
    mrdef = _file(folder, "MRDEF")
    if mrdef is not None:
        for cells in _rows(mrdef, 8, on_problem):
            if suppressed or cells[6] == "N":
                definitions.setdefault(cells[0], []).append(cells[5])
            else:
                leave_out("suppressed definitions", cells[0])
    kept_sources, kept_terms = _wanted(sources), _wanted(term_types)

    def concept(cui: str, names: list[tuple[bool, str, str, str]]) -> Concept | None:
        found = semantic.get(cui, ())
        if not names:
            return None
        if wanted_types is not None and not wanted_types & set(found):
            leave_out("concepts of other semantic types", cui)
            return None
        # The UMLS's own preferred form: TS = P, STT = PF, ISPREF = Y.
        preferred = next((name for is_best, name, _, _ in names if is_best), names[0][1])
        synonyms = dict.fromkeys(name for _, name, _, _ in names if name != preferred)
        xrefs = dict.fromkeys(f"{sab}:{code}" for _, _, sab, code in names if code != "NOCODE")
        return Concept(
            id=cui,
            name=preferred,
            synonyms=tuple(synonyms),
            definitions=tuple(definitions.get(cui, ())),
            types=tuple(dict.fromkeys(found)),
            xrefs=tuple(xrefs),
            source="UMLS",
        )

    current, names = "", []  # type: str, list[tuple[bool, str, str, str]]
    for cells in _rows(conso, _CONSO_COLUMNS, on_problem):
        if cells[_CUI] != current:
            done = concept(current, names)
            if done is not None:
                yield done
            current, names = cells[_CUI], []
        if not suppressed and cells[_SUPPRESS] != "N":
            leave_out("suppressed names", current)
        elif language is not None and cells[_LAT] != language:
            leave_out("names in other languages", current)
        elif kept_sources is not None and cells[_SAB] not in kept_sources:
            leave_out("names of other vocabularies", current)
        elif kept_terms is not None and cells[_TTY] not in kept_terms:
            leave_out("names of other term types", current)
        else:
            best = (cells[_TS], cells[_STT], cells[_ISPREF]) == ("P", "PF", "Y")
            names.append((best, cells[_STR], cells[_SAB], cells[_CODE]))
    done = concept(current, names)
    if done is not None:
        yield done
    retired = _file(folder, "MRCUI")
    if retired is not None:
        for cells in _rows(retired, 7, on_problem):
            # Merged concepts; of those that are only broader or narrower none takes the place.
            if cells[2] == "SY" and cells[5]:
                yield Dropped("retired", cells[0], replaced_by=cells[5])
    for reason, (example, count) in left_out.items():
        yield Dropped(reason, example, count)


def _with_descendants(types: str, trees: dict[str, str], source: str) -> set[str]:
    wanted = set()
    for given in (value.strip() for value in types.split(",")):
        tree = trees.get(given, given)
        below = {tui for tui, t in trees.items() if t == tree or t.startswith(tree + ".")}
        # Tree numbers of the top levels are written without a dot: A1 is above A1.1.
        if len(tree) == 1:
            below = {tui for tui, t in trees.items() if t.startswith(tree)}
        if not below:
            raise InputError(source, None, f"no concept of semantic type {given!r}", "a TUI in use")
        wanted |= below
    return wanted
