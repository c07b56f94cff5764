"""What a document is after the acts on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from biolink.corrections.acts import Act, Meaning
from biolink.documents import Document, Link, Mention
from biolink.errors import DocumentError

__all__ = ["DECIDED_NIL", "Corrected", "Reviewed", "apply_acts", "decided", "effective"]

#: The reason of a mention that somebody says means no concept.
DECIDED_NIL = "decided by a person"


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A mention after the acts on it.

    Attributes
    ----------
    number
        Its number, as acts name it.
    mention
        The mention. If it is decided, ``concept_ids`` has what it means (nothing for NIL), and the
        first link is that concept; otherwise its links are those of the linker.
    decision
        The last act that says what it means: ``accept``, ``choose`` or ``nil``; "" while it is
        open.
    changed
        Whether somebody added it or changed its span.
    """

    number: int
    mention: Mention
    decision: str = ""
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Corrected:
    """A document after the acts on it.

    Attributes
    ----------
    document
        The document. Mentions that were removed are not in it.
    mentions
        Its mentions with their numbers and decisions, in the order of the document's.
    removed
        The numbers of the mentions that were removed.
    """

    document: Document
    mentions: tuple[Reviewed, ...]
    removed: tuple[int, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether every mention is decided."""
        return all(reviewed.decision for reviewed in self.mentions)


def effective(acts: Iterable[Act]) -> list[Act]:
    """Return the acts that were not taken back, in order, without the acts ``undo``.

    >>> acts = [Act("nil", "1", 0, 0, 5, "Fever"), Act("undo", "1"), Act("undo", "2")]
    >>> effective(acts)
    []
    """
    done: list[Act] = []
    for act in acts:
        if act.act != "undo":
            done.append(act)
            continue
        last = max((n for n, a in enumerate(done) if a.document == act.document), default=None)
        if last is not None:
            del done[last]
    return done


def apply_acts(document: Document, acts: Sequence[Act]) -> Corrected:
    """Return a document after the acts on it.

    Parameters
    ----------
    document
        The document as it was linked.
    acts
        Acts in the order in which they were decided; those on other documents are passed over.

    Examples
    --------
    >>> document = Document("1", "Fever.", mentions=(Mention(0, 5, "Fever"),))
    >>> fever = Act("choose", "1", 0, 0, 5, "Fever", concepts=(Meaning("D005334"),))
    >>> after = apply_acts(document, [fever])
    >>> after.document.mentions[0].concept_ids, after.mentions[0].decision
    (('D005334',), 'choose')

    Raises
    ------
    DocumentError
        If an act does not fit the document: its offsets have another text, or there is no such
        mention.
    """
    now: dict[int, Reviewed] = {
        number: Reviewed(number, mention) for number, mention in enumerate(document.mentions)
    }
    removed: list[int] = []
    given = len(document.mentions)
    used: set[int] = set(now)
    # A number is used up by an addition that is taken back, too.
    for act in acts:
        if act.act == "add" and act.document == document.id and act.mention is not None:
            if act.mention < given or act.mention in used:
                raise DocumentError(f"{_where(act)}: the number is that of another mention")
            used.add(act.mention)
    for act in effective(acts):
        if act.document != document.id or act.mention is None:
            continue
        number = act.mention
        mention = _mention(act, document.text)
        if act.act == "add":
            now[number] = Reviewed(number, mention, changed=True)
            continue
        if number not in now:
            raise DocumentError(f"{_where(act)}: the document has no such mention")
        before = now[number]
        if act.act == "remove":
            del now[number]
            removed.append(number)
            continue
        now[number] = _after(before, act, mention)
    mentions = sorted(now.values(), key=lambda reviewed: reviewed.number)
    after = document.with_mentions(reviewed.mention for reviewed in mentions)
    return Corrected(after, tuple(mentions), tuple(removed))


def _where(act: Act) -> str:
    return f'document {act.document!r}, act "{act.act}" on mention {act.mention}'


def _mention(act: Act, text: str) -> Mention:
    """A mention where an act says, after a look at the text there."""
    start, end = act.start or 0, act.end or 0
    if not start < end <= len(text) or text[start:end] != act.text:
        there = repr(text[start:end][:60])
        raise DocumentError(
            f"{_where(act)} says {act.text[:60]!r} at {start}-{end}, but the text there is {there}"
        )
    return Mention(start, end, act.text, act.type)


def _after(before: Reviewed, act: Act, mention: Mention) -> Reviewed:
    old = before.mention
    moved = (old.start, old.end) != (mention.start, mention.end)
    if moved and act.act != "span":
        raise DocumentError(f"{_where(act)} is at another place than the mention")
    here = replace(
        old, start=mention.start, end=mention.end, text=mention.text, type=mention.type,
        spans=() if moved else old.spans,
    )  # fmt: skip
    changed = before.changed or moved
    if act.act == "span":
        return Reviewed(before.number, here, before.decision, changed)
    meant = decided(here, act.concepts if act.act != "nil" else (), act.joiner)
    return Reviewed(before.number, meant, act.act, changed)


def decided(mention: Mention, concepts: Sequence[Meaning], joiner: str = "|") -> Mention:
    """Return a mention that means the given concepts, or none of the knowledge base.

    The candidate that was chosen is its first link, before the others. A concept that was no
    candidate has probability 1.
    """
    if not concepts:
        return replace(mention, concept_ids=(), links=(), nil_reason=DECIDED_NIL)
    first = concepts[0]
    known = [link for link in mention.links if link.concept_id == first.id]
    best = known[0] if known else Link(
        first.id, first.name or first.id, 0.0, 1.0, 1, preferred_name=first.name, curie=first.curie
    )  # fmt: skip
    others = [link for link in mention.links if link.concept_id != first.id]
    links = tuple(replace(link, rank=rank) for rank, link in enumerate([best, *others], 1))
    ids = tuple(concept.id for concept in concepts)
    return replace(mention, concept_ids=ids, id_joiner=joiner, links=links, nil_reason=None)
