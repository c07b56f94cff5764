"""The linker of mentions: those that documents have, or that a recogniser finds in them."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from biolink.documents import Document, Mention, each_document
from biolink.errors import ConfigError, shown
from biolink.infer.decide.calibration import Calibration
from biolink.infer.decide.nil import (
    NAMES_NOTHING,
    UNLIKE_NAMES,
    Likelier,
    NilPolicy,
    NoNil,
    policy_of,
)
from biolink.infer.decide.outcome import LinkMaker, outcome
from biolink.infer.linkers.piping import (
    Piping,
    called,
    check_settings,
    check_travels,
    recognised,
)
from biolink.infer.mentions.abbreviations import expand_document, finder
from biolink.infer.mentions.recognise import DictionaryRecogniser, TrainedRecogniser
from biolink.infer.mentions.spans import like_names, names_something
from biolink.infer.network.model import LinkingModel
from biolink.infer.rank.candidates import RankedConcept
from biolink.infer.rank.combined import candidates_under, ranked_by_features, ranked_combined
from biolink.infer.rank.features import Candidates
from biolink.infer.rank.generate import exactly_named, ranked_by_generation
from biolink.infer.rank.rescore import ranked_among_candidates
from biolink.infer.rank.scope import Scope
from biolink.infer.rank.task import LinkerOptions, Task, batches, tasks_of
from biolink.infer.retrieve.indexes import Indexes
from biolink.kb import KnowledgeBase
from biolink.kb.arguments import need, need_callable
from biolink.kb.trie import NameTrie

__all__ = ["Linker", "LinkerOptions", "Recogniser", "Task"]

#: Tasks whose result is kept: documents that come again in the same batch are not linked again.
REMEMBERED = 8192

#: How each method ranks a batch of tasks.
_METHODS = {
    "combined": ranked_combined,
    "generate": ranked_by_generation,
    "candidates": ranked_among_candidates,
}
#: Indexes that a method looks names up in.
_NEEDED = {"combined": ("lexical", "dense"), "generate": ("trie",), "candidates": ("lexical",)}

#: Adds mentions to a document.
Recogniser = Callable[[Document], Document]

#: What a batch of tasks gave.
_Remembered = OrderedDict[tuple[LinkerOptions, tuple[Task, ...]], list[list[RankedConcept]]]


class Linker(Piping):
    """Links mentions of documents to concepts of a knowledge base.

    Parameters
    ----------
    model, kb
        A loaded model and a knowledge base, or a subset of one.
    options
        See :class:`LinkerOptions`.
    nil
        When a mention gets no link, as :func:`biolink.load` takes it. When None: mentions that are
        given are always linked, those that were found here are not where NIL is likelier than
        every concept.
    recogniser
        Finds mentions; needed only for documents that come without.
    progress
        Told about indexes that are built.
    calibration
        Maps the links' probabilities to calibrated ones.
    """

    paradigm = "NER-NED"
    settings = ("nil", "recogniser", "calibration")

    def __init__(
        self,
        model: LinkingModel,
        kb: KnowledgeBase,
        options: LinkerOptions | None = None,
        nil: NilPolicy | str | float | None = None,
        recogniser: Recogniser | None = None,
        progress: Callable[[str, int, int], None] | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        need("model", model, LinkingModel, "a LinkingModel (load_model gives one)")
        need("kb", kb, KnowledgeBase, "a KnowledgeBase (KnowledgeBase.read gives one)")
        check_settings(recogniser, calibration)
        need_callable("progress", progress, "a function of what, how many and of how many")
        if options is None:
            options = LinkerOptions(method="combined" if model.ranker else "generate")
        need("options", options, LinkerOptions, "LinkerOptions")
        if options.method == "combined" and model.ranker is None:
            raise ConfigError(
                "this model has no weights for method='combined': use 'generate' or 'candidates'"
            )
        self.model, self.kb, self.options = model, kb, options
        self.nil = policy_of(nil)
        self.recogniser = recogniser
        self.calibration = calibration
        self.indexes = Indexes(kb, model, progress)
        self._remembered: _Remembered = OrderedDict()

    # ------------------------------------------------------------------ the protocol of linkers

    def __repr__(self) -> str:
        name = "no recogniser" if self.recogniser is None else called(self.recogniser)
        return f"<Linker: {self.options.method}, {len(self.kb):,} concepts, {name}>"

    def state(self) -> dict[str, Any]:
        """See :meth:`Piping.state`; what was linked before is left behind."""
        return super().state() | {"_remembered": OrderedDict()}

    def __getstate__(self) -> dict[str, Any]:
        check_travels(self.recogniser)
        return self.state()

    def _check_recognise(self, recognise: bool | None) -> None:
        if recognise and self.recogniser is None:
            raise ConfigError("recognise=True needs a recogniser")

    def _block(self, documents: list[Document], recognise: bool | None) -> list[Document]:
        return self.link_documents(*self._recognised(documents, recognise))

    def _recognised(
        self, documents: list[Document], recognise: bool | None
    ) -> tuple[list[Document], set[int]]:
        """Documents with their mentions, and the places of those where they were found anew."""
        wanted = [
            place
            for place, document in enumerate(documents)
            if recognise or (recognise is None and not document.mentions)
        ]
        if self.recogniser is None or not wanted:
            return documents, set()
        found = recognised(self.recogniser, [documents[place] for place in wanted])
        result = dict(zip(wanted, found, strict=True))
        every = [result.get(place, document) for place, document in enumerate(documents)]
        return every, set(wanted)

    def with_kb(self, kb: KnowledgeBase) -> Linker:
        """See :meth:`Piping.with_kb`."""
        need("kb", kb, KnowledgeBase, "a KnowledgeBase (KnowledgeBase.read gives one)")
        other = copy.copy(self)  # without what was cached for this one
        other.kb = kb
        if isinstance(self.recogniser, DictionaryRecogniser | TrainedRecogniser):
            other.recogniser = self.recogniser.with_kb(kb)
        if kb.base is not self.kb.base:
            other.indexes = Indexes(kb, self.model, self.indexes.progress, self.indexes)
        return other

    def prepare(self) -> None:
        """Build, or map, what linking looks names up in."""
        for name in _NEEDED[self.options.method]:
            getattr(self.indexes, name)

    # ------------------------------------------------------------------ parts

    @cached_property
    def scope(self) -> Scope:
        """The model over the knowledge base, as the methods of ranking take it."""
        return Scope(self.model, self.kb, self.indexes, self.options)

    @property
    def trie(self) -> NameTrie:
        """The trie of this linker's names."""
        return self.scope.trie

    @cached_property
    def _of_whole(self) -> Linker:
        """This linker over the whole base."""
        return self.with_kb(self.kb.base)

    # ------------------------------------------------------------------ linking

    def link_documents(
        self, documents: Sequence[Document], recognised: Collection[int] = ()
    ) -> list[Document]:
        """Link the mentions that the documents have.

        Parameters
        ----------
        recognised
            Places of documents whose mentions were found, not given: what ``nil=None`` asks.
        """
        documents = list(each_document(documents, "link_documents"))
        documents, tasks, places = _distinct(documents, self)
        whole = self.nil is not None and self.nil.whole and self.kb.row_mask is not None
        ranked = (self._of_whole if whole else self).link_tasks(tasks)
        return self.assembled(documents, places, ranked, recognised)

    def link_under(
        self, documents: Sequence[Document], kbs: Sequence[KnowledgeBase]
    ) -> list[list[Document]]:
        """Link the mentions that the documents have under each of several parts of one base.

        What does not depend on the part is done once, so this is faster than a linker for each.

        Parameters
        ----------
        kbs
            This linker's knowledge base, or parts of it.

        Returns
        -------
        For each part the linked documents. No NIL policy is asked.
        """
        documents = list(each_document(documents, "link_under"))
        if not isinstance(kbs, Sequence):
            raise ConfigError(f"link_under was given {shown(kbs)}; expected several KnowledgeBases")
        linkers = [self.with_kb(kb).with_settings(nil=NoNil()) for kb in kbs]
        if any(linker.indexes is not self.indexes for linker in linkers):
            raise ConfigError("only parts of the linker's own knowledge base are linked together")
        documents, tasks, places = _distinct(documents, self)
        ranked: list[list[list[RankedConcept]]] = [[[] for _ in tasks] for _ in linkers]
        for batch in batches(tasks, self.options.batch_size):
            under_parts = _ranked_under(linkers, [tasks[i] for i in batch])
            for results, of_part in zip(ranked, under_parts, strict=True):
                for i, concepts in zip(batch, of_part, strict=True):
                    results[i] = concepts
        return [
            linker.assembled(documents, places, results, ())
            for linker, results in zip(linkers, ranked, strict=True)
        ]

    def find_under(
        self, documents: Sequence[Document], kbs: Sequence[KnowledgeBase]
    ) -> list[list[Document]]:
        """See :meth:`Piping.find_under`; the recogniser works once."""
        if self.recogniser is None:
            raise ConfigError("finding mentions needs a recogniser")
        documents = list(each_document(documents, "find_under"))
        whole = self.with_kb(self.kb.base)
        return whole.link_under(recognised(self.recogniser, documents), kbs)

    def tasks(self, document: Document) -> list[Task]:
        """A task for each mention of a document whose abbreviations are written out already."""
        return tasks_of(document, self.model)

    def candidates(self, tasks: Sequence[Task]) -> list[Candidates]:
        """Candidates of each task with all of their features, best retrieved first."""
        return candidates_under([self.scope], tasks, score_all=True)[0]

    def link_tasks(self, tasks: Sequence[Task]) -> list[list[RankedConcept]]:
        """Ranked concepts of each task.

        The last batches are remembered, whole: rounding depends on what a task is run with, and
        so the result is the same to the last bit, whatever was linked before.
        """
        rank = _METHODS[self.options.method]
        ranked = exactly_named(self.scope, tasks) if self.options.names_first else {}
        unknown = [task for task in dict.fromkeys(tasks) if task not in ranked]
        for chosen in batches(unknown, self.options.batch_size):
            batch = tuple(unknown[i] for i in chosen)
            key = (self.options, batch)
            if key not in self._remembered:
                self._remembered[key] = rank(self.scope, batch)
            self._remembered.move_to_end(key)
            ranked.update(zip(batch, self._remembered[key], strict=True))
        while sum(len(batch) for _, batch in self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return [ranked[task] for task in tasks]

    def assembled(
        self,
        documents: Sequence[Document],
        places: Sequence[Sequence[int]],
        ranked: Sequence[Sequence[RankedConcept]],
        recognised: Collection[int],
    ) -> list[Document]:
        """The documents with the outcome for each of their mentions.

        Parameters
        ----------
        documents
            With long forms.
        places
            Which of the tasks each mention is.
        ranked
            Concepts of each task.
        recognised
            See :meth:`link_documents`.
        """
        make = LinkMaker(self.kb, self.calibration)
        return [
            document.with_mentions(
                _outcome(
                    mention,
                    ranked[place],
                    self.nil or (Likelier() if number in recognised else NoNil()),
                    make,
                    self.options,
                )
                for mention, place in zip(document.mentions, of_document, strict=True)
            )
            for number, (document, of_document) in enumerate(zip(documents, places, strict=True))
        ]


def _distinct(
    documents: Sequence[Document], linker: Linker
) -> tuple[Sequence[Document], list[Task], list[list[int]]]:
    """Documents with long forms, distinct tasks, and which task each mention is."""
    find = finder(linker.options.abbreviations)
    if find is not None:
        documents = [expand_document(document, find) for document in documents]
    tasks: dict[Task, int] = {}
    places = [
        [tasks.setdefault(task, len(tasks)) for task in linker.tasks(document)]
        for document in documents
    ]
    return documents, list(tasks), places


def _outcome(
    mention: Mention,
    ranked: Sequence[RankedConcept],
    policy: NilPolicy,
    make: LinkMaker,
    options: LinkerOptions,
) -> Mention:
    if not names_something(mention.text):
        return replace(mention, links=(), nil_reason=NAMES_NOTHING)
    if not like_names(make.kb.base, mention.long_form or mention.text):
        return replace(mention, links=(), nil_reason=UNLIKE_NAMES)
    # In the combined score NIL is one more candidate; the other methods know none.
    nil = options.method == "combined"
    return outcome(mention, ranked, policy, make, options.top_k, nil)


def _ranked_under(
    linkers: Sequence[Linker], tasks: Sequence[Task]
) -> Iterable[list[list[RankedConcept]]]:
    """Ranked concepts of a batch of tasks for each of several parts of one base."""
    if linkers[0].options.method != "combined":
        return [linker.link_tasks(tasks) for linker in linkers]
    scopes = [linker.scope for linker in linkers]
    return [
        [ranked_by_features(scope, candidates) for candidates in of_part]
        for scope, of_part in zip(
            scopes, candidates_under(scopes, tasks, score_all=False), strict=True
        )
    ]
