"""The linker for mentions that documents already have or that a recogniser finds in them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache, partial
from typing import Any

from biolink.documents import Document, Mention, each_document
from biolink.errors import ConfigError, shown
from biolink.infer.decide.calibration import Calibration
from biolink.infer.decide.nil import NAMES_NOTHING, UNLIKE_NAMES, Likelier, NilPolicy, NoNil
from biolink.infer.decide.outcome import LinkMaker, outcome
from biolink.infer.decide.written import policy_of
from biolink.infer.linkers.inputs import (
    called,
    check_settings,
    check_travels,
    recognised,
    to_link,
)
from biolink.infer.linkers.piping import Piping
from biolink.infer.mentions.abbreviations import expand_document, finder
from biolink.infer.mentions.nesting import outer_first
from biolink.infer.mentions.open_recogniser import OpenRecogniser
from biolink.infer.mentions.recognise import DictionaryRecogniser, TrainedRecogniser
from biolink.infer.mentions.rewording import reworded
from biolink.infer.mentions.shared_reader import SharedReader, reader_of
from biolink.infer.mentions.spans import like_names, names_something
from biolink.infer.network.model import LinkingModel
from biolink.infer.rank.candidates import RankedConcept
from biolink.infer.rank.combined import early_candidates, rankings_under
from biolink.infer.rank.features import Candidates
from biolink.infer.rank.generate import exactly_named, ranked_by_generation
from biolink.infer.rank.rescore import ranked_among_candidates
from biolink.infer.rank.scope import Scope
from biolink.infer.rank.task import LinkerOptions, Task, batches, reading_of, tasks_of
from biolink.infer.remembered.applying import found_as_remembered, linked_as_remembered
from biolink.infer.remembered.decisions import Remembered
from biolink.infer.retrieve.indexes import Indexes
from biolink.kb import KnowledgeBase
from biolink.kb.arguments import need, need_callable
from biolink.kb.prompt import BY_RECOGNISER
from biolink.kb.trie import NameTrie
from biolink.kb.word_sets import word_sets

__all__ = ["Linker", "LinkerOptions", "Recogniser", "Task"]

#: The function with which each of the methods that only generate ranks a batch of tasks.
_METHODS = {
    "generate": ranked_by_generation,
    "candidates": ranked_among_candidates,
}
#: The indexes that each method needs.
_NEEDED = {"combined": ("lexical", "dense"), "generate": ("trie",), "candidates": ("lexical",)}

#: The recognisers that know the names of a knowledge base.
_OF_A_BASE = (DictionaryRecogniser, TrainedRecogniser, OpenRecogniser)

#: The number of mentions whose wording is kept.
_KEPT = 4096

#: A function that adds mentions to a document.
Recogniser = Callable[[Document], Document]


class Linker(Piping):
    """A linker of the mentions of documents to the concepts of a knowledge base.

    Parameters
    ----------
    model, kb
        A loaded model, and a knowledge base or a subset of one.
    options
        See :class:`LinkerOptions`. Default: ``combined`` if the model has weights for it, otherwise
        ``generate``.
    nil
        The policy that decides when a mention gets no link, in any form that :func:`biolink.load`
        takes. If it is None, given mentions are always linked, and mentions that the recogniser
        found are linked unless NIL is more probable than every concept.
    recogniser
        A function that finds mentions. It is needed only for documents without mentions.
    progress
        A function that is told about indexes while they are built. It is called with a label, the
        number of names done so far and the number of all names.
    calibration
        The calibration that is applied to the probabilities of links, or None.
    remembered
        What people decided about mentions, which linking follows, or None.

    Raises
    ------
    ConfigError
        If an argument has the wrong type, or the model cannot be used with the options.

    Examples
    --------
    >>> import biolink
    >>> default = biolink.load()
    >>> linker = biolink.Linker(default.model, default.kb)
    >>> linker("Aspirin helps.", spans=[(0, 7)]).mentions[0].best.preferred_name
    'Aspirin'
    """

    paradigm = "NER-NED"
    settings = ("nil", "recogniser", "calibration", "remembered")

    def __init__(
        self,
        model: LinkingModel,
        kb: KnowledgeBase,
        options: LinkerOptions | None = None,
        nil: NilPolicy | str | float | None = None,
        recogniser: Recogniser | None = None,
        progress: Callable[[str, int, int], None] | None = None,
        calibration: Calibration | None = None,
        remembered: Remembered | None = None,
    ) -> None:
        need("model", model, LinkingModel, "a LinkingModel (load_model gives one)")
        need("kb", kb, KnowledgeBase, "a KnowledgeBase (KnowledgeBase.read gives one)")
        check_settings(recogniser, calibration)
        need_callable(
            "progress", progress, "a function of a label, the number done and the number of all"
        )
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
        self.reader = _reader_of(recogniser)
        self.calibration = calibration
        self.remembered = remembered
        self.indexes = Indexes(kb, model, progress)

    # ------------------------------------------------------------------ the protocol of linkers

    def __repr__(self) -> str:
        name = "no recogniser" if self.recogniser is None else called(self.recogniser)
        return f"<Linker: {self.options.method}, {len(self.kb):,} concepts, {name}>"

    def __getstate__(self) -> dict[str, Any]:
        check_travels(self.recogniser)
        return self.state()

    def _check_recognise(self, recognise: bool | None) -> None:
        if recognise and self.recogniser is None:
            raise ConfigError("recognise=True needs a recogniser")

    def _block(self, documents: list[Document], recognise: bool | None) -> list[Document]:
        with_mentions, found = to_link(self.recogniser, documents, recognise)
        with_mentions = found_as_remembered(self.remembered, with_mentions, found, self.bases)
        linked = self.link_documents(with_mentions, found)
        if isinstance(self.recogniser, OpenRecogniser):
            for index in found:
                linked[index] = self.recogniser.settled(linked[index])
        return linked

    def with_kb(self, kb: KnowledgeBase) -> Linker:
        """See :meth:`Piping.with_kb`."""
        need("kb", kb, KnowledgeBase, "a KnowledgeBase (KnowledgeBase.read gives one)")
        other = copy.copy(self)  # without the caches of this linker
        other.kb = kb
        if isinstance(self.recogniser, _OF_A_BASE):
            other.recogniser = self.recogniser.with_kb(kb)
        if kb.base is not self.kb.base:
            other.indexes = Indexes(kb, self.model, self.indexes.progress, self.indexes)
            other.reader = _reader_of(other.recogniser)
        return other

    def read_by(self, reader: SharedReader) -> Linker:
        """The same linker, for which another reader reads documents if the model needs one."""
        other = copy.copy(self)  # without the caches of this linker
        other.reader = reader
        return other

    def prepare(self) -> None:
        """Build the indexes that linking needs, or map stored ones into memory."""
        for name in _NEEDED[self.options.method]:
            getattr(self.indexes, name)

    # ------------------------------------------------------------------ parts

    @cached_property
    def scope(self) -> Scope:
        """The model and the knowledge base in the form that the methods of ranking need."""
        reader, reading = None, reading_of(self.model.form, self.options.reading)
        if reading in BY_RECOGNISER:
            reader = self.reader
            if reader is None or not reader.reads_for(reading):
                reader = reader_of(self.model, reading)
        return Scope(self.model, self.kb, self.indexes, self.options, reader)

    @cached_property
    def _reworded(self) -> Callable[[str], str | None] | None:
        """How mentions are put into the words of a base that the model was not trained with."""
        ranker = self.model.ranker
        if ranker is None or not ranker.annotations or self.scope.priors:
            return None
        return lru_cache(maxsize=_KEPT)(partial(reworded, kb=self.kb, sets=word_sets(self.kb)))

    @property
    def trie(self) -> NameTrie:
        """The trie of this linker's names."""
        return self.scope.trie

    @cached_property
    def _of_whole(self) -> Linker:
        """This linker over the whole knowledge base."""
        return self.with_kb(self.kb.base)

    # ------------------------------------------------------------------ linking

    def link_documents(
        self, documents: Sequence[Document], recognised: Collection[int] = ()
    ) -> list[Document]:
        """Link the mentions that the documents have.

        Parameters
        ----------
        documents
            Documents with mentions.
        recognised
            The indices of the documents whose mentions a recogniser found; with ``nil=None``, they
            are treated differently. Default: none.

        Returns
        -------
        The documents with links, in the same order.
        """
        documents = list(each_document(documents, "link_documents"))
        documents, tasks, task_numbers = _distinct(documents, self)
        whole = self.nil is not None and self.nil.whole and self.kb.row_mask is not None
        ranked = (self._of_whole if whole else self).link_tasks(tasks)
        linked = self.assembled(documents, task_numbers, ranked, recognised)
        return linked_as_remembered(self.remembered, linked, documents, self.bases)

    def link_under(
        self, documents: Sequence[Document], kbs: Sequence[KnowledgeBase]
    ) -> list[list[Document]]:
        """Link the mentions that the documents have to each of several subsets of a knowledge base.

        What does not depend on the subset is done once, so this is faster than a linker for each
        subset. No NIL policy is applied.

        Parameters
        ----------
        documents
            Documents with mentions.
        kbs
            This linker's knowledge base, or subsets of it.

        Returns
        -------
        The linked documents for each subset.

        Raises
        ------
        ConfigError
            If ``kbs`` contains anything else.
        """
        documents = list(each_document(documents, "link_under"))
        if not isinstance(kbs, Sequence):
            raise ConfigError(f"link_under was given {shown(kbs)}; expected several KnowledgeBases")
        linkers = [self.with_kb(kb).with_settings(nil=NoNil()) for kb in kbs]
        if any(linker.indexes is not self.indexes for linker in linkers):
            raise ConfigError(
                "only subsets of the linker's own knowledge base can be linked together"
            )
        documents, tasks, task_numbers = _distinct(documents, self)
        return [
            linker.assembled(documents, task_numbers, ranked, ())
            for linker, ranked in zip(linkers, _ranked_under(linkers, tasks), strict=True)
        ]

    def find_under(
        self, documents: Sequence[Document], kbs: Sequence[KnowledgeBase]
    ) -> list[list[Document]]:
        """See :meth:`Piping.find_under`; the recogniser is run only once."""
        if self.recogniser is None:
            raise ConfigError("finding mentions needs a recogniser")
        documents = list(each_document(documents, "find_under"))
        whole = self.with_kb(self.kb.base)
        return whole.link_under(recognised(self.recogniser, documents), kbs)

    def tasks(self, document: Document) -> list[Task]:
        """The task of each mention of a document whose abbreviations are expanded already."""
        return tasks_of(document, self.model, self.options.reading, self._reworded)

    def candidates(self, tasks: Sequence[Task], early: bool = False) -> list[Candidates]:
        """The candidates of each task, in the order of retrieval, with their features.

        Parameters
        ----------
        tasks
            The mentions.
        early
            Only the candidates and features that do not depend on context. Default: False.
        """
        if early:
            return early_candidates(self.scope, tasks)
        (rankings,) = rankings_under([self.scope], tasks, score_all=True)
        return [ranking.candidates for ranking in rankings]

    def link_tasks(self, tasks: Sequence[Task]) -> list[list[RankedConcept]]:
        """The ranked concepts of each task, best first."""
        if self.options.method == "combined":
            (rankings,) = rankings_under([self.scope], tasks)
            return [ranking.concepts for ranking in rankings]
        rank = _METHODS[self.options.method]
        ranked = exactly_named(self.scope, tasks) if self.options.names_first else {}
        unknown = [task for task in dict.fromkeys(tasks) if task not in ranked]
        for chosen in batches(unknown, self.options.batch_size):
            batch = [unknown[i] for i in chosen]
            ranked.update(zip(batch, rank(self.scope, batch), strict=True))
        return [ranked[task] for task in tasks]

    def assembled(
        self,
        documents: Sequence[Document],
        task_numbers: Sequence[Sequence[int]],
        ranked: Sequence[Sequence[RankedConcept]],
        recognised: Collection[int],
    ) -> list[Document]:
        """The documents with the outcome for each of their mentions.

        Parameters
        ----------
        documents
            Documents whose mentions have their long forms.
        task_numbers
            For each document, the number of the task of each mention.
        ranked
            The ranked concepts of each task.
        recognised
            See :meth:`link_documents`.
        """
        make = LinkMaker(self.kb, self.calibration)
        return [
            document.with_mentions(
                _outcome(
                    mention,
                    ranked[task_number],
                    self.nil or (Likelier() if number in recognised else NoNil()),
                    make,
                    self.options,
                )
                for mention, task_number in zip(document.mentions, numbers_here, strict=True)
            )
            for number, (document, numbers_here) in enumerate(
                zip(documents, task_numbers, strict=True)
            )
        ]


def _reader_of(recogniser: Recogniser | None) -> SharedReader | None:
    """The reader that a recogniser finds mentions with."""
    if isinstance(recogniser, TrainedRecogniser | OpenRecogniser):
        return recogniser.reader
    return None


def _distinct(
    documents: Sequence[Document], linker: Linker
) -> tuple[Sequence[Document], list[Task], list[list[int]]]:
    """The documents with long forms, the distinct tasks, and the task number of each mention."""
    find = finder(linker.options.abbreviations)
    if find is not None:
        documents = [expand_document(document, find) for document in documents]
    tasks: dict[Task, int] = {}
    task_numbers = [
        [tasks.setdefault(task, len(tasks)) for task in outer_first(document, linker.tasks)]
        for document in documents
    ]
    return documents, list(tasks), task_numbers


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
    # In the combined score, NIL is one more candidate. The other methods do not have it.
    nil = options.method == "combined"
    return outcome(mention, ranked, policy, make, options.top_k, nil)


def _ranked_under(
    linkers: Sequence[Linker], tasks: Sequence[Task]
) -> list[list[list[RankedConcept]]]:
    """The ranked concepts of tasks for each of several subsets of a knowledge base."""
    if linkers[0].options.method != "combined":
        return [linker.link_tasks(tasks) for linker in linkers]
    scopes = [linker.scope for linker in linkers]
    return [
        [ranking.concepts for ranking in rankings] for rankings in rankings_under(scopes, tasks)
    ]
