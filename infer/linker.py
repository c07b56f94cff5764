"""The linker: documents in, documents with ranked links out."""

from __future__ import annotations

import copy
import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch

from biolink.documents import Document, Link, Mention, each_document
from biolink.errors import ConfigError, shown
from biolink.infer.abbreviations import Finder, expand_document, finder, may_be_short
from biolink.infer.backbone import Memory
from biolink.infer.calibration import Calibration
from biolink.infer.candidates import (
    Candidates,
    Found,
    Read,
    Retrieved,
    by_concept,
    fill_in,
    highest,
)
from biolink.infer.decode import FAST, DecodingOptions, constrained_beam_search
from biolink.infer.encoder import of_similar_size
from biolink.infer.finite import check_scores
from biolink.infer.hints import HINTS, Hint, hints
from biolink.infer.indexes import Indexes
from biolink.infer.model import LinkingModel
from biolink.infer.nil import (
    NAMES_NOTHING,
    NO_CANDIDATE,
    UNLIKE_NAMES,
    Likelier,
    NilPolicy,
    NoNil,
    Seen,
    policy_of,
)
from biolink.infer.piping import (
    Piping,
    called,
    check_travels,
    recognised,
    state_without_caches,
)
from biolink.infer.ranker import (
    FEATURES,
    nil_features,
    type_agreement,
    type_name,
)
from biolink.infer.recognise import DictionaryRecogniser, TrainedRecogniser
from biolink.infer.score import name_sums, pack
from biolink.infer.spans import like_names, names_something
from biolink.kb import KnowledgeBase, normalise_name
from biolink.kb.arguments import need, need_callable, need_flag, need_natural
from biolink.kb.prompt import source_text
from biolink.kb.trie import NameTrie

__all__ = ["Linker", "LinkerOptions", "Recogniser", "Task"]

#: What the cosine of embeddings counts beside that of n-grams where candidates are put in order;
#: chosen on development documents for what it leaves among the best 16.
DENSE_SHARE = 2.0
#: What that of the embedding of the mention in its context counts there.
CONTEXT_SHARE = 1.0

#: Nats behind the best candidate, all but generation counted, beyond which names are not scored by
#: generation: what generation says weighs too little to bring them to the top
#: (``benchmarks/linking.py``).
OPEN = 4.0

#: Tasks whose result is kept: documents that come again in the same batch are not linked again.
REMEMBERED = 8192

#: Tokens of names, padded, that are scored together.
_PADDED = 4096

#: Indexes that a method looks names up in.
_NEEDED = {"combined": ("lexical", "dense"), "generate": ("trie",), "candidates": ("lexical",)}

#: Adds mentions to a document.
Recogniser = Callable[[Document], Document]


@dataclass(frozen=True, slots=True)
class LinkerOptions:
    """How a linker links.

    Attributes
    ----------
    method
        ``combined``: candidates by n-grams and embeddings, ranked by generation, embeddings and
        n-grams together. ``generate``: beam search over all names. ``candidates``: the names most
        similar by n-grams, ranked by their generative score alone.
    top_k
        Links kept for each mention.
    decoding
        For ``generate``.
    candidates
        Names that each retriever contributes.
    scored
        Names of them that are scored by generation (``combined``).
    homonyms
        What a generated name that several concepts own becomes (``generate`` and
        ``candidates``; ``combined`` ranks every owner by its own features). ``rank``: its first
        owner in the order preferred name before synonym, count in the training data, agreement
        with the mention's type, id. ``all``: every owner, in that order.
    match_types
        Only concepts whose semantic type agrees with the mention's, where both are known.
    abbreviations
        ``schwartz-hearst``, ``scispacy``, ``auto`` or ``none``.
    batch_size
        Mentions that are run together.
    names_first
        In ``generate``, a mention that is one of the names after normalisation is linked to the
        owners of that name without the model, with probability 1. Behind them come the names that
        begin with it, shortest first; their probability is the share of their tokens that the
        mention is. The score is its logarithm. ``benchmarks/results/decoding.md`` says
        what that costs.
    """

    method: Literal["combined", "generate", "candidates"] = "combined"
    top_k: int = 5
    decoding: DecodingOptions = FAST
    candidates: int = 20
    scored: int = 16
    homonyms: Literal["rank", "all"] = "rank"
    match_types: bool = False
    abbreviations: str = "auto"
    batch_size: int = 32
    names_first: bool = False

    def __post_init__(self) -> None:
        if self.method not in ("combined", "generate", "candidates"):
            raise ConfigError(f"method is combined, generate or candidates, not {self.method!r}")
        if self.homonyms not in ("rank", "all"):
            raise ConfigError(f"homonyms is rank or all, not {self.homonyms!r}")
        for name in ("top_k", "candidates", "scored", "batch_size"):
            need_natural(name, getattr(self, name))
        for name in ("match_types", "names_first"):
            need_flag(name, getattr(self, name))
        need("decoding", self.decoding, DecodingOptions, "DecodingOptions")
        finder(self.abbreviations)
        if self.names_first and self.method != "generate":
            raise ConfigError(f"names_first goes with the method generate, not {self.method}")


@dataclass(frozen=True, slots=True)
class Task:
    """A mention as the model sees it; equal tasks are linked once.

    Attributes
    ----------
    source
        Encoder input (:func:`biolink.kb.prompt.source_text`).
    mention, type
        The mention, its abbreviations written out, and its type.
    hints
        What else says what it stands for.
    """

    source: str
    mention: str
    type: str
    hints: tuple[Hint, ...] = ()


#: What a batch of tasks gave.
_Known = OrderedDict[tuple[LinkerOptions, tuple[Task, ...]], list[list[Found]]]


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
        Of the links' probabilities.
    """

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
        need_callable("recogniser", recogniser, "a function from document to document")
        need_callable("progress", progress, "a function of what, how many and of how many")
        if calibration is not None:
            need("calibration", calibration, Calibration, "a Calibration")
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
        self._indexes = Indexes(kb, model, progress)
        self._known: _Known = OrderedDict()

    # ------------------------------------------------------------------ public

    def __repr__(self) -> str:
        name = "no recogniser" if self.recogniser is None else called(self.recogniser)
        return f"<Linker: {self.options.method}, {len(self.kb):,} concepts, {name}>"

    def _state(self) -> dict[str, Any]:
        return state_without_caches(self) | {"_known": OrderedDict()}

    def __getstate__(self) -> dict[str, Any]:
        check_travels(self.recogniser)
        return self._state()

    def __copy__(self) -> Linker:
        other = object.__new__(type(self))
        other.__dict__.update(self._state())
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> Linker:
        other = memo[id(self)] = object.__new__(type(self))
        other.__dict__.update(copy.deepcopy(self._state(), memo))
        return other

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
        """The same model over another knowledge base; over a part of this one without work.

        Raises
        ------
        ConfigError
            When it is given something else, the path of a base for example.
        """
        need("kb", kb, KnowledgeBase, "a KnowledgeBase (KnowledgeBase.read gives one)")
        other = copy.copy(self)  # without what was cached for this one
        other.kb = kb
        if isinstance(self.recogniser, DictionaryRecogniser | TrainedRecogniser):
            other.recogniser = self.recogniser.with_kb(kb)
        if kb.base is not self.kb.base:
            other._indexes = Indexes(kb, self.model, self._indexes.progress, self._indexes)
        return other

    def prepare(self) -> None:
        """Build, or map, what linking looks names up in."""
        for name in _NEEDED[self.options.method]:
            getattr(self._indexes, name)

    # ------------------------------------------------------------------ parts

    @cached_property
    def trie(self) -> NameTrie:
        """The trie of this linker's names."""
        full = self._indexes.trie
        return full if self.kb.row_mask is None else full.restrict(self.kb.name_mask)

    @property
    def indexes(self) -> Indexes:
        """Indexes over the whole base."""
        return self._indexes

    @cached_property
    def _find(self) -> Finder | None:
        return finder(self.options.abbreviations)

    @cached_property
    def _index_mask(self) -> np.ndarray | None:
        """bool over the rows of the n-gram and dense indexes: what this linker may return."""
        if self.kb.row_mask is None:
            return None
        mask: np.ndarray = self.kb.name_mask[self._indexes.lexical.name_ids]
        return mask

    @cached_property
    def _kb_types(self) -> set[str]:
        return set(map(type_name, self.kb.base.every_type))

    @cached_property
    def _priors(self) -> dict[int, int]:
        """Row -> count in the training data, whatever id this knowledge base gives a concept."""
        return self._rows_of(self.model.ranker.priors if self.model.ranker else {})

    def _rows_of(self, counts: dict[str, int]) -> dict[int, int]:
        """Counts by concept id as counts by row, those of unknown concepts left out."""
        by_row: dict[int, int] = {}
        for concept_id, count in counts.items():
            row = self.kb.base.row_of(concept_id)
            if row is not None:
                by_row[row] = by_row.get(row, 0) + count
        return by_row

    def _annotated(self, mention: str) -> dict[int, int]:
        """Row -> how often training documents link this mention to it."""
        ranker = self.model.ranker
        found = ranker.annotations.get(normalise_name(mention)) if ranker else None
        return self._rows_of(found) if found else {}

    @cached_property
    def _place_of(self) -> np.ndarray:
        """int64 [name ids]: row of a name in the n-gram and dense indexes, -1 for none."""
        name_ids = self._indexes.lexical.name_ids
        places = np.full(self.kb.base.name_slots, -1, dtype=np.int64)
        places[name_ids] = np.arange(len(name_ids))
        return places

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
        documents, tasks, places = self._distinct(documents)
        whole = self.nil is not None and self.nil.whole and self.kb.row_mask is not None
        found = (self._of_whole if whole else self).link_tasks(tasks)
        return self._assembled(documents, places, found, recognised)

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
        linkers = [self.with_kb(kb) for kb in kbs]
        if any(linker._indexes is not self._indexes for linker in linkers):
            raise ConfigError("only parts of the linker's own knowledge base are linked together")
        documents, tasks, places = self._distinct(documents)
        found: list[list[list[Found]]] = [[[] for _ in tasks] for _ in linkers]
        for part in self._batches(tasks):
            chosen = [tasks[i] for i in part]
            if self.options.method == "combined":
                every = _candidates_under(linkers, chosen, everything=False)
                linked = [
                    [linker._ranked(one) for one in of_part]
                    for linker, of_part in zip(linkers, every, strict=True)
                ]
            else:
                linked = [linker.link_tasks(chosen) for linker in linkers]
            for results, of_part in zip(found, linked, strict=True):
                for place, one in zip(part, of_part, strict=True):
                    results[place] = one
        for linker in linkers:
            linker.nil = NoNil()
        return [
            linker._assembled(documents, places, results, ())
            for linker, results in zip(linkers, found, strict=True)
        ]

    def _distinct(
        self, documents: Sequence[Document]
    ) -> tuple[Sequence[Document], list[Task], list[list[int]]]:
        """Documents with long forms, distinct tasks, and which task each mention is."""
        if self._find is not None:
            documents = [expand_document(document, self._find) for document in documents]
        tasks: dict[Task, int] = {}
        places = [
            [tasks.setdefault(task, len(tasks)) for task in self.tasks(document)]
            for document in documents
        ]
        return documents, list(tasks), places

    def _assembled(
        self,
        documents: Sequence[Document],
        places: Sequence[Sequence[int]],
        found: Sequence[Sequence[Found]],
        recognised: Collection[int],
    ) -> list[Document]:
        """The documents with what was found for their mentions, NIL policy asked."""
        return [
            document.with_mentions(
                self._linked(
                    mention,
                    found[place],
                    self.nil or (Likelier() if number in recognised else NoNil()),
                )
                for mention, place in zip(document.mentions, of_document, strict=True)
            )
            for number, (document, of_document) in enumerate(zip(documents, places, strict=True))
        ]

    def _batches(self, tasks: Sequence[Task]) -> Iterator[list[int]]:
        """Places of tasks that are linked together: they are of similar length."""
        order = sorted(range(len(tasks)), key=lambda i: len(tasks[i].source))
        for begin in range(0, len(order), self.options.batch_size):
            yield order[begin : begin + self.options.batch_size]

    def tasks(self, document: Document) -> list[Task]:
        """A task for each mention of a document whose abbreviations are written out already."""
        ranker = self.model.ranker
        known = hints(document, ranker.abbreviations if ranker else {})
        return [
            Task(
                source_text(
                    document.text,
                    mention.start,
                    mention.end,
                    self.model.form,
                    mention.long_form or mention.text,
                ),
                mention.long_form or mention.text,
                mention.type,
                of_mention,
            )
            for mention, of_mention in zip(document.mentions, known, strict=True)
        ]

    def link_tasks(self, tasks: Sequence[Task]) -> list[list[Found]]:
        """Ranked concepts of each task.

        The last batches are remembered, whole: rounding depends on what a task is run with, and
        so what is found is the same to the last bit, whatever was linked before.
        """
        link = {
            "combined": self._combined,
            "generate": self._generated,
            "candidates": self._among_candidates,
        }[self.options.method]
        found = self._named(tasks) if self.options.names_first else {}
        unknown = [task for task in dict.fromkeys(tasks) if task not in found]
        for part in self._batches(unknown):
            batch = tuple(unknown[i] for i in part)
            key = (self.options, batch)
            if key not in self._known:
                self._known[key] = link(batch)
            self._known.move_to_end(key)
            found.update(zip(batch, self._known[key], strict=True))
        while sum(len(batch) for _, batch in self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return [found[task] for task in tasks]

    @cached_property
    def _of_whole(self) -> Linker:
        """This linker over the whole base."""
        return self.with_kb(self.kb.base)

    def _linked(self, mention: Mention, found: Sequence[Found], policy: NilPolicy) -> Mention:
        if not names_something(mention.text):
            return replace(mention, links=(), nil_reason=NAMES_NOTHING)
        if not like_names(self.kb.base, mention.long_form or mention.text):
            return replace(mention, links=(), nil_reason=UNLIKE_NAMES)
        mask = self.kb.row_mask
        inside = [item for item in found if mask is None or mask[item.row]]
        outside = next((item for item in found if mask is not None and not mask[item.row]), None)
        if not inside:
            reason = NO_CANDIDATE
            if outside is not None:
                reason = f"pruned: {self.kb.id_at(outside.row)} is outside, nothing is inside"
            return replace(mention, links=(), nil_reason=reason)
        links = tuple(
            self._link(item, rank, mention)
            for rank, item in enumerate(inside[: self.options.top_k], 1)
        )
        # In the combined score NIL is one more candidate; the other methods know none.
        nil = 0.0
        if self.options.method == "combined":
            nil = max(0.0, 1 - sum(item.probability for item in found))
            nil *= _rescaled(inside[0].probability, links[0].probability)
        other = None if outside is None else self._link(outside, 0, mention)
        named = self._is_name_of(inside[0], mention)
        said = policy.reason(Seen(links, nil, other, mention.probability, named))
        if said is not None:
            return replace(mention, links=(), nil_reason=said)
        return replace(mention, links=links, nil_reason=None)

    def _is_name_of(self, item: Found, mention: Mention) -> bool:
        """Whether the mention is a name of this concept alone, of no other type."""
        written = mention.long_form or mention.text
        if self.kb.name_at(item.name_id) != normalise_name(written):
            return False
        types = self.kb.types_at(item.row)
        agreement = type_agreement(mention.type, types, self._kb_types)
        return self.kb.owners(item.name_id) == [item.row] and agreement >= 0

    def _link(self, item: Found, rank: int, mention: Mention) -> Link:
        also = [row for row in self.kb.owners(item.name_id) if row != item.row]
        probability = item.probability
        if self.calibration is not None:
            probability = self.calibration(probability)
        concept_id = self.kb.id_at(item.row)
        return Link(
            concept_id=concept_id,
            name=self.kb.written_name(item.row, item.name_id),
            score=item.score,
            probability=probability,
            rank=rank,
            shared=bool(also),
            also=tuple(self.kb.id_at(row) for row in also),
            long_form=mention.long_form,
            preferred_name=self.kb.preferred_name_at(item.row),
            curie=self.kb.curie(concept_id),
        )

    def owners(self, name_id: int, mention_type: str) -> list[int]:
        """Owners of a name in the order of the homonym policy."""
        owners = self.kb.owners(name_id)
        agreement = {
            row: type_agreement(mention_type, self.kb.types_at(row), self._kb_types)
            for row in owners
        }
        if self.options.match_types:
            owners = [row for row in owners if agreement[row] >= 0]
        if len(owners) > 1:
            owners.sort(
                key=lambda row: (
                    not self.kb.is_preferred(name_id, row),
                    -self._priors.get(row, 0),
                    -agreement[row],
                    self.kb.id_at(row),
                )
            )
        return owners

    def _concepts(self, names: Iterable[tuple[int, float, float]], task: Task) -> list[Found]:
        """Concepts of ranked names (name id, score, probability), each once."""
        found: dict[int, Found] = {}
        for name_id, score, probability in names:
            owners = self.owners(name_id, task.type)
            for row in owners if self.options.homonyms == "all" else owners[:1]:
                found.setdefault(row, Found(row, name_id, score, probability))
        return list(found.values())

    # ------------------------------------------------------------------ generate

    def _named(self, tasks: Sequence[Task]) -> dict[Task, list[Found]]:
        """Concepts of the tasks whose mention is a name.

        First its owners, then those of names that begin with it.
        """
        if not len(self.trie):
            return {}
        top_k = self.options.top_k
        # Several names may be one concept's.
        most = 1 if top_k == 1 else 2 * top_k
        every = self.model.named(self.trie, [task.mention for task in tasks], most)
        named: dict[Task, list[Found]] = {}
        for task, leaves in zip(tasks, every, strict=True):
            found: dict[int, Found] = {}
            for leaf, share in leaves:
                names = list(self._names_at(leaf, math.log(share), share))
                if share == 1:
                    for name_id, score, probability in names:
                        for row in self.owners(name_id, task.type):
                            found.setdefault(row, Found(row, name_id, score, probability))
                    # Where no owner's type matches, the model decides.
                    if not found:
                        break
                else:
                    for item in self._concepts(names, task):
                        found.setdefault(item.row, item)
            if found:
                named[task] = list(found.values())
        return named

    def _names_at(
        self, leaf: int, score: float, probability: float
    ) -> Iterator[tuple[int, float, float]]:
        allowed = self.kb.name_mask
        for name_id in map(int, self.trie.names_at(leaf)):
            if allowed[name_id]:
                yield name_id, score, probability

    def _generated(self, tasks: Sequence[Task]) -> list[list[Found]]:
        if not len(self.trie):
            return [[] for _ in tasks]
        options = self.options.decoding
        if options.beam < self.options.top_k:
            options = replace(options, beam=self.options.top_k)
        if options.keep < self.options.top_k:
            options = replace(options, keep=self.options.top_k)
        memory, _ = self.model.read([task.source for task in tasks])
        prompts = self.model.prompts([task.mention for task in tasks])
        ranked = constrained_beam_search(self.model.backbone, self.trie, memory, prompts, options)
        check_scores(np.array([h.score for some in ranked for h in some]), "scores of names")
        results = []
        for task, hypotheses in zip(tasks, ranked, strict=True):
            names = (
                name
                for h in hypotheses
                for name in self._names_at(h.leaf, h.score, math.exp(h.log_prob / h.length))
            )
            results.append(self._concepts(names, task))
        return results

    # ------------------------------------------------------------------ candidates

    @torch.inference_mode()
    def _score_names(
        self, tasks: Sequence[Task], memory: Memory, name_ids: Sequence[np.ndarray]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Log-probability and length of each task's names."""
        empty = (np.zeros(0), np.zeros(0))
        results = [empty for _ in tasks]
        some = [i for i, ids in enumerate(name_ids) if len(ids)]
        if not some:
            return results
        prompts = self.model.prompts([tasks[i].mention for i in some])
        names = [
            self.model.name_tokens([self.kb.name_at(int(n)) for n in name_ids[i]]) for i in some
        ]
        backbone = self.model.backbone
        sizes = [sum(map(len, of_mention)) for of_mention in names]
        for part in of_similar_size(sizes, _PADDED):
            chosen = torch.tensor([some[place] for place in part], device=backbone.device)
            packed = pack([prompts[p] for p in part], [names[p] for p in part], backbone.pad_id)
            sums, lengths = name_sums(backbone, memory.select(chosen), packed.to(backbone.device))
            for row, place in enumerate(part):
                size = len(names[place])
                results[some[place]] = (
                    check_scores(sums[row, :size].double().cpu().numpy(), "scores of names"),
                    lengths[row, :size].double().cpu().numpy(),
                )
        return results

    def _among_candidates(self, tasks: Sequence[Task]) -> list[list[Found]]:
        found = self._indexes.lexical.search(
            [task.mention for task in tasks],
            max(64, self.options.candidates),
            None if self.kb.row_mask is None else self.kb.name_mask,
        )
        name_ids = [ids for ids, _ in found]
        penalty = self.options.decoding.length_penalty
        memory, _ = self.model.read([task.source for task in tasks])
        results = []
        for task, ids, (sums, lengths) in zip(
            tasks, name_ids, self._score_names(tasks, memory, name_ids), strict=True
        ):
            scores = sums / np.maximum(lengths, 1) ** penalty
            means = sums / np.maximum(lengths, 1)
            order = np.lexsort((ids, -scores))
            names = ((int(ids[i]), float(scores[i]), math.exp(means[i])) for i in order)
            results.append(self._concepts(names, task))
        return results

    # ------------------------------------------------------------------ combined

    def candidates(self, tasks: Sequence[Task]) -> list[Candidates]:
        """Candidates of each task with their features, best retrieved first."""
        return _candidates_under([self], tasks, everything=True)[0]

    def _read(self, tasks: Sequence[Task]) -> Read:
        """What of a batch does not depend on the part of the base."""
        count = len(tasks)
        hints = list(dict.fromkeys(hint.text for task in tasks for hint in task.hints))
        texts = [*(task.mention for task in tasks), *hints]
        memory, in_context = self.model.read([task.source for task in tasks])
        ngrams = self._indexes.lexical.similarities(texts)
        # In one call: it reads all of the index.
        vectors = np.concatenate([self.model.embed(texts), in_context])
        cosines = self._indexes.dense.similarities(vectors)
        of_mentions, of_hints, context = np.split(cosines, [count, len(texts)])
        hinted = dict(zip(hints, (ngrams[count:].toarray() + of_hints) / 2, strict=True))
        return Read(memory, ngrams, of_mentions, context, hinted)

    def _retrieved(self, tasks: Sequence[Task], read: Read) -> list[Retrieved]:
        """The names of this linker's part that are most similar to each task."""
        lexical = self._indexes.lexical
        mask = self._index_mask
        found: list[Retrieved] = []
        for place, task in enumerate(tasks):
            span = slice(read.ngrams.indptr[place], read.ngrams.indptr[place + 1])
            ngrams = np.zeros(len(lexical.name_ids), dtype=np.float32)
            ngrams[read.ngrams.indices[span]] = read.ngrams.data[span]
            vectors, context = read.vectors[place], read.context[place]
            if mask is not None:
                ngrams[~mask] = -1.0
                vectors = np.where(mask, vectors, np.float32(-2.0))
                context = np.where(mask, context, np.float32(-2.0))
            # Equal scores are common (plurals, word order): all of them would push others out,
            # so the n-grams' ties are broken by the embeddings.
            every = ngrams + DENSE_SHARE * vectors + CONTEXT_SHARE * context
            count = self.options.candidates
            best = np.union1d(highest(ngrams + 1e-3 * vectors, count), highest(vectors, count))
            best = np.union1d(best, highest(context, count))
            if mask is not None:
                best = best[mask[best]]
            order = best[np.lexsort((lexical.name_ids[best], -every[best]))][: self.options.scored]
            order = np.append(order, self._remembered(task.mention, order, every))
            similar: list[np.ndarray] = []
            for hint in task.hints:
                to_hint = read.hinted[hint.text]
                if mask is not None:
                    to_hint = np.where(mask, to_hint, -1.0)
                known = set(order.tolist())
                order = np.append(order, [i for i in highest(to_hint, 3) if i not in known])
                order = order.astype(np.int64)
                similar.append(to_hint)
            of_hints = np.zeros((len(order), len(HINTS)))
            for hint, to_hint in zip(task.hints, similar, strict=True):
                column = HINTS.index(hint.kind)
                of_hints[:, column] = np.maximum(of_hints[:, column], hint.weight * to_hint[order])
            found.append(
                Retrieved(
                    lexical.name_ids[order], ngrams[order], vectors[order], context[order], of_hints
                )
            )
        return found

    def _remembered(self, mention: str, found: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Index rows for concepts that training documents link the mention to, if not found yet.

        Each comes with the most similar of its names.
        """
        annotated = self._annotated(mention)
        if not annotated:
            return np.empty(0, dtype=np.int64)
        name_ids = self._indexes.lexical.name_ids
        have = {row for place in found for row in self.kb.owners(int(name_ids[place]))}
        extra = []
        for row in annotated:
            if row not in have and (self.kb.row_mask is None or self.kb.row_mask[row]):
                names = (self.kb.name_id(name) for name in self.kb.concept_at(row).names)
                places = [self._place_of[i] for i in names if i is not None]
                places = [place for place in places if place >= 0]
                if places:
                    extra.append(max(places, key=lambda place: scores[place]))
        return np.array(extra, dtype=np.int64)

    def _features(self, task: Task, found: Retrieved) -> Candidates:
        """Candidates with all features but those of generation, which are 0."""
        exact = normalise_name(task.mention)
        annotated = self._annotated(task.mention)
        links = max(1, sum(annotated.values()))
        nearest = found.ngrams.max(initial=0.0) - 1e-6
        items: list[tuple[int, int]] = []
        features: list[list[float]] = []
        for place, name_id in enumerate(map(int, found.name_ids)):
            is_exact = self.kb.name_at(name_id) == exact
            owners = self.kb.owners(name_id)
            for row in owners:
                agreement = type_agreement(task.type, self.kb.types_at(row), self._kb_types)
                if self.options.match_types and agreement < 0:
                    continue
                items.append((name_id, row))
                features.append(
                    [
                        0.0,
                        0.0,
                        float(found.vectors[place]),
                        float(found.ngrams[place]),
                        float(is_exact),
                        float(self.kb.is_preferred(name_id, row)),
                        math.log1p(self._priors.get(row, 0)),
                        agreement,
                        math.log1p(annotated.get(row, 0)),
                        annotated.get(row, 0) / links,
                        float(found.hints[place, 0]),
                        float(found.ngrams[place] >= nearest),
                        float(found.context[place]),
                        *map(float, found.hints[place, 1:]),
                        float(is_exact and len(owners) == 1),
                    ]
                )
        if not items:
            return Candidates(np.empty(0, int), np.empty(0, int), np.empty((0, len(FEATURES))))
        ids, rows = (np.array(column) for column in zip(*items, strict=True))
        return Candidates(ids, rows, np.array(features), may_be_short(task.mention))

    def _combined(self, tasks: Sequence[Task]) -> list[list[Found]]:
        (found,) = _candidates_under([self], tasks, everything=False)
        return [self._ranked(candidates) for candidates in found]

    def _open(self, candidates: Candidates) -> np.ndarray:
        """Ids of the names that generation may still bring to the top."""
        ranker = self.model.ranker
        assert ranker is not None
        if not len(candidates.rows):
            return candidates.name_ids
        scores = ranker.scores(candidates.features)
        return candidates.name_ids[scores >= scores.max() - OPEN]

    def _ranked(self, candidates: Candidates) -> list[Found]:
        """Concepts of a task's candidates, best first."""
        ranker = self.model.ranker
        assert ranker is not None
        if not len(candidates.rows):
            return []
        scores = ranker.scores(candidates.features)
        nil = ranker.nil_score(nil_features(candidates.features, candidates.short))
        return by_concept(candidates, scores, nil)


def _candidates_under(
    linkers: Sequence[Linker], tasks: Sequence[Task], everything: bool
) -> list[list[Candidates]]:
    """Candidates of each task for linkers over parts of one base; a name is scored once.

    Parameters
    ----------
    everything
        Score all names by generation; else those alone that it can still bring to the top.
    """
    first = linkers[0]
    read = first._read(tasks)
    every = [
        [
            linker._features(task, one)
            for task, one in zip(tasks, linker._retrieved(tasks, read), strict=True)
        ]
        for linker in linkers
    ]
    wanted = [
        [one.name_ids if everything else first._open(one) for one in of_part] for of_part in every
    ]
    names = [
        np.unique(np.concatenate([of_part[place] for of_part in wanted]))
        for place in range(len(tasks))
    ]
    for place, (sums, lengths) in enumerate(first._score_names(tasks, read.memory, names)):
        for of_part in every:
            fill_in(of_part[place], names[place], sums, lengths)
    return every


def _rescaled(before: float, after: float) -> float:
    """What the rest of the probability is multiplied by where calibration changed the best's."""
    return (1 - after) / (1 - before) if before < 1 else 1.0
