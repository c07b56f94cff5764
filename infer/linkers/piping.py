"""The protocol of linkers: what every linker accepts, and how it works through a stream."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import fields
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar, Literal, Self, overload

from biolink.documents import Document
from biolink.errors import ConfigError, shown
from biolink.infer.decide.nil import NilPolicy
from biolink.infer.decide.written import policy_of
from biolink.infer.linkers.inputs import check_settings, document_of, with_spans
from biolink.infer.network.model import LinkingModel
from biolink.kb import KnowledgeBase
from biolink.kb.arguments import need_flag, need_natural, options_of
from biolink.kb.bases import KnowledgeBases

__all__ = ["OF_LOADING", "Piping", "state_without_caches"]

#: Arguments of :func:`biolink.load` that decide what is loaded, and are no settings of a linker.
OF_LOADING = (
    "model", "kb", "recogniser", "progress", "device", "calibration", "precision", "types",
    "branch", "taxa", "nested",
)  # fmt: skip
#: The number of documents that are worked on together.
BATCH = 32


def state_without_caches(thing: object) -> dict[str, Any]:
    """The attributes of an object without its cached properties, for pickling and copying."""
    cls = type(thing)
    return {
        name: value
        for name, value in vars(thing).items()
        if not isinstance(getattr(cls, name, None), cached_property)
    }


class Piping(ABC):
    """The base class of all linkers, which take texts or documents and return linked documents.

    Attributes
    ----------
    paradigm
        The way in which the linker finds and links mentions, as the partial-KB benchmark names it.
    settings
        The attributes that :meth:`with_settings` can change, besides the fields of ``options``.
    model
        The loaded model.
    kb
        The knowledge base, or the subset of one, that is linked to.
    nil
        The NIL policy, or None.
    options
        The options of the linker, a frozen dataclass.
    """

    paradigm: ClassVar[str]
    settings: ClassVar[tuple[str, ...]] = ("nil",)
    model: LinkingModel
    kb: KnowledgeBase
    nil: NilPolicy | None
    options: Any

    @property
    def bases(self) -> KnowledgeBases:
        """The knowledge bases of the kinds of entities that the linker links."""
        return KnowledgeBases([self.kb])

    @property
    def linked_bases(self) -> KnowledgeBases:
        """The knowledge bases of the kinds that are wanted; :attr:`bases` may have more."""
        return self.bases

    @abstractmethod
    def _block(self, documents: list[Document], recognise: bool | None) -> Iterable[Document]:
        """Link some documents together, and return them in order."""

    @abstractmethod
    def prepare(self) -> None:
        """Build the indexes that linking needs, or map stored ones into memory."""

    @abstractmethod
    def with_kb(self, kb: KnowledgeBase) -> Self:
        """The same linker over another knowledge base, or over a subset of this one.

        For a subset of the same knowledge base, no index is built again.

        Raises
        ------
        ConfigError
            If ``kb`` is something else, such as the path of a knowledge base.
        """

    @abstractmethod
    def find_under(
        self, documents: Sequence[Document], kbs: Sequence[KnowledgeBase]
    ) -> list[list[Document]]:
        """Find mentions, and link them to each of several subsets of a knowledge base.

        Mentions that the documents have are replaced. No NIL policy is applied.

        Returns
        -------
        The linked documents for each subset.
        """

    def with_settings(self, **changes: Any) -> Self:
        """The same model and knowledge base with other settings.

        Parameters
        ----------
        changes
            The new values by name: ``nil`` (in any form that :func:`biolink.load` takes), fields
            of the linker's options and, for a :class:`biolink.Linker`, ``recogniser``,
            ``calibration`` and ``remembered``.

        Examples
        --------
        >>> import biolink
        >>> linker = biolink.load().with_settings(top_k=1, nil=0.9)
        >>> linker.options.top_k, linker.nil
        (1, Threshold(value=0.9))

        Raises
        ------
        ConfigError
            If a setting is unknown or has a wrong value.
        """
        own = {name: changes.pop(name) for name in self.settings if name in changes}
        if "nil" in own:
            own["nil"] = policy_of(own["nil"])
        check_settings(own.get("recogniser"), own.get("calibration"), own.get("remembered"))
        # Fields that are not changed are passed with their present values, whatever their types.
        kept = {f.name: getattr(self.options, f.name) for f in fields(self.options)}
        if foreign := [name for name in changes if name in OF_LOADING and name not in kept]:
            raise ConfigError(
                f"{' and '.join(foreign)} cannot be changed in a linker; expected a new one, "
                f"biolink.load({', '.join(f'{name}=...' for name in foreign)})"
            )
        options = options_of(type(self.options), {**kept, **changes})
        other = copy.copy(self)  # without the caches of this linker
        vars(other).update(own, options=options)
        return other

    def state(self) -> dict[str, Any]:
        """The attributes that are copied or pickled: all except caches."""
        return state_without_caches(self)

    def __copy__(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__.update(self.state())
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        other = memo[id(self)] = object.__new__(type(self))
        other.__dict__.update(copy.deepcopy(self.state(), memo))
        return other

    def __getstate__(self) -> dict[str, Any]:
        return self.state()

    def __call__(
        self, document: str | Document, spans: Iterable[Sequence[int]] | None = None
    ) -> Document:
        """Link one text or document. If it has no mentions, they are found first.

        Parameters
        ----------
        document
            A text or a document.
        spans
            Offsets of mentions, (start, end) in code points. If they are given, exactly these
            mentions are linked. Default: None.

        Returns
        -------
        The document with links.

        Examples
        --------
        >>> import biolink
        >>> linker = biolink.load()
        >>> [m.text for m in linker("Aspirin for asthma.").mentions]
        ['Aspirin', 'asthma']
        >>> linker("Aspirin for asthma.", spans=[(0, 7)]).mentions[0].best.preferred_name
        'Aspirin'

        Raises
        ------
        ConfigError
            If the argument is neither a text nor a document, or a span is not within the text.
        """
        given = document_of(document)
        if spans is not None:
            given = with_spans(given, spans)
        (linked,) = self._block([given], None if spans is None else False)
        return linked

    @overload
    def pipe(
        self,
        documents: Iterable[str | Document],
        batch_size: int | None = None,
        recognise: bool | None = None,
        *,
        as_tuples: Literal[False] = False,
        progress: bool = False,
    ) -> Iterator[Document]: ...

    @overload
    def pipe(
        self,
        documents: Iterable[tuple[str | Document, Any]],
        batch_size: int | None = None,
        recognise: bool | None = None,
        *,
        as_tuples: Literal[True],
        progress: bool = False,
    ) -> Iterator[tuple[Document, Any]]: ...

    def pipe(
        self,
        documents: Iterable[Any],
        batch_size: int | None = None,
        recognise: bool | None = None,
        *,
        as_tuples: bool = False,
        progress: bool = False,
    ) -> Iterator[Any]:
        """Link a stream of documents in order, without holding all of them in memory.

        Parameters
        ----------
        documents
            Texts or documents. The document made from a text gets its number in the stream, counted
            from 0, as its id.
        batch_size
            The number of documents that are worked on together. Default: 32.
        recognise
            True: find mentions, in place of those that documents have. False: link the mentions
            that documents have. None (the default): find mentions in documents that have none.
        as_tuples
            Take pairs of a text or document and any other value, and return pairs of the linked
            document and that value. Default: False.
        progress
            Show on standard error how many documents are done. Default: False.

        Yields
        ------
        The linked documents, or pairs.

        Examples
        --------
        >>> import biolink
        >>> linker = biolink.load()
        >>> for document, year in linker.pipe([("Gout is old.", 1683)], as_tuples=True):
        ...     print(year, document.mentions[0].best.preferred_name)
        1683 Gout

        Raises
        ------
        ConfigError
            If an argument, or an item of the stream, has the wrong type or value.
        """
        if isinstance(documents, str | bytes | Mapping | Document) or not isinstance(
            documents, Iterable
        ):
            raise ConfigError(
                f"pipe was given a {type(documents).__name__}; expected a list or a stream of "
                "texts or documents (for a single one, call the linker itself)"
            )
        if batch_size is not None:
            need_natural("batch_size", batch_size)
        if recognise is not None and not isinstance(recognise, bool):
            raise ConfigError(f"recognise is {shown(recognise)}; expected True, False or None")
        need_flag("as_tuples", as_tuples)
        need_flag("progress", progress)
        self._check_recognise(recognise)
        stream = self._piped(documents, batch_size or BATCH, recognise, as_tuples)
        return _shown(stream, documents) if progress else stream

    @abstractmethod
    def _check_recognise(self, recognise: bool | None) -> None:
        """Raise :class:`ConfigError` if this linker cannot do what ``recognise`` asks for."""

    def _piped(
        self, documents: Iterable[Any], size: int, recognise: bool | None, as_tuples: bool
    ) -> Iterator[Any]:
        numbered = enumerate(documents)
        while block := list(islice(numbered, size)):
            pairs = [_pair(item) if as_tuples else (item, None) for _, item in block]
            given = [
                document_of(item, str(number))
                for (number, _), (item, _) in zip(block, pairs, strict=True)
            ]
            for linked, (_, context) in zip(self._block(given, recognise), pairs, strict=True):
                yield (linked, context) if as_tuples else linked


def _pair(item: object) -> tuple[object, object]:
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise ConfigError(
            f"as_tuples=True was given a {type(item).__name__}; expected pairs of a text or "
            "document and any value"
        )
    return item[0], item[1]


def _shown(stream: Iterator[Any], documents: Iterable[Any]) -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import track

    size = len(documents) if isinstance(documents, Sized) else None
    return iter(track(stream, "linking", total=size, console=Console(stderr=True)))
