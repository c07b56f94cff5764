"""UMLS Rich Release Format: a folder with MRCONSO.RRF.

MRSTY, MRDEF, MRREL and MRCUI may lie beside it. The columns are those of the UMLS Reference Manual
(NLM), chapter 3. MRCONSO is sorted by CUI, so the concepts are streamed; definitions, semantic
types and parents are kept in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from biolink.errors import ConfigError, InputError
from biolink.kb.concept import Concept, Dropped, Record
from biolink.kb.problems import OnProblem, raise_or_report, readable_lines
from biolink.kb.wording import counted

LABEL = "UMLS RRF (folder with MRCONSO.RRF[.gz])"

#: Selections of concepts, by name: the values of ``types`` and ``sources``, separated by commas.
#: ``st21pv`` is that of MedMentions ST21pv (Mohan and Li, AKBC 2019, section 5) and of GenBioEL: 21
#: semantic types and 18 vocabularies of UMLS 2017AA, the names of its level 0 included (MTH).
PRESETS: dict[str, tuple[str | None, str | None]] = {
    "st21pv": (
        "T005,T007,T017,T022,T031,T033,T037,T038,T058,T062,T074,T082,T091,T092,T097,T098,T103,"
        "T168,T170,T201,T204",
        "CPT,FMA,GO,HGNC,HPO,ICD10,ICD10CM,ICD9CM,MDR,MSH,MTH,NCBI,NCI,NDDF,NDFRT,OMIM,RXNORM,"
        "SNOMEDCT_US",
    ),
    "all-english": (None, None),
}

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
            count, expected = counted(len(cells), "column"), f"{columns} columns, separated by |"
            raise_or_report(InputError(str(file), number, count, expected), on_problem)
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
    preset: str | None = None,
) -> Iterator[Record]:
    """Stream the concepts.

    Parameters
    ----------
    path
        The folder.
    on_problem
        Called with the problem of each row that cannot be read, instead of raising it.
    language
        The language (LAT) of the names that are kept; None keeps all. Default: ``ENG``.
    sources
        The source vocabularies (SAB) that are kept, separated by commas. Default: None, for all.
    term_types
        The term types (TTY) that are kept, separated by commas. Default: None, for all.
    types
        The semantic types (TUI or tree number) that are kept with their descendants, separated by
        commas. The tree numbers of MRSTY define the descendants. Default: None, for all.
    suppressed
        Whether rows whose SUPPRESS flag is O, E or Y are kept. Default: False.
    preset
        The name of one of :data:`PRESETS`, which replaces ``types`` and ``sources``. Semantic types
        and vocabularies that this copy of UMLS does not have are counted as left out. Default:
        None.

    Raises
    ------
    InputError
        If MRCONSO is missing, MRSTY is missing although ``types`` is given, no concept has one of
        these types, or a row has the wrong number of columns.
    ConfigError
        If the preset is unknown, or if types or sources are given beside it.
    """
    # Long because it is one pass over several files, which share what they count and leave out.
    if preset is not None:
        types, sources = _of_preset(preset, types, sources)
    folder = Path(path)
    conso = _file(folder, "MRCONSO")
    if conso is None:
        raise InputError(str(path), None, "no MRCONSO.RRF", "a folder with MRCONSO.RRF")
    semantic: dict[str, tuple[str, ...]] = {}
    # There are few different tuples of types, so each is kept in memory once.
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    trees: dict[str, str] = {}
    sty = _file(folder, "MRSTY")
    if sty is not None:
        for cells in _rows(sty, 6, on_problem):
            types_of = (*semantic.get(cells[0], ()), cells[1])
            semantic[cells[0]] = known.setdefault(types_of, types_of)
            trees[cells[1]] = cells[2]
    elif types is not None:
        raise InputError(str(path), None, "no MRSTY.RRF", "MRSTY.RRF, to choose semantic types")
    left_out: dict[str, tuple[str, int]] = {}

    def leave_out(reason: str, example: str) -> None:
        first, count = left_out.get(reason, (example, 0))
        left_out[reason] = first, count + 1

    wanted_types = None
    if types is not None:
        wanted_types, unused = _with_descendants(types, trees)
        if unused and (preset is None or not wanted_types):
            problem = f"no concept of semantic type {unused[0]!r}"
            raise InputError(str(sty), None, problem, "a TUI in use")
        for unused_type in unused:
            leave_out("chosen semantic types without a concept", unused_type)
    kept_sources, kept_terms = _wanted(sources), _wanted(term_types)
    unused_sources = set(kept_sources or ())
    parents: dict[str, tuple[str, ...]] = {}
    mrrel = _file(folder, "MRREL")
    if mrrel is not None:
        relations = _rows(mrrel, 16, on_problem)
        parents = _parents(relations, kept_sources, suppressed, leave_out)
    definitions: dict[str, list[str]] = {}
    mrdef = _file(folder, "MRDEF")
    if mrdef is not None:
        for cells in _rows(mrdef, 8, on_problem):
            if suppressed or cells[6] == "N":
                definitions.setdefault(cells[0], []).append(cells[5])
            else:
                leave_out("suppressed definitions", cells[0])

    def concept(cui: str, names: list[tuple[bool, str, str, str]]) -> Concept | None:
        concept_types = semantic.get(cui, ())
        if not names:
            return None
        if wanted_types is not None and not wanted_types & set(concept_types):
            leave_out("concepts of other semantic types", cui)
            return None
        # The UMLS marks the preferred name by TS = P, STT = PF and ISPREF = Y.
        preferred = next((name for is_best, name, _, _ in names if is_best), names[0][1])
        synonyms = dict.fromkeys(name for _, name, _, _ in names if name != preferred)
        xrefs = dict.fromkeys(f"{sab}:{code}" for _, _, sab, code in names if code != "NOCODE")
        return Concept(
            id=cui,
            name=preferred,
            synonyms=tuple(synonyms),
            definitions=tuple(definitions.get(cui, ())),
            types=tuple(dict.fromkeys(concept_types)),
            xrefs=tuple(xrefs),
            source="UMLS",
            parents=parents.get(cui, ()),
        )

    current, names = "", []  # type: str, list[tuple[bool, str, str, str]]
    for cells in _rows(conso, _CONSO_COLUMNS, on_problem):
        unused_sources.discard(cells[_SAB])
        if cells[_CUI] != current:
            finished = concept(current, names)
            if finished is not None:
                yield finished
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
    finished = concept(current, names)
    if finished is not None:
        yield finished
    retired = _file(folder, "MRCUI")
    if retired is not None:
        for cells in _rows(retired, 7, on_problem):
            # SY means that the concept was merged into another. Concepts that are only broader or
            # narrower do not replace it.
            if cells[2] == "SY" and cells[5]:
                yield Dropped("retired", cells[0], replaced_by=cells[5])
    for source in sorted(unused_sources):
        leave_out("chosen vocabularies without a name", source)
    for reason, (example, count) in left_out.items():
        yield Dropped(reason, example, count)


def _parents(
    relations: Iterable[Sequence[str]],
    sources: set[str] | None,
    suppressed: bool,
    leave_out: Callable[[str, str], None],
) -> dict[str, tuple[str, ...]]:
    """Map CUIs to the CUIs of their parents, from the rows of MRREL.

    REL is the relationship of the second concept to the first (UMLS Reference Manual, table
    "Related Concepts"): PAR says that the second is a parent of the first, CHD that it is a child.
    """
    parents: dict[str, tuple[str, ...]] = {}
    # Concepts with the same parents share the tuple of their ids.
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    for first, _, _, relation, second, _, _, _, _, _, source, _, _, _, suppress, _ in relations:
        if relation not in ("PAR", "CHD"):
            continue
        child, parent = (first, second) if relation == "PAR" else (second, first)
        if not suppressed and suppress != "N":
            leave_out("suppressed parents", child)
        elif sources is not None and source not in sources:
            leave_out("parents in other vocabularies", child)
        elif child == parent:
            leave_out("parents that are the concept itself", child)
        elif parent not in parents.get(child, ()):
            more = (*parents.get(child, ()), parent)
            parents[child] = known.setdefault(more, more)
    return parents


def _of_preset(
    preset: str, types: str | None, sources: str | None
) -> tuple[str | None, str | None]:
    """The types and the sources of a preset."""
    if preset not in PRESETS:
        raise ConfigError(f"preset is {preset!r}; expected {' or '.join(PRESETS)}")
    if types is not None or sources is not None:
        given = "sources" if types is None else "types"
        raise ConfigError(f"{given} is given beside preset={preset!r}; expected one of the two")
    return PRESETS[preset]


def _with_descendants(types: str, trees: dict[str, str]) -> tuple[set[str], list[str]]:
    """The TUIs of these semantic types and of all types below them, and the types not in use."""
    wanted, unused = set(), []
    for wanted_type in (value.strip() for value in types.split(",")):
        tree = trees.get(wanted_type, wanted_type)
        below = {tui for tui, t in trees.items() if t == tree or t.startswith(tree + ".")}
        # There is no dot after the letter of the top level: A is above A1, and A1 above A1.1.
        if len(tree) == 1:
            below = {tui for tui, t in trees.items() if t.startswith(tree)}
        if not below:
            unused.append(wanted_type)
        wanted |= below
    return wanted, unused
