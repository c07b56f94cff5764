"""Documents, mentions and links: immutable values that flow through every stage.

Offsets are indices into ``Document.text`` in code points (what Python's ``str`` counts), never
bytes or UTF-16 units. ``document.text[m.start:m.end] == m.text`` holds for every mention of a
document; :class:`Document` refuses to be made otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["Document", "Link", "Mention", "Passage"]

#: Characters of a text that :func:`repr` shows.
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Link:
    """One concept proposed for a mention.

    Attributes
    ----------
    concept_id
        Id inside the knowledge base, without prefix.
    name
        The name, as the knowledge base writes it, through which the concept was reached.
    score
        What ranked it, a log-probability: of the name for generation, of the concept for the
        combined linker. Comparable within one mention only.
    probability
        In [0, 1]; calibrated on development data where the model carries a calibration.
    rank
        From 1.
    shared
        The name belongs to several concepts of the knowledge base.
    also
        Ids of the other concepts that own the name.
    long_form
        The long form that was linked in place of the abbreviated mention, or None.
    preferred_name
        The concept's preferred name, whatever name it was reached through ("Breast Neoplasms"
        beside "Cancer, Breast").
    curie
        The id with the prefix of its vocabulary ("mesh:D001943").
    """

    concept_id: str
    name: str
    score: float
    probability: float
    rank: int
    shared: bool = False
    also: tuple[str, ...] = ()
    long_form: str | None = None
    preferred_name: str = ""
    curie: str = ""


@dataclass(frozen=True, slots=True)
class Mention:
    """A span of a document that names something: the slice ``text[start:end]`` is ``text``.

    Attributes
    ----------
    start, end
        Code-point offsets into the document's text, end exclusive. For a discontinuous mention
        they cover all of its spans.
    type
        Semantic type as the corpus or recogniser names it, or "".
    concept_ids
        Gold ids, in the order of the source; empty when unknown or when the gold says NIL.
    id_joiner
        How several ids belong together: "|" for alternatives or conjuncts named one by one,
        "+" for concepts that together make one mention, "," or ";" as some corpora write.
    parts
        The individual mentions that some corpora give for a composite one.
    spans
        The pieces of a discontinuous mention as (start, end); empty for a continuous one.
    links
        Ranked links, best first; empty for NIL or before linking.
    nil_reason
        Why there is no link (threshold, no candidate, pruned), or None.
    long_form
        What the mention abbreviates in this document, or None.
    id
        Identifier of the annotation in its source, or "".
    probability
        What a recogniser that found the mention gives for it, in [0, 1], or None.
    """

    start: int
    end: int
    text: str
    type: str = ""
    concept_ids: tuple[str, ...] = ()
    id_joiner: str = "|"
    parts: tuple[str, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()
    links: tuple[Link, ...] = ()
    nil_reason: str | None = None
    long_form: str | None = None
    id: str = ""
    probability: float | None = None

    @property
    def best(self) -> Link | None:
        """The first link, or None for NIL."""
        return self.links[0] if self.links else None


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a document (title, abstract, ...): ``text[start:end]`` of the document."""

    start: int
    end: int
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its passages and mentions.

    Raises
    ------
    ValueError
        When a mention's text is not the slice that its offsets name, or a passage or mention
        lies outside the text.
    """

    id: str
    text: str
    passages: tuple[Passage, ...] = ()
    mentions: tuple[Mention, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        size = len(self.text)
        for passage in self.passages:
            if not 0 <= passage.start <= passage.end <= size:
                raise ValueError(
                    f"document {self.id!r}: passage {passage.start}-{passage.end} lies outside "
                    f"the text of {size} characters"
                )
        for mention in self.mentions:
            if not 0 <= mention.start < mention.end <= size:
                raise ValueError(
                    f"document {self.id!r}: mention {mention.start}-{mention.end} "
                    f"({mention.text!r}) lies outside the text of {size} characters"
                )
            found = self.text[mention.start : mention.end]
            if found != mention.text:
                raise ValueError(
                    f"document {self.id!r}: mention {mention.start}-{mention.end} says "
                    f"{mention.text!r} but the text there is {found!r}"
                )

    def __repr__(self) -> str:
        size = len(self.text)
        shown = repr(self.text if size <= _SHOWN else self.text[:_SHOWN] + "…")
        if size > _SHOWN:
            shown += f" ({size:,} characters)"
        return f"<Document {self.id!r}: {shown}, {len(self.mentions)} mentions>"

    def with_mentions(self, mentions: Iterable[Mention]) -> Document:
        """The same document with other mentions."""
        return replace(self, mentions=tuple(mentions))
