"""The outcome for a mention, links or NIL with a reason, by the same rule for all linkers.

Every linker ranks concepts in its own way and passes them to :func:`outcome`. The partial-KB
benchmark already has the links of the whole knowledge base, so it calls only :func:`evidence`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from biolink.documents import Link, Mention
from biolink.infer.decide.calibration import Calibration
from biolink.infer.decide.nil import NO_CANDIDATE, NilEvidence, NilPolicy
from biolink.infer.mentions.exact_names import is_name_of
from biolink.infer.rank.candidates import RankedConcept
from biolink.kb import KnowledgeBase
from biolink.kb.types import type_agreement, type_name

__all__ = ["LinkMaker", "evidence", "outcome"]


@dataclass(frozen=True)
class LinkMaker:
    """A function that makes links from ranked concepts.

    Attributes
    ----------
    kb
        The knowledge base, or the subset of it, that is linked to.
    calibration
        The calibration that is applied to the probabilities of links, or None.
    """

    kb: KnowledgeBase
    calibration: Calibration | None = None

    def __call__(self, concept: RankedConcept, rank: int, mention: Mention) -> Link:
        """The link of a mention to a concept, which may be outside the subset."""
        kb = self.kb
        others = [row for row in kb.owners(concept.name_id) if row != concept.row]
        concept_id = kb.id_at(concept.row)
        return Link(
            concept_id=concept_id,
            name=kb.written_name(concept.row, concept.name_id),
            score=concept.score,
            probability=self.calibrated(concept.probability),
            rank=rank,
            shared=bool(others),
            also=tuple(kb.id_at(row) for row in others),
            long_form=mention.long_form,
            preferred_name=kb.preferred_name_at(concept.row),
            curie=kb.curie(concept_id),
        )

    def calibrated(self, probability: float) -> float:
        """The calibrated probability, or the same one if there is no calibration."""
        return probability if self.calibration is None else self.calibration(probability)


def outcome(
    mention: Mention,
    ranked: Sequence[RankedConcept],
    policy: NilPolicy,
    make: LinkMaker,
    top_k: int | None,
    nil: bool,
) -> Mention:
    """The mention with its links, or with the reason why it has none.

    Parameters
    ----------
    mention
        The mention.
    ranked
        The ranked concepts, best first. For a policy that compares with the whole knowledge base,
        they include concepts outside the subset.
    policy
        The policy that decides whether the links are kept.
    make
        The function that makes the links. Its knowledge base defines which concepts are inside
        the subset.
    top_k
        The most links that are kept, or None to keep all.
    nil
        Whether NIL was one more candidate beside ``ranked``. If so, its probability is what the
        probabilities of the concepts leave of 1; otherwise it is unknown.
    """
    mask = make.kb.row_mask
    inside = [concept for concept in ranked if mask is None or mask[concept.row]]
    beyond = next((c for c in ranked if mask is not None and not mask[c.row]), None)
    if nil:
        mention = replace(mention, nil_probability=_of_nil(ranked, make))
    outside = None if beyond is None else make(beyond, 0, mention)
    if not inside:
        nothing = NO_CANDIDATE
        if outside is not None:
            nothing = f"pruned: {outside.concept_id} is outside, nothing is inside"
        return replace(mention, links=(), nil_reason=nothing)
    # A policy may compare the two best links, also where only one is kept.
    most = None if top_k is None else max(2, top_k)
    links = tuple(
        make(concept, rank, mention) for rank, concept in enumerate(islice(inside, most), 1)
    )
    reason = policy.reason(evidence(mention, links, outside, make.kb))
    return replace(mention, links=links[:top_k] if reason is None else (), nil_reason=reason)


def evidence(
    mention: Mention, links: Sequence[Link], outside: Link | None, kb: KnowledgeBase
) -> NilEvidence:
    """The evidence about a mention on which a NIL policy decides.

    Parameters
    ----------
    mention
        The mention, with the probabilities that the recogniser and the linker gave it.
    links
        Its links to concepts of the subset, best first; at least one.
    outside
        The best link to a concept outside the subset, or None.
    kb
        The subset, or the whole knowledge base.
    """
    return NilEvidence(
        links=links,
        nil=mention.nil_probability or 0.0,
        outside=outside,
        span=mention.probability,
        named=_is_only_name_of(mention, links[0].concept_id, kb),
    )


def _of_nil(ranked: Sequence[RankedConcept], make: LinkMaker) -> float:
    """The probability of NIL: what the probabilities of the concepts leave of 1.

    It is scaled by the factor by which calibration changes the complement of the best concept's
    probability.
    """
    if not ranked:
        return 1.0
    rest = max(0.0, 1 - sum(concept.probability for concept in ranked))
    before = ranked[0].probability
    return rest * (1 - make.calibrated(before)) / (1 - before) if before < 1 else rest


def _is_only_name_of(mention: Mention, concept_id: str, kb: KnowledgeBase) -> bool:
    """Whether the mention is a name of this concept only, and their types do not contradict."""
    written = mention.long_form or mention.text
    name_id = kb.name_id(written)
    row = kb.row_of(concept_id)
    if name_id is None or row is None or kb.owners(name_id) != [row]:
        return False
    if not is_name_of(kb, written, name_id, row):
        return False
    known = set(map(type_name, kb.base.every_type))
    return type_agreement(mention.type, kb.types_at(row), known) >= 0
