"""The base class of linkers that find their own mentions."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Self

from biolink.documents import Document, Mention
from biolink.errors import ConfigError
from biolink.infer.decide.nil import NilPolicy, NoNil
from biolink.infer.decide.outcome import LinkMaker, outcome
from biolink.infer.decide.written import policy_of
from biolink.infer.linkers.piping import Piping
from biolink.infer.mentions.spans import is_written, tidied
from biolink.infer.network.model import LinkingModel
from biolink.infer.rank.candidates import RankedConcept
from biolink.infer.retrieve.indexes import Indexes, Progress
from biolink.kb import KnowledgeBase
from biolink.kb.arguments import need

__all__ = ["TextLinker"]


class TextLinker(Piping):
    """A linker that finds and links mentions together.

    Mentions that a document has are replaced. Mentions that are found do not overlap.

    Parameters
    ----------
    model
        The model that finds and links mentions.
    kb
        The knowledge base, or the subset of one, whose concepts are linked to.
    nil
        The policy that decides when a mention gets no link, in any form that :func:`biolink.load`
        takes. None keeps all links. With a policy that compares a subset with the whole knowledge
        base, the linker searches the whole, and links to concepts outside the subset are dropped.
    progress
        A function that is told about indexes while they are built.

    Raises
    ------
    ConfigError
        If an argument has the wrong type.
    """

    def __init__(
        self,
        model: LinkingModel,
        kb: KnowledgeBase,
        nil: NilPolicy | str | float | None,
        progress: Progress | None = None,
    ) -> None:
        need("model", model, LinkingModel, "a LinkingModel (load_model gives one)")
        need("kb", kb, KnowledgeBase, "a KnowledgeBase (KnowledgeBase.read gives one)")
        self.model, self.kb, self.nil = model, kb, policy_of(nil)
        self.indexes = Indexes(kb, model, progress)

    @property
    def searched(self) -> KnowledgeBase:
        """The knowledge base whose concepts are searched for: the subset, or the whole."""
        return self.kb.base if self.nil is not None and self.nil.whole else self.kb

    def _check_recognise(self, recognise: bool | None) -> None:
        if recognise is False:
            raise ConfigError("this model finds its own mentions: it cannot link given ones")

    def _block(self, documents: list[Document], recognise: bool | None) -> list[Document]:
        self._check_recognise(recognise)
        return [
            document.with_mentions(
                tidied(document, document.mentions, partial(is_written, self.kb.base), whole=True)
            )
            for document in self._linked(documents)
        ]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self.kb):,} concepts>"

    def with_kb(self, kb: KnowledgeBase) -> Self:
        """See :meth:`Piping.with_kb`."""
        need("kb", kb, KnowledgeBase, "a KnowledgeBase (KnowledgeBase.read gives one)")
        other = copy.copy(self)
        other.kb = kb
        if kb.base is not self.kb.base:
            other.indexes = Indexes(kb, self.model, self.indexes.progress, self.indexes)
        return other

    def find_under(
        self, documents: Sequence[Document], kbs: Sequence[KnowledgeBase]
    ) -> list[list[Document]]:
        """See :meth:`Piping.find_under`."""
        return [list(self.with_kb(kb).with_settings(nil=NoNil()).pipe(documents)) for kb in kbs]

    @abstractmethod
    def _linked(self, documents: Sequence[Document]) -> list[Document]:
        """The documents with the mentions that are found in them, and their links."""

    def _mention(self, text: str, start: int, end: int, ranked: Sequence[RankedConcept]) -> Mention:
        """A mention with its links, or NIL.

        The probability of the mention is that of its best concept.
        """
        best = max(concept.probability for concept in ranked)
        mention = Mention(start, end, text[start:end], probability=best)
        return outcome(mention, ranked, self.nil or NoNil(), LinkMaker(self.kb), None, nil=False)
