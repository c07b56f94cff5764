"""Rolling links up: replacing concepts by more general ones, for example to count by category."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from biolink.documents import Document, Link, Mention, each_document
from biolink.errors import ConfigError
from biolink.kb import KnowledgeBase
from biolink.kb.arguments import is_whole, need
from biolink.kb.bases import KnowledgeBases
from biolink.kb.parts import rows_in_hierarchy

__all__ = ["RollUp", "roll_up"]


def roll_up(
    documents: Document | Iterable[Document],
    kb: KnowledgeBase,
    to: int | str | Iterable[str],
) -> Iterator[Document]:
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
        Linked documents.
    kb
        The knowledge base, whose hierarchy is used; usually ``linker.kb.base``, so that the level
        is the same whatever part of the base the linker uses.
    to
        The level. A number is a depth: the tops of the hierarchy have depth 0, and the concepts
        directly below them depth 1. A concept with several parents has the least depth that it
        can have. Ids choose these concepts. A string is what the option ``--roll-up`` takes: a
        number, or ids separated by commas; an id that is a number needs its prefix
        (``OMIM:253300``).

    Returns
    -------
    The documents, in order, as a stream.

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
    >>> (rolled,) = roll_up(document, kb, 1)
    >>> (link,) = rolled.mentions[0].links
    >>> link.concept_id, link.preferred_name, link.probability
    ('2', 'lung neoplasms', 0.7)

    Raises
    ------
    ConfigError
        If the base has no hierarchy, no concept has this depth, or an id is unknown.
    """
    return map(RollUp(kb, to), each_document(documents, "roll_up"))


class RollUp:
    """Rolls up the links of one document after another; see :func:`roll_up`.

    With the knowledge bases of several kinds of entities, the links of mentions of other kinds
    than those of ``kb`` stay as they are.
    """

    def __init__(
        self,
        kb: KnowledgeBase,
        to: int | str | Iterable[str],
        bases: KnowledgeBases | None = None,
    ) -> None:
        need("kb", kb, KnowledgeBase, "a KnowledgeBase")
        self.kb, self.bases = kb, bases
        self.level = _level(kb, to)
        self._targets: dict[int, int] = {}

    def __call__(self, document: Document) -> Document:
        return document.with_mentions(map(self._mention, document.mentions))

    def _mention(self, mention: Mention) -> Mention:
        if self.bases is not None and self.bases.of(mention.type).base is not self.kb:
            return mention  # Its ids are those of another knowledge base.
        together: dict[str, list[Link]] = {}
        for link in map(self._link, mention.links):
            together.setdefault(link.concept_id, []).append(link)
        links = list(map(_merged, together.values()))
        if len(links) < len(mention.links):
            links.sort(key=lambda link: -link.probability)
        ranked = (replace(link, rank=rank) for rank, link in enumerate(links, 1))
        return replace(mention, links=tuple(ranked))

    def _link(self, link: Link) -> Link:
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
            above = (up for up in self.kb.steps_up(row) if self.level[up])
            self._targets[row] = next(above, row)
        target = self._targets[row]
        return concept_id if target == row else self.kb.id_at(target)


def _level(kb: KnowledgeBase, to: int | str | Iterable[str]) -> np.ndarray:
    """bool [rows of the base]: the concepts of the level."""
    if isinstance(to, str) and to.strip().isdecimal():
        to = int(to)
    if not is_whole(to):
        level = np.zeros(kb.data.table.num_rows, dtype=bool)
        level[rows_in_hierarchy("roll-up", kb, to)] = True  # type: ignore[arg-type]
        return level
    kb.need_hierarchy()
    depths = kb.depths()
    deepest = int(depths.max(initial=0))
    if not 0 <= to <= deepest:  # type: ignore[operator]
        raise ConfigError(
            f"roll-up is to depth {to}; expected a number from 0 to {deepest}, the greatest "
            "depth of the hierarchy"
        )
    at_depth: np.ndarray = depths == to
    return at_depth


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
