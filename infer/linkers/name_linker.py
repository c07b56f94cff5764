"""The linker of genes, species and cell lines, which ranks by names and without a network."""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from biolink.documents import Document, Mention, each_document
from biolink.errors import ConfigError
from biolink.infer.decide.nil import NAMES_NOTHING, Likelier, NilPolicy, NoNil
from biolink.infer.decide.outcome import LinkMaker, outcome
from biolink.infer.decide.written import policy_of
from biolink.infer.linkers.piping import Piping
from biolink.infer.mentions.abbreviations import expand_document, finder
from biolink.infer.mentions.nesting import nested
from biolink.infer.mentions.spans import names_something
from biolink.infer.names.candidates import FEATURES, OF_PLACES, MentionCandidates, Reading
from biolink.infer.names.ranker import NameRanker
from biolink.infer.names.taxa import cells_in, named_taxa
from biolink.infer.names.view import Memory, NameView
from biolink.infer.rank.candidates import RankedConcept
from biolink.kb import KnowledgeBase
from biolink.kb.arguments import need, need_natural
from biolink.kb.types import kind_of

__all__ = ["NameLinker", "NameOptions"]

#: Place -> the words with which a link says why it is a gene of its species.
_REASONS = {
    "beside": "its species is named beside it",
    "alone": "its species is the only one that is named in the sentence",
    "nearest": "its species is the nearest that is named in the sentence",
    "sentence": "its species is named in the sentence",
    "before": "its species is the last that is named before it",
    "title": "its species is named in the title",
    "frequent": "its species is named most often in the text",
    "share": "its species is named in the text",
    "cell_sentence": "cells or a strain of its species are named in the sentence",
    "cell_before": "cells or a strain of its species are the last that are named before it",
    "cells": "the text names cells or a strain of its species",
    "unsaid": "the text does not say whose gene it is",
    "": "the text names its species nowhere",
}

#: The words with which a link says that something else decided, and the features that are meant.
_OTHER_REASONS = {
    "the words of the text speak for its species": ("taxon_words",),
    "the text writes genes like those of its species": (
        *("taxon_fit", "taxon_written", "taxon_style", "taxon_letter"),
    ),
}
_BY_NAME = "it is likelier to have this name than a gene of another species"
_ONLY = "no other species has a gene with such a name"
#: Why a mention of a cell line that is (a part of) the name of a strain has no link.
_STRAIN = "a strain of animals, not a cell line"

#: The digits of scores after the point.
_DIGITS = 9
#: The nats by which a gene of the preferred species is favoured where the text names no species.
_PREFERENCE = 5.0


@dataclass(frozen=True, slots=True)
class NameOptions:
    """How a :class:`NameLinker` links.

    Attributes
    ----------
    top_k
        The most links that are kept for each mention. Default: 5.
    taxa
        NCBI Taxonomy ids of the species whose genes are linked to, the preferred one first: it is
        the species where a text names none. Default: (), for all species of the base.
    abbreviations
        How abbreviations are expanded: ``schwartz-hearst``, ``scispacy``, ``auto`` or ``none``.
        Default: ``auto``.

    Raises
    ------
    ConfigError
        If a value has the wrong type.
    """

    top_k: int = 5
    taxa: tuple[str, ...] = ()
    abbreviations: str = "auto"

    def __post_init__(self) -> None:
        need_natural("top_k", self.top_k)
        finder(self.abbreviations)
        if not isinstance(self.taxa, tuple) or not all(
            isinstance(taxon, str) and taxon.isdecimal() for taxon in self.taxa
        ):
            raise ConfigError(
                f"taxa is {self.taxa!r}; expected a tuple of NCBI Taxonomy ids such as ('9606',)"
            )


class NameLinker(Piping):
    """A linker of the mentions whose kind its knowledge base has; it leaves all others untouched.

    Candidates are the concepts with a name like the mention; they are ranked by a weighted sum of
    named features (:data:`biolink.infer.names.candidates.FEATURES`). Several linkers can work on
    the same document in turn: species that are linked before genes say whose genes are meant.

    Parameters
    ----------
    kb
        A knowledge base, or a subset of one.
    ranker
        The fitted weights.
    options
        See :class:`NameOptions`.
    nil
        The policy that decides when a mention gets no link, in any form that :func:`biolink.load`
        takes. If it is None, given mentions are always linked, and mentions that a recogniser
        found are linked unless NIL is more probable than every concept.

    Raises
    ------
    ConfigError
        If an argument has the wrong type, or the base has no concept of a species in ``taxa``.
    """

    paradigm = "names"

    def __init__(
        self,
        kb: KnowledgeBase,
        ranker: NameRanker,
        options: NameOptions | None = None,
        nil: NilPolicy | str | float | None = None,
    ) -> None:
        need("kb", kb, KnowledgeBase, "a KnowledgeBase (KnowledgeBase.read gives one)")
        need("ranker", ranker, NameRanker, "a NameRanker")
        if options is None:
            options = NameOptions()
        need("options", options, NameOptions, "NameOptions")
        self.kb, self.ranker, self.options = kb, ranker, options
        self.nil = policy_of(nil)
        _check_taxa(kb, options.taxa)

    def __repr__(self) -> str:
        return f"<NameLinker: {', '.join(sorted(self.kinds))}, {len(self.kb):,} concepts>"

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds of the mentions that are linked."""
        return frozenset(map(kind_of, self.kb.base.every_type))

    @cached_property
    def view(self) -> NameView:
        """The knowledge base as ranking by names reads it."""
        return NameView(self.kb, self.options.taxa)

    @property
    def taxa(self) -> Sequence[str]:
        """The species in the order of preference; empty if the concepts have none."""
        return self.options.taxa or self.ranker.taxa

    def _check_recognise(self, recognise: bool | None) -> None:
        if recognise:
            raise ConfigError("a NameLinker links mentions that are there; it finds none itself")

    def _block(self, documents: list[Document], recognise: bool | None) -> list[Document]:
        self._check_recognise(recognise)
        return self.link_documents(documents)

    def knows(self, text: str) -> bool:
        """Whether a concept has a name like the text, or like a part of it."""
        return bool(self.view.reached(text))

    def prepare(self) -> None:
        """Read the columns that linking needs into memory."""
        self.view.prepare()

    def with_kb(self, kb: KnowledgeBase) -> NameLinker:
        """See :meth:`Piping.with_kb`."""
        need("kb", kb, KnowledgeBase, "a KnowledgeBase (KnowledgeBase.read gives one)")
        other = copy.copy(self)
        other.kb = kb
        return other

    def find_under(
        self, documents: Sequence[Document], kbs: Sequence[KnowledgeBase]
    ) -> list[list[Document]]:
        """See :meth:`Piping.find_under`; this linker has no recogniser, so it is an error."""
        raise ConfigError("finding mentions needs a recogniser, which a NameLinker does not have")

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
        return [
            self._linked(document, number in recognised)
            for number, document in enumerate(each_document(documents, "link_documents"))
        ]

    def mentions(self, document: Document) -> dict[int, Mention]:
        """The mentions of this linker's kinds by their number, with their long forms."""
        numbers = [i for i, m in enumerate(document.mentions) if kind_of(m.type) in self.kinds]
        mine = document.with_mentions(document.mentions[i] for i in numbers)
        find = finder(self.options.abbreviations)
        if find is not None:
            mine = expand_document(mine, find)
        return dict(zip(numbers, mine.mentions, strict=True))

    def candidates(
        self, document: Document, mentions: Sequence[Mention], memory: Memory | None = None
    ) -> list[MentionCandidates]:
        """The candidates of mentions of a document.

        Parameters
        ----------
        document
            The document. Its linked mentions of species say whose genes are meant.
        mentions
            The mentions, with their long forms.
        memory
            What training documents teach. Default: None, for that of the ranker.
        """
        ranker = self.ranker
        known = {*self.taxa, *ranker.species.values()}
        taxa = named_taxa(document, ranker.species, ranker.words, ranker.cells, known)
        reading = Reading(self.view, document, mentions, memory or ranker.memory, taxa, self.taxa)
        return reading.candidates()

    def _linked(self, document: Document, recognised: bool) -> Document:
        mine = self.mentions(document)
        if not mine:
            return document
        policy = self.nil or (Likelier() if recognised else NoNil())
        make = LinkMaker(self.kb)
        inner = nested(document.mentions)
        outer = document
        if inner:
            every = enumerate(document.mentions)
            outer = document.with_mentions(m for number, m in every if number not in inner)
        strains = list(cells_in(document.text, self.ranker.strains))
        linked: dict[int, Mention] = {}
        for seen, numbers in ((outer, mine.keys() - inner), (document, mine.keys() & inner)):
            chosen = [mine[number] for number in sorted(numbers)]
            found = self.candidates(seen, chosen) if chosen else []
            for number, mention, candidates in zip(sorted(numbers), chosen, found, strict=True):
                linked[number] = (
                    replace(mention, links=(), nil_reason=_STRAIN)
                    if any(s.start < mention.end and mention.start < s.end for s in strains)
                    else self._outcome(mention, candidates, policy, make)
                )
        return document.with_mentions(
            linked.get(number, mention) for number, mention in enumerate(document.mentions)
        )

    def _outcome(
        self, mention: Mention, found: MentionCandidates, policy: NilPolicy, make: LinkMaker
    ) -> Mention:
        if not names_something(mention.text):
            return replace(mention, links=(), nil_reason=NAMES_NOTHING)
        ranked = self.ranked(found, preferred=True)
        mention = outcome(mention, ranked, policy, make, self.options.top_k, nil=True)
        if not self.taxa or not mention.links:
            return mention
        place_of = dict(zip(map(int, found.rows), found.places, strict=True))
        reasons = [self._decisive(found, ranked)]
        reasons += [_REASONS[place_of[concept.row]] for concept in ranked[1:]]
        taxa = [self.view.taxa[concept.row] for concept in ranked]
        links = (
            replace(link, reason=f"taxon {taxon}: {reason}" if taxon else "")
            for link, taxon, reason in zip(mention.links, taxa, reasons, strict=False)
        )
        return replace(mention, links=tuple(links))

    def _decisive(self, found: MentionCandidates, ranked: Sequence[RankedConcept]) -> str:
        """Why the best concept is of its species: what makes most of its lead over others."""
        number = {int(row): i for i, row in enumerate(found.rows)}
        best, taxa = ranked[0].row, self.view.taxa
        place = found.places[number[best]]
        if place == "unsaid":
            return _REASONS[place]
        rival = next((c.row for c in ranked if taxa[c.row] not in ("", taxa[best])), None)
        if rival is None:
            return _REASONS[place] if place else _ONLY
        lead = found.features[number[best]] - found.features[number[rival]]
        if lead[FEATURES.index("taxon_against")] < 0:
            return _REASONS[place]
        shares = dict(zip(FEATURES, lead * self.ranker.weights, strict=True))
        groups = {_REASONS[place]: OF_PLACES} if place else {}
        groups |= _OTHER_REASONS
        by_group = {
            reason: sum(shares.pop(name) for name in names) for reason, names in groups.items()
        }
        by_group[_BY_NAME] = sum(shares.values())
        return max(by_group, key=lambda reason: by_group[reason])

    def ranked(self, found: MentionCandidates, preferred: bool = False) -> list[RankedConcept]:
        """The candidates of a mention with their probabilities, best first.

        Parameters
        ----------
        found
            The candidates.
        preferred
            Whether the species that ``taxa`` puts first is favoured where the text names none.
            Default: False.
        """
        # The order in which numbers are added up may change their last digits, so these are cut.
        scores = np.round(found.features @ self.ranker.weights, _DIGITS)
        if preferred and self.options.taxa:
            first = self.options.taxa[0]
            scores = scores + [
                _PREFERENCE * (place == "unsaid" and self.view.taxa[row] == first)
                for row, place in zip(map(int, found.rows), found.places, strict=True)
            ]
        nil = round(float(found.nil @ self.ranker.nil_weights), _DIGITS)
        top = max(float(scores.max(initial=nil)), nil)
        weights = np.exp(scores - top)
        total = float(weights.sum()) + float(np.exp(nil - top))
        return [
            RankedConcept(
                int(found.rows[i]),
                int(found.name_ids[i]),
                float(scores[i] - top - np.log(total)),
                float(weights[i] / total),
            )
            for i in np.lexsort((found.rows, -scores))
        ]


def _check_taxa(kb: KnowledgeBase, taxa: Sequence[str]) -> None:
    """Raise an error for a species of which the base has no concept."""
    if not taxa:
        return
    known = set(kb.base.data.table.column("taxon").unique().to_pylist()) - {"", None}
    if unknown := [taxon for taxon in taxa if taxon not in known]:
        raise ConfigError(
            f"the knowledge base has no gene of the taxon {', '.join(unknown)}; expected taxa "
            f"among {', '.join(sorted(known))}"
        )
