"""The kinds of entities of the embedded default, and the choice among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from biolink.errors import ConfigError, shown
from biolink.kb.arguments import texts_of
from biolink.kb.curies import Prefixes
from biolink.kb.types import KINDS, kind_of, meant
from biolink.places import EMBEDDED

if TYPE_CHECKING:
    from biolink.kb import KnowledgeBase
    from biolink.kb.bases import KnowledgeBases

__all__ = [
    "MAIN_KINDS",
    "NAMED_KINDS",
    "chosen_kinds",
    "chosen_taxa",
    "embedded_base",
    "embedded_bases",
    "need_main_kinds",
]

#: The kinds of the knowledge base ``embedded/kb``, which the embedded model links.
MAIN_KINDS = ("Disease", "Chemical")
#: Kind of entity -> the name of its knowledge base in ``embedded/kinds``. These kinds are linked by
#: their names, in this order; a linker sees the links of those before it.
NAMED_KINDS = {"Species": "species", "CellLine": "cell_lines", "Gene": "genes"}


def chosen_kinds(
    types: str | Iterable[str] | None, among: Sequence[str] = KINDS
) -> tuple[str, ...]:
    """Return the kinds of entities that are meant, in the order of :data:`KINDS`.

    Parameters
    ----------
    types
        The types, in any spelling that :func:`biolink.kb.types.kind_of` knows. A single string may
        have several, separated by commas. None stands for all kinds.
    among
        The kinds that can be chosen. Default: all.

    >>> chosen_kinds("gene, cell line"), chosen_kinds(["Chemical"])
    (('Gene', 'CellLine'), ('Chemical',))

    Raises
    ------
    ConfigError
        If there is none, or one of them is unknown.
    """
    if types is None:
        return tuple(among)
    expected = f"expected types among {', '.join(among)}"
    given = types.split(",") if isinstance(types, str) else texts_of("types", types)
    wanted = {text.strip(): kind_of(text.strip()) for text in given if text.strip()}
    if not wanted:
        raise ConfigError(f"the list of types is empty; {expected}")
    if unknown := [text for text, kind in wanted.items() if kind not in among]:
        named = ", ".join(map(repr, unknown))
        raise ConfigError(
            f"the embedded default has no concept of the types {named}; {expected}"
            f"{meant(unknown[0])}"
        )
    return tuple(kind for kind in among if kind in wanted.values())


def embedded_base(kind: str) -> KnowledgeBase:
    """Open the embedded knowledge base of a kind of entity."""
    from biolink.kb import KnowledgeBase

    name = NAMED_KINDS.get(kind)
    return KnowledgeBase.open(EMBEDDED / "kb" if name is None else EMBEDDED / f"kinds/{name}.kb")


def embedded_bases(types: str | Iterable[str] | None = None) -> KnowledgeBases:
    """Open the embedded knowledge bases of all kinds, or of some types.

    Of diseases and chemicals, which have one base together, only the concepts that are wanted are
    in it.

    >>> embedded_bases("gene, disease").kinds
    ('disease', 'gene')

    Raises
    ------
    ConfigError
        If a type is unknown, or is that of a kind without a base.
    """
    from biolink.kb.bases import KnowledgeBases

    kinds = chosen_kinds(types, [k for k in KINDS if k in MAIN_KINDS or k in NAMED_KINDS])
    main = [kind for kind in kinds if kind in MAIN_KINDS]
    bases = [embedded_base(kind) for kind in NAMED_KINDS if kind in kinds]
    if main:
        whole = embedded_base(main[0])
        bases.insert(0, whole if len(main) == len(MAIN_KINDS) else whole.subset(types=main))
    return KnowledgeBases(bases)


def chosen_taxa(taxa: str | Iterable[str], name: str = "taxa") -> tuple[str, ...]:
    """Return the ids of species, without prefixes and in the order in which they were given.

    Parameters
    ----------
    taxa
        The ids. A single string may have several, separated by commas.
    name
        What the message of an error calls them.

    >>> chosen_taxa("9606, NCBITaxon:10090"), chosen_taxa(["10116"])
    (('9606', '10090'), ('10116',))

    Raises
    ------
    ConfigError
        If there is none, or one of them is no id of NCBI Taxonomy.
    """
    expected = "expected ids of NCBI Taxonomy such as 9606,10090"
    if not isinstance(taxa, Iterable):
        raise ConfigError(f"{name} is {shown(taxa)}; {expected}, as a string or as a list of them")
    given = taxa.split(",") if isinstance(taxa, str) else texts_of(name, taxa)
    bare = Prefixes.of("NCBITaxon").bare
    ids = {text.strip(): bare(text) for text in given if text.strip()}
    if not ids:
        raise ConfigError(f"the list of {name} is empty; {expected}")
    if unknown := [text for text, taxon in ids.items() if not taxon.isdecimal()]:
        raise ConfigError(f"{name} has {', '.join(map(repr, unknown))}; {expected}")
    return tuple(ids.values())


def need_main_kinds(types: str | None, what: str) -> None:
    """Raise an error if types of the option ``--types`` are not of :data:`MAIN_KINDS`.

    Parameters
    ----------
    types
        The value of the option, or None if it was not given.
    what
        What is special about the main kinds, for the message.

    Raises
    ------
    ConfigError
        If there are other types.
    """
    others = [] if types is None else [k for k in chosen_kinds(types) if k not in MAIN_KINDS]
    if others:
        raise ConfigError(
            f"--types has {', '.join(others)}; expected {' or '.join(MAIN_KINDS)}, the kinds {what}"
        )
