"""What linkers that find their own mentions have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Self

from biolink.documents import Document, Link, Mention
from biolink.errors import ConfigError
from biolink.infer.model import LinkingModel
from biolink.infer.nil import NilPolicy, NoNil, Seen
from biolink.infer.piping import Piping
from biolink.infer.spans import is_written, tidied
from biolink.kb import KnowledgeBase

__all__ = ["TextLinker"]


class TextLinker(Piping):
    """Finds and links mentions in one go.

    Mentions that a document has are replaced; those that are found do not overlap.

    Parameters
    ----------
    model
        What finds and links.
    kb
        Whose concepts are linked to.
    nil
        Decides on each link; None keeps all. A policy that looks at the whole base makes the linker
        work with all of its concepts, and what is outside the part is dropped.
    """

    options: Any

    def __init__(self, model: LinkingModel, kb: KnowledgeBase, nil: NilPolicy | None) -> None:
        self.model, self.kb, self.nil = model, kb, nil

    @property
    def searched(self) -> KnowledgeBase:
        """The concepts that are looked for: of the part, or of the whole base."""
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

    @abstractmethod
    def prepare(self) -> None:
        """Build, or map, what linking looks names up in."""

    @abstractmethod
    def with_kb(self, kb: KnowledgeBase) -> Self:
        """The same model over another knowledge base."""

    @abstractmethod
    def _linked(self, documents: Sequence[Document]) -> list[Document]:
        """The documents with the mentions that are found in them."""

    def _mention(
        self, text: str, start: int, end: int, found: Iterable[tuple[int, int, float, float]]
    ) -> Mention:
        """A mention with its links.

        Parameters
        ----------
        found
            (name id, row of an owner, score, probability), best first.
        """
        base, mask = self.kb.base, self.kb.row_mask
        links: list[Link] = []
        outside: list[Link] = []
        best = 0.0
        for name_id, row, score, probability in found:
            kept = links if mask is None or mask[row] else outside
            owners = base.owners(name_id)
            concept_id = base.id_at(row)
            best = max(best, probability)
            kept.append(
                Link(
                    concept_id=concept_id,
                    name=base.written_name(row, name_id),
                    score=score,
                    probability=probability,
                    rank=len(kept) + 1,
                    shared=len(owners) > 1,
                    also=tuple(base.id_at(other) for other in owners if other != row),
                    preferred_name=base.preferred_name_at(row),
                    curie=base.curie(concept_id),
                )
            )
        mention = Mention(start, end, text[start:end], probability=best)
        if not links:
            reason = f"pruned: {outside[0].concept_id} is outside, nothing is inside"
            return replace(mention, nil_reason=reason)
        said = (self.nil or NoNil()).reason(Seen(links, 0.0, outside[0] if outside else None))
        return replace(mention, links=() if said else tuple(links), nil_reason=said)
