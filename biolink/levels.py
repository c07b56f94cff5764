"""Rolling links up: replacing concepts by more general ones, for example to count by category."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import overload

import numpy as np

from biolink.documents import Document, Link, Mention, each_document
from biolink.errors import ConfigError
from biolink.kb import KnowledgeBase
from biolink.kb.arguments import is_whole, need
from biolink.kb.bases import KnowledgeBases, takes
from biolink.kb.parts import example_id, ids_given

__all__ = ["RollUp", "roll_up"]


@overload
def roll_up(
    documents: Document, kb: KnowledgeBase | KnowledgeBases, to: int | str | Iterable[str]
) -> Document: ...


@overload
def roll_up(
    documents: Iterable[Document], kb: KnowledgeBase | KnowledgeBases, to: int | str | Iterable[str]
) -> Iterator[Document]: ...


def roll_up(
    documents: Document | Iterable[Document],
    kb: KnowledgeBase | KnowledgeBases,
    to: int | str | Iterable[str],
) -> Document | Iterator[Document]:
    """Replace the concepts of links by more general concepts of the hierarchy.

    Each link goes to the nearest concept of the chosen level among its own concept and the
    ancestors of that. Of several that are equally near, the one counts that
    :meth:`biolink.KnowledgeBase.ancestors` gives first, so a link always goes to one concept. If
    there is none, the link stays as it is.

    Links of a mention that go to the same concept become one: their probabilities are added, and
    the links are ranked anew by probability. ``name`` still says through which name of the former
    concept the best of them was reached. Mentions do not change, nor does the decision whether a
    mention is NIL, because it was made before.

    Parameters
    ----------
    documents
        Linked documents, or a single one.
    kb
        The knowledge bases whose hierarchies are used, ``linker.bases``; those are used as wholes,
        so that the level is the same whatever part of a base the linker links to. Or a single one,
        such as ``linker.bases.of("Species")``. The type of a mention chooses the base. Mentions of
        a kind that no base has, such as genes with the base of diseases, stay as they are, because
        their ids are those of something else; so do mentions whose base has no hierarchy.
    to
        The level. A number is a depth: the tops of each hierarchy have depth 0, and the concepts
        directly below them depth 1. A concept with several parents has the least depth that it
        can have. Ids choose these concepts. A string is what the option ``--roll-up`` takes: a
        number, or ids separated by commas; an id that is a number needs its prefix
        (``OMIM:253300``, ``NCBITaxon:9606``).

    Returns
    -------
    The documents, in order, as a stream; for a single document, the document.

    Examples
    --------
    >>> from biolink import Concept, Document, KnowledgeBase, Link, Mention
    >>> kb = KnowledgeBase.from_concepts(
    ...     [
    ...         Concept("1", "neoplasms"),
    ...         Concept("2", "lung neoplasms", parents=("1",)),
    ...         Concept("3", "small cell lung carcinoma", parents=("2",)),
    ...     ]
    ... )
    >>> links = (Link("3", "SCLC", -0.7, 0.5, 1), Link("2", "lung neoplasms", -1.6, 0.2, 2))
    >>> document = Document("", "SCLC", mentions=(Mention(0, 4, "SCLC", links=links),))
    >>> rolled = roll_up(document, kb, 1)
    >>> (link,) = rolled.mentions[0].links
    >>> link.concept_id, link.preferred_name, link.probability
    ('2', 'lung neoplasms', 0.7)

    Raises
    ------
    ConfigError
        If there is no hierarchy, no concept has this depth, a depth and ids are mixed, or an id is
        unknown or is an id of several bases.
    """
    rolled = RollUp(kb, to)
    if isinstance(documents, Document):
        return rolled(documents)
    return map(rolled, each_document(documents, "roll_up"))


class RollUp:
    """Rolls up the links of one document after another; see :func:`roll_up`."""

    def __init__(self, kb: KnowledgeBase | KnowledgeBases, to: int | str | Iterable[str]) -> None:
        need("kb", kb, (KnowledgeBase, KnowledgeBases), "a KnowledgeBase, or linker.bases")
        bases = [base.base for base in kb.bases] if isinstance(kb, KnowledgeBases) else [kb]
        self.bases = KnowledgeBases(bases)
        self._levels = [_Level(*level) for level in _levels(self.bases, to)]
        self._of_type: dict[str, _Level | None] = {}

    def __call__(self, document: Document) -> Document:
        return document.with_mentions(map(self._mention, document.mentions))

    def _mention(self, mention: Mention) -> Mention:
        if mention.type not in self._of_type:
            self._of_type[mention.type] = self._level(mention.type)
        level = self._of_type[mention.type]
        if level is None:
            return mention
        together: dict[str, list[Link]] = {}
        for link in map(level.link, mention.links):
            together.setdefault(link.concept_id, []).append(link)
        links = list(map(_merged, together.values()))
        if len(links) < len(mention.links):
            links.sort(key=lambda link: -link.probability)
        ranked = (replace(link, rank=rank) for rank, link in enumerate(links, 1))
        return replace(mention, links=tuple(ranked))

    def _level(self, mention_type: str) -> _Level | None:
        """The level in the base of a type; None if the links of such mentions stay."""
        kb = self.bases.of_mention(mention_type)
        if not takes(kb, mention_type):
            return None
        return next((level for level in self._levels if level.kb is kb), None)


class _Level:
    """The chosen concepts of one base: bool [rows of the base]."""

    def __init__(self, kb: KnowledgeBase, chosen: np.ndarray) -> None:
        self.kb, self.chosen = kb, chosen
        self._targets: dict[int, int] = {}

    def link(self, link: Link) -> Link:
        """The link to the concept to which that of a link is rolled up."""
        concept_id = self._id(link.concept_id)
        also = dict.fromkeys(map(self._id, link.also))
        link = replace(link, also=tuple(other for other in also if other != concept_id))
        if concept_id == link.concept_id:
            return link
        return replace(
            link,
            concept_id=concept_id,
            preferred_name=self.kb[concept_id].name,
            curie=self.kb.curie(concept_id),
        )

    def _id(self, concept_id: str) -> str:
        """The id of the concept to which a concept is rolled up; without one, the same id."""
        row = self.kb.row_of(concept_id)
        if row is None:
            return concept_id
        if row not in self._targets:
            above = (up for up in self.kb.steps_up(row) if self.chosen[up])
            self._targets[row] = next(above, row)
        target = self._targets[row]
        return concept_id if target == row else self.kb.id_at(target)


def _levels(
    bases: KnowledgeBases, to: int | str | Iterable[str]
) -> Iterator[tuple[KnowledgeBase, np.ndarray]]:
    """The bases with concepts of the level, and these: bool [rows of the base]."""
    if isinstance(to, str) and to.strip().isdecimal():
        to = int(to)
    if isinstance(to, float | bool):
        raise ConfigError(
            f"roll-up is {to}; expected a depth, which is a whole number from 0, or concept ids"
        )
    with_parents = [base for base in bases.bases if base.has_hierarchy]
    if not with_parents:
        bases.bases[0].need_hierarchy()
    if not is_whole(to):
        yield from _of_ids(KnowledgeBases(with_parents), bases, to)  # type: ignore[arg-type]
        return
    depths = [base.depths() for base in with_parents]
    deepest = max(int(of_base.max(initial=0)) for of_base in depths)
    if not 0 <= to <= deepest:  # type: ignore[operator]
        raise ConfigError(
            f"roll-up is to depth {to}; expected a number from 0 to {deepest}, the greatest "
            "depth of the hierarchy"
        )
    for base, of_base in zip(with_parents, depths, strict=True):
        yield base, of_base == to


def _of_ids(
    bases: KnowledgeBases, every: KnowledgeBases, given: str | Iterable[str]
) -> Iterator[tuple[KnowledgeBase, np.ndarray]]:
    """The concepts with some ids, of bases that have hierarchies."""
    example = example_id(bases.bases[0])
    chosen: dict[KnowledgeBase, list[int]] = {}
    ids = ids_given("roll-up", given, lambda i: bool(every.having(i)), example)
    mixed = len({concept_id.isdecimal() for concept_id in ids}) > 1
    for concept_id in ids:
        owners = [base for base in every.having(concept_id) if base in bases.bases]
        if len(owners) != 1:
            problem = "is not in the knowledge base"
            expected = f"ids such as {example}"
            if owners:
                problem = "is in several knowledge bases"
                expected = " or ".join(base.curie(concept_id) for base in owners)
            elif every.having(concept_id):
                problem = "is in a knowledge base in which no concept has a parent"
            raise ConfigError(
                f"roll-up has the id {concept_id!r}, which {problem}; expected {expected}"
            )
        curie = owners[0].curie(concept_id)
        if mixed and concept_id.isdecimal() and curie != concept_id:
            raise ConfigError(
                f"roll-up has {concept_id} together with ids; expected a depth alone, or ids "
                f"alone, of which a number has its prefix ({curie})"
            )
        row = owners[0].row_of(concept_id)
        chosen.setdefault(owners[0], []).append(row)  # type: ignore[arg-type]
    for base, rows in chosen.items():
        level = np.zeros(base.data.table.num_rows, dtype=bool)
        level[rows] = True
        yield base, level


def _merged(links: Sequence[Link]) -> Link:
    """One link in place of several to the same concept."""
    best = links[0]
    if len(links) == 1:
        return best
    return replace(
        best,
        probability=min(1.0, sum(link.probability for link in links)),
        score=float(np.logaddexp.reduce([link.score for link in links])),
    )
