"""A part of what a loaded linker links, and other settings, without loading anything again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from biolink.errors import ConfigError
from biolink.infer.linkers.kinds_linker import KindsLinker
from biolink.infer.linkers.name_linker import NameLinker
from biolink.infer.mentions.recognise import TrainedRecogniser
from biolink.kb.types import type_name
from biolink.kinds import MAIN_KINDS, NAMED_KINDS, chosen_kinds, chosen_taxa

if TYPE_CHECKING:
    from biolink.pipeline import AnyLinker

__all__ = ["Choice", "chosen"]


@dataclass(frozen=True, slots=True)
class Choice:
    """What is wanted of a linker; None leaves it as it is.

    Attributes
    ----------
    types, taxa, branch, nil
        As for :func:`biolink.load`, but written as strings.
    top_k
        The number of links that are kept for each mention.
    """

    types: str | None = None
    taxa: str | None = None
    branch: str | None = None
    nil: str | float | None = None
    top_k: int | None = None

    @classmethod
    def of(
        cls,
        types: str | Iterable[str] | None = None,
        taxa: str | Iterable[str] | None = None,
        branch: str | Iterable[str] | None = None,
        nil: str | float | None = None,
        top_k: int | None = None,
    ) -> Choice:
        """Make a choice of lists or strings; an empty list leaves everything as it is."""
        return cls(_joined(types), _joined(taxa), _joined(branch), nil, top_k)


def _joined(given: str | Iterable[str] | None) -> str | None:
    """Several values as one string, which commas separate."""
    if given is None or isinstance(given, str):
        return given or None
    return ",".join(map(str, given)) or None


def chosen(linker: AnyLinker, choice: Choice) -> AnyLinker:
    """Return a linker for a part of what another one links, which shares its model and indexes.

    Parameters
    ----------
    linker
        The loaded linker.
    choice
        What is wanted.

    Examples
    --------
    >>> import biolink
    >>> genes = chosen(biolink.load(), Choice.of(types=["gene"], taxa="10090"))
    >>> [mention.best.curie for mention in genes("p53 in asthma").mentions]
    ['NCBIGene:22059']

    Raises
    ------
    ConfigError
        If the linker does not have the kinds, species or concepts.
    """
    if choice.branch is not None:
        linker = _of_branch(linker, choice)
    elif choice.types is not None or choice.taxa is not None:
        linker = _of_kinds(linker, choice.types, choice.taxa)
    settings: dict[str, object] = {}
    if choice.nil is not None:
        settings["nil"] = choice.nil
    if choice.top_k is not None:
        settings["top_k"] = choice.top_k
    return linker.with_settings(**settings) if settings else linker


def _of_branch(linker: AnyLinker, choice: Choice) -> AnyLinker:
    """The linker of the concepts below others; in the embedded default, of the main kinds."""
    if choice.taxa is not None:
        raise ConfigError("taxa chooses among genes, which are not linked with branch")
    types = choice.types
    if types is not None and isinstance(linker, KindsLinker):
        types = ",".join(chosen_kinds(types, MAIN_KINDS))
    return linker.with_kb(linker.kb.subset(types=types, branch=choice.branch))


def _of_kinds(linker: AnyLinker, types: str | None, taxa: str | None) -> AnyLinker:
    if not isinstance(linker, KindsLinker):
        if taxa is not None:
            raise ConfigError("taxa chooses among the genes of the embedded default alone")
        return linker.with_kb(linker.kb.subset(types=types))
    kinds = chosen_kinds(types)
    if linker.kinds is not None:
        kinds = tuple(kind for kind in kinds if type_name(kind) in linker.kinds)
        if not kinds:
            raise ConfigError(
                f"the types {types} are not linked here; expected some of "
                f"{', '.join(sorted(linker.kinds))}"
            )
    if taxa is not None and "Gene" not in kinds:
        raise ConfigError("taxa chooses species among genes, which are not wanted here")
    main = linker.main
    in_main = [kind for kind in kinds if kind in MAIN_KINDS]
    if 0 < len(in_main) < len(MAIN_KINDS) and set(main.kb.types) > set(in_main):
        main = main.with_kb(main.kb.subset(types=in_main))
    wanted = [kind for kind in NAMED_KINDS if kind in kinds]
    others = [part for part in linker.others if set(wanted) & set(map(str, part.kb.base.types))]
    if taxa is not None:
        species = chosen_taxa(taxa)
        others = [
            part.with_settings(taxa=species)
            if isinstance(part, NameLinker) and "Gene" in part.kinds
            else part
            for part in others
        ]
    recogniser = linker.recogniser
    if isinstance(recogniser, TrainedRecogniser):
        narrowed = recogniser.with_kb(main.kb)
        assert isinstance(narrowed, TrainedRecogniser)
        recogniser = TrainedRecogniser(
            narrowed.reader,
            narrowed.dictionary,
            narrowed.kb,
            narrowed.further,
            kinds,
            narrowed.nested,
        )
    return KindsLinker(main, others, recogniser, kinds, linker.remembered)
