"""A linker of several kinds of entities, each of which has a linker of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Sequence
from dataclasses import fields, replace
from functools import cached_property
from typing import Any, Protocol, Self

from biolink.documents import Document, Mention, each_document
from biolink.errors import ConfigError
from biolink.infer.decide.calibration import Calibration
from biolink.infer.decide.nil import NilPolicy
from biolink.infer.linkers.inputs import (
    called,
    check_settings,
    check_travels,
    to_link,
)
from biolink.infer.linkers.mention_linker import Linker, LinkerOptions, Recogniser
from biolink.infer.linkers.piping import Piping
from biolink.infer.mentions.abbreviations import Finder, expand_document, finder
from biolink.infer.network.model import LinkingModel
from biolink.infer.remembered.applying import found_as_remembered, linked_as_remembered
from biolink.infer.remembered.decisions import Remembered
from biolink.kb import KnowledgeBase
from biolink.kb.arguments import need
from biolink.kb.bases import KnowledgeBases, takes
from biolink.kb.types import KINDS, kind_of, type_name

__all__ = ["NOT_LINKED", "FurtherPart", "KindsLinker", "Part"]

#: Why a mention of a kind that is not linked, such as a variant, has no link.
NOT_LINKED = "this kind of entity is not linked"


class Part(Protocol):
    """What :class:`KindsLinker` needs of the linkers of the kinds."""

    kb: KnowledgeBase
    options: Any

    def link_documents(
        self, documents: Sequence[Document], recognised: Collection[int] = ()
    ) -> list[Document]:
        """Link the mentions that the documents have."""

    def with_settings(self, **changes: Any) -> Any:
        """The same linker with other settings."""

    def prepare(self) -> None:
        """Build or open what linking needs."""


class FurtherPart(Part, Protocol):
    """What :class:`KindsLinker` needs of the linkers of further kinds."""

    def knows(self, text: str) -> bool:
        """Whether a concept has a name like the text."""


class KindsLinker(Piping):
    """Linkers of several kinds of entities that work on the same documents.

    The type of a mention chooses its linker. A mention without a type, or with one that is no kind
    of entity and that no knowledge base has (``ENTITY``), is linked by all of them, and the most
    probable link counts; if it is not the main linker's, the mention gets that kind as its type. A
    mention of a kind that is not linked gets a reason instead of links.

    Parameters
    ----------
    main
        The linker of the kinds of its knowledge base.
    others
        The linkers of further kinds, in the order in which they work: each sees the links of those
        before it. They link only the mentions of their kinds and leave the others unchanged.
    recogniser
        A function that finds mentions of all kinds. It is needed only for documents without
        mentions.
    kinds
        The kinds that are linked, as :data:`biolink.kb.types.KINDS` has them. Default: all for
        which there is a linker.
    remembered
        What people decided about mentions of any kind, which linking follows, or None. The main
        linker has none of its own.

    Raises
    ------
    ConfigError
        If an argument has the wrong type.

    Examples
    --------
    >>> import biolink
    >>> linker = biolink.load()
    >>> document = linker("BRCA1 in women with asthma.")
    >>> [mention.best.curie for mention in document.mentions]
    ['NCBIGene:672', 'NCBITaxon:9606', 'mesh:D001249']
    """

    paradigm = Linker.paradigm
    settings = Linker.settings

    def __init__(
        self,
        main: Linker,
        others: Sequence[FurtherPart],
        recogniser: Recogniser | None = None,
        kinds: Collection[str] | None = None,
        remembered: Remembered | None = None,
    ) -> None:
        need("main", main, Linker, "a Linker")
        check_settings(recogniser)
        self.main, self.others, self.recogniser = main, tuple(others), recogniser
        self.kinds = None if kinds is None else frozenset(map(type_name, kinds))
        self.remembered = remembered

    @property
    def model(self) -> LinkingModel:  # type: ignore[override]
        """The model of the main linker."""
        return self.main.model

    @property
    def kb(self) -> KnowledgeBase:  # type: ignore[override]
        """The knowledge base of the main linker; :attr:`bases` has all of them."""
        return self.main.kb

    @property
    def nil(self) -> NilPolicy | None:  # type: ignore[override]
        """The NIL policy."""
        return self.main.nil

    @property
    def calibration(self) -> Calibration | None:
        """The calibration of the main linker."""
        return self.main.calibration

    @property
    def options(self) -> LinkerOptions:
        """The options of the main linker."""
        return self.main.options

    @cached_property
    def bases(self) -> KnowledgeBases:
        """The knowledge bases of all kinds."""
        return KnowledgeBases([self.main.kb, *(other.kb for other in self.others)])

    @property
    def linked_bases(self) -> KnowledgeBases:
        """The knowledge bases of the kinds that are linked."""
        return self.bases if self.kinds is None else self.bases.part(self.kinds)

    def __repr__(self) -> str:
        name = "no recogniser" if self.recogniser is None else called(self.recogniser)
        return f"<KindsLinker: {', '.join(sorted(self.kinds or self.bases.kinds))}, {name}>"

    def __getstate__(self) -> dict[str, Any]:
        check_travels(self.recogniser)
        return self.state()

    def _check_recognise(self, recognise: bool | None) -> None:
        if recognise and self.recogniser is None:
            raise ConfigError("recognise=True needs a recogniser")

    def _block(self, documents: list[Document], recognise: bool | None) -> list[Document]:
        with_mentions, found = to_link(self.recogniser, documents, recognise)
        if _follows_decisions(self):
            wanted = self.linked_bases
            with_mentions = found_as_remembered(self.remembered, with_mentions, found, wanted)
        return self.link_documents(with_mentions, found)

    def prepare(self) -> None:
        """Build or open what linking needs."""
        for part in (self.main, *self.others):
            if self._wants(part):
                part.prepare()

    def with_settings(self, **changes: Any) -> Self:
        """The same linker with other settings; see :meth:`Piping.with_settings`.

        The NIL policy holds for all kinds, and so do options that their linkers share, such as
        ``top_k``. The calibration and all other options are those of the main linker.
        """
        other = copy.copy(self)  # without the caches of this linker
        if "recogniser" in changes:
            check_settings(recogniser=changes["recogniser"])
            other.recogniser = changes.pop("recogniser")
        if "remembered" in changes:
            check_settings(remembered=changes["remembered"])
            other.remembered = changes.pop("remembered")
        other.main = self.main.with_settings(**changes)
        other.others = tuple(
            part.with_settings(**{k: v for k, v in changes.items() if k in _settings_of(part)})
            for part in self.others
        )
        return other

    def with_kb(self, kb: KnowledgeBase) -> Linker:  # type: ignore[override]
        """The main linker over another knowledge base, or over a subset of its own.

        It links no further kinds, since these have knowledge bases of their own.
        """
        return self.main.with_kb(kb).with_settings(remembered=self.remembered)

    def find_under(
        self, documents: Sequence[Document], kbs: Sequence[KnowledgeBase]
    ) -> list[list[Document]]:
        """See :meth:`Piping.find_under`; only the kinds of the main linker are found."""
        return self.main.find_under(documents, kbs)

    def link_documents(
        self, documents: Sequence[Document], recognised: Collection[int] = ()
    ) -> list[Document]:
        """Link the mentions that the documents have; see :meth:`Linker.link_documents`."""
        given = list(each_document(documents, "link_documents"))
        find = finder(self.options.abbreviations)
        expanded = [
            _with_kinds_of_long_forms(document, find, self.others, self.bases)
            if find is not None and number in recognised
            else document
            for number, document in enumerate(given)
        ]
        done = [
            document.with_mentions(
                replace(mention, type="") if self._says_no_kind(mention) else mention
                for mention in document.mentions
            )
            for document in expanded
        ]
        wanted = [part for part in self.others if self._wants(part)]
        untyped = [[not mention.type for mention in document.mentions] for document in done]
        of_kinds = [
            _as_kind(part, done, untyped, recognised) for part in wanted if any(map(any, untyped))
        ]
        for part in wanted:
            done = part.link_documents(done, recognised)
        done = _linked_by(self.main, done, self._is_for_main, recognised)
        for typed in of_kinds:
            done = list(map(_more_probable, done, typed, untyped))
        finished = [
            document.with_mentions(
                _finished(mention, before)
                for mention, before in zip(document.mentions, as_given.mentions, strict=True)
            )
            for document, as_given in zip(done, given, strict=True)
        ]
        if not _follows_decisions(self):
            return finished
        return linked_as_remembered(self.remembered, finished, given, self.linked_bases)

    def _wants(self, part: Part) -> bool:
        """Whether mentions of the kinds of a linker are linked."""
        return self.kinds is None or not self.kinds.isdisjoint(_kinds_of(part))

    def _says_no_kind(self, mention: Mention) -> bool:
        """Whether the type of a mention is no kind of entity, and no base has it either."""
        return kind_of(mention.type) not in KINDS and not self.bases.has(mention.type)

    def _is_for_main(self, mention: Mention) -> bool:
        """Whether the main linker links a mention: one of its kinds, or of no kind of entity."""
        if kind_of(mention.type) not in KINDS:
            return self._wants(self.main)
        wanted = self.kinds is None or type_name(mention.type) in self.kinds
        return wanted and takes(self.main.kb, mention.type)


def _follows_decisions(linker: KindsLinker) -> bool:
    """Whether people decided anything, and a kind that is wanted has a knowledge base."""
    return bool(linker.remembered) and any(map(linker._wants, (linker.main, *linker.others)))


def _with_kinds_of_long_forms(
    document: Document, find: Finder, parts: Sequence[FurtherPart], bases: KnowledgeBases
) -> Document:
    """A document whose mentions a recogniser found, with the kinds of their long forms.

    It takes ``BPA`` for the name of a gene, but ``Bisphenol A`` is none.
    """
    longs = (mention.long_form for mention in expand_document(document, find).mentions)
    return document.with_mentions(
        mention
        if long is None
        else replace(mention, type=_kind_of_long_form(long, mention.type, parts, bases))
        for mention, long in zip(document.mentions, longs, strict=True)
    )


def _kind_of_long_form(
    long_form: str, kind: str, parts: Sequence[FurtherPart], bases: KnowledgeBases
) -> str:
    """The type of a mention with a long form: another one if only another base has that."""
    part = next((p for p in parts if type_name(kind) in _kinds_of(p)), None)
    if part is None or part.knows(long_form):
        return kind
    for kb in bases.bases:
        name_id = kb.name_id(long_form)
        if name_id is not None and kb is not part.kb:
            return kb.types_at(kb.owners(name_id)[0])[0]
    return kind


def _kinds_of(part: Part) -> set[str]:
    return {type_name(written) for written in part.kb.types}


def _settings_of(part: Part) -> set[str]:
    return {"nil", *(field.name for field in fields(part.options))}


def _finished(mention: Mention, given: Mention) -> Mention:
    """The mention with the type that was given if it has none, and with a reason if it is NIL."""
    reason = mention.nil_reason
    if not mention.links and reason is None:
        reason = NOT_LINKED
    return replace(mention, type=mention.type or given.type, nil_reason=reason)


def _linked_by(
    linker: Linker,
    documents: Sequence[Document],
    chosen: Callable[[Mention], bool],
    recognised: Collection[int],
) -> list[Document]:
    """The documents in which a linker has linked the chosen mentions."""
    parts = [document.with_mentions(filter(chosen, document.mentions)) for document in documents]
    linked = [iter(document.mentions) for document in linker.link_documents(parts, recognised)]
    return [
        document.with_mentions(next(done) if chosen(m) else m for m in document.mentions)
        for document, done in zip(documents, linked, strict=True)
    ]


def _as_kind(
    part: Part,
    documents: Sequence[Document],
    untyped: Sequence[Sequence[bool]],
    recognised: Collection[int],
) -> list[Document]:
    """The documents in which mentions without a type are linked as if they had that of a linker."""
    kind = min(part.kb.types)
    typed = [
        document.with_mentions(
            replace(mention, type=kind) if without else mention
            for mention, without in zip(document.mentions, flags, strict=True)
        )
        for document, flags in zip(documents, untyped, strict=True)
    ]
    return part.link_documents(typed, recognised)


def _more_probable(document: Document, other: Document, untyped: Sequence[bool]) -> Document:
    """The document in which mentions without a type are those that are linked more probably."""

    def probability(mention: Mention) -> float:
        return 0.0 if mention.best is None else mention.best.probability

    return document.with_mentions(
        second if without and probability(second) > probability(first) else first
        for first, second, without in zip(document.mentions, other.mentions, untyped, strict=True)
    )
