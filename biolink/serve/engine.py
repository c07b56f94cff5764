"""The one linker of a process, asked by many clients at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from biolink.answers.choosing import Choice, chosen
from biolink.answers.linking import NO_TEXT, TermAnswers, TermLink, only_type, term_document
from biolink.documents import Document
from biolink.errors import ConfigError
from biolink.kb.bases import KnowledgeBases
from biolink.pipeline import AnyLinker
from biolink.serve.batching import Batcher, Item
from biolink.serve.limits import Limits, TooSlow

__all__ = ["Engine"]

#: The number of texts, and of terms, that are linked together.
_TEXTS, _TERMS = 32, 256
#: The number of choices whose linkers are kept.
_KEPT = 32
#: The least weight of an item, in characters.
_LEAST = 100


@dataclass(frozen=True, slots=True)
class _Key:
    """What can be linked together: the same choice, and the same way of finding mentions."""

    choice: Choice
    recognise: bool | None = None
    terms: bool = False


class Engine:
    """A loaded linker that links what many clients ask for in one thread, in batches.

    The answers are those that the linker gives for each text alone, in one thread.

    Parameters
    ----------
    linker
        The loaded linker.
    limits
        What a request may have. Default: :class:`Limits`.
    observe
        A function that is called after each batch with its number of items and its time in seconds.
    wait
        How long a request waits for others; see :class:`Batcher`. Default: 0.01 s.

    Examples
    --------
    >>> import biolink
    >>> engine = Engine(biolink.load())
    >>> link = asyncio.run(engine.link_terms(["asthma"]))[0]
    >>> link.curie
    'mesh:D001249'
    >>> engine.close()
    """

    def __init__(
        self,
        linker: AnyLinker,
        limits: Limits | None = None,
        observe: Callable[[int, float], None] | None = None,
        wait: float = 0.01,
    ) -> None:
        self.limits = limits or Limits()
        self.bases: KnowledgeBases = linker.linked_bases
        self.linker = linker

        @lru_cache(maxsize=_KEPT)
        def linker_of(choice: Choice) -> AnyLinker:
            return chosen(linker, choice)

        @lru_cache(maxsize=_KEPT)
        def answers_of(choice: Choice) -> TermAnswers:
            return TermAnswers(linker_of(choice))

        self._linker_of, self._answers_of = linker_of, answers_of
        self._batcher: Batcher[_Key, Any, Any] = Batcher(
            self._work,
            lambda key: _TERMS if key.terms else _TEXTS,
            self.limits.waiting,
            wait,
            observe,
        )

    @property
    def waiting(self) -> int:
        """The number of characters in the requests that are waiting."""
        return self._batcher.weight

    @property
    def ready(self) -> bool:
        """Whether requests are taken."""
        return not self._batcher.closed

    def close(self) -> None:
        """Finish what was taken, and end the thread."""
        self._batcher.close()

    async def link(
        self,
        documents: Sequence[Document],
        choice: Choice | None = None,
        recognise: bool | None = None,
    ) -> list[Document]:
        """Link documents.

        Parameters
        ----------
        documents
            The documents.
        choice
            A part of what the linker links, and other settings. Default: everything.
        recognise
            Whether mentions are found, as for :meth:`biolink.Linker.pipe`.

        Raises
        ------
        TooLarge, Busy, TooSlow
            If a limit is exceeded.
        ConfigError
            If the linker has not what the choice wants.
        """
        limits = self.limits
        limits.check("documents", len(documents))
        limits.check("mentions", sum(len(document.mentions) for document in documents))
        for document in documents:
            limits.check("characters", len(document.text))
        items = [Item(document, max(_LEAST, len(document.text))) for document in documents]
        return await self._answers(_Key(choice or Choice(), recognise), items)

    async def link_terms(
        self,
        terms: Sequence[str],
        contexts: Sequence[str] | None = None,
        choice: Choice | None = None,
        types: Sequence[str] | None = None,
    ) -> list[TermLink]:
        """Link terms, as :func:`biolink.link_terms` does.

        Parameters
        ----------
        terms
            The terms.
        contexts
            A context for each, or None.
        choice
            A part of what the linker links, and other settings. Default: everything.
        types
            The type of each term, "" where it is unknown. Default: that of the choice, if it has
            only one.

        Raises
        ------
        TooLarge, Busy, TooSlow
            If a limit is exceeded.
        ConfigError
            If the numbers of terms and contexts differ, or the linker has not what is chosen.
        """
        self.limits.check("terms", len(terms))
        wanted = choice or Choice()
        around = contexts if contexts is not None else [""] * len(terms)
        if len(around) != len(terms):
            raise ConfigError(
                f"there are {len(around)} contexts and {len(terms)} terms; expected one for each"
            )
        kinds = types if types is not None else [only_type(wanted.types)] * len(terms)
        asked = list(zip(terms, around, kinds, strict=True))
        for term, context, _ in asked:
            self.limits.check("characters", len(term) + len(context))
        distinct = [key for key in dict.fromkeys(asked) if key[0].strip()]
        documents = [term_document(*key) for key in distinct]
        items = [
            Item((key[0], document), max(_LEAST, len(document.text)))
            for key, document in zip(distinct, documents, strict=True)
        ]
        answers = await self._answers(_Key(wanted, False, terms=True), items)
        known = dict(zip(distinct, answers, strict=True))
        return [known.get(key) or TermLink(key[0], nil_reason=NO_TEXT) for key in asked]

    async def _answers(self, key: _Key, items: Sequence[Item[Any]]) -> list[Any]:
        futures: list[Future[list[Any]]] = self._batcher.submit(key, items)
        try:
            async with asyncio.timeout(self.limits.seconds):
                parts = await asyncio.gather(*map(asyncio.wrap_future, futures))
        except TimeoutError:
            raise TooSlow(
                f"the request took longer than {self.limits.seconds:g} s; expected less to link, "
                "or the same at a quieter time"
            ) from None
        finally:
            for future in futures:
                future.cancel()
        return [answer for part in parts for answer in part]

    def _work(self, key: _Key, values: Sequence[Any]) -> list[Any]:
        if not key.terms:
            return list(self._linker_of(key.choice).pipe(values, len(values), key.recognise))
        answers = self._answers_of(key.choice)
        linked = answers.linker.link_documents([document for _, document in values])
        return [
            answers(term, document.mentions[0])
            for (term, _), document in zip(values, linked, strict=True)
        ]
